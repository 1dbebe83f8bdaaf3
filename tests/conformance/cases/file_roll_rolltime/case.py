from case import listing

NORMALISE = [(r"t-20[0-9]{12}-", "t-@TIME@-")]


def collect(run, files):
    files["listing.txt"] = listing(run.dir / "out" / "k1")
