"""Property files are ISO-8859-1: a value written in UTF-8 keeps its bytes apart."""
