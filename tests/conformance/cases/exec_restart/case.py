"""A command that ends is started again. How often depends on the moment: one line stands for all."""

READY = "none"


def drive(run):
    run.wait_output("k1", 3)


def collect(run, files):
    files["k1.txt"] = b"".join(sorted(set(files["k1.txt"].splitlines(keepends=True))))
