"""Options as the author reads them, and the errors a plugin can answer. Every mistake is told with its key."""


class ConfigError(Exception):
    """The configuration is wrong; `key` is the option at fault, None when it is a combination of several."""

    def __init__(self, key, message):
        super().__init__(message)
        self.key = key
        self.message = message


class Retry(Exception):
    """The same call may succeed later: the host gives the same input again, after a pause that grows."""


class Invalid(Exception):
    """This input can never succeed: the host does with it what `onError` says, and goes on."""


class Fatal(Exception):
    """The instance is broken: the host discards it, and configures a fresh one."""


_REQUIRED = object()


class Options:
    """The settings `config.KEY = VALUE` of the plugin. Each reader raises `ConfigError` with the key."""

    def __init__(self, pairs):
        self._values = dict(pairs)
        self._known = []

    def text(self, key, default=_REQUIRED):
        """The text as it is written; `default` when the option is not there, an error when that is missing too."""
        self._known.append(key)
        if key in self._values:
            return self._values[key]
        if default is _REQUIRED:
            raise ConfigError(key, f"`{key}` is missing")
        return default

    def integer(self, key, default=_REQUIRED, least=None, most=None):
        """A whole number between `least` and `most`, both allowed."""
        text = self.text(key, default)
        if not isinstance(text, str):
            return text
        try:
            number = int(text)
        except ValueError:
            raise ConfigError(key, f"`{text}` is not a whole number") from None
        if (least is not None and number < least) or (most is not None and number > most):
            raise ConfigError(key, f"{number} is not between {least} and {most}")
        return number

    def boolean(self, key, default=_REQUIRED):
        """`true` or `false`."""
        text = self.text(key, default)
        if not isinstance(text, str):
            return text
        if text.lower() not in ("true", "false"):
            raise ConfigError(key, f"`{text}` is neither `true` nor `false`")
        return text.lower() == "true"

    def words(self, key, default=_REQUIRED):
        """A list of words with white space between them."""
        text = self.text(key, default)
        return text.split() if isinstance(text, str) else text

    def _refuse_unknown(self):
        for key in self._values:
            if key not in self._known:
                known = ", ".join(f"`{k}`" for k in self._known) or "none"
                raise ConfigError(key, f"there is no option `{key}`; known are: {known}")
