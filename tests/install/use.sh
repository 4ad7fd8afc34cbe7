#!/usr/bin/env bash
# use.sh shared|static SOURCE WORK CMAKE CC CXX: builds leat without tests, installs it into WORK/prefix, and then uses only that:
# a C program and its test, and a C++ project of its own, by find_package and by pkg-config. Each must count words.
set -euo pipefail
kind=$1 source=$2 work=$3 cmake=$4 CC=$5 CXX=$6
export CC CXX
if [ "$kind" = shared ]; then shared=ON; else shared=OFF; fi
rm -rf "$work/prefix" "$work/c" "$work/cpp"
mkdir -p "$work"
"$cmake" -S "$source" -B "$work/leat" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DBUILD_SHARED_LIBS=$shared \
    -DLEAT_BUILD_TESTS=OFF -DLEAT_BUILD_EXAMPLES=OFF -DCMAKE_INSTALL_PREFIX="$work/prefix" >"$work/log"
"$cmake" --build "$work/leat" >>"$work/log" || { tail -30 "$work/log"; exit 1; }
"$cmake" --install "$work/leat" >>"$work/log"
lib=$(dirname "$(find "$work/prefix" -name leat.pc)")/..
export LD_LIBRARY_PATH=$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

counts() { # PROGRAM: the same words as examples/02-word-count
    sh "$source/examples/check.sh" "$source/examples/02-word-count" "$1"
    echo "ok: $kind, ${1#"$work"/}"
}

# find_package
"$cmake" -S "$source/tests/install/c" -B "$work/c" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" \
    -DSOURCE="$source" >>"$work/log"
"$cmake" --build "$work/c" >>"$work/log" || { tail -30 "$work/log"; exit 1; }
counts "$work/c/word-count"
"$work/c/totals-test"
"$cmake" -S "$source/examples/12-word-count-cpp" -B "$work/cpp" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" >>"$work/log"
"$cmake" --build "$work/cpp" >>"$work/log" || { tail -30 "$work/log"; exit 1; }
counts "$work/cpp/word-count-cpp"

# pkg-config
export PKG_CONFIG_PATH=$lib/pkgconfig
# shellcheck disable=SC2046
"$CC" -std=c11 "$source/examples/02-word-count/word_count.c" -o "$work/pc-word-count" $(pkg-config --cflags --libs leat)
counts "$work/pc-word-count"
# shellcheck disable=SC2046
"$CC" -std=c11 "$source/examples/10-test/test.c" -o "$work/pc-totals-test" $(pkg-config --cflags --libs leat_testing)
"$work/pc-totals-test"
# shellcheck disable=SC2046
"$CXX" -std=c++17 "$source/examples/12-word-count-cpp/word_count.cpp" -o "$work/pc-word-count-cpp" \
    $(pkg-config --cflags --libs leat)
counts "$work/pc-word-count-cpp"

# The version that pkg-config, the program and the header say is one.
version=$(pkg-config --modversion leat)
case $("$work/pc-word-count" --version) in
*"$version"*) ;;
*) echo "leat.pc says $version, the program $("$work/pc-word-count" --version)" >&2; exit 1 ;;
esac

# The program leat, its manual page and completion; it needs neither libleat nor RocksDB.
case $("$work/prefix/bin/leat" --version) in
*"$version"*) ;;
*) echo "leat says $("$work/prefix/bin/leat" --version), not $version" >&2; exit 1 ;;
esac
if readelf -d "$work/prefix/bin/leat" | grep -E 'NEEDED.*lib(leat|rocksdb)'; then exit 1; fi
for file in man/man1/leat.1 bash-completion/completions/leat zsh/site-functions/_leat fish/vendor_completions.d/leat.fish; do
    [ -s "$work/prefix/share/$file" ] || { echo "share/$file is not installed" >&2; exit 1; }
done

if [ "$kind" = shared ]; then
    so=$(readelf -d "$work/c/word-count" | sed -n 's/.*NEEDED.*\[\(libleat.*\)\]/\1/p')
    [ "$so" = "libleat.so.${version%.*}" ] || { echo "the program needs '$so'" >&2; exit 1; }
fi
