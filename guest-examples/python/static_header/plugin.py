"""As the native interceptor `static`, with the same options: see guest-examples/README.md."""

import flumen


class StaticHeader(flumen.Interceptor):
    def configure(self, options):
        self.key = options.text("key", "key")
        self.value = options.text("value", "value")
        # As Java's `Boolean.parseBoolean`: all else is false.
        self.preserve = options.text("preserveExisting", "true").lower() == "true"
        return flumen.Needs(body=False, headers=[self.key] if self.preserve else None)

    def intercept(self, batch):
        column = batch.header(self.key)
        if column is None:
            batch.set_header(self.key, self.value)
            return
        have = set(column.rows)
        rows = [row for row in range(len(batch)) if row not in have]
        batch.set_header_rows(self.key, rows, [self.value] * len(rows))
