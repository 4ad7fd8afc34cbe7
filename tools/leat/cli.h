/*
 * tools/leat/cli.h: the program `leat`: topics, records, groups, resets and running workers from
 * the command line.
 *
 * One table row per verb (verbs.c) with a table of its options: parsing, help, the manual page,
 * the reference in docs/CLI.md and the completion of shells all come from these rows. A verb reads
 * its options, connects, asks, and shows what it found as JSON values, which --json prints as they
 * are and everybody else sees as a table.
 *
 * The first failure is printed and kept in `status`; whatever comes after it does nothing or
 * counts as told. So verbs need no error paths of their own: they return when status is not 0.
 */
#ifndef LEAT_TOOLS_CLI_H
#define LEAT_TOOLS_CLI_H

#include <jansson.h>

#include "base/buf.h"
#include "runtime/kafka/kafka.h"

enum { /* exit statuses; docs/CLI.md tells them */
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_NOT_FOUND = 3,
    CLI_NO_ANSWER = 4,
    CLI_REFUSED = 5
};

/* ---- verbs and options ---- */

typedef struct cli_option_t {
    const char *name;
    const char *also;    /* other names for it, blanks between; NULL: none */
    const char *value;   /* what follows it, "NAME"; NULL: it is a flag */
    const char *help;    /* one sentence */
    const char *choices; /* the only values allowed, blanks between; NULL: not a choice */
    bool many;           /* may be given again, or with commas */
} cli_option_t;

typedef struct cli_t cli_t;

typedef enum cli_asks_t { CLI_ASKS_KAFKA, CLI_ASKS_WORKER, CLI_ASKS_NOBODY } cli_asks_t;

typedef struct cli_verb_t {
    const char *name;            /* "topics list" */
    const char *brief;           /* one line */
    const char *about;           /* paragraphs; NULL: brief says it all */
    const cli_option_t *options; /* its own, ended by {0} */
    const char *words;           /* the option that words without "--" are values of; NULL: none */
    const char *args;            /* what its words can be, for completion; NULL: anything */
    const char *examples;        /* one a line, without "leat "; NULL: none */
    void (*run)(cli_t *c);
    cli_asks_t asks;
} cli_verb_t;

extern const cli_verb_t cli_verbs[];                      /* ended by {0} */
extern const cli_option_t cli_everywhere[];               /* of all verbs */

typedef struct cli_shared_t { /* what verbs have in common by whom they ask */
    const char *whom;  /* "broker" */
    const char *title; /* of help */
    const cli_option_t *options;
} cli_shared_t;
extern const cli_shared_t cli_shared[]; /* by cli_asks_t */

typedef struct cli_given_t {
    const cli_option_t *option;
    char *value; /* [own] "" for flags */
} cli_given_t;

struct cli_t {
    const cli_verb_t *verb;
    cli_given_t *given;
    size_t given_count, given_room;
    char **args; /* of completion and help */
    size_t arg_count;
    leat_config_t *config;
    leat__kbroker_t broker; /* carries config to the clients; nothing else of it is used */
    leat__kclient_t *admin; /* asks; made by cli_connect */
    int64_t timeout_ms;
    bool json, color, color_err; /* how to print; color_err: on standard error */
    bool quiet;
    int status;
};

/** Fills c from the words behind the verb. False: c->status says why. */
bool cli_parse(cli_t *c, int argc, char **argv);
void cli_release(cli_t *c);
/** Calls fn for every option of a verb, its own first. */
void cli_each_option(
    const cli_verb_t *v, void (*fn)(void *user, const cli_option_t *option), void *user);
/** The nearest of the words; NULL: none is near. For "did you mean". */
const char *cli_nearest(const char *word, const char *const *words, size_t count);

bool cli_has(const cli_t *c, const char *option);
const char *cli_text(const cli_t *c, const char *option, const char *otherwise); /* the last one */
/** The i-th value of an option with `many`; NULL behind the last. */
const char *cli_text_at(const cli_t *c, const char *option, size_t i);
size_t cli_count(const cli_t *c, const char *option);
int64_t cli_int(cli_t *c, const char *option, int64_t min, int64_t max, int64_t otherwise);
int64_t cli_duration(cli_t *c, const char *option, int64_t otherwise_ms);
int64_t cli_time(cli_t *c, const char *option, int64_t otherwise_ms);
/** At most one of the options (a NULL ends them) may stand there. */
void cli_at_most_one(cli_t *c, const char *const *options);
/** The value, which must be there. */
const char *cli_required(cli_t *c, const char *option);

/* ---- failures, on standard error ---- */

/** Prints; keeps the status if it is the first. */
void cli_fail(cli_t *c, int status, const char *format, ...) LEAT_PRINTF(3, 4);
void cli_usage(cli_t *c, const char *format, ...) LEAT_PRINTF(2, 3);
/** From the client: the text and the status say whether nobody answered, somebody refused ... */
void cli_fail_kafka(cli_t *c, leat__kclient_t *client, rd_kafka_resp_err_t code, const char *text,
    const char *where, const char *what);
void cli_note(const cli_t *c, const char *format, ...) LEAT_PRINTF(2, 3); /* not with --quiet */

/* ---- Kafka (connect.c, lookup.c) ---- */

/** c->config, from the options and the files that they name. */
void cli_load_config(cli_t *c);
/** Checks the configuration and makes c->admin. */
bool cli_connect(cli_t *c);
typedef void (*cli_delivery_fn)(rd_kafka_t *rk, const rd_kafka_message_t *m, void *client);
/** NULL: told. key, value, key, value, NULL are what the verb needs; delivered may be NULL. */
leat__kclient_t *cli_client(
    cli_t *c, leat__kuse_t use, const char *const *settings, cli_delivery_fn delivered);
/** The answer of an admin call, [own]; NULL: told. */
rd_kafka_event_t *cli_wait(cli_t *c, rd_kafka_queue_t *q, const char *what);
rd_kafka_AdminOptions_t *cli_admin_options(cli_t *c, rd_kafka_admin_op_t op);

/** Of one topic, or of all for NULL. [own: rd_kafka_metadata_destroy]; NULL: told. */
const struct rd_kafka_metadata *cli_metadata(cli_t *c, leat__kclient_t *client, const char *topic);
const rd_kafka_metadata_topic_t *cli_topic_in(
    const struct rd_kafka_metadata *all, const char *name); /* NULL: not there */
/** Adds the partitions of a topic. False: told (status CLI_NOT_FOUND if there is no such). */
bool cli_add_partitions(
    cli_t *c, leat__kclient_t *client, rd_kafka_topic_partition_list_t *list, const char *topic);
enum { CLI_END = -1, CLI_START = -2 }; /* times that stand for the ends */
/** [own] the offset of each partition at time_ms, CLI_END or CLI_START; NULL: told. After the last
 *  record: the end, and past[i] (nullable) is true. */
rd_kafka_topic_partition_list_t *cli_offsets(cli_t *c, leat__kclient_t *client,
    const rd_kafka_topic_partition_list_t *of, int64_t time_ms, bool *past);
/** [own] what a group has committed, all its partitions; NULL: told. */
rd_kafka_topic_partition_list_t *cli_committed(cli_t *c, const char *group);
/** [own] the answer; *group points into it. NULL: told. */
rd_kafka_event_t *cli_describe_group(
    cli_t *c, const char *name, const rd_kafka_ConsumerGroupDescription_t **group);
/** [own] as the list of groups has it, where it cannot be described; NULL: it is not there. */
char *cli_listed_state(cli_t *c, const char *group);
/** What cannot be deleted is told. */
void cli_delete_topics(cli_t *c, const char *const *names, size_t count, bool missing_is_fine);

void cli_pause(long ms);

/* ---- bytes, text and JSON (format.c) ---- */

typedef struct cli_format_t cli_format_t;
/** [own] by its name: "int64", "windowed:string:5m"; NULL: told, naming the option. */
cli_format_t *cli_format_new(cli_t *c, const char *option, const char *otherwise);
void cli_format_free(cli_format_t *f);
/** For people; terminated. False: err says why, and text is the bytes in hexadecimal. */
bool cli_format_text(const cli_format_t *f, leat_slice_t bytes, leat__arena_t *scratch,
    leat_slice_t *text, leat_error_t *err);
/** Puts name into object, or name_base64 (and name_error) for bytes that are not of the format. */
bool cli_format_put_json(const cli_format_t *f, json_t *object, const char *name,
    leat_slice_t bytes, leat__arena_t *scratch);
/** The way back, from text and from a member of a JSON line. */
bool cli_format_bytes(const cli_format_t *f, leat_slice_t text, leat__arena_t *scratch,
    leat_slice_t *bytes, leat_error_t *err);
bool cli_format_from_json(const cli_format_t *f, const json_t *value, leat__arena_t *scratch,
    leat_slice_t *bytes, leat_error_t *err);
extern const char cli_format_names[]; /* for help and completion */

leat_slice_t cli_base64(leat_slice_t bytes, leat__arena_t *scratch);
bool cli_from_base64(leat_slice_t text, leat__arena_t *scratch, leat_slice_t *bytes);
bool cli_is_utf8(leat_slice_t text);

/* ---- times (times.c) ---- */

/** "1700000000000", "2026-11-24T18:57:00.5+01:00", "now", "-5m" (before now). */
bool cli_parse_time(const char *text, int64_t now_ms, int64_t *time_ms);
/** "1500", "1500ms", "10s", "5m", "2h", "7d", "P1DT2H3M4.5S". */
bool cli_parse_duration(const char *text, int64_t *ms);
void cli_print_time(int64_t time_ms, char room[32]); /* "2026-11-24T18:57:00.500Z" */

/* ---- printing (print.c) ---- */

typedef struct cli_column_t {
    const char *title, *member; /* of the row, an object; lists are joined by commas */
    bool right;                 /* numbers */
} cli_column_t;

/** Borrows rows, an array. columns ended by {0}. A missing or null member is "-". */
void cli_print_table(const cli_t *c, const json_t *rows, const cli_column_t *columns);
void cli_put_table(leat__buf_t *out, const json_t *rows, const cli_column_t *columns);
void cli_print_json(cli_t *c, json_t *value); /* adopts; one line */
/** Control bytes and what is no UTF-8 as \n, \t, \xNN, so that a terminal stays sane. */
void cli_put_safe(FILE *to, leat_slice_t text);
/** False, and told (a closed pipe is not a failure): standard output is gone. */
bool cli_flush(cli_t *c);

enum { CLI_BOLD = 1, CLI_DIM = 2, CLI_RED = 31, CLI_YELLOW = 33, CLI_CYAN = 36 };
const char *cli_color(bool on, int color); /* "" when off; 0 ends */

void cli_put_bar(leat__buf_t *out, double part, int cells); /* "[####....]  50 %" */

typedef struct cli_progress_t {
    const char *what; /* "records produced" */
    int64_t total;    /* 0: unknown */
    int64_t began_ms, shown_ms;
    bool bar; /* a line that is drawn again and again */
} cli_progress_t;
void cli_progress_begin(
    const cli_t *c, cli_progress_t *p, const char *what, int64_t total, bool own_screen);
void cli_progress(const cli_t *c, cli_progress_t *p, int64_t done);
void cli_progress_end(const cli_t *c, cli_progress_t *p, int64_t done);

/* ---- help and what is generated (help.c, manual.c, completion.c) ---- */

void cli_help(const char *const *words, size_t count, FILE *to); /* of leat, or of a verb */
void cli_run_help(cli_t *c);
void cli_run_completion(cli_t *c);
void cli_manual(FILE *to);    /* the manual page */
void cli_reference(FILE *to); /* the same in Markdown, for docs/CLI.md */

/* ---- Ctrl-C (stop.c) ---- */

void cli_stop_begin(void);  /* SIGINT and SIGTERM ask for an end; a second one kills */
bool cli_stop_wanted(void); /* ask again and again */

/* ---- verbs ---- */

void cli_topics_list(cli_t *c);
void cli_topics_create(cli_t *c);
void cli_topics_describe(cli_t *c);
void cli_topics_delete(cli_t *c);
void cli_groups_list(cli_t *c);
void cli_groups_describe(cli_t *c);
void cli_produce(cli_t *c);
void cli_consume(cli_t *c);
void cli_reset(cli_t *c);
void cli_describe(cli_t *c);
void cli_query(cli_t *c);
void cli_top(cli_t *c);
extern const cli_option_t cli_topics_list_options[], cli_topics_create_options[],
    cli_topics_describe_options[], cli_topics_delete_options[], cli_groups_list_options[],
    cli_groups_describe_options[], cli_produce_options[], cli_consume_options[],
    cli_reset_options[], cli_describe_options[], cli_query_options[], cli_top_options[];

#endif
