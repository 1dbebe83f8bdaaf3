// Masks digits: see guest-examples/README.md for what it does, in every language.
#include "flumen.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char mask_char;
static const char *header, *drop_text;

bool flumen_configure(flumen_config *config) {
  const char *given = flumen_option(config, "char", "#");
  header = flumen_option(config, "header", NULL);
  drop_text = flumen_option(config, "drop", NULL);
  if (strlen(given) != 1 || (unsigned char)given[0] > 127)
    return flumen_config_error("char", "not one ASCII character");
  if (header && !*header) return flumen_config_error("header", "a header's name cannot be empty");
  if (drop_text && !*drop_text) return flumen_config_error("drop", "the empty text is in every body");
  mask_char = given[0];
  if (header) flumen_need_header(config, header);
  return true;
}

// Replaces the digits of `in` by the character, into `out` (which may be `in`), and answers how many there were.
static uint32_t mask(const uint8_t *in, uint8_t *out, size_t len) {
  uint32_t count = 0;
  for (size_t i = 0; i < len; i++) {
    bool digit = (uint8_t)(in[i] - '0') < 10;
    count += digit;
    out[i] = digit ? (uint8_t)mask_char : in[i];
  }
  return count;
}

static void mask_header(flumen_batch *batch, uint32_t *counts) {
  flumen_header *column = header ? flumen_header_of(batch, header) : NULL;
  for (uint32_t i = 0; column && i < flumen_header_count(column); i++) {
    uint32_t row;
    flumen_bytes value = flumen_header_at(column, i, &row);
    uint8_t *masked = malloc(value.len + 1);
    if (!masked) abort();
    counts[row] += mask(value.ptr, masked, value.len);
    flumen_set_header_of(batch, row, header, masked, value.len);
    free(masked);
  }
}

bool flumen_intercept(flumen_batch *batch) {
  uint32_t count = flumen_count(batch), *counts = calloc(count + 1, sizeof *counts);
  if (!counts) abort();
  for (uint32_t row = 0; row < count; row++) {
    flumen_bytes body = flumen_body(batch, row);
    if (drop_text && flumen_contains(body, drop_text, strlen(drop_text))) flumen_drop(batch, row);
    counts[row] = mask(body.ptr, body.ptr, body.len);
  }
  flumen_bodies_changed(batch);
  mask_header(batch, counts);
  for (uint32_t row = 0; row < count; row++) {
    char number[12];
    int len = snprintf(number, sizeof number, "%u", (unsigned)counts[row]);
    flumen_set_header_of(batch, row, "masked", number, (size_t)len);
  }
  free(counts);
  return true;
}
