/*
 * tests/integration/kafka_broker.h: a real Kafka for a test program.
 *
 * LEAT_TEST_KAFKA=HOST:PORT names one that runs already (with tests/kafka/kafka.sh's listeners).
 * Otherwise one is started from tests/kafka/kafka.sh on a port of its own and stopped at exit.
 * Without Java or the jars there is none: the tests say so loudly and skip; with CI=true that is a
 * failure.
 */
#ifndef LEAT_TESTS_KAFKA_BROKER_H
#define LEAT_TESTS_KAFKA_BROKER_H

#include <stdbool.h>

const char *kafka_broker(void); /* "127.0.0.1:19192"; NULL: none to be had */
const char *kafka_broker_sasl(
    void); /* the listener that asks for SASL/PLAIN, user leat, password leat-secret */
bool kafka_broker_own(void);   /* started by us, so it may be killed */
void kafka_broker_kill(void);  /* kill -9 */
bool kafka_broker_start(void); /* again */
/** skip() or fail() for a cmocka test; true: go on. */
bool kafka_broker_wanted(void);

#endif
