/*
 * tests/integration/seam_contract.h: what every implementation of runtime/broker.h must do, as
 * tests over its table of functions.
 *
 * A fixture says how to get a client of the log under test and how patient to be. Each test uses
 * topics, groups and ids of its own names, so that it may run against a broker that lives long.
 */
#ifndef LEAT__TESTS_SEAM_CONTRACT_H
#define LEAT__TESTS_SEAM_CONTRACT_H

#include "runtime/broker.h"

struct seam_fixture {
    const char *name;
    leat__broker_t *(*open)(void); /* another client of the same log */
    bool (*available)(void);       /* NULL: always. False: skip (after saying why) */
    int64_t patience_ms;           /* how long anything may take */
    int64_t session_ms, heartbeat_ms, max_poll_ms;
    int64_t transaction_timeout_ms;
    size_t big_bytes; /* a record of this size is taken */
    size_t many;      /* records where many are wanted */
};

/** The number of failed tests. */
int run_seam_contract(const struct seam_fixture *fixture);

#endif
