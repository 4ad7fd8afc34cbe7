# Completion of leat for bash. Made by: leat completion bash
_leat() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local verb=${COMP_WORDS[1]:-} words=""
    if [ "$COMP_CWORD" -le 1 ]; then
        words=" topics produce consume groups reset describe query top completion help --help --version"
    elif [ "$COMP_CWORD" -eq 2 ]; then
        case $verb in
        topics) words=" list create describe delete --help" ;;
        groups) words=" list describe --help" ;;
        esac
    fi
    case $verb in topics | groups) verb="$verb ${COMP_WORDS[2]:-}" ;; esac
    if [ -z "$words" ]; then
        case $before in
        --color) words="auto always never" ;;
        --key-format) words="auto string json int32 int64 float double hex base64 windowed: session:" ;;
        --value-format) words="auto string json int32 int64 float double hex base64 windowed: session:" ;;
        --acks) words="all -1 1 0" ;;
        --compression-codec) words="none gzip snappy lz4 zstd" ;;
        --isolation-level) words="read_committed read_uncommitted" ;;
        --format) words="text json dot" ;;
        --order) words="asc desc" ;;
        --command-config|--file|--from-file|--token-file|--ca) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
        esac
    fi
    if [ -z "$words" ]; then
        case $verb in
        "topics list") words=" --topic --exclude-internal --bootstrap-server --command-config --set --timeout --json --color --quiet --verbose --help" ;;
        "topics create") words=" --topic --partitions --replication-factor --config --if-not-exists --bootstrap-server --command-config --set --timeout --json --color --quiet --verbose --help" ;;
        "topics describe") words=" --topic --all-configs --bootstrap-server --command-config --set --timeout --json --color --quiet --verbose --help" ;;
        "topics delete") words=" --topic --if-exists --bootstrap-server --command-config --set --timeout --json --color --quiet --verbose --help" ;;
        "produce") words=" --topic --file --key-separator --key --value --tombstone --null-marker --key-format --value-format --header --parse-headers --from-json --partition --timestamp --acks --compression-codec --skip-bad --producer-property --bootstrap-server --command-config --set --timeout --json --color --quiet --verbose --help" ;;
        "consume") words=" --topic --from-beginning --from-time --offset --partition --max-messages --to-end --timeout-ms --group --isolation-level --key-format --value-format --columns --raw --null-marker --consumer-property --bootstrap-server --command-config --set --timeout --json --color --quiet --verbose --help" ;;
        "groups list") words=" --state --bootstrap-server --command-config --set --timeout --json --color --quiet --verbose --help" ;;
        "groups describe") words=" --group --all-groups --members --summary --bootstrap-server --command-config --set --timeout --json --color --quiet --verbose --help" ;;
        "reset") words=" --application-id --input-topics --intermediate-topics --internal-topics --to-earliest --to-latest --to-offset --to-datetime --by-duration --shift-by --from-file --dry-run --force --wait --bootstrap-server --command-config --set --timeout --json --color --quiet --verbose --help" ;;
        "describe") words=" --topology --tasks --workers --stores --format --worker --command-config --token-file --ca --timeout --json --color --quiet --verbose --help" ;;
        "query") words=" --store --key --from --to --prefix --from-time --to-time --as-of --order --limit --page --count --owner --watch --latest --stale --at-least --partition --local --key-format --worker --command-config --token-file --ca --timeout --json --color --quiet --verbose --help" ;;
        "top") words=" --interval --once --worker --command-config --token-file --ca --timeout --json --color --quiet --verbose --help" ;;
        "completion") words="bash zsh fish --color --quiet --verbose --help" ;;
        "help") words=" --man --markdown --color --quiet --verbose --help" ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _leat leat
