// As the native interceptor `static`, with the same options: see guest-examples/README.md.
#include "flumen.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *key, *value;

bool flumen_configure(flumen_config *config) {
  key = flumen_option(config, "key", "key");
  value = flumen_option(config, "value", "value");
  flumen_need_no_bodies(config);
  // As Java's `Boolean.parseBoolean`: all else is false.
  if (strcasecmp(flumen_option(config, "preserveExisting", "true"), "true") == 0) flumen_need_header(config, key);
  return true;
}

bool flumen_intercept(flumen_batch *batch) {
  flumen_header *column = flumen_header_of(batch, key);
  if (!column) {
    flumen_set_header(batch, key, value);
    return true;
  }
  // The rows that have it come in ascending order: those between them get it.
  uint32_t count = flumen_count(batch), next = 0;
  for (uint32_t i = 0; i <= flumen_header_count(column); i++) {
    uint32_t row = count;
    if (i < flumen_header_count(column)) flumen_header_at(column, i, &row);
    for (; next < row; next++) flumen_set_header_of(batch, next, key, value, strlen(value));
    next = row + 1;
  }
  return true;
}
