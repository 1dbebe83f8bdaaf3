"""One operation a run, for the table of guest-examples/LANGUAGES.md: option `op` is pass, drop, header or mask.

`edits` does a bit of everything that the SDK offers, one event at a time.
"""

import flumen

TABLE = bytes.maketrans(b"0123456789", b"#" * 10)


class Ops(flumen.Interceptor):
    def configure(self, options):
        op = options.text("op")
        runs = {"pass": self.nothing, "drop": self.drop, "header": self.header, "mask": self.mask, "edits": self.edits}
        if op not in runs:
            raise flumen.ConfigError("op", f"no such operation: `{op}`")
        self.run = runs[op]
        if op == "edits":
            self.counter, self.gauge = flumen.Counter("edits", kind="all"), flumen.Gauge("level")
            return flumen.Needs(body=True, headers=["host"])
        return flumen.Needs(body=op in ("drop", "mask"))

    def drop(self, batch):
        for row, body in enumerate(batch.bodies):
            if b"ERROR-7" in body:
                batch.drop(row)

    def header(self, batch):
        batch.set_header("env", "prod")

    def mask(self, batch):
        batch.set_bodies(batch.bodies.data.translate(TABLE))

    def edits(self, batch):
        if not batch.count:
            return
        events = list(batch)
        events[0].body = b"new"
        events[1].drop()
        events[2].reject("bad")
        events[3].set("a", events[3].get("host"))
        batch.remove_header("host")
        batch.set_header("seen", "yes")
        events[4].set("seen", "särskild")
        batch.add(b"added", {"new": "1"}, after=0)
        flumen.state.set("k", b"v1")
        events[0].set("state", flumen.state.get("k").decode() + ",".join(flumen.state.keys("k")))
        self.counter.add(2)
        self.gauge.set(0.5)
        flumen.log.info("edited", events=batch.count)

    def nothing(self, batch):
        pass

    def intercept(self, batch):
        self.run(batch)
