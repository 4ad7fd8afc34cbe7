/*
 * sessions: each user's clicks in one visit, as a path of pages; a visit ends after 30 quiet
 * minutes, and is put out once, 5 minutes after that.
 */
#include <leat/leat.h>

static void add_page(leat_ctx_t *ctx, const void *a, const void *b)
{
    const leat_slice_t *path = a, *page = b;

    leat_emit_value(ctx, path ? leat_text(ctx, "%.*s > %.*s", LEAT_P(path), LEAT_P(page)) : page);
}

/* A late click has joined two visits into one. */
static void merge_paths(leat_ctx_t *ctx, const void *a, const void *b)
{
    const leat_slice_t *earlier = a, *later = b;

    leat_emit_value(ctx, leat_text(ctx, "%.*s > %.*s", LEAT_P(earlier), LEAT_P(later)));
}

static void visits(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();

    leat_stream_t *clicks = leat_builder_stream(b, "clicks", str, str, NULL);
    leat_grouped_t *by_user = leat_stream_group_by_key(clicks, NULL, NULL);
    leat_table_t *paths = leat_grouped_aggregate(by_user, "paths", add_page, str,
        &(leat_fold_opts_t){.window = leat_session(LEAT_MINUTES(30), LEAT_MINUTES(5)),
            .merge = merge_paths,
            .emit = LEAT_EMIT_ON_CLOSE});
    leat_table_to(paths, "visits", NULL);
}

int main(int argc, char **argv)
{
    return leat_main(argc, argv, "visits", visits, NULL);
}
