/*
 * runtime/bad_record.c: what becomes of a failure: fail, go on without the record, or the
 * dead-letter topic.
 *
 * The program's on_bad_record decides, else the three properties by stage. With a dead-letter
 * topic set, `continue` writes to it too, as Kafka Streams' handlers do (KIP-1034). The dead
 * letter is the *input* record, raw, with headers that say what was wrong; it is sent like any
 * other record, in the same transaction. Global tables write nothing, so no dead letters either.
 */
#include "task_inside.h"
#include "base/config.h"
#include "base/log.h"
#include "base/map.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- failing ---- */

static void say_where(const leat_ctx_t *ctx, char *room, size_t size)
{
    const leat_meta_t *meta = ctx->meta;
    const char *node = ctx->node ? ctx->node->node->name : "";

    if (meta)
        snprintf(room, size, "%s, task %s, %s-%d@%lld", node, ctx->task->id, meta->topic,
            (int)meta->partition, (long long)meta->offset);
    else
        snprintf(room, size, "%s%stask %s", node, node[0] ? ", " : "", ctx->task->id);
}

void leat__ctx_fail_error(leat_ctx_t *ctx, const leat_error_t *err)
{
    char where[sizeof err->where];

    if (ctx->failure.code != LEAT_OK || ctx->failed)
        return;
    ctx->failure = *err;
    say_where(ctx, where, sizeof where);
    if (!err->where[0])
        memcpy(ctx->failure.where, where, sizeof where);
    leat__error_hook(&ctx->failure);
}

static void fail_text(leat_ctx_t *ctx, int code, const char *format, va_list args)
{
    leat_error_t err = {.code = (leat_code_t)code};

    if (ctx->failure.code != LEAT_OK || ctx->failed)
        return;
    vsnprintf(err.text, sizeof err.text, format, args);
    leat__ctx_fail_error(ctx, &err);
}

void leat__ctx_fail(leat_ctx_t *ctx, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fail_text(ctx, code, format, args);
    va_end(args);
}

void leat_fail(leat_ctx_t *ctx, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fail_text(ctx, code < 0 ? code : LEAT_EUSER, format, args);
    va_end(args);
}

void leat__ctx_give_up(leat_ctx_t *ctx)
{
    if (ctx->failure.code != LEAT_OK)
        ctx->failed = true;
}

/* Counted; said once per node and reason in a while. why: compared by its address. */
static void drop(leat_ctx_t *ctx, const char *why, const char *detail)
{
    enum { QUIET_MS = 10000 };
    leat__live_t *live = ctx->node;
    int64_t since_ms = ctx->wall_ms - live->warned_ms;
    char where[160];

    ctx->task->counts.dropped++;
    if (live->warned_why == why && since_ms >= 0 && since_ms < QUIET_MS)
        return;
    live->warned_why = why;
    live->warned_ms = ctx->wall_ms;
    if (!leat__log_on(LEAT_LOG_WARN))
        return;
    say_where(ctx, where, sizeof where);
    leat__log(LEAT_LOG_WARN, "task", NULL, "%s: a record was dropped: %s%s%s (said once in %d s)",
        where, why, detail ? ": " : "", detail ? detail : "", QUIET_MS / 1000);
}

void leat__drop_wanted(leat_ctx_t *ctx, const char *why)
{
    drop(ctx, why, NULL);
}

/* ---- the dead-letter topic ---- */

static leat_header_t header(const char *name, const char *text)
{
    return (leat_header_t){name, leat_slice(text)};
}

static const leat_headers_t *letter_headers(
    leat_ctx_t *ctx, const leat_bad_record_t *bad, const char *what)
{
    size_t given = leat_headers_count(bad->headers), count = 0;
    leat_header_t *all = leat__arena_alloc(&ctx->scratch, (given + 6) * sizeof *all);
    char partition[16], offset[24];

    for (; count < given; count++)
        all[count] = *leat_headers_at(bad->headers, count);
    snprintf(partition, sizeof partition, "%d", (int)bad->partition);
    snprintf(offset, sizeof offset, "%lld", (long long)bad->offset);
    all[count++] = header("__streams.errors.exception", what);
    all[count++] = header("__streams.errors.stacktrace", bad->error->where);
    all[count++] = header("__streams.errors.message", bad->error->text);
    all[count++] = header("__streams.errors.topic", bad->topic);
    all[count++] = header("__streams.errors.partition", partition);
    all[count++] = header("__streams.errors.offset", offset);
    return leat__headers_new(&ctx->scratch, all, count);
}

/* True: it is on its way. A failure of the letter takes the place of the one it tells of. */
static bool send_letter(leat_ctx_t *ctx, const leat_bad_record_t *bad, const char *what)
{
    leat__task_t *t = ctx->task;
    const leat_headers_t *headers = letter_headers(ctx, bad, what);
    int32_t partition = -1;
    leat_error_t err;

    if (!t->dead_letter) {
        t->dead_letter = t->env.target(t->env.user, t->dead_letter_topic, &err);
        if (!t->dead_letter) {
            leat__error(&ctx->failure, err.code, LEAT_FATAL, ctx->failure.where,
                "the dead-letter topic %s cannot be written: %s", t->dead_letter_topic, err.text);
            return false;
        }
    }
    if (bad->key.data)
        partition = leat__partition_of(bad->key, t->env.partitions(t->env.user, t->dead_letter));
    if (t->env.send(t->env.user, t->dead_letter, partition, bad->key, bad->value, bad->time_ms,
            headers, &err) == LEAT_OK) {
        t->counts.sent++;
        return true;
    }
    leat__error(&ctx->failure, err.code, err.flags, ctx->failure.where,
        "the dead-letter topic %s refused a record: %s", t->dead_letter_topic, err.text);
    return false;
}

/* ---- deciding ---- */

static leat_bad_record_t describe(const leat_ctx_t *ctx, leat_stage_t stage)
{
    const leat__task_t *t = ctx->task;
    const leat_meta_t *meta = ctx->meta;
    leat_bad_record_t bad = {.stage = stage,
        .error = &ctx->failure,
        .task = t->id,
        .partition = -1,
        .offset = -1,
        .time_ms = ctx->record ? ctx->record->pub.time_ms : -1};

    if (ctx->node)
        bad.node = ctx->node->node->name;
    if (ctx->record)
        bad.headers = ctx->record->pub.headers;
    if (meta) {
        bad.topic = meta->topic;
        bad.partition = meta->partition;
        bad.offset = meta->offset;
    }
    if (t->raw) {
        bad.key = t->raw->key;
        bad.value = t->raw->value;
    }
    return bad;
}

static leat_verdict_t apply(leat_ctx_t *ctx, const leat_bad_record_t *bad, leat_verdict_t verdict)
{
    leat__task_t *t = ctx->task;
    char *text = ctx->failure.text;
    size_t used = strlen(text);

    if (verdict == LEAT_VERDICT_DEAD_LETTER && (t->global || !t->dead_letter_topic)) {
        snprintf(text + used, sizeof ctx->failure.text - used,
            t->global ? " (and what fills a global store writes no dead letters: continue or fail)"
                      : " (and there is no dead-letter topic: set"
                        " errors.dead.letter.queue.topic.name)");
        return LEAT_VERDICT_FAIL;
    }
    if (verdict == LEAT_VERDICT_DEAD_LETTER)
        return send_letter(ctx, bad, leat_error_name(bad->error->code)) ? verdict
                                                                         : LEAT_VERDICT_FAIL;
    return verdict;
}

/*
 * What fills a global store is asked about only if that is wanted: without the record the table
 * differs from its topic, in every process.
 */
static bool asks(const leat__task_t *t, leat_stage_t stage)
{
    return !t->global || t->global_asks ||
           (stage != LEAT_STAGE_PROCESS && stage != LEAT_STAGE_PUNCTUATE);
}

static leat_verdict_t decide(const leat_ctx_t *ctx, const leat_bad_record_t *bad)
{
    const leat__task_t *t = ctx->task;
    leat_verdict_t verdict = t->policy[bad->stage];

    if (!asks(t, bad->stage))
        return LEAT_VERDICT_FAIL;
    if (t->env.on_bad_record)
        return t->env.on_bad_record(t->env.user, bad);
    if (bad->stage == LEAT_STAGE_SEND && (ctx->failure.flags & LEAT_RETRIABLE) &&
        verdict == LEAT_VERDICT_FAIL)
        return LEAT_VERDICT_RETRY;
    if (verdict == LEAT_VERDICT_CONTINUE && t->dead_letter_topic && !t->global)
        return LEAT_VERDICT_DEAD_LETTER;
    return verdict;
}

leat_verdict_t leat__verdict(leat_ctx_t *ctx, leat_stage_t stage)
{
    leat_bad_record_t bad = describe(ctx, stage);
    leat_verdict_t verdict = decide(ctx, &bad);

    if (verdict == LEAT_VERDICT_RETRY &&
        (stage != LEAT_STAGE_SEND || !(ctx->failure.flags & LEAT_RETRIABLE)))
        verdict = LEAT_VERDICT_FAIL;
    verdict = apply(ctx, &bad, verdict);
    if (verdict == LEAT_VERDICT_CONTINUE || verdict == LEAT_VERDICT_DEAD_LETTER) {
        drop(ctx,
            verdict == LEAT_VERDICT_CONTINUE ? "it failed, and the policy is to go on"
                                             : "it failed, and went to the dead-letter topic",
            ctx->failure.text);
        leat__error_clear(&ctx->failure);
    } else if (verdict == LEAT_VERDICT_FAIL) {
        ctx->failed = true;
    }
    return verdict;
}

bool leat__judge(leat_ctx_t *ctx, leat_stage_t stage)
{
    leat_verdict_t verdict;

    if (ctx->failed)
        return false;
    verdict = leat__verdict(ctx, stage);
    return verdict == LEAT_VERDICT_CONTINUE || verdict == LEAT_VERDICT_DEAD_LETTER;
}

/* ---- left out by a rule ---- */

/* What failed already has its own way to the dead-letter topic; a flush, a tick and a global table
 * have no input record, or nobody who writes. */
void leat__drop_uncounted(leat_ctx_t *ctx, const char *why)
{
    leat__task_t *t = ctx->task;
    leat_error_t reason = {.code = LEAT_OK};
    leat_bad_record_t bad;

    if (!t->letters_for_drops || !t->raw || !t->env.send || ctx->failed ||
        ctx->failure.code != LEAT_OK)
        return;
    bad = describe(ctx, LEAT_STAGE_PROCESS);
    bad.error = &reason;
    say_where(ctx, reason.where, sizeof reason.where);
    snprintf(reason.text, sizeof reason.text, "%s", why);
    if (!send_letter(ctx, &bad, "dropped"))
        ctx->failed = true;
}

void leat__drop(leat_ctx_t *ctx, const char *why)
{
    drop(ctx, why, NULL);
    leat__drop_uncounted(ctx, why);
}

static leat_verdict_t policy_of(const leat_config_t *config, const char *property)
{
    const char *text = config ? leat__config_text(config, property) : "";

    if (strcmp(text, "continue") == 0)
        return LEAT_VERDICT_CONTINUE;
    return strcmp(text, "dead_letter") == 0 ? LEAT_VERDICT_DEAD_LETTER : LEAT_VERDICT_FAIL;
}

void leat__policy_init(leat__task_t *t)
{
    const leat_config_t *config = t->env.config;

    t->policy[LEAT_STAGE_DECODE] = policy_of(config, "deserialization.exception.handler");
    t->policy[LEAT_STAGE_PROCESS] = policy_of(config, "processing.exception.handler");
    t->policy[LEAT_STAGE_PUNCTUATE] = t->policy[LEAT_STAGE_PROCESS];
    t->policy[LEAT_STAGE_ENCODE] = policy_of(config, "production.exception.handler");
    t->policy[LEAT_STAGE_SEND] = t->policy[LEAT_STAGE_ENCODE];
    if (config) {
        const char *topic = leat__config_text(config, "errors.dead.letter.queue.topic.name");

        t->dead_letter_topic = topic[0] ? topic : NULL;
        t->global_asks =
            leat__config_int(config, "processing.exception.handler.global.enabled") != 0;
        t->letters_for_drops =
            topic[0] && leat__config_int(config, "errors.dead.letter.queue.drops") != 0;
    }
}
