/*
 * custom-store: state that is no map: the ten largest different bids, kept in a sorted array.
 *
 * A custom store is three functions. leat writes each change to the changelog, in the transaction
 * of the record that made it, and calls .apply when it is committed, and for all of them again
 * after a restart. So what .apply builds is always what was committed, and exactly once stays true.
 * A processor sees its own changes from the next commit on.
 *
 * The changelog is compacted: of each key the last change stays. So the key is the bid itself, and
 * a tombstone takes one out.
 */
#include <leat/backend.h>
#include <leat/leat.h>

#include <stdlib.h>
#include <string.h>

enum { TOP = 10 };

typedef struct top_t { /* one task's */
    int64_t bids[TOP];
    int count;
} top_t;

static int top_open(void **self, const char *dir, leat_error_t *err)
{
    (void)dir; /* nothing of it is kept on disk: the changelog is the state */
    (void)err;
    *self = calloc(1, sizeof(top_t));
    return *self ? LEAT_OK : LEAT_ENOMEM;
}

/* Bids come in any order; more than TOP of them only between two commits. */
static void top_apply(void *self, leat_slice_t key, leat_slice_t value)
{
    top_t *top = self;
    int64_t bid = 0;
    int at = 0;

    if (key.size != sizeof bid)
        return;
    memcpy(&bid, key.data, sizeof bid);
    while (at < top->count && top->bids[at] > bid)
        at++;
    if (at < top->count && top->bids[at] == bid) { /* known: a tombstone takes it out */
        if (!value.data)
            memmove(&top->bids[at], &top->bids[at + 1], (size_t)(--top->count - at) * sizeof bid);
    } else if (value.data && at < TOP) {
        top->count += top->count < TOP;
        memmove(&top->bids[at + 1], &top->bids[at], (size_t)(top->count - 1 - at) * sizeof bid);
        top->bids[at] = bid;
    }
}

static const leat_custom_t top_store = {
    .name = "top", .open = top_open, .apply = top_apply, .close = free};

static leat_slice_t bytes_of(const int64_t *bid)
{
    return (leat_slice_t){(const char *)bid, sizeof *bid};
}

/* A bid goes on if it would be among the largest that were committed. */
static void keep_large(leat_ctx_t *ctx, const leat_record_t *in)
{
    const top_t *top = leat_custom(ctx, "top");
    const int64_t *bid = in->value;
    bool full;

    if (!top || !bid)
        return;
    full = top->count == TOP;
    if (full && *bid <= top->bids[TOP - 1])
        return;
    leat_custom_log(ctx, "top", bytes_of(bid), *(const leat_slice_t *)in->key);
    if (full)
        leat_custom_log(ctx, "top", bytes_of(&top->bids[TOP - 1]), (leat_slice_t){NULL, 0});
    leat_emit_record(ctx, in);
}

static void large_bids(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string(), *cents = leat_serde_int64();

    leat_builder_custom_store(b, "top", &top_store, NULL);
    leat_stream_t *bids = leat_builder_stream(b, "bids", str, cents, NULL);
    leat_stream_t *large = leat_stream_process(
        bids, "keep-large", keep_large, str, cents, &(leat_node_opts_t){.stores = "top"});
    leat_stream_to(large, "large-bids", NULL);
}

int main(int argc, char **argv)
{
    return leat_main(argc, argv, "large-bids", large_bids, NULL);
}
