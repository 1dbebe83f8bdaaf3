"""Between the exports of the world and the author's class: errors, options, needs."""

import copy
import traceback

from componentize_py_types import Err
from wit_world.imports import columns as _columns
from wit_world.imports import types as _types

import flumen
from flumen._batch import Batch


def _answered(call, *arguments):
    """Calls the author's code; an exception becomes the error that says what the host does next."""
    try:
        return call(*arguments)
    except flumen.ConfigError as error:
        raise Err(_types.Error_Config(_types.ConfigError(error.key, error.message))) from None
    except flumen.Retry as error:
        raise Err(_types.Error_Retry(str(error))) from None
    except flumen.Invalid as error:
        raise Err(_types.Error_Invalid(str(error))) from None
    except flumen.Fatal as error:
        raise Err(_types.Error_Fatal(str(error))) from None
    except MemoryError:
        raise Err(_types.Error_Fatal("out of memory: see `limits.memoryBytesMax`")) from None
    except Err:
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {error} ({place.filename}:{place.lineno} in {place.name})"
        raise Err(_types.Error_Invalid(text)) from None


def _needs(needs):
    needs = flumen.Needs() if needs is None else needs
    if needs.headers is None:
        headers = _columns.HeaderNeed_Nothing()
    elif needs.headers == "all":
        headers = _columns.HeaderNeed_All()
    else:
        headers = _columns.HeaderNeed_Only(list(needs.headers))
    return _columns.Needs(needs.body, headers)


def _configured(author, pairs):
    options = flumen.Options(pairs)
    needs = author.configure(options)
    options._refuse_unknown()
    return _needs(needs)


class Intercept:
    """The export `intercept`."""

    _author = None

    def configure(self, options):
        Intercept._author = flumen.Interceptor._class()
        return _answered(_configured, Intercept._author, options)

    def intercept(self, batch):
        return _answered(self._edits, batch)

    def _edits(self, batch):
        view = Batch(batch)
        Intercept._author.intercept(view)
        return view._edits()


class Serialize:
    """The export `serialize`."""

    author = None

    def configure(self, options):
        Serialize.author = flumen.Serializer._class()
        return _answered(self._format, options)

    def _format(self, options):
        from wit_world.exports import serialize

        needs = _configured(Serialize.author, options)
        return serialize.Format(needs, Serialize.author.suffix, Serialize.author.content_type)


class Encoder:
    """One open file: a copy of the configured author's object, so that files share no state."""

    def __init__(self):
        self._author = copy.copy(Serialize.author)

    def begin(self):
        return _answered(self._author.begin)

    def write(self, batch):
        return _answered(lambda: self._author.write(Batch(batch)))

    def flush(self):
        return _answered(self._author.flush)

    def discard(self):
        _answered(self._author.discard)

    def finish(self):
        return _answered(self._author.finish)
