"""{{name}}: sets a header on every event, and drops the events whose body is empty."""

import flumen


class Plugin(flumen.Interceptor):
    def configure(self, options):
        self.header = options.text("header", "{{name}}")
        self.value = options.text("value", "true")
        return flumen.Needs(body=True)

    def intercept(self, batch):
        batch.set_header(self.header, self.value)  # All events at once.
        for event in batch:  # Or one by one.
            if not event.body:
                event.drop()
