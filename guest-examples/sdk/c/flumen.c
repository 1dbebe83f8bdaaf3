// The SDK over the generated bindings: options, errors, and the gathering of edits.
//
// The bindings free what is answered, piece by piece, after the host has read it: so every piece that goes out is from
// malloc, and only once. What came in is freed here, but for bodies that go back in place.
#include "flumen.h"
#include "interceptor.h"
#include <stdlib.h>
#include <string.h>

typedef struct { const uint8_t *ptr; uint32_t len; bool set; } value_t;

// What becomes of one header: `same` for all events, and values of single events, which count.
typedef struct change {
  struct change *next;
  char *name;
  char *same;
  value_t *of;
  uint32_t set;
} change_t;

typedef struct piece { struct piece *next; uint8_t bytes[]; } piece_t;

struct flumen_header { flumen_plugin_types_column_t *column; uint32_t count; };

struct flumen_batch {
  flumen_plugin_columns_batch_t *wire;
  flumen_plugin_columns_edits_t *edits;
  flumen_header *headers;
  change_t *changes, **last_change;
  value_t *bodies;
  uint32_t bodies_set;
  bool in_place;
  piece_t *pieces; // Copies of what the author set, freed when the call is over.
};

struct flumen_config {
  flumen_plugin_types_options_t *options;
  bool *known;
  flumen_plugin_columns_needs_t *needs;
};

static flumen_plugin_types_error_t failure;

// Memory is limited: without it there is nothing to answer, and a trap is what the host expects.
static void *some(size_t size) {
  void *made = malloc(size ? size : 1);
  if (!made) __builtin_trap();
  return made;
}

static void *zeros(size_t count, size_t size) {
  void *made = calloc(count ? count : 1, size);
  if (!made) __builtin_trap();
  return made;
}

static interceptor_string_t text(const char *s) {
  interceptor_string_t made = {some(strlen(s)), strlen(s)};
  memcpy(made.ptr, s, made.len);
  return made;
}

// For arguments of imports, which only read them.
static interceptor_string_t lent(const char *s) { return (interceptor_string_t){(uint8_t *)s, strlen(s)}; }

static bool equal(interceptor_string_t a, const char *b) { return a.len == strlen(b) && !memcmp(a.ptr, b, a.len); }

// ---- options and errors

bool flumen_config_error(const char *key, const char *message) {
  failure.tag = FLUMEN_PLUGIN_TYPES_ERROR_CONFIG;
  failure.val.config.key.is_some = key != NULL;
  if (key) failure.val.config.key.val = text(key);
  failure.val.config.message = text(message);
  return false;
}

bool flumen_fail(flumen_failure how, const char *message) {
  failure.tag = (uint8_t)how; // In the order of the variant's cases.
  failure.val.retry = text(message);
  return false;
}

const char *flumen_option(flumen_config *config, const char *key, const char *otherwise) {
  for (size_t i = 0; i < config->options->len; i++) {
    interceptor_tuple2_string_string_t *option = &config->options->ptr[i];
    if (!equal(option->f0, key)) continue;
    config->known[i] = true;
    char *copy = some(option->f1.len + 1);
    memcpy(copy, option->f1.ptr, option->f1.len);
    copy[option->f1.len] = 0;
    return copy;
  }
  return otherwise;
}

bool flumen_option_integer(flumen_config *config, const char *key, int64_t *value, int64_t least, int64_t most) {
  const char *given = flumen_option(config, key, NULL);
  if (!given) return true;
  char *end;
  long long number = strtoll(given, &end, 10);
  if (end == given || *end || number < least || number > most)
    return flumen_config_error(key, "not a whole number in the range that is allowed");
  *value = number;
  return true;
}

void flumen_need_no_bodies(flumen_config *config) { config->needs->body = false; }

void flumen_need_all_headers(flumen_config *config) {
  config->needs->headers.tag = FLUMEN_PLUGIN_COLUMNS_HEADER_NEED_ALL;
}

void flumen_need_header(flumen_config *config, const char *name) {
  flumen_plugin_columns_header_need_t *need = &config->needs->headers;
  if (need->tag == FLUMEN_PLUGIN_COLUMNS_HEADER_NEED_ALL) return;
  need->tag = FLUMEN_PLUGIN_COLUMNS_HEADER_NEED_ONLY;
  interceptor_string_t *names = realloc(need->val.only.ptr, (need->val.only.len + 1) * sizeof *names);
  if (!names) __builtin_trap();
  names[need->val.only.len++] = text(name);
  need->val.only.ptr = names;
}

static bool refuse_unknown(flumen_config *config) {
  for (size_t i = 0; i < config->options->len; i++) {
    if (config->known[i]) continue;
    interceptor_string_t key = config->options->ptr[i].f0;
    char *copy = zeros(key.len + 1, 1);
    memcpy(copy, key.ptr, key.len);
    flumen_config_error(copy, "there is no such option");
    free(copy);
    return false;
  }
  return true;
}

bool exports_flumen_plugin_intercept_configure(flumen_plugin_types_options_t *options,
                                               flumen_plugin_columns_needs_t *ret, flumen_plugin_types_error_t *err) {
  memset(ret, 0, sizeof *ret);
  ret->body = true;
  flumen_config config = {options, zeros(options->len, 1), ret};
  bool fine = flumen_configure(&config) && refuse_unknown(&config);
  if (!fine) *err = failure;
  free(config.known);
  flumen_plugin_types_options_free(options);
  return fine;
}

// ---- reading

uint32_t flumen_count(const flumen_batch *batch) { return batch->wire->count; }

flumen_bytes flumen_body(flumen_batch *batch, uint32_t row) {
  flumen_plugin_types_packed_t *bodies = &batch->wire->bodies.val;
  uint32_t start = bodies->spans.ptr[2 * row], end = bodies->spans.ptr[2 * row + 1];
  return (flumen_bytes){bodies->data.ptr + start, end - start};
}

flumen_header *flumen_header_of(flumen_batch *batch, const char *name) {
  for (size_t i = 0; i < batch->wire->headers.len; i++)
    if (equal(batch->wire->headers.ptr[i].name, name)) return &batch->headers[i];
  return NULL;
}

uint32_t flumen_header_count(const flumen_header *header) { return header->count; }

flumen_bytes flumen_header_at(const flumen_header *header, uint32_t i, uint32_t *row) {
  flumen_plugin_types_column_t *column = header->column;
  *row = column->rows.tag == FLUMEN_PLUGIN_TYPES_ROWS_ALL ? i : column->rows.val.only.ptr[i];
  if (column->values.tag == FLUMEN_PLUGIN_TYPES_VALUES_SAME)
    return (flumen_bytes){column->values.val.same.ptr, column->values.val.same.len};
  flumen_plugin_types_packed_text_t *each = &column->values.val.each;
  uint32_t start = each->spans.ptr[2 * i], end = each->spans.ptr[2 * i + 1];
  return (flumen_bytes){each->data.ptr + start, end - start};
}

// ---- editing

static value_t kept(flumen_batch *batch, const void *bytes, size_t len) {
  piece_t *piece = some(sizeof *piece + len);
  memcpy(piece->bytes, bytes, len);
  piece->next = batch->pieces;
  batch->pieces = piece;
  return (value_t){piece->bytes, (uint32_t)len, true};
}

void flumen_bodies_changed(flumen_batch *batch) { batch->in_place = true; }

void flumen_set_body(flumen_batch *batch, uint32_t row, const void *body, size_t len) {
  if (!batch->bodies) batch->bodies = zeros(batch->wire->count, sizeof *batch->bodies);
  batch->bodies_set += !batch->bodies[row].set;
  batch->bodies[row] = kept(batch, body, len);
}

static change_t *change_of(flumen_batch *batch, const char *name) {
  for (change_t *change = batch->changes; change; change = change->next)
    if (!strcmp(change->name, name)) return change;
  change_t *made = zeros(1, sizeof *made);
  made->name = (char *)kept(batch, name, strlen(name) + 1).ptr;
  *batch->last_change = made;
  batch->last_change = &made->next;
  return made;
}

void flumen_set_header(flumen_batch *batch, const char *name, const char *value) {
  change_t *change = change_of(batch, name);
  change->same = (char *)kept(batch, value, strlen(value) + 1).ptr;
  free(change->of);
  change->of = NULL;
  change->set = 0;
}

void flumen_set_header_of(flumen_batch *batch, uint32_t row, const char *name, const void *value, size_t len) {
  change_t *change = change_of(batch, name);
  if (!change->of) change->of = zeros(batch->wire->count, sizeof *change->of);
  change->set += !change->of[row].set;
  change->of[row] = kept(batch, value, len);
}

void flumen_remove_header(flumen_batch *batch, const char *name) {
  flumen_plugin_columns_list_header_removal_t *list = &batch->edits->remove_headers;
  list->ptr = realloc(list->ptr, (list->len + 1) * sizeof *list->ptr);
  if (!list->ptr) __builtin_trap();
  memset(&list->ptr[list->len], 0, sizeof *list->ptr); // Rows: all.
  list->ptr[list->len++].name = text(name);
}

void flumen_drop(flumen_batch *batch, uint32_t row) {
  interceptor_option_list_u64_t *keep = &batch->edits->keep;
  if (!keep->is_some) {
    keep->is_some = true;
    keep->val.len = (batch->wire->count + 63) / 64;
    keep->val.ptr = some(keep->val.len * 8);
    memset(keep->val.ptr, 0xff, keep->val.len * 8);
  }
  keep->val.ptr[row / 64] &= ~(1ull << (row % 64));
}

void flumen_reject(flumen_batch *batch, uint32_t row, const char *reason) {
  flumen_plugin_columns_list_rejection_t *list = &batch->edits->rejected;
  list->ptr = realloc(list->ptr, (list->len + 1) * sizeof *list->ptr);
  if (!list->ptr) __builtin_trap();
  list->ptr[list->len++] = (flumen_plugin_types_rejection_t){row, text(reason)};
}

// ---- what goes back

// Packs the values that are set, one behind the other: bytes, spans, and their rows unless all are set.
static void pack(const value_t *values, uint32_t count, uint32_t set, flumen_plugin_types_packed_t *packed,
                 flumen_plugin_types_rows_t *rows) {
  size_t total = 0;
  for (uint32_t row = 0; row < count; row++) total += values[row].set ? values[row].len : 0;
  packed->data.ptr = some(total);
  packed->data.len = total;
  packed->spans.len = 2 * (size_t)set;
  packed->spans.ptr = some(packed->spans.len * 4);
  rows->tag = set == count ? FLUMEN_PLUGIN_TYPES_ROWS_ALL : FLUMEN_PLUGIN_TYPES_ROWS_ONLY;
  if (set < count) rows->val.only = (interceptor_list_u32_t){some((size_t)set * 4), set};
  uint32_t at = 0, i = 0;
  for (uint32_t row = 0; row < count; row++) {
    if (!values[row].set) continue;
    if (set < count) rows->val.only.ptr[i] = row;
    memcpy(packed->data.ptr + at, values[row].ptr, values[row].len);
    packed->spans.ptr[2 * i] = at;
    packed->spans.ptr[2 * i + 1] = at += values[row].len;
    i++;
  }
}

static void answer_bodies(flumen_batch *batch) {
  if (!batch->bodies && !batch->in_place) return;
  flumen_plugin_columns_option_body_change_t *change = &batch->edits->bodies;
  change->is_some = true;
  if (!batch->bodies) { // The very buffers that came in: ownership goes back with them.
    change->val.rows.tag = FLUMEN_PLUGIN_TYPES_ROWS_ALL;
    change->val.bodies = batch->wire->bodies.val;
    batch->wire->bodies.is_some = false;
    return;
  }
  for (uint32_t row = 0; batch->in_place && row < batch->wire->count; row++) {
    if (batch->bodies[row].set) continue;
    flumen_bytes body = flumen_body(batch, row);
    batch->bodies[row] = (value_t){body.ptr, (uint32_t)body.len, true};
    batch->bodies_set++;
  }
  pack(batch->bodies, batch->wire->count, batch->bodies_set, &change->val.bodies, &change->val.rows);
}

static void answer_header(flumen_batch *batch, change_t *change, flumen_plugin_types_column_t *column) {
  uint32_t count = batch->wire->count;
  column->name = text(change->name);
  if (!change->of) {
    column->rows.tag = FLUMEN_PLUGIN_TYPES_ROWS_ALL;
    column->values.tag = FLUMEN_PLUGIN_TYPES_VALUES_SAME;
    column->values.val.same = text(change->same);
    return;
  }
  for (uint32_t row = 0; change->same && row < count; row++)
    if (!change->of[row].set) change->of[row] = (value_t){(uint8_t *)change->same, (uint32_t)strlen(change->same), true};
  flumen_plugin_types_packed_t packed;
  pack(change->of, count, change->same ? count : change->set, &packed, &column->rows);
  column->values.tag = FLUMEN_PLUGIN_TYPES_VALUES_EACH;
  column->values.val.each.data = (interceptor_string_t){packed.data.ptr, packed.data.len};
  column->values.val.each.spans = packed.spans;
}

static void answer(flumen_batch *batch) {
  answer_bodies(batch);
  size_t columns = 0;
  for (change_t *change = batch->changes; change; change = change->next) columns++;
  if (!columns) return;
  batch->edits->set_headers.ptr = zeros(columns, sizeof *batch->edits->set_headers.ptr);
  batch->edits->set_headers.len = columns;
  flumen_plugin_types_column_t *column = batch->edits->set_headers.ptr;
  for (change_t *change = batch->changes; change; change = change->next) answer_header(batch, change, column++);
}

static void forget(flumen_batch *batch) {
  for (change_t *change = batch->changes, *next; change; change = next) {
    next = change->next;
    free(change->of);
    free(change);
  }
  for (piece_t *piece = batch->pieces, *next; piece; piece = next) {
    next = piece->next;
    free(piece);
  }
  free(batch->bodies);
  free(batch->headers);
  flumen_plugin_columns_batch_free(batch->wire);
}

bool exports_flumen_plugin_intercept_intercept(flumen_plugin_columns_batch_t *wire, flumen_plugin_columns_edits_t *ret,
                                               flumen_plugin_types_error_t *err) {
  memset(ret, 0, sizeof *ret);
  flumen_batch batch = {.wire = wire, .edits = ret};
  batch.last_change = &batch.changes;
  batch.headers = zeros(wire->headers.len, sizeof *batch.headers);
  for (size_t i = 0; i < wire->headers.len; i++) {
    flumen_plugin_types_column_t *column = &wire->headers.ptr[i];
    bool all = column->rows.tag == FLUMEN_PLUGIN_TYPES_ROWS_ALL;
    batch.headers[i] = (flumen_header){column, all ? wire->count : (uint32_t)column->rows.val.only.len};
  }
  bool fine = flumen_intercept(&batch);
  if (fine) {
    answer(&batch);
  } else {
    flumen_plugin_columns_edits_free(ret);
    *err = failure;
  }
  forget(&batch);
  return fine;
}

// ---- the host

void flumen_log(flumen_level level, const char *message) {
  if (!flumen_plugin_log_enabled((uint8_t)level)) return;
  interceptor_string_t line = lent(message);
  interceptor_list_tuple2_string_string_t none = {NULL, 0};
  flumen_plugin_log_write((uint8_t)level, &line, &none);
}

int32_t flumen_counter(const char *name) {
  interceptor_string_t named = lent(name);
  interceptor_list_tuple2_string_string_t none = {NULL, 0};
  return flumen_plugin_metrics_constructor_counter(&named, &none).__handle;
}

void flumen_counter_add(int32_t counter, uint64_t count) {
  flumen_plugin_metrics_method_counter_add((flumen_plugin_metrics_borrow_counter_t){counter}, count);
}

int32_t flumen_gauge(const char *name) {
  interceptor_string_t named = lent(name);
  interceptor_list_tuple2_string_string_t none = {NULL, 0};
  return flumen_plugin_metrics_constructor_gauge(&named, &none).__handle;
}

void flumen_gauge_set(int32_t gauge, double value) {
  flumen_plugin_metrics_method_gauge_set((flumen_plugin_metrics_borrow_gauge_t){gauge}, value);
}

int flumen_state_get(const char *key, flumen_bytes *value) {
  interceptor_string_t named = lent(key);
  interceptor_option_list_u8_t found;
  flumen_plugin_state_state_error_t error;
  if (!flumen_plugin_state_get(&named, &found, &error)) return -1;
  if (found.is_some) *value = (flumen_bytes){found.val.ptr, found.val.len};
  return found.is_some;
}

int flumen_state_set(const char *key, const void *value, size_t len) {
  interceptor_string_t named = lent(key);
  interceptor_list_u8_t bytes = {(uint8_t *)value, len};
  flumen_plugin_state_state_error_t error;
  return flumen_plugin_state_set(&named, &bytes, &error) ? 0 : -1;
}

int flumen_state_delete(const char *key) {
  interceptor_string_t named = lent(key);
  flumen_plugin_state_state_error_t error;
  return flumen_plugin_state_delete(&named, &error) ? 0 : -1;
}

uint64_t flumen_monotonic_nanos(void) { return flumen_plugin_clock_monotonic_nanos(); }

bool flumen_wall_millis(uint64_t *millis) { return flumen_plugin_clock_wall_millis(millis); }

bool flumen_contains(flumen_bytes hay, const void *needle, size_t len) {
  const uint8_t *at = hay.ptr, *end = hay.ptr + hay.len;
  while ((size_t)(end - at) >= len && (at = memchr(at, *(const uint8_t *)needle, (size_t)(end - at) - len + 1))) {
    if (!memcmp(at, needle, len)) return true;
    at++;
  }
  return false;
}
