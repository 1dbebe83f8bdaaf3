// One operation a run, for the table of guest-examples/LANGUAGES.md: option `op` is pass, drop, header or mask.
#include "flumen.h"
#include <string.h>

static enum { PASS, DROP, HEADER, MASK } op;

bool flumen_configure(flumen_config *config) {
  const char *given = flumen_option(config, "op", "pass");
  op = !strcmp(given, "drop") ? DROP : !strcmp(given, "header") ? HEADER : !strcmp(given, "mask") ? MASK : PASS;
  if (op == PASS && strcmp(given, "pass")) return flumen_config_error("op", "no such operation");
  if (op == PASS || op == HEADER) flumen_need_no_bodies(config);
  return true;
}

static void mask(flumen_bytes body) {
  for (size_t i = 0; i < body.len; i++) {
    uint8_t c = body.ptr[i];
    body.ptr[i] = (uint8_t)(c - '0') < 10 ? '#' : c;
  }
}

bool flumen_intercept(flumen_batch *batch) {
  if (op == HEADER) flumen_set_header(batch, "env", "prod");
  for (uint32_t row = 0; (op == DROP || op == MASK) && row < flumen_count(batch); row++) {
    flumen_bytes body = flumen_body(batch, row);
    if (op == MASK) mask(body);
    if (op == DROP && flumen_contains(body, "ERROR-7", 7)) flumen_drop(batch, row);
  }
  if (op == MASK) flumen_bodies_changed(batch);
  return true;
}
