"""Fewer lines than a batch come out after batchTimeout, and the file is followed over a rename."""

READY = "none"


def prepare(run):
    (run.dir / "in" / "log").write_bytes(b"before\n")


def drive(run):
    log = run.dir / "in" / "log"
    run.wait_output("k1", 1)
    with open(log, "ab") as f:
        f.write(b"appended\n")
    run.wait_output("k1", 2)
    log.rename(run.dir / "in" / "log.1")
    log.write_bytes(b"new file\n")
    run.wait_output("k1", 3)
