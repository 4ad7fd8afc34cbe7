/* tests/integration/seam_kit.h: short words for the contract tests. Every call checks and fails the
 * test with the error's text. */
#ifndef LEAT__TESTS_SEAM_KIT_H
#define LEAT__TESTS_SEAM_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "seam_contract.h"

extern const struct seam_fixture *seam;
extern leat__broker_t *seam_b; /* a client, open for all tests */

bool seam_wanted(void);                  /* skips if the fixture says so */
const char *seam_name(const char *what); /* unique per call; kept for a while */
void seam_sleep(int64_t ms);
int64_t seam_now_ms(void);

leat__op_t *seam_done(leat__op_t *op);     /* waits; fails if it does not end in time */
void seam_must(leat__op_t *op);            /* ... and went well; freed */
leat_error_t seam_refused(leat__op_t *op); /* ... and did not; freed */

void seam_topic(const char *name, int32_t partitions, const char *policy);
leat__writer_t *seam_writer(const char *transactional_id); /* initialised */
void seam_close_writer(leat__writer_t *w);
leat__out_t *seam_out(leat__writer_t *w, const char *topic);
void seam_put(
    leat__writer_t *w, leat__out_t *out, int32_t partition, const char *key, const char *value);
void seam_begin(leat__writer_t *w);
int64_t seam_offset(const char *topic, int32_t partition, leat__where_t where, int64_t time_ms);
leat__position_t seam_at(const char *topic, int32_t partition, int64_t offset);
leat__op_t *seam_committed_op(const char *group, const char *topic, int32_t partition);
int64_t seam_committed(const char *group, const char *topic, int32_t partition);

typedef struct seen_t {
    char values[2000]; /* "a b c": null is "-" */
    size_t count;
    int64_t first, last, next;
    int code;
    bool end;
} seen_t;

leat__reader_t *seam_reader(bool committed);
int seam_add(leat__reader_t *r, const char *topic, int32_t partition, int64_t offset);
seen_t seam_read_to_end(leat__reader_t *r, int slot);
void seam_reads(
    const char *topic, bool committed, const char *values); /* partition 0 from the start */

leat__member_t *seam_join(
    leat__broker_t *b, const char *group, const char *instance_id, const char *topic);
/* Polls all of them until one has something; which one. */
size_t seam_next(
    leat__broker_t *const *b, leat__member_t *const *m, size_t count, leat__member_event_t *e);
leat__member_event_t seam_event(leat__broker_t *b, leat__member_t *m, leat__member_what_t what);
leat__membership_t *seam_assigned(leat__broker_t *b, leat__member_t *m, bool *leads);

extern const struct CMUnitTest seam_record_tests[], seam_transaction_tests[], seam_group_tests[];
extern const size_t seam_record_test_count, seam_transaction_test_count, seam_group_test_count;

#endif
