// One operation a run, for the table of guest-examples/LANGUAGES.md: option `op` is pass, drop, header or mask.
// `edits` does a bit of everything that the SDK offers, one event at a time.
#include "flumen.h"
#include <stdlib.h>
#include <string.h>

static enum { PASS, DROP, HEADER, MASK, EDITS } op;
static int32_t counter, gauge;

bool flumen_configure(flumen_config *config) {
  const char *given = flumen_option(config, "op", "pass");
  op = !strcmp(given, "drop") ? DROP : !strcmp(given, "header") ? HEADER : !strcmp(given, "mask") ? MASK : PASS;
  if (!strcmp(given, "edits")) {
    op = EDITS;
    counter = flumen_counter("edits");
    gauge = flumen_gauge("level");
    flumen_need_header(config, "host");
    return true;
  }
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

static bool edits(flumen_batch *batch) {
  uint32_t row;
  if (!flumen_count(batch)) return true;
  flumen_bytes host = flumen_header_at(flumen_header_of(batch, "host"), 3, &row), state;
  flumen_set_body(batch, 0, "new", 3);
  flumen_drop(batch, 1);
  flumen_reject(batch, 2, "bad");
  flumen_set_header_of(batch, row, "a", host.ptr, host.len);
  flumen_remove_header(batch, "host");
  flumen_set_header(batch, "seen", "yes");
  flumen_set_header_of(batch, 4, "seen", "s\xc3\xa4rskild", 9);
  if (flumen_state_set("k", "v1k", 3) || flumen_state_get("k", &state) != 1) return flumen_fail(FLUMEN_FATAL, "state");
  flumen_set_header_of(batch, 0, "state", state.ptr, state.len);
  free(state.ptr);
  flumen_counter_add(counter, 2);
  flumen_gauge_set(gauge, 0.5);
  flumen_log(FLUMEN_INFO, "edited");
  return true;
}

bool flumen_intercept(flumen_batch *batch) {
  if (op == EDITS) return edits(batch);
  if (op == HEADER) flumen_set_header(batch, "env", "prod");
  for (uint32_t row = 0; (op == DROP || op == MASK) && row < flumen_count(batch); row++) {
    flumen_bytes body = flumen_body(batch, row);
    if (op == MASK) mask(body);
    if (op == DROP && flumen_contains(body, "ERROR-7", 7)) flumen_drop(batch, row);
  }
  if (op == MASK) flumen_bodies_changed(batch);
  return true;
}
