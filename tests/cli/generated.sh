#!/usr/bin/env bash
# generated.sh [--write] LEAT: docs/man/leat.1, the reference in docs/CLI.md and tools/completion are what LEAT prints of its own
# table of verbs; the manual page has no error that man finds, and bash takes its script and completes with it.
set -euo pipefail
cd "$(dirname "$0")/../.."
write=no
if [ "$1" = --write ]; then write=yes; shift; fi
leat=$(realpath "$1")
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
failed=0
fail() { echo "$*" >&2; failed=1; }

"$leat" help --man > "$work/leat.1"
"$leat" completion bash > "$work/leat.bash"
"$leat" completion zsh > "$work/_leat"
"$leat" completion fish > "$work/leat.fish"
"$leat" help --markdown > "$work/reference"
awk -v reference="$work/reference" '
  /^<!-- end of the reference -->/ { skip = 0 }
  !skip { print }
  /^<!-- reference: / { while ((getline line < reference) > 0) print line; print ""; skip = 1 }' docs/CLI.md > "$work/CLI.md"
for pair in leat.1:docs/man/leat.1 CLI.md:docs/CLI.md leat.bash:tools/completion/leat.bash _leat:tools/completion/_leat \
    leat.fish:tools/completion/leat.fish; do
  made=$work/${pair%%:*} kept=${pair#*:}
  if [ $write = yes ]; then cp "$made" "$kept"; fi
  diff "$kept" "$made" > "$work/diff" || { fail "$kept is stale: tests/cli/generated.sh --write LEAT"; head -20 "$work/diff" >&2; }
done

if command -v groff > /dev/null; then
  groff -man -Tutf8 -ww docs/man/leat.1 2> "$work/groff" > "$work/page"
  [ ! -s "$work/groff" ] || fail "groff finds in the manual page: $(cat "$work/groff")"
  grep -q "no broker answered in time" "$work/page" || fail "the manual page does not tell the exit statuses"
fi

# What bash completes: words typed so far, then what must be among the answers.
completes() { # EXPECTED WORDS...
  local expected=$1; shift
  answers=$(bash -c 'source tools/completion/leat.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _leat; echo "${COMPREPLY[*]}"' \
    _ leat "$@")
  case " $answers " in *" $expected "*) ;; *) fail "bash completes 'leat $*' with '$answers', not '$expected'" ;; esac
}
completes topics to
completes describe topics de
completes --partitions topics create --par
completes --dry-run reset --d
completes lz4 produce --compression-codec l
completes docs/CLI.md produce --file docs/CL
if command -v zsh > /dev/null; then zsh -n tools/completion/_leat || fail "zsh does not take its script"; fi
if command -v fish > /dev/null; then fish -n tools/completion/leat.fish || fail "fish does not take its script"; fi
exit $failed
