/* tests/integration/kafka_broker.c: starts and stops tests/kafka/kafka.sh. */
#include "kafka_broker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef LEAT_TEST_KAFKA_SH
#define LEAT_TEST_KAFKA_SH "tests/kafka/kafka.sh"
#endif

/*
 * Debian's librdkafka synchronizes with C11 threads, which ThreadSanitizer does not see: it reports
 * races that are none, and dies. LEAT_TEST_TSAN_KAFKA says that the library linked is built with
 * -fsanitize=thread and without C11 threads.
 */
#if defined(__SANITIZE_THREAD__) && !defined(LEAT_TEST_TSAN_KAFKA)
enum { UNSEEN_BY_TSAN = 1 };
#else
enum { UNSEEN_BY_TSAN = 0 };
#endif

static struct {
    bool tried, own;
    int port;
    char servers[300], sasl[300], data[300];
} broker;

static int kafka_sh(const char *verb)
{
    char line[1200];
    int status;

    snprintf(line, sizeof line, "KAFKA_DATA='%s' KAFKA_PORT=%d '%s' %s >&2", broker.data,
        broker.port, LEAT_TEST_KAFKA_SH, verb);
    fflush(NULL);
    status = system(line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void stop(void)
{
    char line[700];

    kafka_sh("stop");
    snprintf(line, sizeof line, "rm -rf '%s' '%s'.*", broker.data, broker.data);
    if (system(line) != 0)
        fprintf(stderr, "kafka_broker: %s is left behind\n", broker.data);
}

static void start_own(void)
{
    broker.port = 20000 + (int)(getpid() % 4000) * 5;
    snprintf(broker.data, sizeof broker.data, "%s/leat-test-kafka-%d",
        getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", (int)getpid());
    if (kafka_sh("fetch") != 0 || kafka_sh("format") != 0 || kafka_sh("start") != 0)
        return;
    broker.own = true;
    snprintf(broker.servers, sizeof broker.servers, "127.0.0.1:%d", broker.port);
    atexit(stop);
}

const char *kafka_broker(void)
{
    const char *given = getenv("LEAT_TEST_KAFKA");

    if (UNSEEN_BY_TSAN)
        return NULL;
    if (!broker.tried) {
        broker.tried = true;
        if (given && given[0]) {
            const char *colon = strrchr(given, ':');

            broker.port = colon ? atoi(colon + 1) : 9092;
            snprintf(broker.servers, sizeof broker.servers, "%s", given);
        } else {
            start_own();
        }
    }
    return broker.servers[0] ? broker.servers : NULL;
}

const char *kafka_broker_sasl(void)
{
    snprintf(broker.sasl, sizeof broker.sasl, "127.0.0.1:%d", broker.port + 2);
    return broker.sasl;
}

bool kafka_broker_own(void)
{
    return broker.own;
}

void kafka_broker_kill(void)
{
    kafka_sh("kill");
}

bool kafka_broker_start(void)
{
    return kafka_sh("start") == 0;
}

bool kafka_broker_wanted(void)
{
    const char *ci = getenv("CI");

    if (UNSEEN_BY_TSAN) {
        fprintf(stderr,
            "\n*** ThreadSanitizer cannot watch this librdkafka; this test did NOT run ***\n\n");
        skip();
        return false;
    }
    if (kafka_broker())
        return true;
    if (ci && strcmp(ci, "true") == 0)
        fail_msg("CI=true, and there is no Kafka to test with");
    fprintf(stderr, "\n*** NO KAFKA: tests/kafka/kafka.sh cannot fetch or start one; this test did "
                    "NOT run ***\n\n");
    skip();
    return false;
}
