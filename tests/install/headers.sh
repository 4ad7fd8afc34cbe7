#!/bin/sh
# headers.sh INCLUDE_DIR: every public header compiles alone, as C11 and C++17, with gcc and clang, without a warning.
set -eu
include=$1
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -fsyntax-only"
for compiler in gcc g++ clang clang++; do
    if ! command -v $compiler >/dev/null; then
        echo "$compiler is not here: left out"
        continue
    fi
    case $compiler in
    *++) language="-x c++ -std=c++17" ;;
    *) language="-x c -std=c11" ;;
    esac
    for header in "$include"/leat/*.h; do
        printf '#include <leat/%s>\n#include <leat/%s>\n' "${header##*/}" "${header##*/}" |
            $compiler $warnings $language -I"$include" - || {
            echo "$compiler: ${header##*/} does not compile alone" >&2
            exit 1
        }
    done
    # And all of them together.
    for header in "$include"/leat/*.h; do echo "#include <leat/${header##*/}>"; done |
        $compiler $warnings $language -I"$include" -
done
echo "$(ls "$include"/leat/*.h | wc -l) headers"
