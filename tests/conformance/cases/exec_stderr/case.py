"""Only the standard output becomes events; a last line without its newline does too."""

READY = "none"
