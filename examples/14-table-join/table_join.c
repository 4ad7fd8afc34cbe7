/*
 * table-join: two tables on the same key as one: what a shop knows of an article is its name and
 * its stock, written by two departments that know nothing of each other.
 *
 * An outer join: an article is listed as soon as one side knows it. Each change of either side
 * makes the row anew; when both sides have deleted it, it goes.
 */
#include <leat/leat.h>

static void describe(leat_ctx_t *ctx, const void *left, const void *right)
{
    static const leat_slice_t unnamed = {"(no name yet)", 13}, none = {"0", 1};
    const leat_slice_t *name = left ? left : &unnamed, *stock = right ? right : &none;

    leat_emit_value(ctx, leat_text(ctx, "%.*s, %.*s in stock", LEAT_P(name), LEAT_P(stock)));
}

static void articles(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();

    leat_table_t *names = leat_builder_table(b, "names", str, str, NULL);
    leat_table_t *stock = leat_builder_table(b, "stock", str, str, NULL);
    leat_table_t *listed = leat_table_join(names, stock, "listed", describe, str,
        &(leat_join_opts_t){.kind = LEAT_OUTER, .store = {.materialize = true}});
    leat_table_to(listed, "articles", NULL);
}

int main(int argc, char **argv)
{
    return leat_main(argc, argv, "articles", articles, NULL);
}
