/*
 * runtime/embedded/client.c: a broker handle: one client's view of a shared log. The seam's table
 * of functions is here.
 */
#include <string.h>

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/embedded/internal.h"

leat__client_t *leat__client_of(leat__broker_t *b)
{
    return (leat__client_t *)b; /* base is its first member */
}

bool leat__client_down(const leat__client_t *c)
{
    return c->cut || c->log->faults.down || leat__disk_stuck(c->log);
}

leat__broker_t *leat__embedded_client(leat__log_t *log, const leat_config_t *config)
{
    leat__client_t *c = leat__must_alloc(sizeof *c);

    (void)config; /* everything it could say comes in the options of members, readers and writers */
    c->base.vt = &leat__embedded_vt;
    c->log = leat__log_ref(log);
    return &c->base;
}

leat__broker_t *leat__embedded_open(const leat_config_t *config, leat_error_t *err)
{
    static const char scheme[] = "embedded:";
    const char *where = leat__config_text(config, "bootstrap.servers");
    leat__broker_t *b;
    leat__log_t *log;

    if (strncmp(where, scheme, sizeof scheme - 1) != 0) {
        leat__error(err, LEAT_ECONFIG, LEAT_FATAL, "bootstrap.servers",
            "'%s' is no embedded log: give embedded: or embedded:DIRECTORY", where);
        return NULL;
    }
    where += sizeof scheme - 1;
    log = leat__log_open(*where ? where : NULL, NULL, err);
    if (!log)
        return NULL;
    b = leat__embedded_client(log, config);
    leat__log_unref(log);
    return b;
}

leat__log_t *leat__embedded_log(leat__broker_t *b)
{
    return leat__client_of(b)->log;
}

static void client_close(leat__broker_t *b)
{
    leat__client_t *c = leat__client_of(b);

    leat__log_enter(c->log);
    leat__requests_cancel(c->log, c, NULL, "the connection to the log was closed");
    leat__log_leave(c->log);
    leat__log_unref(c->log);
    leat__free(c);
}

static leat__clock_t *client_clock(leat__broker_t *b)
{
    return leat__client_of(b)->log->clock;
}

const leat__broker_vt_t leat__embedded_vt = {
    .name = "embedded",
    .close = client_close,
    .clock = client_clock,
    .describe_topics = leat__admin_describe,
    .list_topics = leat__admin_list,
    .ensure_topics = leat__admin_ensure,
    .delete_topics = leat__admin_delete,
    .delete_records = leat__admin_delete_records,
    .describe_group = leat__admin_describe_group,
    .offsets = leat__admin_offsets,
    .committed = leat__admin_committed,
    .fence = leat__admin_fence,
    .member_open = leat__member_open,
    .member_poll = leat__member_poll,
    .member_answer_revoke = leat__member_answer_revoke,
    .member_commit = leat__member_commit,
    .member_close = leat__member_close,
    .member_heard_ms = leat__member_heard_ms,
    .reader_open = leat__reader_open,
    .reader_close = leat__reader_close,
    .reader_add = leat__reader_add,
    .reader_remove = leat__reader_remove,
    .reader_seek = leat__reader_seek,
    .reader_take = leat__reader_take,
    .reader_release = leat__reader_release,
    .reader_headers = leat__reader_headers,
    .reader_wait = leat__reader_wait,
    .reader_wake = leat__reader_wake,
    .reader_high_watermark = leat__reader_high_watermark,
    .writer_open = leat__writer_open,
    .writer_close = leat__writer_close,
    .writer_init = leat__writer_init,
    .writer_begin = leat__writer_begin,
    .writer_topic = leat__writer_topic,
    .out_partitions = leat__out_partitions,
    .produce = leat__produce,
    .writer_poll = leat__writer_poll,
    .writer_failure = leat__writer_failure,
    .out_delivered = leat__out_delivered,
    .out_gap = leat__out_gap,
    .writer_flush = leat__writer_flush,
    .writer_send_offsets = leat__writer_send_offsets,
    .writer_commit = leat__writer_commit,
    .writer_abort = leat__writer_abort,
};
