"""The scenarios of the channels on disk, by batch and number of sources.

    S4stress-1, -100, -1000    stress -> file -> file_roll    bodies of 199 bytes in transactions of exactly so many events
    S4stress-1x8 ...           the same with eight sources
    S9-1, -100, -1000          stress -> jdbc -> file_roll    the embedded database: SQLite in Flumen, Derby in Flume

S4's exec source hands on what a read gave, so its transactions are `batchSize` or more; these here are alike on both
sides. So many events as Flume's channel passes in a minute or less.
"""

# Events in a transaction, sources, events in all.
DURABLE = {
    "S4stress-1": (1, 1, 20_000),
    "S4stress-1x8": (1, 8, 40_000),
    "S4stress-100": (100, 1, 400_000),
    "S4stress-100x8": (100, 8, 400_000),
    "S4stress-1000": (1000, 1, 1_000_000),
    "S4stress-1000x8": (1000, 8, 1_000_000),
    "S9-1": (1, 1, 3_000),
    "S9-100": (100, 1, 10_000),
    "S9-1000": (1000, 1, 10_000),
}
DURABLE_EVENTS = {name: events for name, (_, _, events) in DURABLE.items()}


def with_sources(text, count):
    """A configuration with this many sources in the place of `r1`, all alike."""
    lines = []
    for line in text.splitlines():
        if line.startswith("a1.sources ="):
            lines.append("a1.sources = " + " ".join(f"r{n}" for n in range(1, count + 1)))
        elif line.startswith("a1.sources.r1."):
            lines += [line.replace(".r1.", f".r{n}.", 1) for n in range(1, count + 1)]
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"
