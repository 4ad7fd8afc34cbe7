/*
 * tests/integration/routing_rig.h: workers of one application in one process, on one embedded log,
 * each with its own state directory and its own address.
 */
#ifndef LEAT__TESTS_ROUTING_RIG_H
#define LEAT__TESTS_ROUTING_RIG_H

#include <leat/query.h>

#include "runtime/app.h"
#include "thread_rig.h"

enum { ROUTING_PARTITIONS = 6, ROUTING_KEYS = 300, ROUTING_PATIENCE_MS = 60000 };

/* "in" counted into the store "counts"; each key k0000, k0001, ... written once and every third twice. */
void routing_open(rig_world_t *w);
void routing_build(leat_builder_t *b);
/* settings: pairs of name and value, NULL at the end. */
leat_app_t *routing_start(rig_world_t *w, int number, const char *const *settings);
void routing_write(rig_world_t *w);
const char *routing_key(int i, char room[16]);
/* Until `done` is true; fails the test with `what` after ROUTING_PATIENCE_MS. */
void routing_await(bool (*done)(void *user), void *user, const char *what);

#endif
