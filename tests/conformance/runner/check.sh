#!/bin/sh
# The runner's own test: it must find what is wrong, say it, and end with the right status. usage: check.sh RUNNER FOLDER
set -u
runner=$1
folder=$2
failures=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# expect STATUS TEXT ARGUMENTS...: the exit status, and a line that the output must hold ("" for any)
expect() {
    status=$1
    text=$2
    shift 2
    output=$("$runner" "$@" 2>&1)
    got=$?
    if [ "$got" -ne "$status" ]; then
        echo "leat-conformance $*: status $got, not $status"
        echo "$output"
        failures=$((failures + 1))
    elif [ -n "$text" ] && ! printf '%s\n' "$output" | grep -qF -- "$text"; then
        echo "leat-conformance $*: no line with '$text' in:"
        echo "$output"
        failures=$((failures + 1))
    fi
}

right='{"name":"x/right","topology":[{"op":"stream","topic":"in","key":"string","value":"string"},{"op":"to","topic":"out"}],"input":[{"topic":"in","key":"a","value":"b","ts":5}]}'
answer='{"internal_topics":{},"events":[{"event":0,"out":{"out":[{"k":"61","v":"62","ts":5}]}}],"dropped":0,"stores":{}}'

pair() { # NAME SED-SCRIPT-FOR-THE-ANSWER [SED-SCRIPT-FOR-THE-SCENARIO]
    printf '{"scenario":%s,"expected":%s}\n' "$(printf '%s' "$right" | sed "${3:-}")" \
        "$(printf '%s' "$answer" | sed "$2")" > "$tmp/$1.jsonl"
}

pair right ''
expect 0 'ok          x/right' "$tmp/right.jsonl"
expect 0 '1 ok, 0 deviate, 0 FAIL, 0 unsupported' "$tmp/right.jsonl"
gzip -k "$tmp/right.jsonl"
expect 0 'ok          x/right' "$tmp/right.jsonl.gz"

pair value 's/"62"/"63"/'
expect 1 'FAIL        x/right: event 0, topic out, record 0:' "$tmp/value.jsonl"
pair time 's/"ts":5/"ts":6/'
expect 1 'FAIL        x/right: event 0, topic out, record 0:' "$tmp/time.jsonl"
pair header 's/"ts":5/"ts":5,"h":[["x",null]]/'
expect 1 'FAIL        x/right: event 0, topic out' "$tmp/header.jsonl"
pair missing 's/"out":{"out":.*}}]/"out":{}}]/'
expect 1 'expected nothing' "$tmp/missing.jsonl"
pair dropped 's/"dropped":0/"dropped":1/'
expect 1 'dropped: 0, expected 1' "$tmp/dropped.jsonl"
pair stores 's/"stores":{}/"stores":{"s":{"kind":"kv","entries":[]}}/'
expect 1 'store s is missing' "$tmp/stores.jsonl"
pair internal 's/"internal_topics":{}/"internal_topics":{"app-x":{"kind":"repartition","config":{}}}/'
expect 1 'internal topic app-x is missing' "$tmp/internal.jsonl"
pair describe 's/{/{"describe":["Topologies:","nonsense"],/'
expect 1 'describe, line 2' "$tmp/describe.jsonl"
pair error 's/.*/{"error":{"stage":"build","error":"topology_invalid"}}/'
expect 1 'build: succeeds, expected topology_invalid' "$tmp/error.jsonl"
pair stage 's/.*/{"error":{"stage":"build","error":"topology_invalid"}}/' 's/"to",/"to","as":"a b",/'
expect 0 '' "$tmp/stage.jsonl"
pair code 's/.*/{"error":{"stage":"build","error":"config_invalid"}}/' 's/"to",/"to","as":"a b",/'
expect 1 'build: fails with topology_invalid' "$tmp/code.jsonl"
pair calls 's/"event":0,/"event":0,"calls":[{"id":"p","k":"61","v":"62"}],/'
expect 1 'event 0, calls' "$tmp/calls.jsonl"
pair quirk 's/"62"/"63"/' 's/{/{"quirk":"a defect",/'
expect 0 'deviates    x/right' "$tmp/quirk.jsonl"
pair later '' 's/"op":"to"/"op":"suppress"/'
expect 0 'unsupported x/right: suppress' "$tmp/later.jsonl"
pair two 's/"62"/"63"/;s/"dropped":0/"dropped":1/'
expect 1 '            dropped: 0, expected 1' --verbose "$tmp/two.jsonl"

printf 'nonsense\n' > "$tmp/bad.jsonl"
expect 2 'bad.jsonl:1' "$tmp/bad.jsonl"
head -c 60 "$tmp/right.jsonl.gz" > "$tmp/cut.jsonl.gz"
expect 2 '' "$tmp/cut.jsonl.gz"
expect 2 'no such file' "$tmp/nowhere"
# variants: the answer beside a scenario, and what of it another backend or cache replaces
file() { printf '%s\n' "$2" > "$tmp/$1"; }
file v.json "$right"
file v.expected.json "$answer"
for suffix in cached memory memory-cached; do
    expect 0 'ok' --store memory --cache on "$tmp/v.json"
    file "v.$suffix.expected.json" '{"dropped":7}'
    case $suffix in
    cached) expect 0 'ok' --store memory --cache off "$tmp/v.json"
        expect 1 'dropped: 0, expected 7' --store rocksdb --cache on "$tmp/v.json" ;;
    memory) expect 0 'ok' --store rocksdb --cache off "$tmp/v.json"
        expect 1 'dropped: 0, expected 7' --store memory --cache off "$tmp/v.json" ;;
    esac
    expect 0 'ok' "$tmp/v.json"
    [ $suffix = memory ] || expect 1 'dropped: 0, expected 7' --store memory --cache on "$tmp/v.json"
    rm "$tmp/v.$suffix.expected.json"
done
file v.cached.expected.json '{"dropped":7}'
file v.memory-cached.expected.json '{"dropped":0,"stores":null}'
expect 0 'ok' --store memory --cache on "$tmp/v.json"

expect 2 'usage' --nonsense
expect 2 'usage' --cache "$tmp/v.json"
expect 2 'usage'
expect 0 'ok          01-stateless/map' "$folder/01-stateless/map.json"

exit $((failures != 0))
