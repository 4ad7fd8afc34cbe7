/*
 * statestore/custom.c: LEAT_CUSTOM: state that is the program's own; leat logs, commits and
 * restores it.
 *
 * Nothing is coalesced and nothing is kept: each change is one changelog record at once, and waits
 * here, in order, for its commit; then apply sees it. An abort forgets what waits. There is no
 * metadata: after a start the whole changelog is applied again.
 */
#include "statestore/inside.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

struct leat__custom_state_t {
    const leat_custom_t *is;
    void *self;
    leat__buf_t waiting; /* key size, value size (ABSENT), key, value: one after the other */
};

typedef struct change_head_t {
    uint32_t key_size, value_size;
} change_head_t;

int leat__custom_open(leat__store_t *s, const leat__store_def_t *def, leat_error_t *err)
{
    const leat_custom_t *is = def->custom;
    if (!is || !is->apply)
        return leat__error(err, LEAT_EARGUMENT, 0, s->name, "a custom store needs .apply");
    leat__custom_state_t *c = leat__must_alloc(sizeof *c);
    leat_error_t why = {0};
    c->is = is;
    int code = is->open ? is->open(&c->self, s->state->dir, &why) : 0;
    if (code) {
        leat__free(c);
        return leat__error(err, LEAT_ESTORE, 0, s->name, "custom store %s: open returned %d: %s",
            is->name ? is->name : "", code, why.text[0] ? why.text : leat_error_text(code));
    }
    s->custom = c;
    return 0;
}

static void forget(leat__store_t *s)
{
    leat__custom_state_t *c = s->custom;
    s->state->budget->dirty_bytes -= c->waiting.size;
    s->state->budget->entry_bytes -= c->waiting.size;
    c->waiting.size = 0;
}

void leat__custom_close(leat__store_t *s)
{
    leat__custom_state_t *c = s->custom;
    if (!c)
        return;
    forget(s);
    if (c->is->close)
        c->is->close(c->self);
    leat__buf_release(&c->waiting);
    leat__free(c);
    s->custom = NULL;
}

void *leat__store_custom_self(const leat__store_t *s)
{
    return s->custom ? s->custom->self : NULL;
}

void leat__custom_put(leat__store_t *s, leat_slice_t key, const leat_slice_t *value,
    int64_t time_ms, const leat_headers_t *headers)
{
    leat__custom_state_t *c = s->custom;
    size_t before = c->waiting.size;
    LEAT_ASSERT(key.size < LEAT__ABSENT && (!value || value->size < LEAT__ABSENT));
    change_head_t head = {(uint32_t)key.size, value ? (uint32_t)value->size : LEAT__ABSENT};
    leat__buf_put(&c->waiting, &head, sizeof head);
    leat__buf_put(&c->waiting, key.data, key.size);
    if (value)
        leat__buf_put(&c->waiting, value->data, value->size);
    s->state->budget->dirty_bytes += c->waiting.size - before;
    s->state->budget->entry_bytes += c->waiting.size - before;
    if (s->logged)
        s->hooks.log(s->hooks.user, s, key, value, time_ms, headers);
}

void leat__custom_committed(leat__store_t *s)
{
    leat__custom_state_t *c = s->custom;
    for (size_t at = 0; at < c->waiting.size;) {
        change_head_t head;
        memcpy(&head, c->waiting.data + at, sizeof head);
        at += sizeof head;
        leat_slice_t key = {c->waiting.data + at, head.key_size}, value = {NULL, 0};
        at += head.key_size;
        if (head.value_size != LEAT__ABSENT) {
            value = (leat_slice_t){c->waiting.data + at, head.value_size};
            at += head.value_size;
        }
        c->is->apply(c->self, key, value);
        s->logged_count++;
    }
    forget(s);
}

void leat__custom_abort(leat__store_t *s)
{
    forget(s);
}

bool leat__custom_dirty(const leat__store_t *s)
{
    return s->custom->waiting.size > 0;
}

/* The program's object starts anew: closed and opened. */
int leat__custom_clear(leat__store_t *s, leat_error_t *err)
{
    leat__custom_state_t *c = s->custom;
    leat_error_t why = {0};
    forget(s);
    if (c->is->close)
        c->is->close(c->self);
    c->self = NULL;
    int code = c->is->open ? c->is->open(&c->self, s->state->dir, &why) : 0;
    if (code)
        return leat__error(err, LEAT_ESTORE, 0, s->name, "custom store %s: open returned %d: %s",
            c->is->name ? c->is->name : "", code, why.text[0] ? why.text : leat_error_text(code));
    return 0;
}

void leat__custom_apply(leat__store_t *s, const leat__restore_record_t *records, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (records[i].key.data)
            s->custom->is->apply(s->custom->self, records[i].key, records[i].value);
}
