"""What ends a run without a figure."""


class BenchError(Exception):
    """The run gives no figure; the text says why and where the log is."""
