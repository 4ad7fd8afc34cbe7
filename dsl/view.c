/*
 * dsl/view.c: leat_app_view(): one topic as a table that is kept up to date and queried; the topology
 * is a global table and nothing else.
 */
#include <leat/leat.h>

#include "base/mem.h"

leat_app_t *leat_app_view(const char *topic, const leat_serde_t *key, const leat_serde_t *value,
    leat_config_t *config, const leat_app_opts_t *opts)
{
    leat_builder_t *b = leat_builder_new();
    char *id = leat__must_format("leat-view-%s", topic != NULL ? topic : "");

    if (leat_config_get(config, "application.id")[0] == '\0')
        leat_config_set(config, "application.id", id);
    leat__free(id);
    leat_builder_global(b, topic, key, value, &(leat_source_opts_t){.store.name = topic});
    return leat_app_new(leat_builder_finish(b), config, opts);
}
