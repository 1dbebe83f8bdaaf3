"""The sink of higher priority takes over again once it works and its penalty is over."""


def drive(run):
    run.send(run.input)
    run.wait_output("k2", 6)
    returned = run.dir / "later" / "k1"
    returned.mkdir(parents=True)

    def comes_back():
        run.send(b"after\n")
        return any(p.stat().st_size for p in returned.iterdir())

    run.wait("k1 takes events again", comes_back)


def collect(run, files):
    # How many are sent before k1 is back depends on its penalty.
    files["k2.txt"] = files["k2.txt"].replace(b"{} after\n", b"")
    returned = run.dir / "later" / "k1"
    lines = {line for p in returned.glob("*") for line in p.read_bytes().splitlines(keepends=True)}
    files["k1.txt"] = b"".join(sorted(lines))
