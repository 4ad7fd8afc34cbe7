/*
 * windowed-count: page views per page and minute, one final result per window.
 *
 * A window is closed when later views have brought time 10 seconds past its end; views that come
 * even later are dropped. With no more views the last windows wait.
 */
#include <leat/leat.h>

/* A windowed table's key is the page with its window. */
static void name_window(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_windowed_t *window = in->key;
    const leat_slice_t *page = window->key;

    leat_emit_key(ctx, leat_text(ctx, "%.*s@%lld", LEAT_P(page), (long long)window->start_ms));
}

static void page_views(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();

    leat_stream_t *views = leat_builder_stream(b, "views", str, str, NULL);
    leat_grouped_t *by_page = leat_stream_group_by_key(views, NULL, NULL);
    leat_table_t *counts = leat_grouped_count(by_page, "counts",
        &(leat_fold_opts_t){.window = leat_tumbling(LEAT_MINUTES(1), LEAT_SECONDS(10))});
    leat_table_t *final = leat_table_suppress(counts, "final", LEAT_UNTIL_WINDOW_CLOSES, NULL);
    leat_stream_t *named = leat_table_to_stream(
        final, "named", &(leat_to_stream_opts_t){.key = name_window, .key_serde = str});
    leat_stream_to(named, "views-per-minute", NULL);
}

int main(int argc, char **argv)
{
    return leat_main(argc, argv, "page-views", page_views, NULL);
}
