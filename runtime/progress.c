/*
 * runtime/progress.c: numbers of operators that are committed with the offsets of the input: up to
 * what time windows have gone on (dsl/emit.c). A handful per task, each named by a store. An abort
 * takes them back to the last commit. Counterpart in Kafka Streams: ProcessorMetadata.
 */
#include "task_inside.h"
#include "base/config.h"
#include "base/mem.h"

#include <string.h>

static struct leat__progress_entry_t *find(const leat__progress_t *p, const char *name, size_t size)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strlen(p->at[i].name) == size && memcmp(p->at[i].name, name, size) == 0)
            return &p->at[i];
    }
    return NULL;
}

void leat__progress_release(leat__progress_t *p)
{
    for (size_t i = 0; i < p->count; i++)
        leat__free(p->at[i].name);
    leat__free(p->at);
    *p = (leat__progress_t){NULL, 0};
}

static struct leat__progress_entry_t *add(leat__progress_t *p, const char *name, size_t size)
{
    struct leat__progress_entry_t *more = leat__must_alloc((p->count + 1) * sizeof *more), *entry;

    if (p->count)
        memcpy(more, p->at, p->count * sizeof *more);
    leat__free(p->at);
    p->at = more;
    entry = &p->at[p->count++];
    entry->name = leat__must_alloc(size + 1);
    memcpy(entry->name, name, size);
    entry->name[size] = '\0';
    return entry;
}

void leat__progress_merge(leat__progress_t *p, const char *name, size_t size, int64_t value)
{
    struct leat__progress_entry_t *entry = find(p, name, size);

    if (!entry)
        add(p, name, size)->value = value;
    else if (entry->value < value)
        entry->value = value;
}

static void copy(leat__progress_t *to, const leat__progress_t *from)
{
    if (to->count == 0 && from->count == 0)
        return;
    leat__progress_release(to);
    for (size_t i = 0; i < from->count; i++)
        leat__progress_merge(to, from->at[i].name, strlen(from->at[i].name), from->at[i].value);
}

const leat__progress_t *leat__task_progress(const leat__task_t *t)
{
    return &t->progress;
}

void leat__task_set_progress(leat__task_t *t, const leat__progress_t *p)
{
    copy(&t->progress, p);
    copy(&t->committed_progress, p);
}

void leat__progress_committed(leat__task_t *t)
{
    copy(&t->committed_progress, &t->progress);
}

void leat__progress_abort(leat__task_t *t)
{
    copy(&t->progress, &t->committed_progress);
}

bool leat__progress_get(leat_ctx_t *ctx, const char *name, int64_t *value)
{
    const struct leat__progress_entry_t *entry = find(&ctx->task->progress, name, strlen(name));

    if (entry)
        *value = entry->value;
    return entry != NULL;
}

void leat__progress_set(leat_ctx_t *ctx, const char *name, int64_t value)
{
    size_t size = strlen(name);
    struct leat__progress_entry_t *entry = find(&ctx->task->progress, name, size);

    if (!entry)
        entry = add(&ctx->task->progress, name, size);
    entry->value = value;
}

int64_t leat__setting_int(const leat_ctx_t *ctx, const char *property)
{
    return ctx->task->env.config ? leat__config_int(ctx->task->env.config, property) : 0;
}
