/* runtime/query/row_json.h: rows of stores as JSON. */
#ifndef LEAT__RUNTIME_QUERY_ROW_JSON_H
#define LEAT__RUNTIME_QUERY_ROW_JSON_H

#include "base/base64.h"
#include "base/json_value.h"
#include "runtime/topology.h"

/** False: a custom store, or a buffer of an operator. */
bool leat__store_has_rows(const leat__store_spec_t *spec);
const char *leat__store_kind_name(const leat__store_spec_t *spec); /* "key-value", "window", ... */

/**
 * {"key":...,"value":...,"timestamp":MS,"partition":N without its closing brace; key-value rows have
 * "timestamp" if the store keeps it, windows and sessions a "window", versions "from" and "to".
 */
void leat__row_json_put(leat__buf_t *out, const leat__store_spec_t *spec, const leat_row_t *row,
    int32_t partition, leat__arena_t *scratch);

#endif
