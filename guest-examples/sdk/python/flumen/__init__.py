"""Flumen plugins in Python.

    import flumen

    class Stamp(flumen.Interceptor):
        def configure(self, options):
            self.value = options.text("value", "prod")
            return flumen.Needs(body=False)

        def intercept(self, batch):
            batch.set_header("env", self.value)       # the whole column at once: ns per event, not µs

One class of this kind in `plugin.py` is a plugin. Invariants:

* nothing is done per event that the author did not ask for: events are made when they are iterated over, a header
  column is cut into values when one of them is read, and an untouched batch answers empty edits;
* an option that was not asked for during `configure` is an error with its key;
* an exception is an answer, never a trap: `ConfigError`, `Retry`, `Invalid`, `Fatal` say what the host does next, any
  other one is `Invalid` with the place it was raised at.
"""

from flumen._batch import Batch, Bodies, Event, Header
from flumen._host import Counter, Gauge, StateError, log, monotonic_nanos, state, wall_millis
from flumen._options import ConfigError, Fatal, Invalid, Options, Retry

__all__ = [
    "Batch", "Bodies", "ConfigError", "Counter", "Event", "Fatal", "Gauge", "Header", "Interceptor", "Invalid",
    "Needs", "Options", "Retry", "Serializer", "StateError", "log", "monotonic_nanos", "state", "wall_millis",
]


class Needs:
    """What a plugin reads of each batch; what is not asked for is not copied in.

    headers: None for none of them, a list of names, or "all".
    """

    def __init__(self, body=True, headers=None):
        self.body = body
        self.headers = headers


class Interceptor:
    """Changes or drops events between a source and its channels."""

    _class = None

    def __init_subclass__(cls):
        Interceptor._class = cls

    def configure(self, options):
        """Called once, before anything else. Reads the options, answers the `Needs` (None: the bodies)."""

    def intercept(self, batch):
        """Called for each batch: edit it in place. It may be empty, and events may be seen again."""
        raise NotImplementedError


class Serializer:
    """Turns events into the bytes of a file. One object configures; each file gets a copy of its own (`open`)."""

    _class = None
    #: What the file's name should end with, as ".csv"; "" when the sink decides.
    suffix = ""
    #: Its MIME type; "" when unknown.
    content_type = ""

    def __init_subclass__(cls):
        Serializer._class = cls

    def configure(self, options):
        """Called once. Reads the options, answers the `Needs` (None: the bodies)."""

    def begin(self):
        """The first bytes of a new file."""
        return b""

    def write(self, batch):
        """The bytes of these events; may keep some back."""
        raise NotImplementedError

    def flush(self):
        """All that was kept back."""
        return b""

    def discard(self):
        """The events since the last `flush` were not stored: forget them, they come again."""

    def finish(self):
        """The last bytes of the file."""
        return b""
