/*
 * dsl/map.h: the one processor behind map, map_values, flat_*, select_key and peek, for others
 * that need it.
 */
#ifndef LEAT__DSL_MAP_H
#define LEAT__DSL_MAP_H

#include "step.h"

/**
 * Like leat_stream_select_key() without adopting; also in front of a grouping and behind a table.
 */
leat_stream_t *leat__select_key(leat_stream_t *in, const char *call, const char *name,
    leat_map_fn fn, const leat_serde_t *key, const leat_node_opts_t *opts);

#endif
