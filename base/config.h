/*
 * base/config.h: the property table, as the engine reads it. One row per property: name, type,
 * bounds, default, sentence.
 *
 * Every known property has a row in config_table.c; the table checks values, makes
 * docs/CONFIGURATION.md and suggests the nearest name for an unknown key. Values are checked
 * when they are set, so the readers below cannot fail. A NULL config is one with nothing set.
 */
#ifndef LEAT__BASE_CONFIG_H
#define LEAT__BASE_CONFIG_H

#include <leat/config.h>

typedef void (*leat__config_each_fn)(void *user, const char *key, const char *value);

int64_t leat__config_int(const leat_config_t *c, const char *key); /* also booleans: 0, 1 */
/** Never NULL: the default, or "". */
LEAT_API const char *leat__config_text(const leat_config_t *c, const char *key);
LEAT_API bool leat__config_is_set(
    const leat_config_t *c, const char *key); /* by the program, not by default */
/** Properties that start with prefix ("consumer."), as set, for passing on. Names without it. */
void leat__config_each(
    const leat_config_t *c, const char *prefix, leat__config_each_fn fn, void *user);
/** The set properties that concern the connection to the broker (security.*, sasl.*, ssl.*,
 *  timeouts, buffers), under librdkafka's names. bootstrap.servers is not among them. */
void leat__config_each_client(const leat_config_t *c, leat__config_each_fn fn, void *user);
/** Whether key's value is a secret: passwords, keys, whatever prefix stands before the name. */
bool leat__config_is_secret(const char *key);
leat_config_t *leat__config_clone(const leat_config_t *c);
const leat_error_t *leat__config_error(const leat_config_t *c); /* the first; code 0: none */

#endif
