"""Six events, rolled after four: the second file is finished when the agent stops."""

from case import listing

NORMALISE = [(r"ev\.[0-9]{13}", "ev.@MILLIS@")]


def drive(run):
    run.send(run.input)
    run.wait_output("k1", 4)


def collect(run, files):
    lines = listing(run.dir / "out" / "k1").splitlines(keepends=True)
    files["listing.txt"] = b"".join(line for line in lines if b"/." not in line[2:])  # Checksums of Hadoop's client.
