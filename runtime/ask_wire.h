/*
 * runtime/ask_wire.h: a question and its answer as bytes, from one process of an application to
 * another.
 *
 *   question   "LQ" 1  application, process  group 4  partition 4  store
 *              verb 1  order 1  flags 1  from ms 8  to ms 8  from, to, mark, position  timeout ms 4
 *   answer     "LA" 1  code 4  flags 4  where, text  lag 8  position  flags 1  mark, page
 *
 * Numbers have their highest byte first; texts and bytes stand behind their size of 4 bytes. Who reads
 * trusts nothing: what is cut, too long or out of range is refused as a whole.
 */
#ifndef LEAT__RUNTIME_ASK_WIRE_H
#define LEAT__RUNTIME_ASK_WIRE_H

#include "asks.h"

typedef struct leat__wire_question_t {
    leat_slice_t application, process; /* whom it is for; borrowed from the bytes */
    leat__question_t *question;        /* [own: leat__question_drop] */
    int64_t timeout_ms;
} leat__wire_question_t;

/** process "": whoever has the application. */
void leat__wire_put_question(leat__buf_t *out, const char *application, const char *process,
    const leat__question_t *r, int64_t timeout_ms);
bool leat__wire_take_question(leat_slice_t bytes, leat__wire_question_t *q); /* false: unreadable */

void leat__wire_put_answer(leat__buf_t *out, const leat__question_t *r);
/** Into r, as whoever had it from the mail would fill it. False: unreadable, and r as it was. */
bool leat__wire_take_answer(leat_slice_t bytes, leat__question_t *r);

#endif
