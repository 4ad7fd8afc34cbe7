/*
 * base/config_table.c: every property that leat knows, one row each, in alphabetical order.
 *
 * The names are Kafka Streams' where it has the property; what only Java can mean has a row too,
 * so that whoever brings a file of properties along reads what to write instead. This table is
 * the only place: docs/CONFIGURATION.md is made from it (tests/unit/test_config_doc.c).
 */
#include "config_inside.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS_MAX INT32_MAX
#define BYTES_MAX ((int64_t)1 << 40)

/* Columns that most rows have; the others follow by name. */
#define INT(name_, min_, max_, initial_)                                                           \
    .name = (name_), .kind = LEAT__P_INT, .min = (min_), .max = (max_), .initial = (initial_)
#define BOOL(name_, initial_) .name = (name_), .kind = LEAT__P_BOOL, .initial = (initial_)
#define TEXT(name_) .name = (name_), .kind = LEAT__P_TEXT
#define NAME(name_, min_, max_) .name = (name_), .kind = LEAT__P_NAME, .min = (min_), .max = (max_)
#define CHOICE(name_, choices_, initial_)                                                          \
    .name = (name_), .kind = LEAT__P_CHOICE, .choices = (choices_), .initial = (initial_)
#define ALIAS(name_, of_)                                                                          \
    .name = (name_), .kind = LEAT__P_ALIAS, .initial = (of_),                                      \
    .sentence = "An older name of " of_ "."
#define REFUSED(name_, sentence_) .name = (name_), .kind = LEAT__P_REFUSED, .sentence = (sentence_)
#define IGNORED(name_, sentence_) .name = (name_), .kind = LEAT__P_IGNORED, .sentence = (sentence_)

#define SERDE_INSTEAD                                                                              \
    "Serdes stand in the topology, where a type is said: leat_builder_stream() and others."
#define METRICS_INSTEAD "Metrics are plain counters, summed when somebody reads them."
#define NO_RACKS "this version does not know on which racks the brokers are"
#define CA_INSTEAD "Write ssl.ca.location=FILE.pem: the client reads PEM files, no Java key stores."

static const leat__property_t properties[] = {
    {INT("acceptable.recovery.lag", 0, INT64_MAX, "10000"), .importance = LEAT__MEDIUM,
        .sentence =
            "How many changelog records a copy of a store may lack and still count as caught up."},
    {IGNORED("allow.os.group.write.access",
        "The state directory has the permissions that the process's umask gives.")},
    {NAME("application.id", 1, 200), .importance = LEAT__HIGH,
        .sentence =
            "Required. The consumer group, and the first part of the names of internal topics, "
            "transactional ids and the state directory. The same in every process of an "
            "application, and only there."},
    {.name = "application.server",
        .kind = LEAT__P_ALIAS,
        .initial = "leat.http.advertised",
        .sentence = "Kafka Streams' name of leat.http.advertised."},
    {CHOICE("auto.offset.reset", "earliest, latest, none", "earliest"), .importance = LEAT__MEDIUM,
        .sentence =
            "Where to start on a source topic without a committed offset; none: stop with an "
            "error. A source's own setting goes first."},
    {TEXT("bootstrap.servers"), .importance = LEAT__HIGH,
        .sentence = "Required. Brokers to ask first, HOST:PORT with commas between. embedded: or "
                    "embedded:DIR is the log inside the process, in memory or in a folder."},
    {INT("buffered.records.per.partition", 1, 10000000, "1000"),
        .sentence = "Above so many records waiting in a task, an input partition is paused."},
    {IGNORED("built.in.metrics.version", "There is one version of the metrics' names.")},
    {ALIAS("cache.max.bytes.buffering", "statestore.cache.max.bytes")},
    {TEXT("client.id"), .importance = LEAT__MEDIUM,
        .initial_shown = "application.id and the process id",
        .sentence = "First part of the names under which the broker's logs and metrics show this "
                    "process's clients."},
    {INT("commit.interval.ms", 0, MS_MAX, "30000"), .initial_exactly_once = "100",
        .importance = LEAT__MEDIUM,
        .sentence =
            "How often progress is committed. The default is 100 under exactly_once_v2, where "
            "it is also how late readers see the output."},
    {INT("connections.max.idle.ms", 0, MS_MAX, NULL), .client = "connections.max.idle.ms",
        .initial_shown = "the client's",
        .sentence = "Close a connection to a broker after so long without use."},
    {INT("default.api.timeout.ms", 1000, 600000, "30000"),
        .sentence =
            "How long to wait for a broker when a topic is created, described or a position is "
            "looked up, before it counts as a failure that can be tried again."},
    {REFUSED("default.client.supplier", "Clients are made by leat; their properties have the "
                                        "prefixes consumer., producer. and admin.")},
    {ALIAS("default.deserialization.exception.handler", "deserialization.exception.handler")},
    {REFUSED("default.dsl.store", "Write dsl.store.backend=rocksdb or dsl.store.backend=memory.")},
    {REFUSED("default.key.serde", SERDE_INSTEAD)},
    {REFUSED("default.list.key.serde.inner", SERDE_INSTEAD)},
    {REFUSED("default.list.key.serde.type", SERDE_INSTEAD)},
    {REFUSED("default.list.value.serde.inner", SERDE_INSTEAD)},
    {REFUSED("default.list.value.serde.type", SERDE_INSTEAD)},
    {ALIAS("default.production.exception.handler", "production.exception.handler")},
    {REFUSED("default.timestamp.extractor",
        "Give the source a leat_timestamp_fn "
        "(leat_source_opts_t.timestamp), e.g. leat_timestamp_skip_invalid.")},
    {REFUSED("default.value.serde", SERDE_INSTEAD)},
    {CHOICE("deserialization.exception.handler", "fail, continue, dead_letter", "fail"),
        .importance = LEAT__MEDIUM,
        .sentence =
            "What to do with an input record whose bytes do not decode: stop the application, "
            "skip it, or write it to errors.dead.letter.queue.topic.name and go on."},
    {CHOICE("dsl.store.backend", "rocksdb, memory", "rocksdb"), .importance = LEAT__MEDIUM,
        .sentence = "Where stores are kept that say nothing else. Both have a changelog; memory is "
                    "rebuilt from it at each start."},
    {CHOICE("dsl.store.format", "DEFAULT", "DEFAULT"),
        .sentence = "The form of stored values. Stores that keep record headers (HEADERS) do not "
                    "exist here."},
    {REFUSED("dsl.store.suppliers.class",
        "Write dsl.store.backend=rocksdb or memory; a store of your "
        "own is a leat_backend_t.")},
    {INT("emit.interval.ms", 0, MS_MAX, "1000"),
        .sentence =
            "Windows that emit on close, and outer joins: the least time on the clock between two "
            "looks for what has closed. 0: with each record."},
    {IGNORED("enable.metrics.push", METRICS_INSTEAD)},
    {IGNORED("enable.transactional.statestores",
        "Stores are always transactional: a crash leaves no uncommitted state.")},
    {BOOL("ensure.explicit.internal.resource.naming", "false"),
        .sentence =
            "Refuse a topology in which a store or internal topic has a generated name, which "
            "would change with the topology."},
    {BOOL("errors.dead.letter.queue.drops", "false"),
        .sentence =
            "Input records that an operator leaves out by its rules (a null key or value, too "
            "late, a negative time) go to errors.dead.letter.queue.topic.name too. false: they "
            "are counted and logged only, as in Kafka Streams."},
    {NAME("errors.dead.letter.queue.topic.name", 0, 249), .importance = LEAT__MEDIUM,
        .sentence = "The topic for records that could not be processed, with the error in their "
                    "headers. Needed by the handlers' dead_letter. It must exist."},
    {NAME("group.instance.id", 0, 200), .initial_shown = "kept in the state directory",
        .sentence = "The process's name in the group under static membership. Two processes must "
                    "never have the same."},
    {CHOICE("group.membership", "static, dynamic", "static"),
        .sentence =
            "static: a restart within session.timeout.ms keeps its tasks without a rebalance. "
            "dynamic: each start is a new member."},
    {CHOICE("group.protocol", "classic", "classic"),
        .sentence = "Kafka's group protocol. The brokers' streams protocol is not spoken."},
    {INT("heartbeat.interval.ms", 50, 60000, "200"),
        .sentence =
            "How often the group is told that this process lives, and so how fast all notice a "
            "rebalance. Less than session.timeout.ms."},
    {.name = "leat.http.advertised",
        .kind = LEAT__P_ADDRESS,
        .importance = LEAT__MEDIUM,
        .sentence =
            "HOST:PORT under which other workers of the application reach the HTTP server of this "
            "one, or https://HOST:PORT; port 0: the one that it listens on. Without it they know "
            "that a key is here, and cannot ask for it."},
    {TEXT("leat.http.ca"),
        .sentence = "PEM file with the authorities of the other workers' certificates, for questions to "
                    "https://HOST:PORT. Nothing: those that the system trusts."},
    {TEXT("leat.http.certificate"),
        .sentence = "PEM file with the server's certificate, and those between it and its authority: "
                    "the HTTP server then speaks TLS only. Needs leat.http.key."},
    {INT("leat.http.connections", 1, 10000, "64"),
        .sentence = "Above so many connections the HTTP server answers that it is busy. Each takes a "
                    "thread."},
    {TEXT("leat.http.key"), .sentence = "PEM file with the key of leat.http.certificate."},
    {.name = "leat.http.listen",
        .kind = LEAT__P_LISTEN,
        .importance = LEAT__MEDIUM,
        .sentence =
            "Where the HTTP server listens: 8080 is port 8080 for programs of this machine, "
            "0.0.0.0:8080 or [::]:8080 for all; port 0: any that is free, told in the log. Beyond "
            "this machine leat.http.token is needed. Nothing: there is no server."},
    {INT("leat.http.page.rows", 1, 100000, "1000"),
        .sentence = "The most rows that one reply of the HTTP server has."},
    {INT("leat.http.request.timeout.ms", 100, 3600000, "60000"),
        .sentence = "The HTTP server ends a connection whose client takes longer to send a whole request, "
                    "or to take its reply; idle ones too."},
    {TEXT("leat.http.token"), .secret = true,
        .sentence =
            "Who asks the HTTP server for more than its health must send this as a bearer token. "
            "Write ${file:PATH} or ${env:NAME}."},
    {INT("leat.restart.delay.ms", 0, 86400000, "0"), .importance = LEAT__MEDIUM,
        .sentence =
            "After a clean stop the tasks of this process wait so long for it to come back, and "
            "nothing is moved or restored elsewhere: for rolling restarts. 0: others take them "
            "over at once. Static members only."},
    {INT("leat.start.timeout.ms", 0, 3600000, "15000"),
        .sentence =
            "How long a start waits for brokers that do not answer, before it fails."},
    {INT("linger.ms", 0, 60000, "1"), .importance = LEAT__MEDIUM,
        .sentence =
            "How long the producer waits for more records to send with one. A commit does not "
            "wait for it."},
    {IGNORED("log.summary.interval.ms", METRICS_INSTEAD)},
    {INT("max.poll.interval.ms", 10000, 86400000, "60000"), .importance = LEAT__MEDIUM,
        .sentence =
            "A thread that does not come back from the program's functions for so long gives "
            "its tasks up. At least session.timeout.ms."},
    {INT("max.task.idle.ms", -1, MS_MAX, "0"), .importance = LEAT__MEDIUM,
        .sentence =
            "How long a task with several input partitions waits for more records on an empty "
            "one, to keep the order of time. 0: only for what the broker already has; -1: not at "
            "all."},
    {INT("max.warmup.replicas", 1, 10000, "2"),
        .sentence = "How many copies of stores may warm up at once on their next owners, beyond "
                    "num.standby.replicas, in the whole group."},
    {INT("memory.max.bytes", 0, BYTES_MAX, "0"), .importance = LEAT__MEDIUM,
        .sentence = "One budget for caches, write buffers, RocksDB and input queues, shared out in "
                    "proportion; 0: the single bounds hold. At least 16777216."},
    {INT("metadata.max.age.ms", 1, 86400000, NULL), .client = "metadata.max.age.ms",
        .initial_shown = "the client's",
        .sentence = "How old what is known of topics and brokers may get."},
    {REFUSED("metric.reporters", "Java classes cannot be loaded. " METRICS_INSTEAD)},
    {IGNORED("metrics.num.samples", METRICS_INSTEAD)},
    {IGNORED("metrics.recording.level", METRICS_INSTEAD)},
    {IGNORED("metrics.sample.window.ms", METRICS_INSTEAD)},
    {INT("num.standby.replicas", 0, 1000, "0"), .importance = LEAT__HIGH,
        .sentence = "Copies of each store that other processes keep current."},
    {INT("num.stream.threads", 1, 1024, "1"), .importance = LEAT__HIGH,
        .sentence = "Threads that process, in this process. More than tasks are idle."},
    {INT("poll.ms", 0, 60000, "250"),
        .sentence = "The longest that a thread sleeps when there is nothing to do; what comes wakes it."},
    {INT("probing.rebalance.interval.ms", 60000, MS_MAX, "600000"),
        .sentence = "How often at least to look again whether warmed up copies can take over, and "
                    "how old the state on disk is; a copy that has caught up is noticed at once."},
    {CHOICE("processing.exception.handler", "fail, continue, dead_letter", "fail"),
        .importance = LEAT__MEDIUM,
        .sentence =
            "What to do with a record on which a function of the program failed: stop the "
            "application, skip it, or write it to errors.dead.letter.queue.topic.name and go on."},
    {BOOL("processing.exception.handler.global.enabled", "false"),
        .sentence = "Whether a failure in what fills a global store is for the processing handler, "
                    "to stop or to skip the record; else it stops the application. No dead letters "
                    "are written for global stores."},
    {CHOICE("processing.guarantee", "at_least_once, exactly_once_v2", "at_least_once"),
        .importance = LEAT__HIGH,
        .sentence =
            "exactly_once_v2: input, state and output are committed in one transaction of "
            "Kafka; what Kafka Streams calls exactly_once and exactly_once_beta is this too."},
    {REFUSED("processor.wrapper.class",
        "Java classes cannot be loaded; wrap the functions in the program.")},
    {CHOICE("production.exception.handler", "fail, continue, retry, dead_letter", "fail"),
        .importance = LEAT__MEDIUM,
        .sentence =
            "What to do with an output record that does not encode or that the broker refuses: "
            "stop the application, drop it, try again, or write its input record to "
            "errors.dead.letter.queue.topic.name."},
    {IGNORED("rack.aware.assignment.non_overlap_cost",
        "Tasks are placed without a look at the brokers' racks.")},
    {CHOICE("rack.aware.assignment.strategy", "none, min_traffic, balance_subtopology", "none"),
        .no_effect = NO_RACKS, .sentence = "Place tasks near their partitions."},
    {TEXT("rack.aware.assignment.tags"),
        .sentence = "Tags (client.tag.*), with commas between, in which the process that runs a "
                    "task and those that keep copies of its stores shall differ, where possible."},
    {IGNORED("rack.aware.assignment.traffic_cost",
        "Tasks are placed without a look at the brokers' racks.")},
    {INT("receive.buffer.bytes", -1, 100000000, NULL), .client = "socket.receive.buffer.bytes",
        .initial_shown = "the client's", .sentence = "The socket's receive buffer."},
    {INT("reconnect.backoff.max.ms", 0, 3600000, NULL), .client = "reconnect.backoff.max.ms",
        .initial_shown = "the client's",
        .sentence = "The longest wait between two attempts to connect to a broker."},
    {INT("reconnect.backoff.ms", 0, 3600000, NULL), .client = "reconnect.backoff.ms",
        .initial_shown = "the client's",
        .sentence = "The first wait between two attempts to connect to a broker."},
    {INT("repartition.purge.interval.ms", 0, MS_MAX, "30000"),
        .sentence =
            "How often processed records are deleted from repartition topics; not more often than "
            "commits."},
    {INT("replication.factor", -1, 32767, "-1"), .importance = LEAT__MEDIUM,
        .sentence = "Of internal topics; -1: the broker's default."},
    {INT("request.timeout.ms", 10, 300000, NULL), .client = "socket.timeout.ms",
        .initial_shown = "the client's", .sentence = "How long to wait for a broker's answer."},
    {INT("retry.backoff.max.ms", 1, 300000, "1000"),
        .sentence = "The longest wait before what failed on the broker is tried again."},
    {INT("retry.backoff.ms", 1, 300000, "100"), .client = "retry.backoff.ms",
        .sentence = "The wait before what failed on the broker is tried again, twice as long each "
                    "time up to retry.backoff.max.ms, give or take a fifth. If set, also the "
                    "client's before a failed request is sent again."},
    {REFUSED("rocksdb.config.setter",
        "Java classes cannot be loaded. Memory is bounded by memory.max.bytes "
        "and statestore.buffer.max.bytes.")},
    {REFUSED("sasl.jaas.config",
         "Write sasl.username=... and sasl.password=...; the value may be ${env:NAME} or "
         "${file:PATH}."),
        .secret = true},
    {.name = "sasl.mechanism",
        .kind = LEAT__P_TEXT,
        .client = "sasl.mechanism",
        .importance = LEAT__MEDIUM,
        .initial_shown = "the client's",
        .sentence = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or GSSAPI."},
    {TEXT("sasl.password"), .client = "sasl.password", .importance = LEAT__MEDIUM, .secret = true,
        .sentence = "Write ${env:NAME} or ${file:PATH} rather than the password itself."},
    {CHOICE("security.protocol", "PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL", "PLAINTEXT"),
        .client = "security.protocol", .importance = LEAT__MEDIUM,
        .sentence = "How brokers are spoken to."},
    {INT("send.buffer.bytes", -1, 100000000, NULL), .client = "socket.send.buffer.bytes",
        .initial_shown = "the client's", .sentence = "The socket's send buffer."},
    {INT("session.timeout.ms", 6000, 1800000, "10000"), .importance = LEAT__MEDIUM,
        .sentence =
            "After so long without a sign of life a process counts as dead and its tasks are "
            "given away. The broker's floor is 6000."},
    {TEXT("ssl.key.password"), .client = "ssl.key.password", .secret = true,
        .sentence = "Of the private key in ssl.key.location."},
    {TEXT("ssl.keystore.password"), .client = "ssl.keystore.password", .secret = true,
        .sentence = "Of the PKCS#12 file in ssl.keystore.location."},
    {REFUSED("ssl.truststore.certificates", "Write ssl.ca.pem or ssl.ca.location=FILE.pem.")},
    {REFUSED("ssl.truststore.location", CA_INSTEAD)},
    {REFUSED("ssl.truststore.password", CA_INSTEAD), .secret = true},
    {REFUSED("ssl.truststore.type", CA_INSTEAD)},
    {INT("state.cleanup.delay.ms", 0, INT64_MAX, "600000"),
        .sentence =
            "How long the state of a task that has moved away is kept on disk. Counts from its last "
            "use, or from the start of this process if that is later."},
    {INT("state.cleanup.dir.max.age.ms", -1, INT64_MAX, "-1"),
        .no_effect = "old state is checked against its changelog and never simply trusted",
        .sentence = "Wipe the state directory at start if it is older than this; -1: never."},
    {TEXT("state.dir"), .importance = LEAT__HIGH, .initial_shown = "$TMPDIR/leat",
        .sentence =
            "Where stores are kept, in a folder named application.id. One process at a time may "
            "use that folder. A restart needs only the changelog's tail if it is still there."},
    {INT("statestore.buffer.max.bytes", 1048576, BYTES_MAX, "100663296"), .importance = LEAT__MEDIUM,
        .sentence =
            "All entries of write buffers in this process: changed, committed and cached ones."},
    {INT("statestore.cache.max.bytes", 0, BYTES_MAX, "10485760"), .importance = LEAT__MEDIUM,
        .sentence =
            "Changed entries that wait for the commit before they are sent on, in this process. 0: "
            "each update is sent on at once."},
    {INT("statestore.checkpoint.interval.ms", 100, 86400000, "30000"),
        .sentence =
            "The longest time until committed state is written to RocksDB; what is younger is "
            "replayed from the changelog after a crash."},
    {IGNORED("statestore.uncommitted.max.bytes",
        "statestore.buffer.max.bytes bounds uncommitted state too.")},
    {REFUSED("task.assignor.class", "Java classes cannot be loaded; tasks are placed by leat.")},
    {INT("task.timeout.ms", 0, MS_MAX, "300000"), .importance = LEAT__MEDIUM,
        .sentence =
            "How long a task tries again on a broker that is away or slow, before it fails. 0: "
            "not at all."},
    {IGNORED("topology.description.push.enabled", "Nothing is sent to the brokers; the topology is "
                                                  "printed by leat_topology_describe().")},
    {.name = "topology.optimization",
        .kind = LEAT__P_CHOICES,
        .importance = LEAT__MEDIUM,
        .choices = "none, all, reuse.ktable.source.topics, merge.repartition.topics, "
                   "single.store.self.join",
        .initial = "none",
        .sentence = "Rules by which the topology is made smaller. They change internal topics: "
                    "decide before the first start."},
    {INT("transaction.timeout.ms", 1000, 900000, "10000"), .importance = LEAT__MEDIUM,
        .sentence =
            "How long the broker keeps the transaction of a process that died; readers with "
            "read_committed wait so long. At least commit.interval.ms under exactly_once_v2."},
    {REFUSED("upgrade.from",
        "It serves rolling upgrades between versions of Kafka Streams; a group is "
        "either all Java or all leat.")},
    {REFUSED(
        "window.size.ms", "Say it with the serde: leat_serde_windowed(builder, key, size_ms).")},
    {REFUSED("windowed.inner.class.serde",
        "Say it with the serde: leat_serde_windowed(builder, key, size_ms).")},
    {INT("windowstore.changelog.additional.retention.ms", 0, INT64_MAX / 4, "86400000"),
        .no_effect = "this version has no window stores",
        .sentence =
            "How much longer than the window's own retention its changelog topic keeps records."},
};

static const leat__property_prefix_t prefixes[] = {
    {"consumer.", false, "Properties of librdkafka for all consumers."},
    {"main.consumer.", false, "For the consumers of input topics; goes before consumer."},
    {"restore.consumer.", false, "For the consumers that restore stores; goes before consumer."},
    {"global.consumer.", false, "For the consumers of global tables; goes before consumer."},
    {"producer.", false, "Properties of librdkafka for the producers."},
    {"admin.", false, "Properties of librdkafka for the admin client."},
    {"topic.", false,
        "Settings of internal topics when they are created, e.g. topic.min.insync.replicas."},
    {"client.tag.", false,
        "Tags of this process, at most 5: name up to 20, value up to 30 characters."},
    {"program.", false, "The program's own options: leat_builder_setting(), leat_setting()."},
    {"security.", true, "Properties of librdkafka for all clients."},
    {"sasl.", true, "Properties of librdkafka for all clients."},
    {"ssl.", true, "Properties of librdkafka for all clients."},
    {"enable.sasl.", true, "Properties of librdkafka for all clients."},
    {"enable.ssl.", true, "Properties of librdkafka for all clients."},
};

enum {
    PROPERTIES = sizeof properties / sizeof properties[0],
    PREFIXES = sizeof prefixes / sizeof prefixes[0],
    NAME_MAX_BYTES = 96,
};

const leat__property_t *leat__property_at(size_t index)
{
    return index < PROPERTIES ? &properties[index] : NULL;
}

const leat__property_prefix_t *leat__property_prefix_at(size_t index)
{
    return index < PREFIXES ? &prefixes[index] : NULL;
}

const leat__property_t *leat__property_find(const char *name)
{
    for (size_t i = 0; i < PROPERTIES; i++)
        if (strcmp(properties[i].name, name) == 0)
            return properties[i].kind == LEAT__P_ALIAS ? leat__property_find(properties[i].initial)
                                                       : &properties[i];
    return NULL;
}

const leat__property_prefix_t *leat__property_prefix_of(const char *name)
{
    for (size_t i = 0; i < PREFIXES; i++) {
        size_t size = strlen(prefixes[i].prefix);

        if (strncmp(name, prefixes[i].prefix, size) == 0 && name[size])
            return &prefixes[i];
    }
    return NULL;
}

/* ---- the nearest name ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters to insert, remove, change, or swap with their neighbour. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t rows[3][NAME_MAX_BYTES + 1], a_size = strlen(a), b_size = strlen(b);

    for (size_t j = 0; j <= b_size; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

        now[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t changed = last[j - 1] + (a[i - 1] != b[j - 1]);

            now[j] = least(changed, least(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
    }
    return rows[a_size % 3][b_size];
}

const char *leat__property_nearest(const char *name)
{
    const char *nearest = NULL;
    size_t size = strlen(name), distance = size / 3 > 2 ? size / 3 : 2;

    if (size > NAME_MAX_BYTES)
        return NULL;
    for (size_t i = 0; i < PROPERTIES; i++) {
        size_t found = edit_distance(name, properties[i].name);

        if (found < distance || (found == distance && !nearest)) {
            distance = found;
            nearest = properties[i].name;
        }
    }
    return nearest;
}

/* ---- defaults ---- */

static char state_dir[4096];
static pthread_once_t state_dir_once = PTHREAD_ONCE_INIT;

static void state_dir_find(void)
{
    const char *tmp = getenv("TMPDIR");

    if (!tmp || !tmp[0] || strlen(tmp) + sizeof "/leat" > sizeof state_dir)
        tmp = "/tmp";
    snprintf(state_dir, sizeof state_dir, "%s/leat", tmp);
}

const char *leat__property_initial(const leat__property_t *p, bool exactly_once)
{
    if (strcmp(p->name, "state.dir") == 0) {
        pthread_once(&state_dir_once, state_dir_find);
        return state_dir;
    }
    if (exactly_once && p->initial_exactly_once)
        return p->initial_exactly_once;
    return p->initial ? p->initial : "";
}
