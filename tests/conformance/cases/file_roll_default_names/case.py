from case import listing

NORMALISE = [(r"[0-9]{13}-", "@MILLIS@-")]


def collect(run, files):
    files["listing.txt"] = listing(run.dir / "out" / "k1")
