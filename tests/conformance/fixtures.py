"""Files that several cases start from."""

import os


def spool_files(run):
    """A spool directory: three logs of known age (the oldest is read first), an unfinished one, one below."""
    spool = run.dir / "in"
    files = [("a.log", run.input), ("b.log", b"from b 1\nfrom b 2\n"), ("empty.log", b"")]
    for second, (name, data) in enumerate(files, 1):
        (spool / name).write_bytes(data)
        os.utime(spool / name, (1577836800 + second,) * 2)
    (spool / "c.tmp").write_bytes(b"ignored\n")
    (spool / "sub").mkdir()
    (spool / "sub" / "d.log").write_bytes(b"in sub\n")
