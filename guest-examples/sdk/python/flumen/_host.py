"""What the host offers: log, metrics, state, clock. Not at the top level of a module: there is no host yet then."""

from componentize_py_types import Err
from wit_world.imports import clock as _clock
from wit_world.imports import log as _log
from wit_world.imports import metrics as _metrics
from wit_world.imports import state as _state


class _Log:
    """Lines in the agent's log: `flumen.log.info("message", key=value)`. A level that is off costs one call."""

    def _line(self, level, message, fields):
        if _log.enabled(level):
            _log.write(level, message, [(key, str(value)) for key, value in fields.items()])

    def trace(self, message, **fields):
        self._line(_log.Level.TRACE, message, fields)

    def debug(self, message, **fields):
        self._line(_log.Level.DEBUG, message, fields)

    def info(self, message, **fields):
        self._line(_log.Level.INFO, message, fields)

    def warn(self, message, **fields):
        self._line(_log.Level.WARN, message, fields)

    def error(self, message, **fields):
        self._line(_log.Level.ERROR, message, fields)


log = _Log()


class Counter:
    """Only ever rises. Made once, in `configure`: `flumen.Counter("masked", kind="digit")`."""

    def __init__(self, name, **labels):
        self._counter = _metrics.Counter(name, list(labels.items()))

    def add(self, count=1):
        self._counter.add(count)


class Gauge:
    """Whatever was set last."""

    def __init__(self, name, **labels):
        self._gauge = _metrics.Gauge(name, list(labels.items()))

    def set(self, value):
        self._gauge.set(float(value))


class StateError(Exception):
    """`reason` is "too-large", "full" or "io"."""

    def __init__(self, reason):
        super().__init__(f"state: {reason}")
        self.reason = reason


class _State:
    """The plugin's own small store, shared by its instances. Keys are text, values are bytes."""

    def _call(self, function, *arguments):
        try:
            return function(*arguments)
        except Err as error:
            raise StateError(error.value.name.lower().replace("_", "-")) from None

    def get(self, key):
        """The value, or None."""
        return self._call(_state.get, key)

    def set(self, key, value):
        self._call(_state.set, key, value)

    def delete(self, key):
        self._call(_state.delete, key)

    def keys(self, prefix="", after=None, most=1000):
        """The keys that begin with `prefix`, ascending, from the first behind `after` on; at most `most`."""
        return self._call(_state.keys, prefix, after, most)


state = _State()


def monotonic_nanos():
    """Nanoseconds from an arbitrary start; never goes back."""
    return _clock.monotonic_nanos()


def wall_millis():
    """Milliseconds since 1970, or None without `grants.clock = wall`."""
    return _clock.wall_millis()
