"""Nine events of one batch: three to each channel.

Flume 1.11 drops the source: its check of configurations does not know this selector.
"""

READY = "none"
