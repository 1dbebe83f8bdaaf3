"""One operation a run, for the table of guest-examples/LANGUAGES.md: option `op` is pass, drop, header or mask."""

import flumen

TABLE = bytes.maketrans(b"0123456789", b"#" * 10)


class Ops(flumen.Interceptor):
    def configure(self, options):
        op = options.text("op")
        runs = {"pass": self.nothing, "drop": self.drop, "header": self.header, "mask": self.mask}
        if op not in runs:
            raise flumen.ConfigError("op", f"no such operation: `{op}`")
        self.run = runs[op]
        return flumen.Needs(body=op in ("drop", "mask"))

    def drop(self, batch):
        for row, body in enumerate(batch.bodies):
            if b"ERROR-7" in body:
                batch.drop(row)

    def header(self, batch):
        batch.set_header("env", "prod")

    def mask(self, batch):
        batch.set_bodies(batch.bodies.data.translate(TABLE))

    def nothing(self, batch):
        pass

    def intercept(self, batch):
        self.run(batch)
