"""Prefix, extension and rolling by time: two sends far enough apart come into two files.

Empty files between them depend on the moment, so only files with something in them are listed, and their
numbers are replaced.
"""

NORMALISE = [(r"web-[0-9]{13}-", "web-@MILLIS@-"), (r"-[0-9]+\.log", "-@N@.log")]


def rolled(run):
    return sorted((run.dir / "out" / "k1").iterdir())


def drive(run):
    run.send(run.input)
    run.wait_output("k1", 2)
    before = len(rolled(run))
    run.wait("the sink has rolled", lambda: len(rolled(run)) > before)
    run.send(b"three\n", name="reply2")
    run.wait_output("k1", 3)


def collect(run, files):
    names = [f"./{p.name}\n" for p in rolled(run) if p.stat().st_size]
    files["listing.txt"] = "".join(names).encode()
