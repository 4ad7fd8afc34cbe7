/*
 * global-join: sales in euros, by a small table that every process has all of.
 *
 * The key of a sale is its shop, that of a rate is the currency: an ordinary join would have to
 * send the sales through a topic first, so that equal keys meet. A global table needs no such
 * topic. Use it for what is small, changes rarely, and is looked up by many keys.
 */
#include <leat/leat.h>

#include <string.h>

struct sale {
    char currency[8];
    double amount;
};

static const leat_field_t sale_fields[] = {LEAT_FIELD(struct sale, currency, CHARS),
    LEAT_FIELD(struct sale, amount, DOUBLE), LEAT_FIELDS_END};
static const leat_serde_t sale_serde = LEAT_SERDE_JSON("sale", struct sale, sale_fields);

static void currency_of(leat_ctx_t *ctx, const leat_record_t *in)
{
    const struct sale *sale = in->value;
    leat_slice_t currency = leat_slice(sale->currency);

    leat_emit_key(ctx, &currency);
}

static void in_euros(leat_ctx_t *ctx, const void *left, const void *right)
{
    const struct sale *sale = left;
    const double *rate = right; /* an inner join: there is one */
    struct sale out = {"EUR", sale->amount * *rate};

    leat_emit_value(ctx, &out);
}

static void sales_in_euros(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();

    leat_global_t *rates = leat_builder_global(b, "rates", str, leat_serde_double(), NULL);
    leat_stream_t *sales = leat_builder_stream(b, "sales", str, &sale_serde, NULL);
    leat_stream_t *euros =
        leat_stream_join_global(sales, rates, "in-euros", currency_of, in_euros, &sale_serde, NULL);
    leat_stream_to(euros, "sales-in-euros", NULL);
}

int main(int argc, char **argv)
{
    return leat_main(argc, argv, "sales-in-euros", sales_in_euros, NULL);
}
