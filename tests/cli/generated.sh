#!/usr/bin/env bash
# generated.sh [--write] LEAT: docs/man/leat.1, the reference in docs/CLI.md and tools/completion are what LEAT prints of its own
# table of verbs; the manual page has no error that man finds, and bash, zsh and fish complete with their scripts.
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
  tr -s '[:space:]' ' ' < "$work/page" | grep -q "no broker answered in time" || fail "the manual page does not tell the exit statuses"
fi

# What the shells complete: words typed so far, then what must be among the answers. A shell that is not here is left out, except in CI.
questions=("topics|leat to" "describe|leat topics de" "--partitions|leat topics create --par" "--dry-run|leat reset --d"
  "lz4|leat produce --compression-codec l" "base64|leat produce --key-format b" "CLI.md|leat produce --file docs/CL"
  "fish|leat completion f")
here() { command -v "$1" > /dev/null || { [ "${CI:-}" != true ] || fail "$1 is not installed: tools/setup --tests"; false; }; }
bash_answers() {
  for line; do
    read -ra words <<< "$line"
    bash -c 'source tools/completion/leat.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _leat; echo "${COMPREPLY[*]}"' _ "${words[@]}"
  done
}
fish_answers() {
  for line; do
    HOME=$work fish --no-config -c 'source tools/completion/leat.fish; complete -C $argv[1]' -- "$line" | cut -f 1 | paste -sd ' '
  done
}
zsh_answers() { HOME=$work timeout 100 zsh -f tests/cli/completes.zsh "$PWD/tools/completion" "$@"; }
for shell in bash zsh fish; do
  here $shell || continue
  ${shell}_answers "${questions[@]#*|}" > "$work/answers"
  for question in "${questions[@]}"; do
    read -r answers || answers=
    case " $answers" in
    *[\ /]"${question%%|*}"\ * | *[\ /]"${question%%|*}") ;;
    *) fail "$shell completes '${question#*|}' with '$answers', not '${question%%|*}'" ;;
    esac
  done < "$work/answers"
done
exit $failed
