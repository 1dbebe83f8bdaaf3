"""{{name}}: one line for each event, its body between a prefix and a line end."""

import flumen


class Plugin(flumen.Serializer):
    suffix = ".txt"
    content_type = "text/plain"

    def configure(self, options):
        self.prefix = options.text("prefix", "").encode()
        return flumen.Needs(body=True)

    def write(self, batch):
        return b"".join(self.prefix + body + b"\n" for body in batch.bodies)
