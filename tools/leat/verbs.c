/*
 * tools/leat/verbs.c: the table of verbs, from which help, manual and completion are made too.
 */
#include "cli.h"

static const cli_option_t of_kafka[] = {
    {"bootstrap-server", "bootstrap-servers broker-list", "HOST:PORT,...", "Kafka's brokers", NULL,
        false},
    {"command-config", "config config-file", "FILE",
        "a file of properties (docs/CONFIGURATION.md); may be given again", NULL, true},
    {"set", "command-property", "NAME=VALUE", "one property; may be given again", NULL, true},
    {"timeout", NULL, "TIME", "how long to wait for an answer (10s; produce: 30s for a record)",
        NULL, false},
    {"json", NULL, NULL, "print JSON", NULL, false},
    {0},
};

static const cli_option_t of_workers[] = {
    {"worker", NULL, "HOST:PORT",
        "a running worker, or its URL (leat.http.listen of the properties)", NULL, false},
    {"command-config", "config config-file", "FILE",
        "a file of properties, as the worker has it; may be given again", NULL, true},
    {"token-file", NULL, "FILE",
        "a file with the worker's token (LEAT_HTTP_TOKEN, leat.http.token)", NULL, false},
    {"ca", NULL, "FILE", "who signed the worker's certificate; means https", NULL, false},
    {"timeout", NULL, "TIME", "how long to wait for an answer (10s)", NULL, false},
    {"json", NULL, NULL, "print JSON", NULL, false},
    {0},
};

const cli_shared_t cli_shared[] = {
    [CLI_ASKS_KAFKA] = {"broker", "Connection and output", of_kafka},
    [CLI_ASKS_WORKER] = {"worker", "Worker and output", of_workers},
    [CLI_ASKS_NOBODY] = {NULL, NULL, NULL},
};

const cli_option_t cli_everywhere[] = {
    {"color", NULL, "WHEN", "auto (where a terminal is), always or never", "auto always never",
        false},
    {"quiet", NULL, NULL, "no notes and no progress on standard error", NULL, false},
    {"verbose", NULL, NULL, "what the clients of Kafka and HTTP say, on standard error", NULL,
        false},
    {"help", NULL, NULL, "this help", NULL, false},
    {0},
};

static const cli_option_t none[] = {{0}};

#define FORMATS                                                                                    \
    "FORMAT is one of: string, json, int32, int64, float, double (big endian, as Kafka's "         \
    "serializers write them; i32, integer, i64 and long are names for them, too), hex (or "        \
    "bytes), "                                                                                     \
    "base64, windowed:FORMAT[:SIZE] for keys of windows of that length, and session:FORMAT."

#define TIMES                                                                                      \
    "TIME is 2026-11-24T18:57:00.000Z (UTC without a zone), milliseconds since 1970, now, or -5m " \
    "(ago). Lengths of time are 500ms, 10s, 5m, 2h, 7d, or PT1H30M; a number alone is "            \
    "milliseconds."

const cli_verb_t cli_verbs[] = {
    {.name = "topics list",
        .brief = "the names of the topics",
        .options = cli_topics_list_options,
        .words = "topic",
        .examples = "topics list --bootstrap-server localhost:9092\n"
                    "topics list --exclude-internal --json",
        .run = cli_topics_list},
    {.name = "topics create",
        .brief = "make topics",
        .about = "Returns when every partition has a leader, so that the topic can be used at "
                 "once.",
        .options = cli_topics_create_options,
        .words = "topic",
        .examples = "topics create --topic orders --partitions 6 --replication-factor 3\n"
                    "topics create orders-by-id --config cleanup.policy=compact --if-not-exists",
        .run = cli_topics_create},
    {.name = "topics describe",
        .brief = "partitions, leaders, copies, offsets and settings of topics",
        .about = "START and END are the first offset and the one that the next record gets; "
                 "RECORDS is their difference, which compaction and the markers of transactions "
                 "make larger than the number of records. Settings that the topic does not have "
                 "of its own are left out.",
        .options = cli_topics_describe_options,
        .words = "topic",
        .examples = "topics describe orders",
        .run = cli_topics_describe},
    {.name = "topics delete",
        .brief = "delete topics with all their records",
        .about = "All or none: if one of them does not exist, nothing is deleted.",
        .options = cli_topics_delete_options,
        .words = "topic",
        .examples = "topics delete --topic orders,payments --if-exists",
        .run = cli_topics_delete},
    {.name = "produce",
        .brief = "lines of standard input or a file into a topic",
        .about = "Each line is a record. It counts when the broker acknowledged it; lines that it "
                 "refused are told, and the exit status is 1. After ten of them the program stops. "
                 "The partition of a key is the one that Kafka's Java clients choose.\n\n"
                 "--from-json takes lines as consume --json writes them: members key, value, "
                 "headers and timestamp (of which all may be missing), or key_base64 and "
                 "value_base64 for bytes that are no text.\n\n" FORMATS "\n\n" TIMES,
        .options = cli_produce_options,
        .words = "topic",
        .examples = "produce orders --key-separator : --file orders.txt\n"
                    "produce orders --key 42 --value '{\"price\": 10}'\n"
                    "produce orders --key 42 --tombstone\n"
                    "produce copy --from-json --file orders.jsonl",
        .run = cli_produce},
    {.name = "consume",
        .brief = "records of topics to standard output",
        .about =
            "Begins at the end, as Kafka's console consumer does, unless told otherwise; ends with "
            "--to-end, --max-messages, --timeout-ms or Ctrl-C (exit status 0). On a terminal "
            "columns are padded and have titles, elsewhere a TAB parts them; control bytes are "
            "shown as \\n, \\x1b. --json writes a line with everything for each record, without "
            "losing a byte.\n\n"
            "A key or value that is not of its format is shown in hexadecimal (JSON: key_base64, "
            "key_error); the others are shown all the same, and the exit status is 1.\n\n" FORMATS
            " auto shows text where the bytes are text, else 0x and hexadecimal.\n\n" TIMES,
        .options = cli_consume_options,
        .words = "topic",
        .examples = "consume orders --from-beginning --to-end\n"
                    "consume orders --partition 3 --offset 1200 --max-messages 1 --json\n"
                    "consume app-counts-changelog --key-format windowed:string:5m "
                    "--value-format int64 --from-time -10m\n"
                    "consume orders --from-beginning --columns value --raw",
        .run = cli_consume},
    {.name = "groups list",
        .brief = "the names of the groups",
        .options = cli_groups_list_options,
        .examples = "groups list --state",
        .run = cli_groups_list},
    {.name = "groups describe",
        .brief = "members, committed offsets and lag of groups",
        .about = "The lag is the end of a partition less what is committed. The processes of a "
                 "leat application give their tasks out among themselves, so the member shown "
                 "beside a partition may be another than the one that works on it.",
        .options = cli_groups_describe_options,
        .words = "group",
        .examples = "groups describe word-count\n"
                    "groups describe --all-groups --summary",
        .run = cli_groups_describe},
    {.name = "reset",
        .brief = "an application back to where it began",
        .about =
            "What kafka-streams-application-reset does, for applications of leat and of Kafka "
            "Streams: input topics to an offset (the first, unless told otherwise), intermediate "
            "topics to their ends, and internal topics (<application>-...-changelog, "
            "-repartition, those of foreign-key joins, leat's control topic) deleted. Topics that "
            "the application only writes stay as they are. It cannot be taken back: look at "
            "--dry-run first.\n\n"
            "Refuses while the group has members. --force waits until they are gone (librdkafka "
            "cannot remove them, as Kafka's tool does). The local state of the processes is not "
            "within reach: remove its folder on each machine before they start again, or they "
            "stop with an error that says so.\n\n" TIMES,
        .options = cli_reset_options,
        .words = "application-id",
        .examples = "reset word-count --input-topics lines --dry-run\n"
                    "reset word-count --input-topics lines --to-datetime 2026-11-24T00:00:00Z",
        .run = cli_reset},
    {.name = "describe",
        .brief = "a running worker: its topology, tasks and stores, and its fellow workers",
        .about = "The worker is one whose leat.http.listen is set (docs/HTTP.md). PROCESSED counts "
                 "since the task came to its thread, LAG is how many records its inputs are ahead, "
                 "TO RESTORE how many of its changelogs are still to be replayed, or for a standby "
                 "how many it is behind.",
        .options = cli_describe_options,
        .words = "worker",
        .examples = "describe localhost:8080\n"
                    "describe localhost:8080 --format dot\n"
                    "describe https://stream-1:8443 --ca ca.pem --token-file token --json",
        .run = cli_describe,
        .asks = CLI_ASKS_WORKER},
    {.name = "query",
        .brief = "rows of a worker's stores, and their changes",
        .about =
            "Any worker will do: it asks the others for what they have (--local: it does not). "
            "Without --key all rows come, or those in a range: by key from key-value stores, by "
            "key and time from window, session and versioned stores. Rows are those of the last "
            "commit.\n\n"
            "On a terminal columns are padded and have titles, elsewhere a TAB parts them; a value "
            "that is no text is shown as JSON. --json writes a line for each row. A single --key "
            "that is not there means exit status 3.\n\n" TIMES,
        .options = cli_query_options,
        .words = "store",
        .examples = "query counts --worker localhost:8080 --key alice\n"
                    "query counts --worker localhost:8080 --prefix a --limit 20\n"
                    "query per-minute --worker localhost:8080 --key alice --from-time -1h\n"
                    "query counts --worker localhost:8080 --watch --json",
        .run = cli_query,
        .asks = CLI_ASKS_WORKER},
    {.name = "top",
        .brief = "a live table of workers and tasks, their rates and lag",
        .about = "One worker is named; the others are asked too, where they have told their "
                 "address (leat.http.advertised). Tasks that restore stand first, then those most "
                 "behind. q or Ctrl-C ends it. What is no terminal gets a block of lines for each "
                 "look, or with --json a line.",
        .options = cli_top_options,
        .words = "worker",
        .examples = "top localhost:8080\n"
                    "top localhost:8080 --once --json",
        .run = cli_top,
        .asks = CLI_ASKS_WORKER},
    {.name = "completion",
        .brief = "the script that completes leat's words in a shell",
        .about = "Takes bash, zsh or fish.",
        .options = none,
        .args = "bash zsh fish",
        .examples = "completion bash",
        .run = cli_run_completion,
        .asks = CLI_ASKS_NOBODY},
    {.name = "help",
        .brief = "how to use leat, or one of its verbs",
        .about = "--man prints the manual page, --markdown the same for docs/CLI.md.",
        .options = (const cli_option_t[]){{"man", NULL, NULL, "the manual page", NULL, false},
            {"markdown", NULL, NULL, "the same in Markdown", NULL, false}, {0}},
        .examples = "help topics create",
        .run = cli_run_help,
        .asks = CLI_ASKS_NOBODY},
    {0},
};
