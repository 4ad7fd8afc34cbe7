/*
 * tests/conformance/conformance.h: the parts of leat-conformance.
 *
 *   main.c      files, folders, lines; one line a scenario; totals
 *   variant.c   a scenario on another backend, with another cache, and what is expected then
 *   scenario.c  one scenario: config, topology, events, verdict
 *   dsl.c       DSL steps → leat_stream_*, leat_table_*, leat_grouped_*
 *   papi.c      Processor API steps → leat_builder_*
 *   processor.c the processors of FORMAT.md, section 5
 *   function.c  expressions, predicates, lists (3.1 to 3.3); pair.c: two-value functions (3.4)
 *   value.c     types and values (2); json → bytes
 *   compare.c   what was observed against what is expected (8, 9)
 *
 * Only the public API of leat is used. Functions of a scenario are closures (op_t) in .user; that
 * each is freed exactly once is part of every verdict.
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include <jansson.h>
#include <leat/table.h>
#include <leat/testing.h>

/* ---- memory of the runner: no memory is the end ---- */

void *need(size_t size); /* zeroed */
char *need_text(const char *text);
char *need_format(const char *format, ...) LEAT_PRINTF(1, 2);

/* ---- one scenario at work ---- */

typedef enum verdict_t {
    VERDICT_OK,
    VERDICT_DEVIATES,
    VERDICT_FAIL,
    VERDICT_UNSUPPORTED
} verdict_t;

typedef struct type_t type_t;
typedef struct op_t op_t;

typedef struct named_t { /* a list by name */
    struct named_t *next;
    const char *name;
    void *item;
} named_t;

typedef struct store_t { /* what the scenario knows of a store */
    const type_t *key, *value;
    bool timestamped;
    char kind; /* 'k': key-value, 'w': windows, 's': sessions, 'v': versions */
} store_t;

typedef struct run_t {
    json_t *scenario, *expected; /* borrowed */
    const char *backend; /* of a scenario whose answer is RocksDB's; NULL: as the scenario says */
    leat_builder_t *builder;
    leat_test_t *test;
    char *unsupported; /* what is missing */
    type_t *types;     /* interned */
    bool joins_streams; /* within windows */
    named_t *stores;   /* → store_t */
    named_t *steps;    /* → step_t: results of DSL steps, nodes of the Processor API */
    named_t *topics;   /* → topic_t: types of source topics */
    int ops;           /* closures alive */
    json_t *calls;     /* of the event at work */
    char *differences; /* lines; NULL: none yet */
    size_t difference_count;
} run_t;

typedef struct topic_t {
    const char *pattern; /* NULL: the name itself */
    const type_t *key, *value;
} topic_t;

void unsupported(run_t *r, const char *format, ...) LEAT_PRINTF(2, 3);
void differ(run_t *r, const char *format, ...) LEAT_PRINTF(2, 3);

void *find(const named_t *list, const char *name);
void add(named_t **list, const char *name, void *item);

verdict_t run_scenario(json_t *scenario, json_t *expected, const char *backend, char **text);

/* ---- variants ---- */

typedef struct variant_t { /* NULL: as the scenario is written */
    const char *store;     /* "rocksdb", "memory" */
    const char *cache;     /* "on", "off" */
} variant_t;

enum { SUFFIX_SIZE = 24 };

/** What is between x and .expected.json of the answers to merge, in this order; "" for none. */
void variant_suffixes(const variant_t *v, const json_t *scenario, char suffix[2][SUFFIX_SIZE]);
/** The members of `other` (NULL: none) take the place of those of `expected`. */
void variant_merge(json_t *expected, const json_t *other);
void variant_force(const variant_t *v, json_t *scenario);

/* ---- fields of a step ---- */

const char *get_text(const json_t *step, const char *field, const char *otherwise);
int64_t get_int(const json_t *step, const char *field, int64_t otherwise);
bool get_bool(const json_t *step, const char *field, bool otherwise);
/** Of an array of texts: "a,b" [own]; of one text: a copy; NULL: not there. */
char *get_list(const json_t *step, const char *field);

/* ---- types and values ---- */

typedef enum kind_t { STRING, BYTES, INT32, INT64, DOUBLE, WINDOWED, SESSION } kind_t;

struct type_t {
    type_t *next;
    char *name;
    kind_t kind;
    const type_t *inner; /* WINDOWED, SESSION */
    int64_t size_ms;     /* WINDOWED */
    const leat_serde_t *serde;
};

/** NULL: none named, or (unsupported) unknown. */
const type_t *type_of(run_t *r, const char *name);

typedef struct value_t {
    const type_t *type; /* NULL: null */
    leat_slice_t text;  /* STRING, BYTES */
    int64_t number;
    double real;
    leat_windowed_t window;
    const void *origin; /* what it was read from, in the C type of `type` */
} value_t;

value_t value_of(const type_t *type, const void *c);
/** As the C type of `type`, for emitting. *failed: of another type. NULL is null. */
const void *c_of(leat_ctx_t *ctx, const type_t *type, const value_t *v, bool *failed);
value_t value_copy(leat_ctx_t *ctx, value_t v); /* independent of what it was read from */
value_t text_value(run_t *r, leat_slice_t text);
value_t number_value(run_t *r, kind_t kind, int64_t number);
value_t real_value(run_t *r, double number);
/** The text form; scratch of ctx. */
leat_slice_t text_of(leat_ctx_t *ctx, const value_t *v);

/** A key or value of an event as bytes, appended to room [own]. False: null. */
bool bytes_of_json(run_t *r, const type_t *type, const json_t *json, leat_slice_t *bytes);
/** The wire form of a C value: hex [new] or null. */
json_t *wire_json(const type_t *type, const void *c);
json_t *hex_json(const leat_slice_t *bytes); /* NULL: null */
/** A C value from its JSON form, owned by an op; NULL: null. */
void *c_of_json(run_t *r, op_t *owner, const type_t *type, const json_t *json);

/* ---- functions ---- */

typedef struct expr_t expr_t;
typedef struct pair_t pair_t;

expr_t *expr_new(run_t *r, const char *text); /* NULL text: NULL */
expr_t *predicate_new(run_t *r, const char *text);
expr_t *list_new(run_t *r, const char *text);
void expr_free(expr_t *e);
/** False: the record failed (leat_fail was called). */
bool expr_eval(
    run_t *r, leat_ctx_t *ctx, const expr_t *e, value_t key, value_t value, value_t *result);
bool predicate_eval(run_t *r, leat_ctx_t *ctx, const expr_t *e, value_t key, value_t value);
typedef void (*element_fn)(
    leat_ctx_t *ctx, const op_t *op, const leat_record_t *in, value_t element);
void list_eval(run_t *r, leat_ctx_t *ctx, const op_t *op, const leat_record_t *in, element_fn each);
/** The type of what an expression gives; NULL: not known (null). */
const type_t *expr_type(run_t *r, const expr_t *e, const type_t *key, const type_t *value);

pair_t *pair_new(run_t *r, const char *text);
void pair_free(pair_t *p);
bool pair_eval(
    run_t *r, leat_ctx_t *ctx, const pair_t *p, value_t key, value_t a, value_t b, value_t *result);

/* ---- closures ---- */

struct op_t {
    run_t *run;
    char *id;
    const type_t *key, *value;         /* of the input; folds: of the values folded */
    const type_t *other, *other_key;   /* joins: of the right values, keys */
    const type_t *key_out, *value_out; /* of the output; folds: of the aggregate */
    expr_t *first, *second, *list;     /* key and value functions; the list of flat_map */
    pair_t *add, *subtract, *merge;
    void *init;
    const json_t *spec; /* processors; borrowed from the scenario */
    const store_t *store;
    char *count_store;
};

op_t *op_new(run_t *r, const char *id, const type_t *key, const type_t *value);
void op_free(void *op);
value_t op_key(const op_t *op, const leat_record_t *in);
value_t op_value(const op_t *op, const leat_record_t *in);
/** Emit key and value as the output's types, with the time and headers of `like`. */
void op_emit(leat_ctx_t *ctx, const op_t *op, const leat_record_t *like, const value_t *key,
    const value_t *value);

void call_record(const op_t *op, const leat_record_t *in);
void call_punctuate(const op_t *op, int64_t time_ms);

/** "value:EXPR" and the ready-made ones. */
void set_timestamp(
    run_t *r, const json_t *step, leat_source_opts_t *opts, const type_t *key, const type_t *value);

/* ---- processors ---- */

typedef struct processor_t {
    leat_map_fn process;
    leat_node_opts_t opts;             /* .user is an op */
    const type_t *key_out, *value_out; /* what it emits, given what it gets */
} processor_t;

/** False: unsupported. key_out, value_out: declared types of the output; NULL: derive them. */
bool processor_make(run_t *r, const char *id, const json_t *step, const type_t *key,
    const type_t *value, const type_t *key_out, const type_t *value_out, processor_t *p);

/* ---- stores ---- */

/** Options of a "store" field; false: unsupported. texts are borrowed from the scenario. */
bool store_options(run_t *r, const json_t *store, leat_store_opts_t *opts);
/** A state_store or add_state_store step. */
void build_store(run_t *r, const json_t *step);
/** A global_store, add_global_store or add_read_only_store step. name: of its processor. */
void build_filled(run_t *r, const json_t *step, const char *id, const char *name);
void remember_store(
    run_t *r, const char *name, const type_t *key, const type_t *value, const char *kind);

void build_dsl(run_t *r, const json_t *topology);
void build_papi(run_t *r, const json_t *topology);
void remember_topics(run_t *r, const json_t *step, const type_t *key, const type_t *value);
const topic_t *topic_of(const run_t *r, const char *name);

/* ---- comparing ---- */

void compare_describe(run_t *r, const char *text);
/** From the JSON description: internal topics, and the stores of the topology. */
void compare_internal(run_t *r, const char *json);
json_t *observe_event(
    run_t *r, double *dropped); /* [new] {"out", "calls"?, "dropped"?}; calls are taken */
/** Of a join in memory whose answer is of RocksDB; each event is looked at by itself. */
bool may_drop_more(const run_t *r);
void compare_event(run_t *r, size_t index, const json_t *got, const json_t *expected);
void compare_stores(run_t *r, const char *json);

#endif
