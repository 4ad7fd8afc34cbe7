/*
 * dsl/stream_join.c: two streams joined within a window: names, stores, nodes, options. What the
 * nodes do is in stream_join_run.c.
 *
 * The stores keep duplicates, so their changelogs are only ever deleted from, never compacted.
 * A record stays as long as a record of the other side may still meet it: size plus grace.
 */
#include <string.h>
#include "stream_join_inside.h"

static const char call[] = "leat_stream_join";

typedef struct part_t {
    leat__part_t part; /* its name is the merge's */
    const char *windowed[2], *names[2];
    const leat__stream_join_t *join;
} part_t;

typedef struct window_part_t {
    leat__part_t part;
    const leat__join_side_t *side;
} window_part_t;

/* ---- writing ---- */

static void write_window(
    const leat__part_t *part, leat__plan_t *plan, const char *const *parents, size_t parent_count)
{
    const leat_node_opts_t opts = {
        .open = leat__join_window_open, .local_size = sizeof(leat__join_local_t)};
    leat__node_t *node = leat__plan_processor(
        plan, part->name, parents, parent_count, leat__join_window_process, &opts);

    if (node)
        node->operator_ = ((const window_part_t *)part)->side;
}

static void write_store(leat__plan_t *plan, const part_t *j, int index, const char *reader)
{
    const leat__stream_join_t *join = j->join;
    leat__store_spec_t *spec = leat__plan_store(plan, join->stores[index], LEAT_WINDOWS, join->key,
        join->values[index], &join->opts[index], NULL, false);

    if (!spec)
        return;
    spec->delete_only = true;
    spec->keeps_headers = true;
    leat__plan_connect(plan, j->windowed[index], join->stores[index]);
    leat__plan_connect(plan, reader, join->stores[index]);
    if (join->generated)
        leat__plan_generated(plan,
            join->opts[index].changelog != LEAT_OFF ? "changelog topic" : "state store",
            join->stores[index]);
}

static void write_rest(leat__plan_t *plan, const part_t *j)
{
    const leat__stream_join_t *join = j->join;

    leat__plan_store(plan, join->rest, LEAT_KV, leat_serde_bytes(), leat_serde_bytes(),
        &join->rest_opts, NULL, false);
    for (int i = 0; i < 2; i++)
        leat__plan_connect(plan, j->names[i], join->rest);
    if (join->generated)
        leat__plan_generated(plan,
            join->rest_opts.changelog != LEAT_OFF ? "changelog topic" : "state store", join->rest);
}

static void write_node(leat__plan_t *plan, const char *name, const char *const *parent,
    leat_map_fn process, leat_task_fn open, const void *operator_)
{
    const leat_node_opts_t opts = {.open = open, .local_size = sizeof(leat__join_local_t)};
    leat__node_t *node = leat__plan_processor(plan, name, parent, 1, process, &opts);

    if (node)
        node->operator_ = operator_;
}

static void write_join(
    const leat__part_t *part, leat__plan_t *plan, const char *const *parents, size_t parent_count)
{
    const part_t *j = (const part_t *)part;
    const leat__stream_join_t *join = j->join;

    (void)parents;
    (void)parent_count;
    if (part->self_join) {
        write_node(plan, part->name, j->windowed, leat__self_join_process, leat__self_join_open,
            join);
        write_store(plan, j, 0, part->name);
        return;
    }
    for (int i = 0; i < 2; i++)
        write_node(plan, j->names[i], &j->windowed[i], leat__join_process, leat__join_open,
            &join->sides[i]);
    leat__plan_processor(plan, part->name, j->names, 2, leat__pass, NULL);
    write_store(plan, j, 0, j->names[1]);
    write_store(plan, j, 1, j->names[0]);
    if (join->rest)
        write_rest(plan, j);
    leat__part_copartition(part, plan);
}

/* ---- building ---- */

static bool refuse(leat__graph_t *g, const char *name, const char *what)
{
    leat__builder_error(g->builder, LEAT_EARGUMENT, name ? name : call, "%s: %s", call, what);
    return false;
}

static bool fit(leat_stream_t *left, leat_stream_t *right, const char *name, leat_combine_fn fn,
    const leat_serde_t *value, const leat_join_window_t *w, const leat_join_opts_t *opts)
{
    leat__graph_t *g = left->graph;
    int64_t size_ms;

    if (!leat__same_builder(g, right->graph, call) || left->nil || right->nil ||
        !leat__join_fits(left, call, name, fn, value, opts) ||
        !leat__same_keys(g, call, name, left->key, right->key))
        return false;
    if (__builtin_add_overflow(w->before_ms, w->after_ms, &size_ms) || size_ms < 0)
        return refuse(g, name, "the window ends before it starts: before + after is negative");
    if (w->grace_ms < 0)
        return refuse(g, name, "the grace of a window must not be negative");
    return true;
}

static const char *base_of(leat__graph_t *g, const char *name, const leat_join_opts_t *opts)
{
    const char *given = opts && opts->store.name ? opts->store.name : name;

    return given && strcmp(given, LEAT_AUTO) != 0 ? leat__graph_given(g, given) : NULL;
}

typedef struct suffixes_t {
    const char *sides[2], *rest;
} suffixes_t;

static suffixes_t suffixes_of(const leat__stream_join_t *join)
{
    bool left = join->keeps[0], right = join->keeps[1];

    return (suffixes_t){{right ? "-outer-this-join" : "-this-join",
                            left ? "-outer-other-join" : "-other-join"},
        right ? "-outer-shared-join" : "-left-shared-join"};
}

/* Names of nodes as Kafka Streams numbers them; generated[]: also the stores', unless named. */
static bool name_nodes(leat__graph_t *g, part_t *j, const leat__stream_join_t *join,
    const char *name, const char *generated[2])
{
    const suffixes_t suffixes = suffixes_of(join);

    j->windowed[0] = leat__graph_suffixed(g, name, "-this-windowed", "KSTREAM-WINDOWED-");
    j->windowed[1] = leat__graph_suffixed(g, name, "-other-windowed", "KSTREAM-WINDOWED-");
    generated[0] =
        leat__graph_generate(g, join->keeps[1] ? "KSTREAM-OUTERTHIS-" : "KSTREAM-JOINTHIS-");
    generated[1] =
        leat__graph_generate(g, join->keeps[0] ? "KSTREAM-OUTEROTHER-" : "KSTREAM-JOINOTHER-");
    for (int i = 0; i < 2; i++)
        j->names[i] =
            name ? leat__graph_join(g, name, suffixes.sides[i], "") : generated[i];
    j->part.name = leat__graph_suffixed(g, name, "-merge", "KSTREAM-MERGE-");
    return j->windowed[0] && j->windowed[1] && generated[0] && generated[1] && j->names[0] &&
           j->names[1] && j->part.name;
}

static bool name_stores(leat__graph_t *g, leat__stream_join_t *join, const char *base,
    const char *const generated[2])
{
    const suffixes_t suffixes = suffixes_of(join);
    const char *number = strrchr(generated[0], '-');

    join->generated = !base;
    for (int i = 0; i < 2; i++) {
        join->stores[i] = base ? leat__graph_join(g, base, suffixes.sides[i], "-store")
                               : leat__graph_join(g, generated[i], "-store", "");
        if (!join->stores[i])
            return false;
    }
    if (!join->keeps[0])
        return true;
    join->rest = base ? leat__graph_join(g, base, suffixes.rest, "-store")
                      : leat__graph_join(g, "KSTREAM-OUTERSHARED", number, "-store");
    return join->rest != NULL;
}

static bool take_opts(leat__graph_t *g, leat__stream_join_t *join, const leat_join_opts_t *opts)
{
    const leat_join_window_t *w = &join->window;
    leat_store_opts_t store = {0};

    if (opts) {
        if (!LEAT__RESERVED_ZERO(g, call, &opts->store))
            return false;
        store.backend = opts->store.backend;
        store.changelog = opts->store.changelog;
        store.changelog_config = leat__builder_strdup(g->builder, opts->store.changelog_config);
        if (opts->store.changelog_config && !store.changelog_config)
            return false;
    }
    join->rest_opts = store;
    store.window_size_ms = w->before_ms + w->after_ms;
    store.retention_ms = leat__join_time(store.window_size_ms, w->grace_ms);
    store.duplicates = true;
    join->opts[0] = store;
    join->opts[1] = store;
    return true;
}

static leat__stream_join_t *join_new(leat_stream_t *left, leat_stream_t *right,
    leat_combine_fn fn, const leat_join_window_t *window, const leat_join_opts_t *opts)
{
    leat__graph_t *g = left->graph;
    leat__stream_join_t *join = leat__builder_alloc(g->builder, sizeof *join);
    leat_join_kind_t kind = opts ? opts->kind : LEAT_INNER;

    if (!join)
        return NULL;
    *join = (leat__stream_join_t){.joiner = {fn, opts ? opts->user : NULL},
        .window = *window,
        .keeps = {kind != LEAT_INNER, kind == LEAT_OUTER},
        .wait_grace = opts && opts->unmatched_wait_grace,
        .key = left->key,
        .values = {left->value, right->value}};
    for (int i = 0; i < 2; i++) {
        join->sides[i] = (leat__join_side_t){join, i};
        join->windows[i] = (leat__join_side_t){join, i};
    }
    return take_opts(g, join, opts) ? join : NULL;
}

static leat__part_t *add_window(
    leat__graph_t *g, const char *name, leat__part_t *parent, const leat__join_side_t *side)
{
    window_part_t *w = leat__builder_alloc(g->builder, sizeof *w);

    if (!w)
        return NULL;
    *w = (window_part_t){{.name = name, .write = write_window}, side};
    leat__part_parent(g, &w->part, parent);
    leat__graph_add(g, &w->part);
    return &w->part;
}

static leat_stream_t *add(leat_stream_t *left, leat__part_t *const from[2], part_t *j,
    const leat_serde_t *value)
{
    leat__graph_t *g = left->graph;

    for (int i = 0; i < 2; i++) {
        j->part.windows[i] = add_window(g, j->windowed[i], from[i], &j->join->windows[i]);
        if (!j->part.windows[i])
            return g->nil_stream;
    }
    for (int i = 0; i < 2; i++)
        leat__part_parent(g, &j->part, from[i]);
    leat__graph_add(g, &j->part);
    return leat__stream_new(g, &j->part, left->key, value, false);
}

leat_stream_t *leat_stream_join(leat_stream_t *left, leat_stream_t *right, const char *name,
    leat_combine_fn fn, const leat_serde_t *value, leat_join_window_t window,
    const leat_join_opts_t *opts)
{
    leat__graph_t *g = left->graph;
    const char *generated[2] = {NULL, NULL};
    leat__stream_join_t *join;
    leat__part_t *from[2];
    part_t *j;

    if (opts)
        leat__adopt(g, opts->user, opts->user_free);
    if (!fit(left, right, name, fn, value, &window, opts))
        return leat__nil_stream(g);
    from[0] = leat__join_side(left, name ? leat__graph_join(g, name, "-left", "") : NULL);
    from[1] = leat__join_side(right, name ? leat__graph_join(g, name, "-right", "") : NULL);
    join = join_new(left, right, fn, &window, opts);
    j = leat__builder_alloc(g->builder, sizeof *j);
    if (!from[0] || !from[1] || !join || !j || !name_nodes(g, j, join, name, generated) ||
        !name_stores(g, join, base_of(g, name, opts), generated))
        return g->nil_stream;
    j->part.write = write_join;
    j->part.takes_null_keys = join->keeps[0];
    j->join = join;
    return add(left, from, j, value);
}
