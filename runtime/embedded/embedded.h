/*
 * runtime/embedded/embedded.h: a log in this process, shared by any number of brokers (clients):
 * topics, partitions, groups with generations, transactions. What it gets wrong the way Kafka does
 * is listed in PROTOCOLS.md 26 and switched by faults.
 */
#ifndef LEAT__RUNTIME_EMBEDDED_H
#define LEAT__RUNTIME_EMBEDDED_H

#include "runtime/broker.h"

typedef struct leat__log_t leat__log_t;

/** dir NULL: in memory. clock NULL: the real one. */
leat__log_t *leat__log_open(const char *dir, leat__clock_t *clock, leat_error_t *err);
leat__log_t *leat__log_ref(leat__log_t *log);
void leat__log_unref(leat__log_t *log);
/** From now on a topic that is written to and does not exist is made, with so many partitions; 0:
 * refused, as Kafka Streams wants it. */
void leat__log_auto_create(leat__log_t *log, int32_t partitions);
/** A client of that log. */
leat__broker_t *leat__embedded_client(leat__log_t *log, const leat_config_t *config);
/** "embedded:" a log of its own; "embedded:DIR" one per directory and process, locked against other
 * processes. */
leat__broker_t *leat__embedded_open(const leat_config_t *config, leat_error_t *err);
leat__log_t *leat__embedded_log(leat__broker_t *b);

#endif
