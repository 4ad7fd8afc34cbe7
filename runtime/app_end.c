/*
 * runtime/app_end.c: running to the end: the stable ends of the inputs are taken once; it is over when the group's committed
 * offsets have reached them and, after that, every repartition topic is read and committed to its end as well.
 */
#include "app.h"

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"

#include <string.h>

struct asked {
    const leat__position_t *of;
    size_t count;
};

static leat__op_t *ends_op(leat_app_t *app, void *user)
{
    const struct asked *a = user;
    return app->broker->vt->offsets(app->broker, a->of, a->count, LEAT__STABLE_END);
}

static leat__op_t *committed_op(leat_app_t *app, void *user)
{
    const struct asked *a = user;
    return app->broker->vt->committed(app->broker, app->worker.application_id, a->of, a->count);
}

static leat__op_t *starts_op(leat_app_t *app, void *user)
{
    const struct asked *a = user;
    return app->broker->vt->offsets(app->broker, a->of, a->count, LEAT__EARLIEST);
}

/* All partitions of the source topics, internal or not. */
static void list_inputs(const leat__plan_t *plan, bool internal, leat__ends_t *ends)
{
    size_t room = 0;

    memset(ends, 0, sizeof *ends);
    for (size_t g = 0; g < plan->group_count; g++)
        for (size_t i = 0; i < plan->groups[g].topic_count; i++) {
            const leat__group_t *group = &plan->groups[g];
            if (group->global || group->sources[i]->internal != internal)
                continue;
            for (int32_t p = 0; p < group->partition_counts[i]; p++) {
                LEAT__GROW(ends->of, ends->count, room);
                ends->of[ends->count++] = (leat__position_t){
                    .topic = leat__must_strdup(group->topics[i]), .partition = p};
            }
        }
}

void leat__ends_release(leat__ends_t *ends)
{
    for (size_t i = 0; i < ends->count; i++)
        leat__free(ends->of[i].topic);
    leat__free(ends->of);
    memset(ends, 0, sizeof *ends);
}

static int64_t deadline(const leat_app_t *app)
{
    return leat__clock_steady_ms(NULL) + leat__config_int(app->config, "task.timeout.ms");
}

static int ask(leat_app_t *app, leat__op_t *(*start)(leat_app_t *, void *), const leat__ends_t *of,
    leat__op_t **op, leat_error_t *err)
{
    struct asked a = {of->of, of->count};
    return leat__app_op(app, deadline(app), start, &a, op, err);
}

static int fill_ends(leat_app_t *app, leat__ends_t *ends, leat_error_t *err)
{
    leat__op_t *op = NULL;
    int rc = ends->count == 0 ? 0 : ask(app, ends_op, ends, &op, err);

    for (size_t i = 0; rc == 0 && i < ends->count; i++)
        ends->of[i].offset = op->positions[i].offset;
    leat__op_free(op);
    return rc;
}

int leat__ends_now(leat_app_t *app, leat__ends_t *ends, leat_error_t *err)
{
    list_inputs(app->plan, false, ends);
    return fill_ends(app, ends, err);
}

static int reached(leat_app_t *app, const leat__ends_t *ends, leat_error_t *err)
{
    leat__op_t *committed = NULL, *starts = NULL;
    int rc = ends->count == 0 ? 0 : ask(app, committed_op, ends, &committed, err);
    bool all = true;

    if (rc == 0 && ends->count > 0)
        rc = ask(app, starts_op, ends, &starts, err);
    for (size_t i = 0; rc == 0 && i < ends->count; i++)
        all = all && (committed->positions[i].offset >= ends->of[i].offset ||
                         starts->positions[i].offset >= ends->of[i].offset); /* empty */
    leat__op_free(committed);
    leat__op_free(starts);
    return rc != 0 ? rc : all ? 1 : 0;
}

int leat__ends_reached(leat_app_t *app, const leat__ends_t *ends, leat_error_t *err)
{
    leat__ends_t inner;
    int rc = reached(app, ends, err);

    if (rc != 1)
        return rc;
    /* A chain of repartition topics is done when one look finds each of them committed to its end: what one still holds was
     * committed together with, or before, what it would lead to. */
    list_inputs(app->plan, true, &inner);
    rc = fill_ends(app, &inner, err);
    if (rc == 0)
        rc = reached(app, &inner, err);
    leat__ends_release(&inner);
    return rc;
}

void leat__commit_often(leat_config_t *config)
{
    if (!leat__config_is_set(config, "commit.interval.ms"))
        leat_config_set(config, "commit.interval.ms", "100");
}
