#!/usr/bin/env bash
# check.sh [--write] LIBLEAT LIBLEAT_TESTING INCLUDE_DIR: exported symbols against the lists beside this file, and against LEAT_API.
#   leat.txt          libleat: the public functions; removing or renaming one breaks programs
#   leat_inside.txt   libleat: leat__ names for libleat_testing of the same version; no promise to anybody else
#   leat_testing.txt  libleat_testing
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
write=no
if [ "$1" = --write ]; then write=yes; shift; fi
library=$1 testing=$2 include=$3
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
exports() { nm -D --defined-only "$1" | awk '$2 ~ /[A-Z]/ { print $3 }' | sort; }
exports "$library" > "$work/all"
grep -v '^leat__' "$work/all" > "$work/leat.txt"
grep '^leat__' "$work/all" > "$work/leat_inside.txt" || true
exports "$testing" > "$work/leat_testing.txt"
failed=0
for list in leat.txt leat_inside.txt leat_testing.txt; do
  if [ $write = yes ]; then cp "$work/$list" "$here/$list"; continue; fi
  if ! diff "$here/$list" "$work/$list" > "$work/diff"; then
    echo "tests/abi/$list differs from what is exported (< listed, > exported):" >&2; cat "$work/diff" >&2; failed=1
  fi
done
if grep -v '^leat_' "$work/all" "$work/leat_testing.txt" >&2; then echo "exported without leat_ in front" >&2; failed=1; fi

# Every function that a public header declares exists, and no other one is exported.
cat "$include"/leat/*.h | tr '\n' ' ' | grep -oE 'LEAT_API [^;{]*' | grep -oE 'leat_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u > "$work/declared"
sort -u "$work/leat.txt" <(grep -v '^leat__' "$work/leat_testing.txt") > "$work/defined"
if ! diff "$work/declared" "$work/defined" > "$work/diff"; then
  echo "public headers and libraries differ (< declared only, > exported only):" >&2; cat "$work/diff" >&2; failed=1
fi
# What is exported of the inside is what libleat_testing needs, and nothing more.
nm -D --undefined-only "$testing" | awk '{ print $2 }' | grep '^leat__' | sort > "$work/needed" || true
if ! comm -13 "$work/needed" "$work/leat_inside.txt" | diff /dev/null - > "$work/diff"; then
  echo "exported of the inside, but libleat_testing does not need it:" >&2; cat "$work/diff" >&2; failed=1
fi
[ $failed = 0 ] && echo "$(wc -l < "$work/leat.txt") + $(wc -l < "$work/leat_testing.txt") public symbols, $(wc -l < "$work/leat_inside.txt") of the inside"
exit $failed
