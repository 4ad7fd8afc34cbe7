/*
 * dsl/split.c: each record to the first branch whose test says yes.
 *
 * The splitting node's children are one passing node per branch, in order, so a branch is a
 * position.
 */
#include <stdio.h>
#include "runtime/ctx.h"
#include "step.h"

typedef struct test_t {
    leat_predicate_fn when; /* NULL: the rest */
    void *user;
} test_t;

typedef struct split_t {
    size_t count;
    test_t tests[];
} split_t;

static void split_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    const split_t *op = leat__operator(ctx);

    for (size_t i = 0; i < op->count; i++) {
        const test_t *test = &op->tests[i];

        if (test->when && !leat__call_predicate(ctx, test->user, test->when, in)) {
            if (!leat__ok(ctx))
                return;
            continue;
        }
        if (leat__ok(ctx))
            leat__forward_at(ctx, in, i);
        return;
    }
}

static const char *branch_name(
    leat__graph_t *g, const leat_branch_t *branch, const char *splitter, size_t number)
{
    char text[24];
    const char *name;

    snprintf(text, sizeof text, "%zu", branch->when ? number : 0);
    name = leat__graph_join(g, splitter, branch->name ? branch->name : text, "");
    return name ? leat__graph_given(g, name) : NULL;
}

static bool add_branch(leat_stream_t *splitter, leat_branch_t *branch, size_t number)
{
    leat__graph_t *g = splitter->graph;
    const char *name = branch_name(g, branch, splitter->part->name, number);
    leat__step_t *step;

    leat__graph_burn(g);
    step = name ? leat__step_add(g, name, splitter->part, leat__pass, NULL, NULL) : NULL;
    if (!step)
        return false;
    branch->stream =
        leat__stream_new(g, &step->part, splitter->key, splitter->value, splitter->rekeyed);
    return !branch->stream->nil;
}

static bool check_branches(
    leat__graph_t *g, const char *name, const leat_branch_t *branches, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++) {
        if (branches[i].when)
            continue;
        leat__builder_error(g->builder, LEAT_EARGUMENT, name ? name : "leat_stream_split",
            "leat_stream_split: branch %zu of %zu has no test: only the last one may take the rest",
            i + 1, count);
        return false;
    }
    return true;
}

static split_t *split_new(
    leat__graph_t *g, const leat_branch_t *branches, size_t count, const leat_node_opts_t *opts)
{
    split_t *op = leat__builder_alloc(g->builder, sizeof *op + count * sizeof op->tests[0]);

    if (!op)
        return NULL;
    op->count = count;
    for (size_t i = 0; i < count; i++) {
        void *user = branches[i].user ? branches[i].user : opts ? opts->user : NULL;

        op->tests[i] = (test_t){branches[i].when, user};
    }
    return op;
}

void leat_stream_split(leat_stream_t *in, const char *name, leat_branch_t *branches, size_t count,
    const leat_node_opts_t *opts)
{
    static const leat__operator_t o = {
        "leat_stream_split", "KSTREAM-BRANCH-", split_process, false, false};
    leat__graph_t *g = in->graph;
    leat_stream_t *splitter;

    leat__adopt_node(g, opts);
    for (size_t i = 0; branches && i < count; i++) {
        leat__adopt(g, branches[i].user, branches[i].user_free);
        branches[i].stream = leat__nil_stream(g);
    }
    if (in->nil || !leat__need(g, o.call, name, branches || !count, "the array of branches") ||
        !check_branches(g, name, branches, count))
        return;
    splitter = leat__stream_step(
        in, &o, name, split_new(g, branches, count, opts), in->key, in->value, opts);
    for (size_t i = 0; !splitter->nil && i < count; i++) {
        if (!add_branch(splitter, &branches[i], i + 1))
            return;
    }
}
