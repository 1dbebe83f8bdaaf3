"""Masks digits: see guest-examples/README.md for what it does, in every language."""

import flumen

DIGITS = b"0123456789"


class MaskDigits(flumen.Interceptor):
    def configure(self, options):
        char = options.text("char", "#")
        self.header = options.text("header", None)
        drop = options.text("drop", None)
        if len(char) != 1 or not char.isascii():
            raise flumen.ConfigError("char", f"`{char}` is not one ASCII character")
        if self.header == "":
            raise flumen.ConfigError("header", "a header's name cannot be empty")
        if drop == "":
            raise flumen.ConfigError("drop", "the empty text is in every body")
        self.drop = None if drop is None else drop.encode()
        self.bytes = bytes.maketrans(DIGITS, char.encode() * 10)
        self.text = str.maketrans("0123456789", char * 10)
        return flumen.Needs(body=True, headers=None if self.header is None else [self.header])

    def intercept(self, batch):
        bodies = batch.bodies
        # One call masks all bodies; what is left per event is to count, which the header asks for.
        batch.set_bodies(bodies.data.translate(self.bytes))
        counts = []
        for row, body in enumerate(bodies):
            if self.drop is not None and self.drop in body:
                batch.drop(row)
            counts.append(len(body) - len(body.translate(None, DIGITS)))
        self.mask_header(batch, counts)
        batch.set_header("masked", [str(count) for count in counts])

    def mask_header(self, batch, counts):
        column = None if self.header is None else batch.header(self.header)
        if column is None:
            return
        values = column.values()
        for row, value in zip(column.rows, values):
            counts[row] += sum(map(value.count, "0123456789"))
        batch.set_header_rows(self.header, column.rows, [value.translate(self.text) for value in values])
