"""Nine events of one batch: three to each channel. Flume 1.11 drops the source: its check does not know the selector."""

READY = "none"
