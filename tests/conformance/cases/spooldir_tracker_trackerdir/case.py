from case import listing

READY = "none"


def prepare(run):
    (run.dir / "in" / "a.log").write_bytes(run.input)


def collect(run, files):
    files["listing.txt"] = listing(run.dir / "in")
