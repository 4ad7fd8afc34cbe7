/* runtime/query/row_json.c: see row_json.h. */
#include "row_json.h"

#include "base/base64.h"
#include "base/json_value.h"

#include <inttypes.h>

bool leat__store_has_rows(const leat__store_spec_t *spec)
{
    return spec->kind != LEAT_CUSTOM && !spec->buffer && spec->key && spec->value;
}

const char *leat__store_kind_name(const leat__store_spec_t *spec)
{
    if (spec->buffer)
        return "buffer";
    switch (spec->kind) {
    case LEAT_WINDOWS:
    case LEAT_TIMESTAMPED_WINDOWS:
        return "window";
    case LEAT_SESSIONS:
        return "session";
    case LEAT_VERSIONS:
        return "versioned";
    case LEAT_CUSTOM:
        return "custom";
    case LEAT_KV:
    case LEAT_TIMESTAMPED_KV:
    default:
        return "key-value";
    }
}

static void put_bytes(leat__buf_t *out, const leat_serde_t *s, const leat__codec_env_t *env,
    leat_slice_t bytes)
{
    const void *value;
    leat_error_t err;

    if (!bytes.data)
        leat__buf_put_text(out, "null");
    else if (leat__decode(s, bytes, env, &value, &err) == 0)
        leat__json_put(out, s, value, env->scratch);
    else
        leat__json_put(out, leat_serde_bytes(), &bytes, env->scratch);
}

static void put_time(
    leat__buf_t *out, const leat__store_spec_t *spec, const leat__window_row_t *row)
{
    switch (spec->kind) {
    case LEAT_SESSIONS:
    case LEAT_WINDOWS:
    case LEAT_TIMESTAMPED_WINDOWS:
        leat__buf_format(out, ",\"window\":{\"start\":%" PRId64 ",\"end\":%" PRId64 "}",
            row->start_ms, row->end_ms);
        break;
    case LEAT_VERSIONS:
        leat__buf_format(out, ",\"from\":%" PRId64 ",\"to\":", row->start_ms);
        if (row->end_ms == INT64_MAX)
            leat__buf_put_text(out, "null");
        else
            leat__buf_format(out, "%" PRId64, row->end_ms);
        break;
    default:
        break;
    }
    if (spec->kind == LEAT_TIMESTAMPED_KV || spec->kind == LEAT_TIMESTAMPED_WINDOWS)
        leat__buf_format(out, ",\"timestamp\":%" PRId64, row->time_ms);
}

void leat__row_json_put(leat__buf_t *out, const leat__store_spec_t *spec,
    const leat__window_row_t *row, int32_t partition, leat__arena_t *scratch)
{
    leat__mark_t mark = leat__arena_mark(scratch);
    leat__codec_env_t env = {.scratch = scratch, .topic = spec->changelog, .is_key = true};

    leat__buf_put_text(out, "{\"key\":");
    put_bytes(out, spec->key, &env, row->key);
    env.is_key = false;
    leat__buf_put_text(out, ",\"value\":");
    put_bytes(out, spec->value, &env, row->value);
    put_time(out, spec, row);
    leat__buf_format(out, ",\"partition\":%" PRId32, partition);
    leat__arena_rewind(scratch, mark);
}
