/*
 * runtime/embedded/faults.h: what a log does to its clients now and then, as switches for the
 * simulator and for tests.
 *
 * Each switch makes an outcome happen that a real cluster may give at any time (PROTOCOLS.md 26);
 * none makes one that it never gives. All may be called from any thread. Nothing here is set unless
 * a test sets it.
 */
#ifndef LEAT__EMBEDDED_FAULTS_H
#define LEAT__EMBEDDED_FAULTS_H

#include "runtime/embedded/embedded.h"

typedef enum leat__fault_call_t {
    LEAT__CALL_ADMIN, /* describe, list, ensure, delete, delete records, describe group */
    LEAT__CALL_OFFSETS,
    LEAT__CALL_COMMITTED,
    LEAT__CALL_FENCE,
    LEAT__CALL_MEMBER_COMMIT,
    LEAT__CALL_CLOSE, /* of members and writers */
    LEAT__CALL_INIT,
    LEAT__CALL_FLUSH,
    LEAT__CALL_SEND_OFFSETS,
    LEAT__CALL_COMMIT,
    LEAT__CALL_ABORT,
    LEAT__CALL_PRODUCE, /* lose only: the records of one append */
    LEAT__CALL_COUNT
} leat__fault_call_t;

typedef enum leat__fault_when_t {
    LEAT__HOLD_NOT,
    LEAT__HOLD_BEFORE,
    LEAT__HOLD_ANSWER
} leat__fault_when_t;

/** The broker is away: calls wait, readers get nothing, members hear nothing. client NULL: for
 * everybody. */
void leat__fault_down(leat__log_t *log, leat__broker_t *client, bool down);
/** Calls of that kind stop before their effect, or with the effect done and no answer, until set to
 * LEAT__HOLD_NOT. */
void leat__fault_hold(leat__log_t *log, leat__fault_call_t call, leat__fault_when_t when);
/** The next `times` calls of that kind end in LEAT_ETIMEOUT; effect: they were carried out all the
 * same. */
void leat__fault_lose(leat__log_t *log, leat__fault_call_t call, unsigned times, bool effect);
/**
 * Transactions are decided but the marker is not written there until switched off. topic NULL:
 * everywhere; "__consumer_offsets" (partition -1): the pending offsets.
 */
void leat__fault_delay_markers(leat__log_t *log, const char *topic, int32_t partition, bool delay);
/** The next `times` answers of committed() for the group say NONE (a coordinator that resigns,
 * KAFKA-20416). */
void leat__fault_no_offsets(leat__log_t *log, const char *group, unsigned times);
/** The member's session does not end by itself. member_id NULL: of all members now in the group. */
void leat__fault_keep_session(
    leat__log_t *log, const char *group, const char *member_id, bool keep);
/** The session ends now. member_id NULL: of all. */
void leat__fault_end_session(leat__log_t *log, const char *group, const char *member_id);
/** The group's committed offsets are gone, as after offsets.retention.minutes. */
void leat__fault_expire_offsets(leat__log_t *log, const char *group);
/** Deletes the topic and makes it anew with the same settings: empty, offsets from 0. False: no
 * such topic. */
bool leat__fault_recreate_topic(leat__log_t *log, const char *topic);
/** The transaction of that id times out now. */
void leat__fault_time_out(leat__log_t *log, const char *transactional_id);
/** Group metadata as made up: generation -1 and an empty member id are what a consumer has before
 * its first join. [own] */
leat__membership_t *leat__fault_membership(
    leat__log_t *log, const char *group, int32_t generation, const char *member_id);
/** Does what is due by the clock: sessions, rounds, transaction timeouts, retention, compaction.
 * For manual clocks. */
void leat__log_tick(leat__log_t *log);
/** Compacts the partition now, its last segment too, without regard to how much is new. */
void leat__log_compact(leat__log_t *log, const char *topic, int32_t partition);
/** Of a log in a directory: records beyond so many bytes leave memory (256 MiB, if not set) and are
 * read from files again. */
void leat__log_keep_in_memory(leat__log_t *log, size_t bytes);
/** Bytes of memory that the records of a partition take. */
size_t leat__log_memory(leat__log_t *log, const char *topic, int32_t partition);

#endif
