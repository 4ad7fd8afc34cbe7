/* runtime/query/row_json.h: rows of stores as JSON. */
#ifndef LEAT__RUNTIME_QUERY_ROW_JSON_H
#define LEAT__RUNTIME_QUERY_ROW_JSON_H

#include "base/buf.h"
#include "runtime/topology.h"

/** False: a custom store, or a buffer of an operator. */
bool leat__store_has_rows(const leat__store_spec_t *spec);
const char *leat__store_kind_name(const leat__store_spec_t *spec); /* "key-value", "window", ... */

/**
 * {"key":...,"value":...,"partition":N, and without its closing brace. Key-value rows have "timestamp"
 * if the store keeps it, windows and sessions "window", versions "from" and "to". Bytes that do not
 * decode are shown as {"base64":"..."}.
 */
void leat__row_json_put(leat__buf_t *out, const leat__store_spec_t *spec,
    const leat__window_row_t *row, int32_t partition, leat__arena_t *scratch);

#endif
