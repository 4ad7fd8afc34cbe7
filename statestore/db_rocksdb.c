/*
 * statestore/db_rocksdb.c: db.h on RocksDB (7.8 and newer, through its C API).
 *
 * WAL on, no fsync: a killed process finds all it wrote, a power cut leaves a consistent prefix
 * (PROTOCOLS.md, "tried, not broken"). max_total_wal_size keeps quiet families from pinning old
 * logs (PROTOCOLS.md 29). Corruption is told by the text, since the C API has no codes. Index and
 * filters are in parts of 4 KiB: whole ones of a large file (1.25 MB of filter for a million keys)
 * do not fit a small cache's shards, and were read anew for each get: 100 us. xxh3 instead of
 * crc32c, which Debian's build computes without the processor's help.
 */
#include "statestore/db.h"
#include "statestore/disk.h"
#include "statestore/store.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdatomic.h>
#include <string.h>
#include <stdio.h>
#include <sys/stat.h>

#include <rocksdb/c.h>

enum {
    MEMTABLE_BYTES = 4 << 20, /* all families of a database together: large checkpoints go past them */
    WAL_BYTES = 64 << 20,
    BLOCK_CACHE_BYTES = 8 << 20, /* where the process gives none */
    BLOOM_BITS = 10,
    OPEN_FILES = 256,
    METADATA_BLOCK_BYTES = 4096,
    SPARE_BYTES = 1 << 20, /* manifest, options, a new log */
    CHECKSUM_XXH3 = 4,
    /* Above all levels: the line after one that did not fit on the disk is an abort in Debian's build;
     * what matters comes back as an error. */
    NO_INFO_LOG = 6,
};

struct leat__family_t {
    char *name;
    rocksdb_column_family_handle_t *handle;
};

struct leat__db_t {
    char *path;
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_readoptions_t *read;
    rocksdb_writeoptions_t *write;
    rocksdb_cache_t *own_cache;
    leat__family_t **families; /* [0]: default */
    size_t count, room;
    atomic_bool damaged;
};

struct leat__batch_t {
    rocksdb_writebatch_t *batch;
};

struct leat__db_iter_t {
    leat__db_t *db;
    rocksdb_iterator_t *it;
    rocksdb_readoptions_t *read;
    bool descending, started;
};

/* ---- errors ---- */

static bool is_damage(const char *text)
{
    return strncmp(text, "Corruption", 10) == 0 || strstr(text, "ahead of WALs") ||
           strncmp(text, "Invalid argument", 16) == 0 ||
           (strstr(text, "No such file") && (strstr(text, ".sst") || strstr(text, "MANIFEST")));
}

/* Takes over text, which RocksDB allocated. */
static int fail(leat__db_t *db, char *text, const char *doing, leat_error_t *err)
{
    int code = LEAT_ESTORE;
    if (is_damage(text)) {
        atomic_store(&db->damaged, true);
        leat__error(err, code, 0, db->path, "%s: the database is damaged: %s", doing, text);
    } else if (strstr(text, "No space left") || strstr(text, "File too large")) {
        leat__error(err, code, LEAT_RETRIABLE, db->path,
            "%s: the disk is full (%s): make room; it goes on by itself", doing, text);
    } else if (strstr(text, "lock hold by") || strstr(text, "While lock file")) {
        code = LEAT_ELOCKED;
        leat__error(err, code, LEAT_FATAL, db->path,
            "%s: another process, or another task of this one, has the database open (%s): stop it "
            "or give this one a state.dir of its own",
            doing, text);
    } else {
        bool refused = strstr(text, "Permission denied") || strstr(text, "Read-only file");
        leat__error(err, code, refused ? 0 : LEAT_RETRIABLE, db->path, "%s: %s", doing, text);
    }
    rocksdb_free(text);
    return code;
}

/* ---- open and close ---- */

static rocksdb_options_t *make_options(leat__db_t *db, const leat__db_opts_t *opts)
{
    rocksdb_options_t *o = rocksdb_options_create();
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_cache_t *cache = opts->block_cache;
    size_t memtables = opts->memtable_bytes ? opts->memtable_bytes : MEMTABLE_BYTES;
    if (!cache)
        cache = db->own_cache = rocksdb_cache_create_lru(BLOCK_CACHE_BYTES);
    rocksdb_block_based_options_set_block_cache(table, cache);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
    rocksdb_block_based_options_set_filter_policy(
        table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
    rocksdb_block_based_options_set_index_type(
        table, rocksdb_block_based_table_index_type_two_level_index_search);
    rocksdb_block_based_options_set_partition_filters(table, 1);
    rocksdb_block_based_options_set_metadata_block_size(table, METADATA_BLOCK_BYTES);
    rocksdb_block_based_options_set_pin_top_level_index_and_filter(table, 1);
    rocksdb_block_based_options_set_checksum(table, CHECKSUM_XXH3);
    rocksdb_options_set_block_based_table_factory(o, table);
    rocksdb_block_based_options_destroy(table);
    rocksdb_options_set_create_if_missing(o, 1);
    rocksdb_options_set_create_missing_column_families(o, 1);
    rocksdb_options_set_compression(o, rocksdb_no_compression);
    rocksdb_options_set_write_buffer_size(o, memtables / 2);
    rocksdb_options_set_db_write_buffer_size(o, memtables);
    rocksdb_options_set_max_total_wal_size(o, WAL_BYTES);
    rocksdb_options_set_max_open_files(o, OPEN_FILES);
    rocksdb_options_set_max_background_jobs(o, 2);
    rocksdb_options_set_keep_log_file_num(o, 1);
    rocksdb_options_set_info_log_level(o, NO_INFO_LOG);
    rocksdb_options_set_stats_dump_period_sec(o, 0);
    return o;
}

static leat__family_t *add_family(
    leat__db_t *db, const char *name, rocksdb_column_family_handle_t *handle)
{
    leat__family_t *f = leat__must_alloc(sizeof *f);
    f->name = leat__must_strdup(name);
    f->handle = handle;
    LEAT__GROW(db->families, db->count, db->room);
    return db->families[db->count++] = f;
}

/* All families that are there must be opened; handles are as many as names. */
static int open_names(leat__db_t *db, size_t count, char **names, bool read_only,
    rocksdb_column_family_handle_t **handles, leat_error_t *err)
{
    const rocksdb_options_t **options = leat__must_alloc(count * sizeof(rocksdb_options_t *));
    const char **texts = leat__must_alloc(count * sizeof(char *));
    char *text = NULL;
    for (size_t i = 0; i < count; i++) {
        options[i] = db->options;
        texts[i] = names[i];
    }
    db->db = read_only
                 ? rocksdb_open_for_read_only_column_families(
                       db->options, db->path, (int)count, texts, options, handles, 0, &text)
                 : rocksdb_open_column_families(
                       db->options, db->path, (int)count, texts, options, handles, &text);
    leat__free(options);
    leat__free(texts);
    if (!text)
        return 0;
    db->db = NULL;
    return fail(db, text, "open", err);
}

static bool has_database(const char *path)
{
    char *current = leat__must_format("%s/CURRENT", path);
    struct stat st;
    bool there = stat(current, &st) == 0;
    leat__free(current);
    return there;
}

static int open_all(leat__db_t *db, leat_error_t *err)
{
    char *fresh[] = {(char *)(uintptr_t) "default"}, **names = fresh, *text = NULL;
    size_t count = 1;
    if (has_database(db->path)) {
        names = rocksdb_list_column_families(db->options, db->path, &count, &text);
        if (text) {
            rocksdb_list_column_families_destroy(names, count); /* an empty one, yet allocated */
            return fail(db, text, "list the column families", err);
        }
    }
    rocksdb_column_family_handle_t **handles = leat__must_alloc(count * sizeof *handles);
    int code = open_names(db, count, names, false, handles, err);
    for (size_t i = 0; !code && i < count; i++)
        add_family(db, names[i], handles[i]);
    leat__free(handles);
    if (names != fresh)
        rocksdb_list_column_families_destroy(names, count);
    return code;
}

int leat__db_open(leat__db_t **out, const char *path, const leat__db_opts_t *opts, bool *damaged,
    leat_error_t *err)
{
    leat__db_t *db = leat__must_alloc(sizeof *db);
    *damaged = false;
    db->path = leat__must_strdup(path);
    db->options = make_options(db, opts);
    db->read = rocksdb_readoptions_create();
    db->write = rocksdb_writeoptions_create();
    atomic_init(&db->damaged, false);
    int code = leat__disk_room(path, SPARE_BYTES, err);
    if (!code)
        code = open_all(db, err);
    *damaged = atomic_load(&db->damaged);
    if (code) {
        leat__db_close(db);
        return code;
    }
    *out = db;
    return 0;
}

static void close_handles(leat__db_t *db)
{
    for (size_t i = 0; i < db->count; i++)
        if (db->families[i]->handle) {
            rocksdb_column_family_handle_destroy(db->families[i]->handle);
            db->families[i]->handle = NULL;
        }
    if (db->db)
        rocksdb_close(db->db);
    db->db = NULL;
}

void leat__db_close(leat__db_t *db)
{
    if (!db)
        return;
    close_handles(db);
    for (size_t i = 0; i < db->count; i++) {
        leat__free(db->families[i]->name);
        leat__free(db->families[i]);
    }
    leat__free(db->families);
    rocksdb_readoptions_destroy(db->read);
    rocksdb_writeoptions_destroy(db->write);
    rocksdb_options_destroy(db->options);
    if (db->own_cache)
        rocksdb_cache_destroy(db->own_cache);
    leat__free(db->path);
    leat__free(db);
}

int leat__db_reopen(leat__db_t *db, leat_error_t *err)
{
    int code = leat__disk_room(db->path, SPARE_BYTES, err);
    if (code)
        return code; /* as it is, it can still be read */
    char **names = leat__must_alloc(db->count * sizeof(char *));
    rocksdb_column_family_handle_t **handles = leat__must_alloc(db->count * sizeof *handles);
    close_handles(db);
    for (size_t i = 0; i < db->count; i++)
        names[i] = db->families[i]->name;
    code = open_names(db, db->count, names, false, handles, err);
    if (code) {
        leat_error_t why;
        if (open_names(db, db->count, names, true, handles, &why))
            leat__log(LEAT_LOG_ERROR, "store", NULL, "%s: %s", why.where, why.text);
    }
    for (size_t i = 0; db->db && i < db->count; i++)
        db->families[i]->handle = handles[i];
    leat__free(names);
    leat__free(handles);
    return code;
}

bool leat__db_damaged(const leat__db_t *db)
{
    return atomic_load(&db->damaged);
}

/* ---- families ---- */

leat__family_t *leat__db_meta(leat__db_t *db)
{
    for (size_t i = 0; i < db->count; i++)
        if (strcmp(db->families[i]->name, "default") == 0)
            return db->families[i];
    return NULL;
}

leat__family_t *leat__db_family(leat__db_t *db, const char *name, leat_error_t *err)
{
    for (size_t i = 0; i < db->count; i++)
        if (strcmp(db->families[i]->name, name) == 0)
            return db->families[i];
    if (leat__disk_room(db->path, SPARE_BYTES, err))
        return NULL;
    char *text = NULL;
    rocksdb_column_family_handle_t *handle =
        rocksdb_create_column_family(db->db, db->options, name, &text);
    if (text) {
        fail(db, text, "make a column family", err);
        return NULL;
    }
    return add_family(db, name, handle);
}

int leat__db_drop(leat__db_t *db, leat__family_t *f, leat_error_t *err)
{
    char *text = NULL;
    rocksdb_drop_column_family(db->db, f->handle, &text);
    if (text)
        return fail(db, text, "drop a column family", err);
    rocksdb_column_family_handle_destroy(f->handle);
    for (size_t i = 0; i < db->count; i++)
        if (db->families[i] == f) {
            db->count--;
            memmove(&db->families[i], &db->families[i + 1], (db->count - i) * sizeof *db->families);
            break;
        }
    leat__free(f->name);
    leat__free(f);
    return 0;
}

leat__family_t *leat__db_family_at(leat__db_t *db, size_t i)
{
    for (size_t k = 0; k < db->count; k++)
        if (strcmp(db->families[k]->name, "default") != 0 && i-- == 0)
            return db->families[k];
    return NULL;
}

const char *leat__family_name(const leat__family_t *f)
{
    return f->name;
}

/* ---- reading ---- */

static int closed(const leat__db_t *db, leat_error_t *err)
{
    return leat__error(err, LEAT_ESTORE, LEAT_RETRIABLE, db->path,
        "the database could not be opened again after a failed write");
}

int leat__db_get(leat__db_t *db, leat__family_t *f, leat_slice_t key, leat_slice_t *value,
    void **pin, leat_error_t *err)
{
    char *text = NULL;
    if (!db->db)
        return closed(db, err);
    rocksdb_pinnableslice_t *slice =
        rocksdb_get_pinned_cf(db->db, db->read, f->handle, key.data, key.size, &text);
    if (text)
        return fail(db, text, "read", err);
    *pin = slice;
    if (!slice)
        return 1;
    value->data = rocksdb_pinnableslice_value(slice, &value->size);
    return 0;
}

void leat__db_unpin(void *pin)
{
    if (pin)
        rocksdb_pinnableslice_destroy(pin);
}

uint64_t leat__db_count(leat__db_t *db, leat__family_t *f)
{
    uint64_t count = 0;
    if (db->db)
        rocksdb_property_int_cf(db->db, f->handle, "rocksdb.estimate-num-keys", &count);
    return count;
}

leat__db_iter_t *leat__db_scan(leat__db_t *db, leat__family_t *f, const leat_slice_t *from,
    const leat_slice_t *until, leat_order_t order)
{
    leat__db_iter_t *it = leat__must_alloc(sizeof *it);
    it->db = db;
    it->descending = order == LEAT_DESCENDING;
    it->read = rocksdb_readoptions_create();
    if (from->data)
        rocksdb_readoptions_set_iterate_lower_bound(it->read, from->data, from->size);
    if (until->data)
        rocksdb_readoptions_set_iterate_upper_bound(it->read, until->data, until->size);
    if (db->db)
        it->it = rocksdb_create_iterator_cf(db->db, it->read, f->handle);
    return it;
}

int leat__db_next(leat__db_iter_t *it, leat_slice_t *key, leat_slice_t *value, leat_error_t *err)
{
    if (!it->it)
        return closed(it->db, err);
    if (!it->started && it->descending)
        rocksdb_iter_seek_to_last(it->it);
    else if (!it->started)
        rocksdb_iter_seek_to_first(it->it);
    else if (it->descending)
        rocksdb_iter_prev(it->it);
    else
        rocksdb_iter_next(it->it);
    it->started = true;
    if (!rocksdb_iter_valid(it->it)) {
        char *text = NULL;
        rocksdb_iter_get_error(it->it, &text);
        return text ? fail(it->db, text, "scan", err) : 0;
    }
    key->data = rocksdb_iter_key(it->it, &key->size);
    value->data = rocksdb_iter_value(it->it, &value->size);
    return 1;
}

void leat__db_end(leat__db_iter_t *it)
{
    if (it->it)
        rocksdb_iter_destroy(it->it);
    rocksdb_readoptions_destroy(it->read);
    leat__free(it);
}

/* ---- writing ---- */

leat__batch_t *leat__batch_new(void)
{
    leat__batch_t *b = leat__must_alloc(sizeof *b);
    b->batch = rocksdb_writebatch_create();
    return b;
}

void leat__batch_free(leat__batch_t *b)
{
    if (!b)
        return;
    rocksdb_writebatch_destroy(b->batch);
    leat__free(b);
}

void leat__batch_put(leat__batch_t *b, leat__family_t *f, leat_slice_t key, leat_slice_t head,
    leat_slice_t value)
{
    if (!head.size) {
        rocksdb_writebatch_put_cf(b->batch, f->handle, key.data, key.size, value.data, value.size);
        return;
    }
    const char *parts[] = {head.data, value.data};
    size_t sizes[] = {head.size, value.size};
    rocksdb_writebatch_putv_cf(b->batch, f->handle, 1, &key.data, &key.size, 2, parts, sizes);
}

void leat__batch_delete(leat__batch_t *b, leat__family_t *f, leat_slice_t key)
{
    rocksdb_writebatch_delete_cf(b->batch, f->handle, key.data, key.size);
}

void leat__batch_delete_range(
    leat__batch_t *b, leat__family_t *f, leat_slice_t from, leat_slice_t until)
{
    rocksdb_writebatch_delete_range_cf(
        b->batch, f->handle, from.data, from.size, until.data, until.size);
}

size_t leat__batch_bytes(const leat__batch_t *b)
{
    size_t size;
    rocksdb_writebatch_data(b->batch, &size);
    return size;
}

/* The batch in the log and in a table; what is in memtables will be a table too. */
static size_t needed_bytes(leat__db_t *db, const leat__batch_t *b)
{
    size_t needed = SPARE_BYTES + 2 * leat__batch_bytes(b);
    uint64_t bytes = 0;
    for (size_t i = 0; i < db->count; i++)
        if (!rocksdb_property_int_cf(
                db->db, db->families[i]->handle, "rocksdb.cur-size-all-mem-tables", &bytes))
            needed += (size_t)bytes;
    return needed;
}

int leat__db_write(leat__db_t *db, leat__batch_t *b, leat_error_t *err)
{
    char *text = NULL;
    if (!db->db)
        return closed(db, err);
    if (leat__disk_room(db->path, needed_bytes(db, b), err)) {
        rocksdb_writebatch_clear(b->batch);
        return LEAT_ESTORE;
    }
    rocksdb_write(db->db, db->write, b->batch, &text);
    rocksdb_writebatch_clear(b->batch);
    return text ? fail(db, text, "write", err) : 0;
}

/* ---- whole files ---- */

struct leat__db_file_t {
    leat__db_t *db;
    leat__family_t *family;
    rocksdb_envoptions_t *env;
    rocksdb_sstfilewriter_t *writer;
    char *path;
    leat__buf_t value;
    char *text; /* the first error */
};

static void file_free(leat__db_file_t *file)
{
    if (file->writer)
        rocksdb_sstfilewriter_destroy(file->writer);
    rocksdb_envoptions_destroy(file->env);
    leat__buf_release(&file->value);
    leat__free(file->path);
    leat__free(file);
}

leat__db_file_t *leat__db_file_new(
    leat__db_t *db, leat__family_t *f, size_t bytes, leat_error_t *err)
{
    char *text = NULL;
    if (!db->db) {
        closed(db, err);
        return NULL;
    }
    if (leat__disk_room(db->path, SPARE_BYTES + 2 * bytes, err))
        return NULL;
    leat__db_file_t *file = leat__must_alloc(sizeof *file);
    file->db = db;
    file->family = f;
    file->env = rocksdb_envoptions_create();
    /* one checkpoint at a time, so one name will do; what a crash left there is written over */
    file->path = leat__must_format("%s/leat-checkpoint.sst", db->path);
    file->writer = rocksdb_sstfilewriter_create(file->env, db->options);
    rocksdb_sstfilewriter_open(file->writer, file->path, &text);
    if (text) {
        fail(db, text, "making a file", err);
        file_free(file);
        return NULL;
    }
    return file;
}

void leat__db_file_put(leat__db_file_t *file, leat_slice_t key, leat_slice_t head, leat_slice_t value)
{
    if (file->text)
        return;
    if (head.size) {
        file->value.size = 0;
        leat__buf_put(&file->value, head.data, head.size);
        leat__buf_put(&file->value, value.data, value.size);
        value = (leat_slice_t){file->value.data, file->value.size};
    }
    rocksdb_sstfilewriter_put(file->writer, key.data, key.size, value.data, value.size, &file->text);
}

void leat__db_file_delete(leat__db_file_t *file, leat_slice_t key)
{
    if (!file->text)
        rocksdb_sstfilewriter_delete(file->writer, key.data, key.size, &file->text);
}

int leat__db_file_finish(leat__db_file_t *file, leat_error_t *err)
{
    leat__db_t *db = file->db;
    int code = 0;
    if (!file->text)
        rocksdb_sstfilewriter_finish(file->writer, &file->text);
    if (!file->text) {
        const char *path = file->path;
        rocksdb_ingestexternalfileoptions_t *o = rocksdb_ingestexternalfileoptions_create();
        rocksdb_ingestexternalfileoptions_set_move_files(o, 1);
        rocksdb_ingest_external_file_cf(db->db, file->family->handle, &path, 1, o, &file->text);
        rocksdb_ingestexternalfileoptions_destroy(o);
    }
    if (file->text) {
        code = fail(db, file->text, "writing a file", err);
        remove(file->path);
    }
    file_free(file);
    return code;
}

void leat__db_delete_files(leat__db_t *db, leat__family_t *f, leat_slice_t from, leat_slice_t until)
{
    char *text = NULL;
    if (!db->db)
        return;
    rocksdb_delete_file_in_range_cf(
        db->db, f->handle, from.data, from.size, until.data, until.size, &text);
    if (text) /* they go with a compaction then */
        rocksdb_free(text);
}

/* ---- the process' block cache, and the backend by name ---- */


void *leat__block_cache_new(size_t bytes)
{
    return rocksdb_cache_create_lru(bytes);
}

void leat__block_cache_free(void *cache)
{
    if (cache)
        rocksdb_cache_destroy(cache);
}
