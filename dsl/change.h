/*
 * dsl/change.h: a change of a table: what flows between table operators as the value of a record.
 *
 * Between nodes it is a struct on the C stack of whoever forwards. In the repartition topic of a
 * grouped table it is bytes, in Kafka Streams' format (ChangedSerializer):
 *
 *   {old}{0}     {new}{1}     {varint length of new}{new}{old}{2}
 *   the same with {is latest, 1 byte} before the last byte: 3, 4, 5 (from versioned tables)
 */
#ifndef LEAT__DSL_CHANGE_H
#define LEAT__DSL_CHANGE_H

#include <leat/serde.h>

typedef struct leat__change_t {
    const void *now, *old; /* NULL: none; old is NULL too where nobody downstream asked for it */
    bool fresh;    /* the row is new: old is what its aggregate started from */
    bool outdated; /* of a versioned table, which has a later version: nothing to join or fold */
} leat__change_t;

/**
 * A serde of changes of values of `inner`, as long as the builder lives. NULL: no memory,
 * recorded.
 */
const leat_serde_t *leat__change_serde(leat_builder_t *b, const leat_serde_t *inner);

#endif
