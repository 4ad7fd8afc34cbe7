#!/bin/sh
# An area must not fail, and at least so many of its scenarios must be ok: none slips into "unsupported".
# usage: area.sh RUNNER STORE CACHE FOLDER OK-AT-LEAST
output=$("$1" --store "$2" --cache "$3" "$4")
status=$?
printf '%s\n' "$output"
[ "$status" -eq 0 ] || exit "$status"
ok=$(printf '%s\n' "$output" | tail -n 1 | cut -d ' ' -f 1)
if [ "$ok" -lt "$5" ]; then
    echo "only $ok scenarios are ok, $5 were before"
    exit 1
fi
