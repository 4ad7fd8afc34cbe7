/*
 * dsl/suppress.h: a row that waits in a suppress buffer, as bytes: in the buffer's store and in its
 * changelog. Kafka Streams' format of version 3 (BufferValue, ProcessorRecordContext):
 *
 *   {time 8}{offset 8}{topic}{partition 4}{header count 4}({name}{value})…   of the record
 *   {prior}{old}{new}{waits at 8}
 *
 * Each {text} is {length 4}{bytes}, a missing one has length -1; old -2: the same as prior. `waits
 * at` is what the order of the buffer goes by: the time of the first change, or the window's end.
 */
#ifndef LEAT__DSL_SUPPRESS_H
#define LEAT__DSL_SUPPRESS_H

#include "rows.h"

typedef struct leat__waiting_t {
    int64_t time_ms, offset; /* of the record that came last */
    leat_slice_t topic;
    int32_t partition;
    const leat_headers_t *headers;
    leat_slice_t prior, old, now; /* .data NULL: none. prior: the value before the row waited */
    int64_t waits_ms;
} leat__waiting_t;

leat_slice_t leat__waiting_write(const leat__waiting_t *w, leat__arena_t *scratch);
/** False: damaged. Slices into bytes; headers NULL: left out, else in scratch. */
bool leat__waiting_read(leat_slice_t bytes, leat__waiting_t *w, leat__arena_t *scratch);
/** A changelog record of versions 0 to 2, which Kafka Streams wrote up to release 2.5, as a row. */
bool leat__waiting_upgrade(
    const leat__logged_t *logged, leat__arena_t *scratch, leat_slice_t *row);
/** What a row counts towards .bytes_max: as in Kafka Streams, its memory there without overhead. */
void leat__waiting_measure(leat_slice_t key, leat_slice_t row, int64_t *waits_ms, size_t *bytes);

void leat__suppress_write(const leat__rows_t *r, leat__plan_t *plan);

#endif
