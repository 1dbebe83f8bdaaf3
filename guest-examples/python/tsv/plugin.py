"""Lines of tab-separated values: the headers named by the option `headers`, then the body.

Tabs and line ends within a value become spaces; a header that an event does not have is empty. With `title = true` each
file begins with a line of the names.
"""

import flumen

BLANK = bytes.maketrans(b"\t\r\n", b"   ")


class Tsv(flumen.Serializer):
    suffix = ".tsv"
    content_type = "text/tab-separated-values"

    def configure(self, options):
        self.headers = options.words("headers", [])
        self.title = options.boolean("title", False)
        return flumen.Needs(body=True, headers=self.headers or None)

    def begin(self):
        if not self.title:
            return b""
        return "\t".join([*self.headers, "body"]).encode() + b"\n"

    def write(self, batch):
        columns = [[body.translate(BLANK) for body in batch.bodies]]
        for name in reversed(self.headers):
            header = batch.header(name)
            values = [""] * batch.count
            for row, value in zip(header.rows, header.values()) if header else ():
                values[row] = value
            columns.insert(0, [value.encode().translate(BLANK) for value in values])
        return b"".join(b"\t".join(row) + b"\n" for row in zip(*columns))
