"""What componentize-py is given: the exports of the world, answered by the author's class.

    componentize-py -d wit -w interceptor componentize flumen_app -p sdk -p . -o plugin.wasm

The author's module is `plugin`. It is imported when the component is built, not when it runs: what its top level does
(tables, compiled patterns) costs nothing at start-up, and host functions cannot be called there.
"""

import flumen._wire as _wire
import plugin  # noqa: F401  (its class registers itself)


class Intercept(_wire.Intercept):
    """The export `flumen:plugin/intercept`."""


class Serialize(_wire.Serialize):
    """The export `flumen:plugin/serialize`; its resource is in the module `serialize`."""
