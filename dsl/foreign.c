/*
 * dsl/foreign.c: the call that joins two tables by a foreign key: names, topics, nodes.
 *
 * Two parts of the graph: all up to the response topic, which reads both tables; and the left
 * side's end, which reads that topic and the left table's rows. So what is joined further on is
 * co-partitioned with the left table and the response topic, and not with the right table.
 *
 * Every name takes a number, whether it is used or not, in the order of Kafka Streams' calls.
 */
#include "foreign.h"
#include "table.h"

typedef enum name_t {
    REGISTRATION,
    SEND,
    REGISTRATION_SINK,
    REGISTRATION_SOURCE,
    STORE,
    RECEIVE,
    JOIN_FOREIGN,
    FOREIGN_JOIN,
    RESPONSE,
    RESPONSE_SINK,
    RESPONSE_SOURCE,
    RESOLVE,
    RESULT,
    NAMES
} name_t;

#define FK "KTABLE-FK-JOIN-"
static const struct {
    const char *suffix, *prefix;
} schemes[NAMES] = {
    [REGISTRATION] = {"-subscription-registration", FK "SUBSCRIPTION-REGISTRATION-"},
    [SEND] = {"-subscription-registration-processor", FK "SUBSCRIPTION-REGISTRATION-"},
    [REGISTRATION_SINK] = {"-subscription-registration-sink", "KTABLE-SINK-"},
    [REGISTRATION_SOURCE] = {"-subscription-registration-source", "KTABLE-SOURCE-"},
    [STORE] = {"-subscription-store", FK "SUBSCRIPTION-STATE-STORE-"},
    [RECEIVE] = {"-subscription-receive", FK "SUBSCRIPTION-PROCESSOR-"},
    [JOIN_FOREIGN] = {"-subscription-join-foreign", FK "SUBSCRIPTION-PROCESSOR-"},
    [FOREIGN_JOIN] = {"-foreign-join-subscription", FK "SUBSCRIPTION-PROCESSOR-"},
    [RESPONSE] = {"-subscription-response", FK "SUBSCRIPTION-RESPONSE-"},
    [RESPONSE_SINK] = {"-subscription-response-sink", "KTABLE-SINK-"},
    [RESPONSE_SOURCE] = {"-subscription-response-source", "KTABLE-SOURCE-"},
    [RESOLVE] = {"-subscription-response-resolver", FK "SUBSCRIPTION-RESPONSE-RESOLVER-PROCESSOR-"},
    [RESULT] = {"-result", FK "OUTPUT-"},
};

typedef struct asking_t { /* the part up to the response topic */
    leat__part_t part;
    leat__foreign_t op;
    const char *names[NAMES];
    bool generated; /* all of these names */
    leat_store_opts_t store;
    leat_sink_opts_t to_right, to_left;
} asking_t;

typedef struct ending_t { /* the part behind it */
    leat__step_t result;
    const asking_t *asking;
    leat__rows_t rows;
} ending_t;

/* ---- writing ---- */

static void processor(leat__plan_t *plan, const asking_t *a, name_t name,
    const char *const *parents, leat_map_fn process)
{
    leat__node_t *node = leat__plan_processor(plan, a->names[name], parents, 1, process, NULL);

    if (node)
        node->operator_ = &a->op;
}

static void topic(leat__plan_t *plan, const asking_t *a, name_t name)
{
    leat__plan_repartition_topic(plan, a->names[name], 0);
    if (a->generated)
        leat__plan_generated(plan, "repartition topic", a->names[name]);
}

static void write_right_side(const asking_t *a, leat__plan_t *plan, const char *const *right)
{
    const leat_serde_t *bytes = leat_serde_bytes();
    const char *const *names = a->names;
    leat__store_spec_t *store = leat__plan_store(
        plan, names[STORE], LEAT_TIMESTAMPED_KV, bytes, bytes, &a->store, NULL, false);

    if (store)
        store->keeps_headers = true;
    if (a->generated)
        leat__plan_generated(plan, "changelog topic", names[STORE]);
    processor(plan, a, RECEIVE, &names[REGISTRATION_SOURCE], leat__foreign_receive);
    processor(plan, a, JOIN_FOREIGN, &names[RECEIVE], leat__foreign_join);
    processor(plan, a, FOREIGN_JOIN, right, leat__foreign_right);
    leat__plan_connect(plan, names[RECEIVE], names[STORE]);
    leat__plan_connect(plan, names[FOREIGN_JOIN], names[STORE]);
    leat__rows_connect(a->op.right, plan, names[JOIN_FOREIGN]);
}

static void write_asking(
    const leat__part_t *part, leat__plan_t *plan, const char *const *parents, size_t parent_count)
{
    const asking_t *a = (const asking_t *)part;
    const leat_serde_t *bytes = leat_serde_bytes();
    const char *const *names = a->names;

    topic(plan, a, REGISTRATION);
    processor(plan, a, SEND, parents, leat__foreign_send);
    leat__plan_sink(plan, names[REGISTRATION_SINK], &names[SEND], 1, names[REGISTRATION], NULL,
        bytes, bytes, &a->to_right);
    leat__plan_source(
        plan, names[REGISTRATION_SOURCE], names[REGISTRATION], a->op.right->key, bytes, NULL);
    write_right_side(a, plan, parents + parent_count - 1);
    topic(plan, a, RESPONSE);
    leat__plan_sink(plan, names[RESPONSE_SINK], &names[JOIN_FOREIGN], 2, names[RESPONSE], NULL,
        bytes, bytes, &a->to_left);
    leat__plan_source(plan, names[RESPONSE_SOURCE], names[RESPONSE], a->op.left->key, bytes, NULL);
    leat__part_copartition_with(part->from[part->from_count - 1], names[REGISTRATION_SOURCE], plan);
    leat__part_copartition_with(part->from[0], names[RESPONSE_SOURCE], plan);
}

static void write_ending(
    const leat__part_t *part, leat__plan_t *plan, const char *const *parents, size_t parent_count)
{
    const ending_t *e = (const ending_t *)part;
    const asking_t *a = e->asking;
    leat__node_t *node;

    (void)parents; /* the left table is one only for its topics */
    (void)parent_count;
    processor(plan, a, RESOLVE, &a->names[RESPONSE_SOURCE], leat__foreign_resolve);
    leat__rows_connect(a->op.left, plan, a->names[RESOLVE]);
    node = leat__plan_processor(
        plan, part->name, &a->names[RESOLVE], 1, e->result.process, &e->result.opts);
    if (node)
        node->operator_ = &e->rows;
    leat__rows_write(&e->rows, plan, part->name);
}

/* ---- building ---- */

static bool make_names(leat__graph_t *g, const char *name, asking_t *a)
{
    for (int i = 0; i < NAMES; i++) {
        a->names[i] = leat__graph_suffixed(g, name, schemes[i].suffix, schemes[i].prefix);
        if (a->names[i] && (i == REGISTRATION || i == RESPONSE))
            a->names[i] = leat__graph_join(g, a->names[i], "-topic", "");
        if (!a->names[i])
            return false;
    }
    a->generated = !name;
    return true;
}

static void set_op(asking_t *a, leat_table_t *left, leat_table_t *right, leat_map_fn key,
    leat_combine_fn fn, const leat_join_opts_t *opts)
{
    a->op = (leat__foreign_t){.key = key,
        .fn = fn,
        .left = left->rows,
        .right = right->rows,
        .subscriptions = a->names[STORE]};
    if (opts) {
        a->op.user = opts->user;
        a->op.left_join = opts->kind == LEAT_LEFT;
        a->op.partition = opts->partition;
        a->op.other_partition = opts->other_partition;
    }
    a->to_left = (leat_sink_opts_t){.partition = leat__foreign_to_left, .user = &a->op};
    if (a->op.other_partition)
        a->to_right = (leat_sink_opts_t){.partition = leat__foreign_to_right, .user = &a->op};
    leat__rows_enable_old(right->rows, true);
    leat__rows_enable_old(left->rows, true);
    leat__rows_enable_view(right->rows);
    leat__rows_enable_view(left->rows);
}

static asking_t *asking_new(
    leat__graph_t *g, leat_table_t *left, leat_table_t *right, const char *name)
{
    asking_t *a = leat__builder_alloc(g->builder, sizeof *a);

    if (!a || !make_names(g, name, a))
        return NULL;
    a->part = (leat__part_t){
        .name = a->names[RESPONSE_SOURCE], .write = write_asking, .reads_topic = true};
    leat__part_parent(g, &a->part, left->part);
    leat__part_parent(g, &a->part, right->part);
    leat__graph_add(g, &a->part);
    return a;
}

static leat_table_t *ending_new(leat__graph_t *g, leat_table_t *left, asking_t *a, const char *name,
    const leat_serde_t *value, const leat_store_opts_t *store)
{
    ending_t *e = leat__builder_alloc(g->builder, sizeof *e);
    leat_table_t *t = leat__builder_alloc(g->builder, sizeof *t);

    if (!e || !t)
        return g->nil_table;
    e->asking = a;
    e->rows = (leat__rows_t){.key = left->key, .value = value};
    if (!leat__rows_init(
            &e->rows, g, "leat_table_join_foreign", LEAT__ROWS_SOURCE, store, name, FK "OUTPUT-"))
        return g->nil_table;
    e->result.part.name = a->names[RESULT];
    e->result.part.write = write_ending;
    e->result.process = leat__table_source_process;
    leat__rows_node(&e->rows, &e->result.opts);
    leat__part_parent(g, &e->result.part, left->part);
    leat__part_parent(g, &e->result.part, &a->part);
    leat__graph_add(g, &e->result.part);
    *t = (leat_table_t){
        .graph = g, .part = &e->result.part, .key = left->key, .value = value, .rows = &e->rows};
    return t;
}

static bool fit(leat_table_t *left, leat_table_t *right, const char *name, leat_map_fn key,
    leat_combine_fn fn, const leat_serde_t *value, const leat_join_opts_t *opts)
{
    static const char call[] = "leat_table_join_foreign";
    leat__graph_t *g = left->graph;

    if (!leat__same_builder(g, right->graph, call) || left->nil || right->nil)
        return false;
    if (opts && opts->kind == LEAT_OUTER) {
        leat__builder_error(g->builder, LEAT_EARGUMENT, name ? name : call,
            "%s: an outer join by a foreign key does not exist: take LEAT_INNER or LEAT_LEFT",
            call);
        return false;
    }
    return leat__need(g, call, name, key != NULL, "the function that emits the foreign key") &&
           leat__need(g, call, name, fn != NULL, "its function") &&
           leat__need(g, call, name, value != NULL, "the serde of its values") &&
           LEAT__RESERVED_ZERO(g, call, opts);
}

leat_table_t *leat_table_join_foreign(leat_table_t *left, leat_table_t *right, const char *name,
    leat_map_fn key, leat_combine_fn fn, const leat_serde_t *value, const leat_join_opts_t *opts)
{
    leat__graph_t *g = left->graph;
    asking_t *a;

    if (opts)
        leat__adopt(g, opts->user, opts->user_free);
    if (!fit(left, right, name, key, fn, value, opts))
        return leat__nil_table(g);
    a = asking_new(g, left, right, name);
    if (!a)
        return g->nil_table;
    set_op(a, left, right, key, fn, opts);
    return ending_new(g, left, a, name, value, opts ? &opts->store : NULL);
}
