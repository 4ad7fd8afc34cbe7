/*
 * stateless: clean readings of thermometers, warn of frost in Fahrenheit, send the rest to a topic
 * per kind.
 *
 *   stateless --embedded       lines in: SENSOR<TAB>{"kind":"oven","celsius":200}
 */
#include <leat/leat.h>

struct reading {
    char kind[16];
    double celsius;
};

static const leat_field_t reading_fields[] = {
    LEAT_FIELD(struct reading, kind, CHARS),
    LEAT_FIELD(struct reading, celsius, DOUBLE),
    LEAT_FIELDS_END,
};
static const leat_serde_t reading_serde =
    LEAT_SERDE_JSON("reading", struct reading, reading_fields);

static bool plausible(leat_ctx_t *ctx, const leat_record_t *in)
{
    const struct reading *reading = in->value;
    (void)ctx;
    return reading != NULL && reading->celsius > -273.15;
}

static bool is_freezing(leat_ctx_t *ctx, const leat_record_t *in)
{
    const struct reading *reading = in->value;
    (void)ctx;
    return reading->celsius < 0;
}

static void to_fahrenheit(leat_ctx_t *ctx, const leat_record_t *in)
{
    const struct reading *reading = in->value;
    double fahrenheit = reading->celsius * 9 / 5 + 32;

    leat_emit_value(ctx, &fahrenheit);
}

/* The topic of each record: "readings-thermometer", "readings-oven", ... */
static void topic_of_kind(leat_ctx_t *ctx, const leat_record_t *in)
{
    const struct reading *reading = in->value;

    leat_emit_topic(ctx, leat_text(ctx, "readings-%s", reading->kind));
}

static void readings(leat_builder_t *b)
{
    leat_branch_t by_cold[] = {{.name = "freezing", .when = is_freezing}, {.name = "rest"}};

    leat_stream_t *all =
        leat_builder_stream(b, "readings", leat_serde_string(), &reading_serde, NULL);
    leat_stream_t *good = leat_stream_filter(all, "plausible", plausible, NULL);
    leat_stream_split(good, "by-cold-", by_cold, 2, NULL);
    leat_stream_t *alarms = leat_stream_map_values(
        by_cold[0].stream, "to-fahrenheit", to_fahrenheit, leat_serde_double(), NULL);
    leat_stream_to(alarms, "frost-alarms", NULL);
    leat_stream_route(by_cold[1].stream, topic_of_kind, NULL);
}

int main(int argc, char **argv)
{
    return leat_main(argc, argv, "clean-readings", readings, NULL);
}
