#!/bin/sh
# check.sh FOLDER PROGRAM: run a program without a broker on FOLDER/input and compare with FOLDER/expected.
# Of each key the last line counts: how often a running result is printed in between depends on commits.
set -eu
folder=$1
program=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$program" --embedded --state-dir "$work/state" <"$folder/input" >"$work/output" 2>"$work/log" || {
    cat "$work/log" >&2
    exit 1
}
awk -F '\t' '{ last[$1] = $0 } END { for (key in last) print last[key] }' "$work/output" |
    LC_ALL=C sort >"$work/last"
diff "$folder/expected" "$work/last" || {
    cat "$work/log" >&2
    exit 1
}
