/*
 * Goal: docs/CONFIGURATION.md says what the property table says. Method: make the page from the
 * table and compare; `test_config_doc --write` writes it.
 */
#include "doc_page.h"
#include "base/config_inside.h"

static const char intro[] =
    "# Configuration\n"
    "\n"
    "Made from base/config_table.c by `test_config_doc --write`; a test fails when it is stale.\n"
    "\n"
    "Properties have Kafka's names. They are set one by one (`leat_config_set`), by a file of\n"
    "properties in Java's format (`leat_config_load`), or on a program's command line. A value is\n"
    "checked when it is set; the first error is reported by whoever takes the configuration, an\n"
    "unknown name with the nearest known one. A value may be, or hold, `${env:NAME}` (a variable "
    "of\n"
    "the environment) or `${file:PATH}` (a file of up to 64 KiB, without its last line end), so "
    "that\n"
    "no secret stands in a program or a file of properties; errors and logs never show what these\n"
    "stand for.\n";

static void put_allowed(leat__buf_t *b, const leat__property_t *p)
{
    switch (p->kind) {
    case LEAT__P_INT:
        if (p->max >= INT64_MAX / 4)
            leat__buf_format(b, "%lld and more", (long long)p->min);
        else
            leat__buf_format(b, "%lld to %lld", (long long)p->min, (long long)p->max);
        break;
    case LEAT__P_BOOL:
        leat__buf_put_text(b, "true, false");
        break;
    case LEAT__P_NAME:
        leat__buf_format(b, "%lld to %lld of [A-Za-z0-9._-]", (long long)p->min, (long long)p->max);
        break;
    case LEAT__P_ADDRESS:
        leat__buf_put_text(b, "HOST:PORT");
        break;
    case LEAT__P_LISTEN:
        leat__buf_put_text(b, "PORT or HOST:PORT");
        break;
    case LEAT__P_CHOICE:
    case LEAT__P_CHOICES:
        leat__buf_put_text(b, p->choices);
        break;
    default:
        leat__buf_put_text(b, "text");
        break;
    }
}

static void put_default(leat__buf_t *b, const leat__property_t *p)
{
    if (p->initial_shown)
        leat__buf_put_text(b, p->initial_shown);
    else if (p->initial)
        leat__buf_put_text(b, p->initial);
    if (p->initial_exactly_once)
        leat__buf_format(b, " (%s under exactly_once_v2)", p->initial_exactly_once);
}

static void put_property(leat__buf_t *b, const leat__property_t *p)
{
    static const char *const importances[] = {"low", "medium", "high"};

    leat__buf_format(b, "| %s | ", p->name);
    put_allowed(b, p);
    leat__buf_put_text(b, " | ");
    put_default(b, p);
    leat__buf_format(b, " | %s | %s", importances[p->importance], p->sentence);
    if (p->no_effect)
        leat__buf_format(b, " No effect: %s.", p->no_effect);
    leat__buf_put_text(b, " |\n");
}

static bool is_setting(const leat__property_t *p)
{
    return p->kind < LEAT__P_ALIAS;
}

static void put_kind(leat__buf_t *b, leat__property_kind_t kind, const char *head)
{
    const leat__property_t *p;

    leat__buf_put_text(b, head);
    for (size_t i = 0; (p = leat__property_at(i)) != NULL; i++)
        if (p->kind == kind)
            leat__buf_format(b, "| %s | %s |\n", p->name, p->sentence);
}

static void make_page(leat__buf_t *b)
{
    const leat__property_t *p;
    const leat__property_prefix_t *prefix;

    leat__buf_put_text(b, intro);
    leat__buf_put_text(b, "\n## Properties\n\n| name | allowed | default | importance | meaning |\n"
                          "|---|---|---|---|---|\n");
    for (size_t i = 0; (p = leat__property_at(i)) != NULL; i++)
        if (is_setting(p))
            put_property(b, p);
    leat__buf_put_text(b, "\n## Prefixes\n\nWhat stands behind a prefix is not checked here.\n\n"
                          "| prefix | meaning |\n|---|---|\n");
    for (size_t i = 0; (prefix = leat__property_prefix_at(i)) != NULL; i++)
        leat__buf_format(b, "| %s | %s |\n", prefix->prefix, prefix->sentence);
    put_kind(b, LEAT__P_ALIAS, "\n## Other names\n\n| name | meaning |\n|---|---|\n");
    put_kind(b, LEAT__P_REFUSED,
        "\n## Known from Kafka Streams, an error here\n\n"
        "| name | what to do instead |\n|---|---|\n");
    put_kind(b, LEAT__P_IGNORED,
        "\n## Known from Kafka Streams, a warning here\n\n"
        "| name | why it changes nothing |\n|---|---|\n");
}

int main(int argc, char **argv)
{
    doc_page_t page = {"docs/CONFIGURATION.md", "test_config_doc", make_page};

    return doc_page_main(argc, argv, &page);
}
