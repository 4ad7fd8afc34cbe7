/*
 * runtime/control_log.h: the control topic as one process sees it: read to its end again and again, and written.
 *
 * Log order is the fence of the control plane (PROTOCOLS.md 7 and "decided"): a placement counts only if, where it stands in the
 * log, the last claim is its leader's. Everything here is the control thread's; only the incarnations are read by others.
 */
#ifndef LEAT__RUNTIME_CONTROL_LOG_H
#define LEAT__RUNTIME_CONTROL_LOG_H

#include "base/map.h"
#include "placement.h"

typedef struct leat__control_log_t {
    leat__broker_t *broker;
    const leat__broker_vt_t *vt;
    char *topic;
    leat__reader_t *reader;
    int slot;
    int64_t next; /* read up to here */
    leat__writer_t *writer;
    leat__out_t *out;
    leat__op_t *flush;    /* of the last write */
    leat_error_t failure; /* a record that could not be written */

    leat__claim_t claim;         /* the last one */
    leat__placement_t placement; /* the last that counts */
    int64_t placement_offset;    /* -1: none yet */
    leat__map_t statuses;        /* process id → leat__status_t */
    uint64_t changes;            /* counts statuses read */
    uint64_t forgotten;          /* and those among them that were deleted */

    pthread_mutex_t lock;
    leat__map_t incarnations; /* topic → uint64_t */
} leat__control_log_t;

/** "<app>-leat-control-changelog": the reset tool of Kafka Streams deletes it with the other changelogs. */
char *leat__control_topic(const char *application_id);

int leat__control_log_open(leat__control_log_t *l, leat__broker_t *broker,
    const char *application_id, int64_t earliest, leat_error_t *err);
void leat__control_log_close(leat__control_log_t *l);
/** Take what is there; true: something was. */
bool leat__control_log_poll(leat__control_log_t *l);

void leat__control_log_claim(leat__control_log_t *l, const leat__claim_t *c);
void leat__control_log_place(leat__control_log_t *l, const leat__placement_t *p);
void leat__control_log_status(leat__control_log_t *l, const leat__status_t *s);
void leat__control_log_forget(leat__control_log_t *l, const char *process_id); /* its status */
void leat__control_log_incarnate(leat__control_log_t *l, const char *topic);
/** All that was written has been acknowledged. */
bool leat__control_log_written(leat__control_log_t *l);
const leat__status_t *leat__control_log_process(
    const leat__control_log_t *l, const char *process_id);
uint64_t leat__control_log_incarnation(
    leat__control_log_t *l, const char *topic); /* any thread; 0: none */

#endif
