import os

from case import listing

READY = "none"
SORT = ["k1"]


def prepare(run):
    spool = run.dir / "in"
    files = [("a.log", run.input), ("b.log", b"from b 1\nfrom b 2\n"), ("empty.log", b"")]
    for second, (name, data) in enumerate(files, 1):
        (spool / name).write_bytes(data)
        os.utime(spool / name, (1577836800 + second,) * 2)  # The oldest file is read first.
    (spool / "c.tmp").write_bytes(b"ignored\n")
    (spool / "sub").mkdir()
    (spool / "sub" / "d.log").write_bytes(b"in sub\n")


def collect(run, files):
    files["listing.txt"] = listing(run.dir / "in")
