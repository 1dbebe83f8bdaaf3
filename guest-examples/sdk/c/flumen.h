// Flumen plugins in C. An author writes two functions:
//
//     bool flumen_configure(flumen_config *config) { value = flumen_option(config, "value", "prod"); return true; }
//     bool flumen_intercept(flumen_batch *batch)   { flumen_set_header(batch, "env", value); return true; }
//
// Ownership: what a batch hands out lives until flumen_intercept returns; what is handed to it is copied, and may go
// away at once. Options live as long as the instance. Invariants:
//
// * nothing is allocated per event that was not edited; bodies changed in place go back without a copy;
// * an option that was not asked for by the end of flumen_configure is an error with its key.
#ifndef FLUMEN_H
#define FLUMEN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct flumen_config flumen_config;
typedef struct flumen_batch flumen_batch;
typedef struct flumen_header flumen_header;

// Bytes, not ended by a zero.
typedef struct { uint8_t *ptr; size_t len; } flumen_bytes;

// ---- written by the author. false: flumen_fail or flumen_config_error said why.
bool flumen_configure(flumen_config *config);
bool flumen_intercept(flumen_batch *batch);

// ---- options
// The text of an option, ended by a zero, or `otherwise`.
const char *flumen_option(flumen_config *config, const char *key, const char *otherwise);
// A whole number from `least` to `most`. false, and an error with the key, when it is none.
bool flumen_option_integer(flumen_config *config, const char *key, int64_t *value, int64_t least, int64_t most);
// The configuration is wrong at `key` (NULL: at several). Answers false, to be returned.
bool flumen_config_error(const char *key, const char *message);
// What each batch should hold. Without them: the bodies, and no headers. May be called several times.
void flumen_need_no_bodies(flumen_config *config);
void flumen_need_header(flumen_config *config, const char *name);
void flumen_need_all_headers(flumen_config *config);

// ---- errors of flumen_intercept: FLUMEN_RETRY, the same call may succeed later; FLUMEN_INVALID, this input never can;
// FLUMEN_FATAL, the instance is broken. Answers false, to be returned.
typedef enum { FLUMEN_RETRY = 1, FLUMEN_INVALID = 2, FLUMEN_FATAL = 3 } flumen_failure;
bool flumen_fail(flumen_failure failure, const char *message);

// ---- reading
uint32_t flumen_count(const flumen_batch *batch);
// The body of an event, as it came in. May be changed in place: then call flumen_bodies_changed.
flumen_bytes flumen_body(flumen_batch *batch, uint32_t row);
// A header's column; NULL when no event has it, or it was not asked for.
flumen_header *flumen_header_of(flumen_batch *batch, const char *name);
// How many events have it; the i-th of them, its row and its value.
uint32_t flumen_header_count(const flumen_header *header);
flumen_bytes flumen_header_at(const flumen_header *header, uint32_t i, uint32_t *row);

// ---- editing
void flumen_bodies_changed(flumen_batch *batch);
void flumen_set_body(flumen_batch *batch, uint32_t row, const void *body, size_t len);
// Sets a header of every event to one value; of one event (which counts where both were called).
void flumen_set_header(flumen_batch *batch, const char *name, const char *value);
void flumen_set_header_of(flumen_batch *batch, uint32_t row, const char *name, const void *value, size_t len);
// Takes a header from every event. What is set, before or after, stays set.
void flumen_remove_header(flumen_batch *batch, const char *name);
// Filters an event out.
void flumen_drop(flumen_batch *batch, uint32_t row);
// The event can never be processed: `onError` says what becomes of it.
void flumen_reject(flumen_batch *batch, uint32_t row, const char *reason);

// ---- what the host offers
typedef enum { FLUMEN_TRACE, FLUMEN_DEBUG, FLUMEN_INFO, FLUMEN_WARN, FLUMEN_ERROR } flumen_level;
void flumen_log(flumen_level level, const char *message);
// Metrics: made once, in flumen_configure, and kept as numbers.
int32_t flumen_counter(const char *name);
void flumen_counter_add(int32_t counter, uint64_t count);
int32_t flumen_gauge(const char *name);
void flumen_gauge_set(int32_t gauge, double value);
// State: 1 found, 0 not there, -1 the host could not. A value got is the caller's to free().
int flumen_state_get(const char *key, flumen_bytes *value);
// 0 done, -1 the host could not.
int flumen_state_set(const char *key, const void *value, size_t len);
int flumen_state_delete(const char *key);
uint64_t flumen_monotonic_nanos(void);
// false without `grants.clock = wall`.
bool flumen_wall_millis(uint64_t *millis);

// Whether `needle` (not empty) is in `hay`.
bool flumen_contains(flumen_bytes hay, const void *needle, size_t len);
#endif
