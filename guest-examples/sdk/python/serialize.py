"""Where componentize-py looks for the resources of the export `flumen:plugin/serialize`: a module of its name."""

from flumen._wire import Encoder  # noqa: F401
