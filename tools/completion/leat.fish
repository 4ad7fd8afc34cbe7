# Completion of leat for fish. Made by: leat completion fish
function __leat_in
    set -l words (commandline -opc)
    string match -q -- "$argv *" "$words[2..] "
end
function __leat_behind
    set -l words (commandline -opc)
    test "$argv" = "$words[2..]"
end
complete -c leat -f
complete -c leat -n __leat_behind -a ' topics produce consume groups reset describe query top completion help'
complete -c leat -n __leat_behind -l help
complete -c leat -n __leat_behind -l version
complete -c leat -n '__leat_behind topics' -a list -d 'the names of the topics'
complete -c leat -n '__leat_in topics list' -l topic -d 'only these' -x
complete -c leat -n '__leat_in topics list' -l exclude-internal -d 'leave out Kafka\'s own topics (__...)'
complete -c leat -n '__leat_in topics list' -l bootstrap-server -d 'Kafka\'s brokers' -x
complete -c leat -n '__leat_in topics list' -l command-config -d 'a file of properties (docs/CONFIGURATION.md); may be given again' -r -F
complete -c leat -n '__leat_in topics list' -l set -d 'one property; may be given again' -x
complete -c leat -n '__leat_in topics list' -l timeout -d 'how long to wait for an answer (10s; produce: 30s for a record)' -x
complete -c leat -n '__leat_in topics list' -l json -d 'print JSON'
complete -c leat -n '__leat_in topics list' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__leat_in topics list' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__leat_in topics list' -l verbose -d 'what the clients of Kafka and HTTP say, on standard error'
complete -c leat -n '__leat_in topics list' -l help -d 'this help'
complete -c leat -n '__leat_behind topics' -a create -d 'make topics'
complete -c leat -n '__leat_in topics create' -l topic -d 'what to create' -x
complete -c leat -n '__leat_in topics create' -l partitions -d 'how many partitions (the broker\'s default)' -x
complete -c leat -n '__leat_in topics create' -l replication-factor -d 'how many copies of each (the broker\'s default)' -x
complete -c leat -n '__leat_in topics create' -l config -d 'a setting of the topic, as cleanup.policy=compact; may be given again; without = it is a file, like --command-config' -x
complete -c leat -n '__leat_in topics create' -l if-not-exists -d 'a topic that is there already is fine'
complete -c leat -n '__leat_in topics create' -l bootstrap-server -d 'Kafka\'s brokers' -x
complete -c leat -n '__leat_in topics create' -l command-config -d 'a file of properties (docs/CONFIGURATION.md); may be given again' -r -F
complete -c leat -n '__leat_in topics create' -l set -d 'one property; may be given again' -x
complete -c leat -n '__leat_in topics create' -l timeout -d 'how long to wait for an answer (10s; produce: 30s for a record)' -x
complete -c leat -n '__leat_in topics create' -l json -d 'print JSON'
complete -c leat -n '__leat_in topics create' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__leat_in topics create' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__leat_in topics create' -l verbose -d 'what the clients of Kafka and HTTP say, on standard error'
complete -c leat -n '__leat_in topics create' -l help -d 'this help'
complete -c leat -n '__leat_behind topics' -a describe -d 'partitions, leaders, copies, offsets and settings of topics'
complete -c leat -n '__leat_in topics describe' -l topic -d 'which topics; without: all but Kafka\'s own' -x
complete -c leat -n '__leat_in topics describe' -l all-configs -d 'show the settings at their defaults, too'
complete -c leat -n '__leat_in topics describe' -l bootstrap-server -d 'Kafka\'s brokers' -x
complete -c leat -n '__leat_in topics describe' -l command-config -d 'a file of properties (docs/CONFIGURATION.md); may be given again' -r -F
complete -c leat -n '__leat_in topics describe' -l set -d 'one property; may be given again' -x
complete -c leat -n '__leat_in topics describe' -l timeout -d 'how long to wait for an answer (10s; produce: 30s for a record)' -x
complete -c leat -n '__leat_in topics describe' -l json -d 'print JSON'
complete -c leat -n '__leat_in topics describe' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__leat_in topics describe' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__leat_in topics describe' -l verbose -d 'what the clients of Kafka and HTTP say, on standard error'
complete -c leat -n '__leat_in topics describe' -l help -d 'this help'
complete -c leat -n '__leat_behind topics' -a delete -d 'delete topics with all their records'
complete -c leat -n '__leat_in topics delete' -l topic -d 'what to delete, with all its records' -x
complete -c leat -n '__leat_in topics delete' -l if-exists -d 'a topic that is not there is fine'
complete -c leat -n '__leat_in topics delete' -l bootstrap-server -d 'Kafka\'s brokers' -x
complete -c leat -n '__leat_in topics delete' -l command-config -d 'a file of properties (docs/CONFIGURATION.md); may be given again' -r -F
complete -c leat -n '__leat_in topics delete' -l set -d 'one property; may be given again' -x
complete -c leat -n '__leat_in topics delete' -l timeout -d 'how long to wait for an answer (10s; produce: 30s for a record)' -x
complete -c leat -n '__leat_in topics delete' -l json -d 'print JSON'
complete -c leat -n '__leat_in topics delete' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__leat_in topics delete' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__leat_in topics delete' -l verbose -d 'what the clients of Kafka and HTTP say, on standard error'
complete -c leat -n '__leat_in topics delete' -l help -d 'this help'
complete -c leat -n '__leat_in produce' -l topic -d 'where the records go' -x
complete -c leat -n '__leat_in produce' -l file -d 'read lines from there (standard input)' -r -F
complete -c leat -n '__leat_in produce' -l key-separator -d 'a line is KEY, this text and VALUE; \\t is a TAB. Without it records have no key' -x
complete -c leat -n '__leat_in produce' -l key -d 'the key of every record' -x
complete -c leat -n '__leat_in produce' -l value -d 'one record with this value; nothing is read' -x
complete -c leat -n '__leat_in produce' -l tombstone -d 'one record with no value, which deletes --key; nothing is read'
complete -c leat -n '__leat_in produce' -l null-marker -d 'a key or value that is this text stands for none at all' -x
complete -c leat -n '__leat_in produce' -l key-format -d 'how keys become bytes (string)' -x -a 'auto string json int32 int64 float double hex base64 windowed: session:'
complete -c leat -n '__leat_in produce' -l value-format -d 'how values become bytes (string)' -x -a 'auto string json int32 int64 float double hex base64 windowed: session:'
complete -c leat -n '__leat_in produce' -l header -d 'a header of every record; may be given again' -x
complete -c leat -n '__leat_in produce' -l parse-headers -d 'a line begins with NAME:VALUE,NAME:VALUE and a TAB'
complete -c leat -n '__leat_in produce' -l from-json -d 'lines are as consume --json writes them'
complete -c leat -n '__leat_in produce' -l partition -d 'the partition of every record (the key decides)' -x
complete -c leat -n '__leat_in produce' -l timestamp -d 'the time of every record (now)' -x
complete -c leat -n '__leat_in produce' -l acks -d 'whose acknowledgement counts (all)' -x -a 'all -1 1 0'
complete -c leat -n '__leat_in produce' -l compression-codec -d 'how batches are compressed (none)' -x -a 'none gzip snappy lz4 zstd'
complete -c leat -n '__leat_in produce' -l skip-bad -d 'go on after a line that is no record; the exit status stays 1'
complete -c leat -n '__leat_in produce' -l producer-property -d 'a property of the producer (--set producer.NAME)' -x
complete -c leat -n '__leat_in produce' -l bootstrap-server -d 'Kafka\'s brokers' -x
complete -c leat -n '__leat_in produce' -l command-config -d 'a file of properties (docs/CONFIGURATION.md); may be given again' -r -F
complete -c leat -n '__leat_in produce' -l set -d 'one property; may be given again' -x
complete -c leat -n '__leat_in produce' -l timeout -d 'how long to wait for an answer (10s; produce: 30s for a record)' -x
complete -c leat -n '__leat_in produce' -l json -d 'print JSON'
complete -c leat -n '__leat_in produce' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__leat_in produce' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__leat_in produce' -l verbose -d 'what the clients of Kafka and HTTP say, on standard error'
complete -c leat -n '__leat_in produce' -l help -d 'this help'
complete -c leat -n '__leat_in consume' -l topic -d 'what to read' -x
complete -c leat -n '__leat_in consume' -l from-beginning -d 'from the first record (with --group: if it has no commit)'
complete -c leat -n '__leat_in consume' -l from-time -d 'from the first record at or behind that time' -x
complete -c leat -n '__leat_in consume' -l offset -d 'from that offset; -N: that many before the end' -x
complete -c leat -n '__leat_in consume' -l partition -d 'only these partitions' -x
complete -c leat -n '__leat_in consume' -l max-messages -d 'stop after so many records' -x
complete -c leat -n '__leat_in consume' -l to-end -d 'stop at the end, as it is when the program starts'
complete -c leat -n '__leat_in consume' -l timeout-ms -d 'stop when nothing came for so long' -x
complete -c leat -n '__leat_in consume' -l group -d 'read as a member of this group, and commit' -x
complete -c leat -n '__leat_in consume' -l isolation-level -d 'read_committed (default) or read_uncommitted' -x -a 'read_committed read_uncommitted'
complete -c leat -n '__leat_in consume' -l key-format -d 'what the bytes of keys are (auto)' -x -a 'auto string json int32 int64 float double hex base64 windowed: session:'
complete -c leat -n '__leat_in consume' -l value-format -d 'what the bytes of values are (auto)' -x -a 'auto string json int32 int64 float double hex base64 windowed: session:'
complete -c leat -n '__leat_in consume' -l columns -d 'of topic, time, partition, offset, key, value, headers (time,partition,offset,key,value)' -x
complete -c leat -n '__leat_in consume' -l raw -d 'write text as it is, control bytes and all'
complete -c leat -n '__leat_in consume' -l null-marker -d 'what to show for no key or no value (null)' -x
complete -c leat -n '__leat_in consume' -l consumer-property -d 'a property of the consumer (--set consumer.NAME)' -x
complete -c leat -n '__leat_in consume' -l bootstrap-server -d 'Kafka\'s brokers' -x
complete -c leat -n '__leat_in consume' -l command-config -d 'a file of properties (docs/CONFIGURATION.md); may be given again' -r -F
complete -c leat -n '__leat_in consume' -l set -d 'one property; may be given again' -x
complete -c leat -n '__leat_in consume' -l timeout -d 'how long to wait for an answer (10s; produce: 30s for a record)' -x
complete -c leat -n '__leat_in consume' -l json -d 'print JSON'
complete -c leat -n '__leat_in consume' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__leat_in consume' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__leat_in consume' -l verbose -d 'what the clients of Kafka and HTTP say, on standard error'
complete -c leat -n '__leat_in consume' -l help -d 'this help'
complete -c leat -n '__leat_behind groups' -a list -d 'the names of the groups'
complete -c leat -n '__leat_in groups list' -l state -d 'show each group\'s state, too'
complete -c leat -n '__leat_in groups list' -l bootstrap-server -d 'Kafka\'s brokers' -x
complete -c leat -n '__leat_in groups list' -l command-config -d 'a file of properties (docs/CONFIGURATION.md); may be given again' -r -F
complete -c leat -n '__leat_in groups list' -l set -d 'one property; may be given again' -x
complete -c leat -n '__leat_in groups list' -l timeout -d 'how long to wait for an answer (10s; produce: 30s for a record)' -x
complete -c leat -n '__leat_in groups list' -l json -d 'print JSON'
complete -c leat -n '__leat_in groups list' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__leat_in groups list' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__leat_in groups list' -l verbose -d 'what the clients of Kafka and HTTP say, on standard error'
complete -c leat -n '__leat_in groups list' -l help -d 'this help'
complete -c leat -n '__leat_behind groups' -a describe -d 'members, committed offsets and lag of groups'
complete -c leat -n '__leat_in groups describe' -l group -d 'which groups (an application\'s id is its group)' -x
complete -c leat -n '__leat_in groups describe' -l all-groups -d 'every group'
complete -c leat -n '__leat_in groups describe' -l members -d 'show the members instead of the offsets'
complete -c leat -n '__leat_in groups describe' -l summary -d 'one line a group: its state, members and lag'
complete -c leat -n '__leat_in groups describe' -l bootstrap-server -d 'Kafka\'s brokers' -x
complete -c leat -n '__leat_in groups describe' -l command-config -d 'a file of properties (docs/CONFIGURATION.md); may be given again' -r -F
complete -c leat -n '__leat_in groups describe' -l set -d 'one property; may be given again' -x
complete -c leat -n '__leat_in groups describe' -l timeout -d 'how long to wait for an answer (10s; produce: 30s for a record)' -x
complete -c leat -n '__leat_in groups describe' -l json -d 'print JSON'
complete -c leat -n '__leat_in groups describe' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__leat_in groups describe' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__leat_in groups describe' -l verbose -d 'what the clients of Kafka and HTTP say, on standard error'
complete -c leat -n '__leat_in groups describe' -l help -d 'this help'
complete -c leat -n '__leat_in reset' -l application-id -d 'the application, which is its group' -x
complete -c leat -n '__leat_in reset' -l input-topics -d 'topics to read again, from --to-... (earliest)' -x
complete -c leat -n '__leat_in reset' -l intermediate-topics -d 'topics that it writes and reads: to their ends' -x
complete -c leat -n '__leat_in reset' -l internal-topics -d 'delete only these of its internal topics' -x
complete -c leat -n '__leat_in reset' -l to-earliest -d 'input topics to their first record'
complete -c leat -n '__leat_in reset' -l to-latest -d 'input topics to their end'
complete -c leat -n '__leat_in reset' -l to-offset -d 'input topics to this offset' -x
complete -c leat -n '__leat_in reset' -l to-datetime -d 'input topics to the first record at or behind that time' -x
complete -c leat -n '__leat_in reset' -l by-duration -d 'input topics back by so long from now' -x
complete -c leat -n '__leat_in reset' -l shift-by -d 'input topics so many records on; back if negative' -x
complete -c leat -n '__leat_in reset' -l from-file -d 'input topics to what the lines TOPIC,PARTITION,OFFSET say' -r -F
complete -c leat -n '__leat_in reset' -l dry-run -d 'show what would be done, and do nothing'
complete -c leat -n '__leat_in reset' -l force -d 'wait until the members of the group are gone, then go on'
complete -c leat -n '__leat_in reset' -l wait -d 'how long --force waits (1m)' -x
complete -c leat -n '__leat_in reset' -l bootstrap-server -d 'Kafka\'s brokers' -x
complete -c leat -n '__leat_in reset' -l command-config -d 'a file of properties (docs/CONFIGURATION.md); may be given again' -r -F
complete -c leat -n '__leat_in reset' -l set -d 'one property; may be given again' -x
complete -c leat -n '__leat_in reset' -l timeout -d 'how long to wait for an answer (10s; produce: 30s for a record)' -x
complete -c leat -n '__leat_in reset' -l json -d 'print JSON'
complete -c leat -n '__leat_in reset' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__leat_in reset' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__leat_in reset' -l verbose -d 'what the clients of Kafka and HTTP say, on standard error'
complete -c leat -n '__leat_in reset' -l help -d 'this help'
complete -c leat -n '__leat_in describe' -l topology -d 'only the topology'
complete -c leat -n '__leat_in describe' -l tasks -d 'only the tasks of this worker'
complete -c leat -n '__leat_in describe' -l workers -d 'only who works for the application'
complete -c leat -n '__leat_in describe' -l stores -d 'only the stores'
complete -c leat -n '__leat_in describe' -l format -d 'of the topology alone: text (default), json or dot' -x -a 'text json dot'
complete -c leat -n '__leat_in describe' -l worker -d 'a running worker, or its URL (leat.http.listen of the properties)' -x
complete -c leat -n '__leat_in describe' -l command-config -d 'a file of properties, as the worker has it; may be given again' -r -F
complete -c leat -n '__leat_in describe' -l token-file -d 'a file with the worker\'s token (LEAT_HTTP_TOKEN, leat.http.token)' -r -F
complete -c leat -n '__leat_in describe' -l ca -d 'who signed the worker\'s certificate; means https' -r -F
complete -c leat -n '__leat_in describe' -l timeout -d 'how long to wait for an answer (10s)' -x
complete -c leat -n '__leat_in describe' -l json -d 'print JSON'
complete -c leat -n '__leat_in describe' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__leat_in describe' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__leat_in describe' -l verbose -d 'what the clients of Kafka and HTTP say, on standard error'
complete -c leat -n '__leat_in describe' -l help -d 'this help'
complete -c leat -n '__leat_in query' -l store -d 'whose rows; leat describe WORKER --stores lists them' -x
complete -c leat -n '__leat_in query' -l key -d 'this key; may be given again' -x
complete -c leat -n '__leat_in query' -l from -d 'keys from this one on' -x
complete -c leat -n '__leat_in query' -l to -d 'keys up to and with this one' -x
complete -c leat -n '__leat_in query' -l prefix -d 'keys that begin with it' -x
complete -c leat -n '__leat_in query' -l from-time -d 'windows, sessions, versions from then on' -x
complete -c leat -n '__leat_in query' -l to-time -d 'windows, sessions, versions up to then' -x
complete -c leat -n '__leat_in query' -l as-of -d 'the version that was valid then' -x
complete -c leat -n '__leat_in query' -l order -d 'asc (default) or desc, by key' -x -a 'asc desc'
complete -c leat -n '__leat_in query' -l limit -d 'stop after so many rows' -x
complete -c leat -n '__leat_in query' -l page -d 'go on where --limit has stopped' -x
complete -c leat -n '__leat_in query' -l count -d 'only how many rows there are, approximately'
complete -c leat -n '__leat_in query' -l owner -d 'only which worker has the key'
complete -c leat -n '__leat_in query' -l watch -d 'changes as they come, until Ctrl-C or --limit'
complete -c leat -n '__leat_in query' -l latest -d 'what the processors see now, not yet committed'
complete -c leat -n '__leat_in query' -l stale -d 'copies and restoring tasks may answer, too'
complete -c leat -n '__leat_in query' -l at-least -d 'wait until this is in: orders-0@43,...' -x
complete -c leat -n '__leat_in query' -l partition -d 'only these partitions' -x
complete -c leat -n '__leat_in query' -l local -d 'only what this worker has itself'
complete -c leat -n '__leat_in query' -l key-format -d 'what the keys given are: text (default), json or base64' -x -a 'text json base64'
complete -c leat -n '__leat_in query' -l worker -d 'a running worker, or its URL (leat.http.listen of the properties)' -x
complete -c leat -n '__leat_in query' -l command-config -d 'a file of properties, as the worker has it; may be given again' -r -F
complete -c leat -n '__leat_in query' -l token-file -d 'a file with the worker\'s token (LEAT_HTTP_TOKEN, leat.http.token)' -r -F
complete -c leat -n '__leat_in query' -l ca -d 'who signed the worker\'s certificate; means https' -r -F
complete -c leat -n '__leat_in query' -l timeout -d 'how long to wait for an answer (10s)' -x
complete -c leat -n '__leat_in query' -l json -d 'print JSON'
complete -c leat -n '__leat_in query' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__leat_in query' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__leat_in query' -l verbose -d 'what the clients of Kafka and HTTP say, on standard error'
complete -c leat -n '__leat_in query' -l help -d 'this help'
complete -c leat -n '__leat_in top' -l interval -d 'between two looks (2s)' -x
complete -c leat -n '__leat_in top' -l once -d 'two looks, of which the second is shown, with rates'
complete -c leat -n '__leat_in top' -l worker -d 'a running worker, or its URL (leat.http.listen of the properties)' -x
complete -c leat -n '__leat_in top' -l command-config -d 'a file of properties, as the worker has it; may be given again' -r -F
complete -c leat -n '__leat_in top' -l token-file -d 'a file with the worker\'s token (LEAT_HTTP_TOKEN, leat.http.token)' -r -F
complete -c leat -n '__leat_in top' -l ca -d 'who signed the worker\'s certificate; means https' -r -F
complete -c leat -n '__leat_in top' -l timeout -d 'how long to wait for an answer (10s)' -x
complete -c leat -n '__leat_in top' -l json -d 'print JSON'
complete -c leat -n '__leat_in top' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__leat_in top' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__leat_in top' -l verbose -d 'what the clients of Kafka and HTTP say, on standard error'
complete -c leat -n '__leat_in top' -l help -d 'this help'
complete -c leat -n '__leat_in completion' -a 'bash zsh fish'
complete -c leat -n '__leat_in completion' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__leat_in completion' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__leat_in completion' -l verbose -d 'what the clients of Kafka and HTTP say, on standard error'
complete -c leat -n '__leat_in completion' -l help -d 'this help'
complete -c leat -n '__leat_in help' -l man -d 'the manual page'
complete -c leat -n '__leat_in help' -l markdown -d 'the same in Markdown'
complete -c leat -n '__leat_in help' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__leat_in help' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__leat_in help' -l verbose -d 'what the clients of Kafka and HTTP say, on standard error'
complete -c leat -n '__leat_in help' -l help -d 'this help'
