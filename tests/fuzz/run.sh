#!/bin/sh
# Fuzz one target with libFuzzer under ASan and UBSan. Usage: tests/fuzz/run.sh NAME SECONDS, from the repository root:
# NAME is that of tests/fuzz/fuzz_NAME.c. What libFuzzer finds new stays in build-fuzz/corpus/NAME, so that a later run
# continues there; tests/fuzz/corpus/NAME is the kept corpus and is only read. A crash leaves its input in build-fuzz/.
# "tests/fuzz/run.sh build" builds all targets, and the program beside them, and runs none.
# Without clang: make BUILD=build-asan SAN=address,undefined build-asan/fuzz/NAME, then run that on the corpus folder.
set -eu
# The kernels see no input of a parser, and take clang minutes with both instrumentations; test-unit has them under ASan.
build() {
    make -s -j"$(nproc)" CC="${FUZZ_CC:-clang}" BUILD=build-fuzz OPT=-O1 CFLAGS=-g1 SAN=address,undefined,fuzzer-no-link \
        SAN_EXCEPT=kern FUZZ_ENGINE=-fsanitize=fuzzer "$@"
}
if [ "${1:-}" = build ]; then build all fuzz-build; exit; fi
name=${1#fuzz_}; seconds=${2:-60}
build "build-fuzz/fuzz/$name"
mkdir -p "build-fuzz/corpus/$name" "tests/fuzz/corpus/$name"
dict=tests/fuzz/$name.dict
exec "build-fuzz/fuzz/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=1024 \
    -artifact_prefix=build-fuzz/ -print_final_stats=1 -verbosity=0 ${dict:+$([ -f "$dict" ] && echo "-dict=$dict")} \
    "build-fuzz/corpus/$name" "tests/fuzz/corpus/$name"
