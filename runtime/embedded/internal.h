/*
 * runtime/embedded/internal.h: the parts of the embedded log and who may touch what.
 *
 *   client (member, reader, writer)  objects of one program's thread
 *      | requests     whatever may have to wait: run, and run again after each change
 *   log: topics > partitions > segments;  transactions;  groups > members, committed offsets;
 *        disk (embedded:DIR)
 *
 * One lock, log->lock, guards all of it; every function below is called with the lock held unless
 * it says "no lock". Records are read outside the lock: a segment's finished part never changes,
 * and a batch holds a reference to its segment. Time-driven things (sessions, rounds, transaction
 * timeouts, retention) happen in leat__log_tick only: called by the keeper thread in real time, and
 * by every call under a manual clock, so that nothing sleeps there.
 */
#ifndef LEAT__EMBEDDED_INTERNAL_H
#define LEAT__EMBEDDED_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/map.h"
#include "runtime/embedded/embedded.h"
#include "runtime/embedded/faults.h"

#define LEAT__OFFSETS_TOPIC                                                                        \
    "__consumer_offsets"    /* stands for the group coordinator where markers are written */
#define LEAT__NO_PRODUCER 0 /* owner of records outside a transaction */

typedef struct leat__seg_t leat__seg_t;
typedef struct leat__part_t leat__part_t;
typedef struct leat__etopic_t leat__etopic_t;
typedef struct leat__txn_t leat__txn_t;
typedef struct leat__group_t leat__group_t;
typedef struct leat__gmember_t leat__gmember_t;
typedef struct leat__client_t leat__client_t;
typedef struct leat__request_t leat__request_t;
typedef struct leat__slot_t leat__slot_t;
typedef struct leat__disk_t leat__disk_t;

/* ---- pack.c: records as bytes, as a writer collects them and as they stand on disk. No lock. ----
 * */

typedef struct leat__pack_t {
    leat__buf_t bytes;
    uint32_t count;
} leat__pack_t;

void leat__pack_put(leat__pack_t *p, uint32_t delta, leat_slice_t key, leat_slice_t value,
    int64_t time_ms, const leat_headers_t *headers);
void leat__pack_put_raw(leat__pack_t *p, uint32_t delta, const leat__raw_t *raw);
/** The next record: slices into the bytes, offset = base + delta, native = its headers or NULL.
 * False: end or damage. */
bool leat__pack_next(const char **at, const char *end, int64_t base, leat__raw_t *raw);
size_t leat__raw_bytes(const leat__raw_t *raw); /* key, value and headers */
size_t leat__raw_headers_size(const leat__raw_t *raw);
const leat_headers_t *leat__raw_headers(const leat__raw_t *raw, leat__arena_t *scratch);

/* ---- segment.c ---- */

struct leat__seg_t {
    _Atomic int refs;
    int64_t base;        /* no record below */
    int64_t end;         /* no record at or above; of a sealed one: the next segment's base */
    int64_t appended_ms; /* wall time of the last append */
    int64_t latest_ms;   /* the largest time of a record */
    uint32_t count, room;
    uint32_t hidden_count;
    size_t size, size_room;
    leat__raw_t *raws; /* NULL: not in memory, read it from its file */
    uint8_t *hidden;   /* 1: of an aborted transaction */
    uint32_t *owners;  /* the transactional producer of each record, or LEAT__NO_PRODUCER */
    int64_t *appended; /* wall time per record, of compacted topics; else NULL */
    char *data;
    size_t file_size;  /* embedded:DIR: bytes of the segment's file */
    int64_t file_base; /* in its name */
    uint32_t file_number; /* the file's generation: higher ones replace lower ones */
    bool sealed;
};

leat__seg_t *leat__seg_new(int64_t base, uint32_t room, size_t size_room, bool per_record_time);
leat__seg_t *leat__seg_ref(leat__seg_t *s);
void leat__seg_unref(leat__seg_t *s); /* no lock */
bool leat__seg_fits(const leat__seg_t *s, const leat__raw_t *raw);
void leat__seg_add(leat__seg_t *s, const leat__raw_t *raw, uint32_t owner, int64_t now_ms);
uint32_t leat__seg_find(const leat__seg_t *s, int64_t offset); /* first record at or above */
size_t leat__seg_memory(const leat__seg_t *s);

/* ---- partition.c ---- */

typedef struct leat__open_txn_t {
    uint32_t pid;
    int64_t first;
} leat__open_txn_t;

struct leat__part_t {
    leat__log_t *log;
    leat__etopic_t *topic;
    char *topic_name;
    int32_t number;
    int refs; /* topic, slots, writers, transactions */
    bool deleted;
    int64_t log_start, next, stable; /* next is the high watermark: one replica */
    int64_t end_known;               /* loading: the journal says that the log reached up to here */
    leat__seg_t **segs;
    size_t seg_count, seg_room;
    leat__open_txn_t *open;
    size_t open_count, open_room;
    leat__slot_t *slots;
    size_t memory_bytes;  /* of all its segments */
    size_t clean_count;   /* that many segments at the front were compacted */
    uint64_t clean_round; /* of the keeper, that looked at it last */
    int active_fd; /* embedded:DIR: the file of the segment at active_base, for appending; -1 */
    int64_t active_base;
};

leat__part_t *leat__part_new(leat__etopic_t *t, int32_t number);
leat__part_t *leat__part_ref(leat__part_t *p);
void leat__part_unref(leat__part_t *p);
/** Takes offsets for the pack's records; pid: of a transaction, or LEAT__NO_PRODUCER. @return the
 * first offset */
int64_t leat__part_append(leat__part_t *p, const leat__pack_t *pack, uint32_t pid);
void leat__part_marker(leat__part_t *p, uint32_t pid, bool commit);
bool leat__part_read(
    leat__part_t *p, int64_t position, bool committed, size_t max, leat__batch_t *batch);
int64_t leat__part_end(const leat__part_t *p, bool committed);
int64_t leat__part_at_time(leat__part_t *p, int64_t time_ms);
void leat__part_delete_below(leat__part_t *p, int64_t offset);
void leat__part_changed(leat__part_t *p); /* wakes its readers */
/* For loading from disk and compaction. */
void leat__part_add_raw(leat__part_t *p, const leat__raw_t *raw, uint32_t owner, int64_t now_ms);
void leat__part_apply_marker(leat__part_t *p, uint32_t pid, bool commit);
void leat__part_open_txn(leat__part_t *p, uint32_t pid, int64_t first);
void leat__part_update_stable(leat__part_t *p);
bool leat__part_has_open(const leat__part_t *p, uint32_t pid);
leat__seg_t *leat__part_push_seg(leat__part_t *p, leat__seg_t *s); /* takes over the reference */
void leat__part_drop_first(leat__part_t *p, size_t count);
leat__seg_t *leat__part_tail(
    leat__part_t *p); /* the segment that is being filled; made if none is */

/* ---- clean.c: compaction and retention ---- */

bool leat__clean_wanted(const leat__part_t *p);
size_t leat__seg_bytes(const leat__seg_t *s); /* of its records */
void leat__clean_part(
    leat__part_t *p); /* may give up the lock for a while, if there is a keeper thread */
void leat__retain_part(leat__part_t *p);

/* ---- topic.c ---- */

struct leat__etopic_t {
    leat__log_t *log;
    char *name;
    uint32_t number; /* unique over the life of the log: names its folder */
    leat__map_t settings;
    leat__part_t **parts;
    int32_t part_count;
    bool compact, expire; /* cleanup.policy */
    int64_t retention_ms, retention_bytes, delete_retention_ms, message_bytes_max;
};

leat__etopic_t *leat__topic_find(leat__log_t *log, const char *name);
leat__part_t *leat__part_find(leat__log_t *log, const char *topic, int32_t partition);
/** 0, or LEAT_ETOPIC with the reason. number 0: a new one. */
int leat__topic_create(
    leat__log_t *log, const leat__topic_t *t, uint32_t number, leat_error_t *err);
void leat__topic_delete(leat__log_t *log, leat__etopic_t *t);
void leat__topic_free(leat__etopic_t *t);
leat__op_t *leat__admin_describe(
    leat__broker_t *b, const char *const *names, size_t count, bool settings);
leat__op_t *leat__admin_list(leat__broker_t *b);
leat__op_t *leat__admin_ensure(leat__broker_t *b, const leat__topic_t *topics, size_t count);
leat__op_t *leat__admin_delete(leat__broker_t *b, const char *const *names, size_t count);
leat__op_t *leat__admin_delete_records(
    leat__broker_t *b, const leat__position_t *below, size_t count);
leat__op_t *leat__admin_offsets(
    leat__broker_t *b, const leat__position_t *of, size_t count, leat__where_t where);

/* ---- transaction.c: the transaction coordinator ---- */

typedef enum leat__txn_state_t {
    TXN_EMPTY,
    TXN_ONGOING,
    TXN_COMMITTING,
    TXN_ABORTING
} leat__txn_state_t;

struct leat__txn_t {
    char *id;
    uint32_t pid;
    int32_t epoch;
    leat__txn_state_t state;
    bool last_committed; /* how the one before ended, for a commit that is asked again */
    int64_t timeout_ms, until_ms;
    leat__part_t **parts; /* without a marker yet */
    size_t part_count, part_room;
    bool offsets; /* pending offsets in some group */
};

leat__txn_t *leat__txn_get(leat__log_t *log, const char *id); /* made if new */
leat__txn_t *leat__txn_by_pid(leat__log_t *log, uint32_t pid);
/** init_transactions; timeout 0: as it was. False: a transaction is being finished, ask again. */
bool leat__txn_init(leat__log_t *log, leat__txn_t *t, int64_t timeout_ms);
bool leat__txn_busy(const leat__txn_t *t); /* CONCURRENT_TRANSACTIONS */
void leat__txn_enter(leat__log_t *log, leat__txn_t *t);
void leat__txn_add(leat__log_t *log, leat__txn_t *t, leat__part_t *p);
void leat__txn_end(leat__log_t *log, leat__txn_t *t, bool commit);
void leat__txn_write_markers(leat__log_t *log, leat__txn_t *t);
void leat__txn_write_all_markers(leat__log_t *log);
void leat__txn_tick(leat__log_t *log, int64_t now_ms);
void leat__txn_free(void *txn);
leat__op_t *leat__admin_fence(leat__broker_t *b, const char *const *ids, size_t count);

/* ---- offsets.c: committed offsets of groups, final and pending ---- */

void leat__offset_put(leat__group_t *g, const leat__position_t *p, uint32_t pid, uint64_t seq);
bool leat__offset_pending(leat__group_t *g, const char *topic, int32_t partition);
/** Pending offsets of the producer become final or vanish, in every group. */
void leat__offsets_end(leat__log_t *log, uint32_t pid, bool commit);
bool leat__offsets_have_pending(leat__log_t *log, uint32_t pid);
void leat__offsets_forget(leat__group_t *g);
void leat__offsets_release(leat__group_t *g);
void leat__offsets_each(leat__group_t *g,
    void (*fn)(void *user, leat__group_t *g, const leat__position_t *p, uint32_t pid, uint64_t seq),
    void *user);
leat__op_t *leat__admin_committed(
    leat__broker_t *b, const char *group, const leat__position_t *of, size_t count);

/* ---- group.c: the group coordinator ---- */

struct leat__gmember_t {
    char *id, *instance_id, *client_id, *host;
    char **topics;
    size_t topic_count;
    int64_t session_ms, max_poll_ms, heard_ms;
    bool joined;            /* in this round */
    bool kept;              /* fault: its session does not end */
    leat__member_t *handle; /* NULL: gone without leaving */
};

struct leat__group_t {
    leat__log_t *log;
    char *name;
    int32_t generation;
    bool preparing;
    int64_t round_until_ms;
    leat__gmember_t **members;
    size_t count, room;
    leat__gmember_t *leader;
    leat__map_t offsets;
};

leat__group_t *leat__group_get(leat__log_t *log, const char *name); /* made if new */
void leat__group_free(void *group);
leat__gmember_t *leat__group_join(
    leat__group_t *g, leat__member_t *m, const leat__member_opts_t *o);
void leat__group_remove(leat__group_t *g, leat__gmember_t *gm);
void leat__group_answered(leat__group_t *g, leat__gmember_t *gm);
void leat__group_rebalance(leat__group_t *g);
void leat__groups_topic_changed(leat__log_t *log, const char *topic);
/** May offsets be committed under it? 0, or LEAT_EBROKER with LEAT_ABORT. in_txn: -1 and no member
 * id passes. */
int leat__group_check(
    leat__group_t *g, const leat__membership_t *m, bool in_txn, leat_error_t *err);
void leat__group_tick(leat__log_t *log, int64_t now_ms);
leat__op_t *leat__admin_describe_group(leat__broker_t *b, const char *group);
leat__membership_t *leat__group_membership(
    leat__group_t *g, int32_t generation, const char *member_id, const char *instance_id);
const char *leat__membership_group(const leat__membership_t *m);

/* ---- member.c ---- */

leat__member_t *leat__member_open(
    leat__broker_t *b, const leat__member_opts_t *o, leat_error_t *err);
leat__member_what_t leat__member_poll(leat__member_t *m, leat__member_event_t *e);
void leat__member_answer_revoke(leat__member_t *m);
leat__op_t *leat__member_commit(
    leat__member_t *m, leat__membership_t *under, const leat__position_t *p, size_t count);
leat__op_t *leat__member_close(leat__member_t *m, bool leave);
double leat__member_heard_ms(leat__member_t *m);

void leat__member_removed(leat__member_t *m); /* the group put it out */
void leat__member_fenced(leat__member_t *m);  /* another process has its instance id */
bool leat__member_idle(
    const leat__member_t *m); /* holds no membership that would have to be revoked */

/* ---- request.c: what may have to wait ---- */

struct leat__request_t {
    leat__request_t *next;
    leat__client_t *client;
    leat__op_t *op;
    leat__fault_call_t call;
    bool (*run)(
        leat__log_t *log, leat__request_t *r); /* true: done, op's results and err are filled */
    bool finished;                             /* done, only the answer is held back */
    bool unbound;                              /* runs although the client is cut off */
    leat__position_t *positions;
    size_t count;
    leat__where_t where;
    leat__membership_t *under;
    leat__topic_t *topics;
    char **names;
    char *group;
    leat__writer_t *writer;
    bool flag;
    size_t at;
};

leat__request_t *leat__request_new(leat__broker_t *b, leat__fault_call_t call,
    bool (*run)(leat__log_t *log, leat__request_t *r)); /* no lock */
leat__op_t *leat__request_start(leat__request_t *r);    /* no lock */
void leat__requests_run(leat__log_t *log);
void leat__requests_cancel(
    leat__log_t *log, leat__client_t *client, leat__writer_t *writer, const char *why);
char **leat__names_copy(const char *const *names, size_t count);
void leat__names_free(char **names, size_t count);
leat__topic_t *leat__topics_copy(const leat__topic_t *topics, size_t count);
void leat__topics_free(leat__topic_t *topics, size_t count);

/* ---- writer.c ---- */

void leat__writer_unref(leat__writer_t *w); /* requests hold references */
leat__writer_t *leat__writer_open(
    leat__broker_t *b, const leat__writer_opts_t *o, leat_error_t *err);
leat__op_t *leat__writer_close(leat__writer_t *w);
leat__op_t *leat__writer_init(leat__writer_t *w);
int leat__writer_begin(leat__writer_t *w, leat_error_t *err);
leat__out_t *leat__writer_topic(leat__writer_t *w, const char *topic, leat_error_t *err);
int32_t leat__out_partitions(leat__out_t *t);
int leat__produce(leat__writer_t *w, leat__out_t *t, int32_t partition, leat_slice_t key,
    leat_slice_t value, int64_t time_ms, const leat_headers_t *headers, leat_error_t *err);
void leat__writer_poll(leat__writer_t *w);
bool leat__writer_failure(leat__writer_t *w, leat__failure_t *f);
int64_t leat__out_delivered(leat__out_t *t, int32_t partition);
int64_t leat__out_gap(leat__out_t *t, int32_t partition);
leat__op_t *leat__writer_flush(leat__writer_t *w);
leat__op_t *leat__writer_send_offsets(
    leat__writer_t *w, const leat__position_t *p, size_t count, leat__membership_t *under);
leat__op_t *leat__writer_commit(leat__writer_t *w);
leat__op_t *leat__writer_abort(leat__writer_t *w);

/* ---- reader.c ---- */

struct leat__slot_t {
    leat__reader_t *reader;
    leat__slot_t *next, **link; /* in its partition's list */
    leat__part_t *part;
    char *topic;
    int32_t partition;
    bool committed;
    int64_t position;
    int64_t told_end; /* the end that was told last; -1: none yet */
    bool told_code;
    bool told_ready; /* reader_wait said so, and nobody took */
};
void leat__reader_signal(leat__reader_t *r);
leat__reader_t *leat__reader_open(
    leat__broker_t *b, const leat__reader_opts_t *o, leat_error_t *err);
void leat__reader_close(leat__reader_t *r);
int leat__reader_add(
    leat__reader_t *r, const char *topic, int32_t partition, int64_t offset, leat_error_t *err);
void leat__reader_remove(leat__reader_t *r, int slot);
void leat__reader_seek(leat__reader_t *r, int slot, int64_t offset);
bool leat__reader_take(leat__reader_t *r, int slot, size_t max, leat__batch_t *batch);
void leat__reader_release(leat__reader_t *r, leat__batch_t *batch);
const leat_headers_t *leat__reader_headers(
    leat__reader_t *r, const leat__raw_t *raw, leat__arena_t *scratch);
bool leat__reader_wait(leat__reader_t *r, int64_t timeout_ms);
void leat__reader_wake(leat__reader_t *r);
int64_t leat__reader_high_watermark(leat__reader_t *r, int slot);

/* ---- client.c ---- */

struct leat__client_t {
    leat__broker_t base;
    leat__log_t *log;
    bool cut; /* fault: this client does not reach the log */
};

leat__client_t *leat__client_of(leat__broker_t *b);
bool leat__client_down(const leat__client_t *c);
extern const leat__broker_vt_t leat__embedded_vt;

/* ---- log.c ---- */

struct leat__fault_marker_t {
    char *topic;
    int32_t partition;
};

struct leat__faults_t {
    bool down;
    leat__fault_when_t hold[LEAT__CALL_COUNT];
    unsigned lose[LEAT__CALL_COUNT];
    bool lose_effect[LEAT__CALL_COUNT];
    bool delay_all;
    struct leat__fault_marker_t *delays;
    size_t delay_count, delay_room;
    leat__map_t
        no_offsets; /* group -> how many more answers say NONE, as a number in the pointer */
};

struct leat__log_t {
    pthread_mutex_t lock;
    pthread_cond_t keeper_wake, changed;
    pthread_t keeper;
    bool has_keeper, stopping, keeper_nudged;
    _Atomic int refs;
    leat__clock_t *clock;
    leat__map_t topics, txns, groups;
    leat__request_t *requests, **requests_end;
    bool running, run_again;
    bool cleaning;
    uint64_t clean_round;
    struct leat__faults_t faults;
    uint64_t random;
    uint32_t next_pid, next_topic;
    int32_t auto_partitions; /* of topics made by being written to; 0: none are */
    uint64_t next_seq;       /* of offset commits */
    int64_t ticked_ms, kept_ms;
    leat__disk_t *disk; /* NULL: in memory */
    char *path;
    leat__log_t *registered; /* next in the process' registry */
};

void leat__log_enter(leat__log_t *log); /* takes the lock; under a manual clock does what is due */
void leat__log_leave(leat__log_t *log);
void leat__log_do_tick(leat__log_t *log);
void leat__log_nudge(leat__log_t *log); /* the keeper has something to do */
uint64_t leat__log_random(leat__log_t *log);
int64_t leat__log_now(const leat__log_t *log); /* steady ms */
int64_t leat__log_wall(const leat__log_t *log);
bool leat__marker_delayed(const leat__log_t *log, const char *topic, int32_t partition);

/* ---- embedded:DIR. Without a disk these do nothing. ---- */

struct leat__unwritten_t;

struct leat__disk_t {
    char *dir;
    int lock_fd, journal_fd;
    size_t journal_size, snapshot_size;
    bool loading;
    size_t open_files;
    struct leat__unwritten_t *unwritten,
        **unwritten_end; /* the disk is full or failing: kept, in order */
    size_t resident_max; /* bytes of records in memory */
    size_t grown;        /* segments that came into memory since the last look */
};

/* disk.c: files, frames, the lock. */
leat__disk_t *leat__disk_open(leat__log_t *log, const char *dir, leat_error_t *err);
void leat__disk_close(leat__log_t *log);
bool leat__disk_stuck(
    const leat__log_t *log); /* something could not be written: the log stands still */
void leat__disk_retry(leat__log_t *log);
void leat__disk_forget(
    leat__log_t *log, const char *path); /* what is unwritten there: a file or a folder */
void leat__disk_remove_dir(const char *dir);
/** Writes a frame (size, check, payload) at the place; what fails is kept and retried. @return
 * bytes of the frame */
size_t leat__disk_write_frame(
    leat__log_t *log, const char *path, int fd, size_t at, leat_slice_t head, leat_slice_t body);
/** The next whole frame of a file in memory. False: its end, or a torn or damaged frame at *at. */
bool leat__frame_next(leat_slice_t file, size_t *at, leat_slice_t *payload);
int leat__file_read(const char *path, leat__buf_t *bytes, leat_error_t *err);
void leat__path_topic(char *room, size_t size, const leat__disk_t *d, const leat__etopic_t *t);

/* datafile.c: a file per segment. */
void leat__disk_append(leat__part_t *p, leat__seg_t *s, int64_t base, uint32_t pid,
    const char *bytes, size_t size, uint32_t count);
void leat__disk_marker(leat__part_t *p, uint32_t pid, bool commit, int64_t offset);
void leat__disk_replace(leat__part_t *p, leat__seg_t *const *old, size_t old_count,
    leat__seg_t *const *fresh, size_t fresh_count);
void leat__disk_drop_seg(leat__part_t *p, leat__seg_t *s);
void leat__disk_close_part(leat__part_t *p);
void leat__disk_topic_deleted(leat__etopic_t *t);
int leat__disk_read_seg(leat__part_t *p, leat__seg_t *s);
void leat__disk_evict(leat__log_t *log);
void leat__disk_grown(leat__log_t *log); /* one more segment in memory: look now and then */
int leat__disk_load_topic(leat__etopic_t *t, leat_error_t *err);

/* journal.c: everything that is no record. */
int leat__disk_load(leat__log_t *log, leat_error_t *err);
void leat__journal_topic(leat__etopic_t *t, bool deleted);
void leat__journal_log_start(leat__part_t *p);
void leat__journal_txn(leat__log_t *log, const leat__txn_t *t);
void leat__journal_offset(leat__group_t *g, const leat__position_t *p, uint32_t pid, uint64_t seq);
void leat__journal_offsets_end(leat__log_t *log, uint32_t pid, bool commit);
void leat__journal_group(leat__group_t *g);
void leat__journal_forget(leat__group_t *g);

#endif
