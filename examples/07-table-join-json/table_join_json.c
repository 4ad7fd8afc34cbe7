/* enrich: JSON orders with the names of JSON customers. */
#include <leat/leat.h>

#include <jansson.h>

static void key_by_customer(leat_ctx_t *ctx, const leat_record_t *in)
{
    const json_t *order = in->value;
    const char *name = json_string_value(json_object_get(order, "customer"));
    leat_slice_t customer = leat_slice(name ? name : "");

    leat_emit_key(ctx, name ? &customer : NULL);
}

static void add_name(leat_ctx_t *ctx, const void *left, const void *right)
{
    const json_t *order = left, *customer = right; /* customer is NULL when unknown */
    json_t *out = leat_json_copy(ctx, order);

    json_object_set(out, "name", customer ? json_object_get(customer, "name") : json_null());
    leat_emit_value(ctx, out);
}

static void enrich(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string(), *json = leat_serde_json();

    leat_stream_t *orders = leat_builder_stream(b, "orders", str, json, NULL);
    leat_table_t *customers = leat_builder_table(b, "customers", str, json, NULL);
    leat_stream_t *by_customer =
        leat_stream_select_key(orders, "by-customer", key_by_customer, str, NULL);
    leat_stream_t *named = leat_stream_join_table(by_customer, customers, "add-name", add_name,
        json, &(leat_join_opts_t){.kind = LEAT_LEFT});
    leat_stream_to(named, "named-orders", NULL);
}

int main(int argc, char **argv)
{
    return leat_main(argc, argv, "enrich", enrich, NULL);
}
