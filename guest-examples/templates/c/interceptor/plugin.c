// {{name}}: sets a header on every event, and drops the events whose body is empty.
#include "flumen.h"

static const char *header, *value;

bool flumen_configure(flumen_config *config) {
  header = flumen_option(config, "header", "{{name}}");
  value = flumen_option(config, "value", "true");
  return true;
}

bool flumen_intercept(flumen_batch *batch) {
  flumen_set_header(batch, header, value); // All events at once.
  for (uint32_t row = 0; row < flumen_count(batch); row++) // Or one by one.
    if (flumen_body(batch, row).len == 0) flumen_drop(batch, row);
  return true;
}
