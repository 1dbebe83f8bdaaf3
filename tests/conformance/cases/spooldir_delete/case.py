from case import listing
from fixtures import spool_files

READY = "none"
prepare = spool_files


def collect(run, files):
    files["listing.txt"] = listing(run.dir / "in")
