# Completion of leat for fish. Made by: leat completion fish
complete -c leat -f
complete -c leat -n __fish_use_subcommand -a ' topics produce consume groups reset completion help'
complete -c leat -n '__fish_seen_subcommand_from topics' -a list -d 'the names of the topics'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from list' -l topic -d 'only these' -x
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from list' -l exclude-internal -d 'leave out Kafka\'s own topics (__...)'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from list' -l bootstrap-server -d 'Kafka\'s brokers' -x
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from list' -l command-config -d 'a file of properties (docs/CONFIGURATION.md); may be given again' -x -a '(__fish_complete_path)'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from list' -l set -d 'one property; may be given again' -x
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from list' -l timeout -d 'how long to wait for an answer (10s; produce: 30s for a record)' -x
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from list' -l json -d 'print JSON'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from list' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from list' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from list' -l verbose -d 'what the client of Kafka says, on standard error'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from list' -l help -d 'this help'
complete -c leat -n '__fish_seen_subcommand_from topics' -a create -d 'make topics'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from create' -l topic -d 'what to create' -x
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from create' -l partitions -d 'how many partitions (the broker\'s default)' -x
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from create' -l replication-factor -d 'how many copies of each (the broker\'s default)' -x
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from create' -l config -d 'a setting of the topic, as cleanup.policy=compact; may be given again; without = it is a file, like --command-config' -x
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from create' -l if-not-exists -d 'a topic that is there already is fine'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from create' -l bootstrap-server -d 'Kafka\'s brokers' -x
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from create' -l command-config -d 'a file of properties (docs/CONFIGURATION.md); may be given again' -x -a '(__fish_complete_path)'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from create' -l set -d 'one property; may be given again' -x
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from create' -l timeout -d 'how long to wait for an answer (10s; produce: 30s for a record)' -x
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from create' -l json -d 'print JSON'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from create' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from create' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from create' -l verbose -d 'what the client of Kafka says, on standard error'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from create' -l help -d 'this help'
complete -c leat -n '__fish_seen_subcommand_from topics' -a describe -d 'partitions, leaders, copies, offsets and settings of topics'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from describe' -l topic -d 'which topics; without: all but Kafka\'s own' -x
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from describe' -l all-configs -d 'show the settings at their defaults, too'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from describe' -l bootstrap-server -d 'Kafka\'s brokers' -x
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from describe' -l command-config -d 'a file of properties (docs/CONFIGURATION.md); may be given again' -x -a '(__fish_complete_path)'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from describe' -l set -d 'one property; may be given again' -x
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from describe' -l timeout -d 'how long to wait for an answer (10s; produce: 30s for a record)' -x
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from describe' -l json -d 'print JSON'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from describe' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from describe' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from describe' -l verbose -d 'what the client of Kafka says, on standard error'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from describe' -l help -d 'this help'
complete -c leat -n '__fish_seen_subcommand_from topics' -a delete -d 'delete topics with all their records'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from delete' -l topic -d 'what to delete, with all its records' -x
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from delete' -l if-exists -d 'a topic that is not there is fine'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from delete' -l bootstrap-server -d 'Kafka\'s brokers' -x
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from delete' -l command-config -d 'a file of properties (docs/CONFIGURATION.md); may be given again' -x -a '(__fish_complete_path)'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from delete' -l set -d 'one property; may be given again' -x
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from delete' -l timeout -d 'how long to wait for an answer (10s; produce: 30s for a record)' -x
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from delete' -l json -d 'print JSON'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from delete' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from delete' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from delete' -l verbose -d 'what the client of Kafka says, on standard error'
complete -c leat -n '__fish_seen_subcommand_from topics; and __fish_seen_subcommand_from delete' -l help -d 'this help'
complete -c leat -n '__fish_seen_subcommand_from produce' -l topic -d 'where the records go' -x
complete -c leat -n '__fish_seen_subcommand_from produce' -l file -d 'read lines from there (standard input)' -x -a '(__fish_complete_path)'
complete -c leat -n '__fish_seen_subcommand_from produce' -l key-separator -d 'a line is KEY, this text and VALUE; \\t is a TAB. Without it records have no key' -x
complete -c leat -n '__fish_seen_subcommand_from produce' -l key -d 'the key of every record' -x
complete -c leat -n '__fish_seen_subcommand_from produce' -l value -d 'one record with this value; nothing is read' -x
complete -c leat -n '__fish_seen_subcommand_from produce' -l tombstone -d 'one record with no value, which deletes --key; nothing is read'
complete -c leat -n '__fish_seen_subcommand_from produce' -l null-marker -d 'a key or value that is this text stands for none at all' -x
complete -c leat -n '__fish_seen_subcommand_from produce' -l key-format -d 'how keys become bytes (string)' -x
complete -c leat -n '__fish_seen_subcommand_from produce' -l value-format -d 'how values become bytes (string)' -x
complete -c leat -n '__fish_seen_subcommand_from produce' -l header -d 'a header of every record; may be given again' -x
complete -c leat -n '__fish_seen_subcommand_from produce' -l parse-headers -d 'a line begins with NAME:VALUE,NAME:VALUE and a TAB'
complete -c leat -n '__fish_seen_subcommand_from produce' -l from-json -d 'lines are as consume --json writes them'
complete -c leat -n '__fish_seen_subcommand_from produce' -l partition -d 'the partition of every record (the key decides)' -x
complete -c leat -n '__fish_seen_subcommand_from produce' -l timestamp -d 'the time of every record (now)' -x
complete -c leat -n '__fish_seen_subcommand_from produce' -l acks -d 'whose acknowledgement counts (all)' -x -a 'all -1 1 0'
complete -c leat -n '__fish_seen_subcommand_from produce' -l compression-codec -d 'how batches are compressed (none)' -x -a 'none gzip snappy lz4 zstd'
complete -c leat -n '__fish_seen_subcommand_from produce' -l skip-bad -d 'go on after a line that is no record; the exit status stays 1'
complete -c leat -n '__fish_seen_subcommand_from produce' -l producer-property -d 'a property of the producer (--set producer.NAME)' -x
complete -c leat -n '__fish_seen_subcommand_from produce' -l bootstrap-server -d 'Kafka\'s brokers' -x
complete -c leat -n '__fish_seen_subcommand_from produce' -l command-config -d 'a file of properties (docs/CONFIGURATION.md); may be given again' -x -a '(__fish_complete_path)'
complete -c leat -n '__fish_seen_subcommand_from produce' -l set -d 'one property; may be given again' -x
complete -c leat -n '__fish_seen_subcommand_from produce' -l timeout -d 'how long to wait for an answer (10s; produce: 30s for a record)' -x
complete -c leat -n '__fish_seen_subcommand_from produce' -l json -d 'print JSON'
complete -c leat -n '__fish_seen_subcommand_from produce' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__fish_seen_subcommand_from produce' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__fish_seen_subcommand_from produce' -l verbose -d 'what the client of Kafka says, on standard error'
complete -c leat -n '__fish_seen_subcommand_from produce' -l help -d 'this help'
complete -c leat -n '__fish_seen_subcommand_from consume' -l topic -d 'what to read' -x
complete -c leat -n '__fish_seen_subcommand_from consume' -l from-beginning -d 'from the first record (with --group: if it has no commit)'
complete -c leat -n '__fish_seen_subcommand_from consume' -l from-time -d 'from the first record at or behind that time' -x
complete -c leat -n '__fish_seen_subcommand_from consume' -l offset -d 'from that offset; -N: that many before the end' -x
complete -c leat -n '__fish_seen_subcommand_from consume' -l partition -d 'only these partitions' -x
complete -c leat -n '__fish_seen_subcommand_from consume' -l max-messages -d 'stop after so many records' -x
complete -c leat -n '__fish_seen_subcommand_from consume' -l to-end -d 'stop at the end, as it is when the program starts'
complete -c leat -n '__fish_seen_subcommand_from consume' -l timeout-ms -d 'stop when nothing came for so long' -x
complete -c leat -n '__fish_seen_subcommand_from consume' -l group -d 'read as a member of this group, and commit' -x
complete -c leat -n '__fish_seen_subcommand_from consume' -l isolation-level -d 'read_committed (default) or read_uncommitted' -x -a 'read_committed read_uncommitted'
complete -c leat -n '__fish_seen_subcommand_from consume' -l key-format -d 'what the bytes of keys are (auto)' -x
complete -c leat -n '__fish_seen_subcommand_from consume' -l value-format -d 'what the bytes of values are (auto)' -x
complete -c leat -n '__fish_seen_subcommand_from consume' -l columns -d 'of topic, time, partition, offset, key, value, headers (time,partition,offset,key,value)' -x
complete -c leat -n '__fish_seen_subcommand_from consume' -l raw -d 'write text as it is, control bytes and all'
complete -c leat -n '__fish_seen_subcommand_from consume' -l null-marker -d 'what to show for no key or no value (null)' -x
complete -c leat -n '__fish_seen_subcommand_from consume' -l consumer-property -d 'a property of the consumer (--set consumer.NAME)' -x
complete -c leat -n '__fish_seen_subcommand_from consume' -l bootstrap-server -d 'Kafka\'s brokers' -x
complete -c leat -n '__fish_seen_subcommand_from consume' -l command-config -d 'a file of properties (docs/CONFIGURATION.md); may be given again' -x -a '(__fish_complete_path)'
complete -c leat -n '__fish_seen_subcommand_from consume' -l set -d 'one property; may be given again' -x
complete -c leat -n '__fish_seen_subcommand_from consume' -l timeout -d 'how long to wait for an answer (10s; produce: 30s for a record)' -x
complete -c leat -n '__fish_seen_subcommand_from consume' -l json -d 'print JSON'
complete -c leat -n '__fish_seen_subcommand_from consume' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__fish_seen_subcommand_from consume' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__fish_seen_subcommand_from consume' -l verbose -d 'what the client of Kafka says, on standard error'
complete -c leat -n '__fish_seen_subcommand_from consume' -l help -d 'this help'
complete -c leat -n '__fish_seen_subcommand_from groups' -a list -d 'the names of the groups'
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from list' -l state -d 'show each group\'s state, too'
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from list' -l bootstrap-server -d 'Kafka\'s brokers' -x
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from list' -l command-config -d 'a file of properties (docs/CONFIGURATION.md); may be given again' -x -a '(__fish_complete_path)'
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from list' -l set -d 'one property; may be given again' -x
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from list' -l timeout -d 'how long to wait for an answer (10s; produce: 30s for a record)' -x
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from list' -l json -d 'print JSON'
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from list' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from list' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from list' -l verbose -d 'what the client of Kafka says, on standard error'
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from list' -l help -d 'this help'
complete -c leat -n '__fish_seen_subcommand_from groups' -a describe -d 'members, committed offsets and lag of groups'
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from describe' -l group -d 'which groups (an application\'s id is its group)' -x
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from describe' -l all-groups -d 'every group'
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from describe' -l members -d 'show the members instead of the offsets'
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from describe' -l summary -d 'one line a group: its state, members and lag'
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from describe' -l bootstrap-server -d 'Kafka\'s brokers' -x
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from describe' -l command-config -d 'a file of properties (docs/CONFIGURATION.md); may be given again' -x -a '(__fish_complete_path)'
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from describe' -l set -d 'one property; may be given again' -x
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from describe' -l timeout -d 'how long to wait for an answer (10s; produce: 30s for a record)' -x
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from describe' -l json -d 'print JSON'
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from describe' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from describe' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from describe' -l verbose -d 'what the client of Kafka says, on standard error'
complete -c leat -n '__fish_seen_subcommand_from groups; and __fish_seen_subcommand_from describe' -l help -d 'this help'
complete -c leat -n '__fish_seen_subcommand_from reset' -l application-id -d 'the application, which is its group' -x
complete -c leat -n '__fish_seen_subcommand_from reset' -l input-topics -d 'topics to read again, from --to-... (earliest)' -x
complete -c leat -n '__fish_seen_subcommand_from reset' -l intermediate-topics -d 'topics that it writes and reads: to their ends' -x
complete -c leat -n '__fish_seen_subcommand_from reset' -l internal-topics -d 'delete only these of its internal topics' -x
complete -c leat -n '__fish_seen_subcommand_from reset' -l to-earliest -d 'input topics to their first record'
complete -c leat -n '__fish_seen_subcommand_from reset' -l to-latest -d 'input topics to their end'
complete -c leat -n '__fish_seen_subcommand_from reset' -l to-offset -d 'input topics to this offset' -x
complete -c leat -n '__fish_seen_subcommand_from reset' -l to-datetime -d 'input topics to the first record at or behind that time' -x
complete -c leat -n '__fish_seen_subcommand_from reset' -l by-duration -d 'input topics back by so long from now' -x
complete -c leat -n '__fish_seen_subcommand_from reset' -l shift-by -d 'input topics so many records on; back if negative' -x
complete -c leat -n '__fish_seen_subcommand_from reset' -l from-file -d 'input topics to what the lines TOPIC,PARTITION,OFFSET say' -x -a '(__fish_complete_path)'
complete -c leat -n '__fish_seen_subcommand_from reset' -l dry-run -d 'show what would be done, and do nothing'
complete -c leat -n '__fish_seen_subcommand_from reset' -l force -d 'wait until the members of the group are gone, then go on'
complete -c leat -n '__fish_seen_subcommand_from reset' -l wait -d 'how long --force waits (1m)' -x
complete -c leat -n '__fish_seen_subcommand_from reset' -l bootstrap-server -d 'Kafka\'s brokers' -x
complete -c leat -n '__fish_seen_subcommand_from reset' -l command-config -d 'a file of properties (docs/CONFIGURATION.md); may be given again' -x -a '(__fish_complete_path)'
complete -c leat -n '__fish_seen_subcommand_from reset' -l set -d 'one property; may be given again' -x
complete -c leat -n '__fish_seen_subcommand_from reset' -l timeout -d 'how long to wait for an answer (10s; produce: 30s for a record)' -x
complete -c leat -n '__fish_seen_subcommand_from reset' -l json -d 'print JSON'
complete -c leat -n '__fish_seen_subcommand_from reset' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__fish_seen_subcommand_from reset' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__fish_seen_subcommand_from reset' -l verbose -d 'what the client of Kafka says, on standard error'
complete -c leat -n '__fish_seen_subcommand_from reset' -l help -d 'this help'
complete -c leat -n '__fish_seen_subcommand_from completion' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__fish_seen_subcommand_from completion' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__fish_seen_subcommand_from completion' -l verbose -d 'what the client of Kafka says, on standard error'
complete -c leat -n '__fish_seen_subcommand_from completion' -l help -d 'this help'
complete -c leat -n '__fish_seen_subcommand_from help' -l man -d 'the manual page'
complete -c leat -n '__fish_seen_subcommand_from help' -l markdown -d 'the same in Markdown'
complete -c leat -n '__fish_seen_subcommand_from help' -l color -d 'auto (where a terminal is), always or never' -x -a 'auto always never'
complete -c leat -n '__fish_seen_subcommand_from help' -l quiet -d 'no notes and no progress on standard error'
complete -c leat -n '__fish_seen_subcommand_from help' -l verbose -d 'what the client of Kafka says, on standard error'
complete -c leat -n '__fish_seen_subcommand_from help' -l help -d 'this help'
