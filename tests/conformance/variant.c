/*
 * tests/conformance/variant.c: a scenario forced onto one backend, with or without the record
 * cache, and which answers of Kafka Streams then count.
 *
 *   x.expected.json                          as the scenario is written: on RocksDB
 *   x.cached.expected.json, x.uncached       the cache turned round
 *   x.memory.expected.json                   in memory
 *   x.memory-cached.expected.json, -uncached both, against the one with the cache turned round
 *
 * Such a file is there only where the answer is another one, and holds the members that differ,
 * null for one that is not there (tests/conformance/record writes them).
 */
#include <stdio.h>
#include <string.h>
#include "conformance.h"

enum { CACHE_BYTES = 1000000 };

static int64_t own_cache(const json_t *scenario)
{
    return get_int(json_object_get(scenario, "config"), "cache_bytes", 0);
}

static bool turns_cache(const variant_t *v, const json_t *scenario)
{
    return v->cache && (strcmp(v->cache, "on") == 0) != (own_cache(scenario) > 0);
}

void variant_suffixes(const variant_t *v, const json_t *scenario, char suffix[2][SUFFIX_SIZE])
{
    const char *cache = !turns_cache(v, scenario) ? "" : own_cache(scenario) ? "uncached" : "cached";
    bool memory = v->store && strcmp(v->store, "memory") == 0;

    snprintf(suffix[0], SUFFIX_SIZE, "%s%s", *cache ? "." : "", cache);
    snprintf(suffix[1], SUFFIX_SIZE, "%s%s%s", memory ? ".memory" : "", memory && *cache ? "-" : "",
        memory ? cache : "");
}

void variant_merge(json_t *expected, const json_t *other)
{
    const char *member;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)other, member, value)
    {
        if (json_is_null(value))
            json_object_del(expected, member);
        else
            json_object_set(expected, member, value);
    }
}

static bool has_types(const char *kind)
{
    return strcmp(kind, "kv") == 0 || strcmp(kind, "timestamped_kv") == 0 ||
           strcmp(kind, "window") == 0 || strcmp(kind, "timestamped_window") == 0 ||
           strcmp(kind, "session") == 0;
}

/* config.store is for the DSL's own stores; those of processors name their type. */
static void force_store(json_t *scenario, json_t *config, const char *type)
{
    const json_t *topology = json_object_get(scenario, "topology");

    json_object_set_new(config, "store", json_string(type));
    for (size_t i = 0; i < json_array_size(topology); i++) {
        json_t *store = json_object_get(json_array_get(topology, i), "store");

        if (has_types(get_text(store, "kind", "")) && !json_object_get(store, "type"))
            json_object_set_new(store, "type", json_string(type));
    }
}

void variant_force(const variant_t *v, json_t *scenario)
{
    json_t *config = json_object_get(scenario, "config");
    int64_t bytes = own_cache(scenario);

    if (!config)
        json_object_set_new(scenario, "config", config = json_object());
    if (v->cache && strcmp(v->cache, "on") == 0 && bytes == 0)
        json_object_set_new(config, "cache_bytes", json_integer(CACHE_BYTES));
    if (v->cache && strcmp(v->cache, "off") == 0)
        json_object_set_new(config, "cache_bytes", json_integer(0));
    if (v->store)
        force_store(scenario, config, strcmp(v->store, "memory") == 0 ? "in_memory" : "rocksdb");
}
