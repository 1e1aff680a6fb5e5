#!/bin/sh
# Instructions per token, counted by valgrind: a guard against regressions that works on any machine, however busy.
#
#   tests/perf/run.sh build/croft [--update]      --update writes tests/perf/instructions.txt anew
#
# croft bench runs a test one time more than -r says, so two runs with different -r differ by whole repetitions: their
# difference is free of opening, packing and ending. One thread, because threads that wait count instructions too; level
# avx2, because valgrind knows no AVX-512. A count more than TOLERANCE percent above the noted one fails.
# Ends in "N passed, N failed, N skipped".
set -u
here=$(dirname "$0")
croft=${1:?Usage: tests/perf/run.sh CROFT [--update]}
noted=$here/instructions.txt
TOLERANCE=5
skip() { echo "SKIP: $1"; echo "0 passed, 0 failed, 1 skipped"; exit 0; }
[ "$(uname -m)" = x86_64 ] || skip "the noted instruction counts are of x86-64"
command -v valgrind >/dev/null || skip "valgrind is not installed"
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
python3 "$here/../../bench/models.py" "$tmp" tiny-Q8_0 tiny-Q4_0 tiny-Q4_K_M >/dev/null || exit 1
strip -g -o "$tmp/croft" "$croft" || exit 1 # valgrind may stop at debug information newer than itself
ln -s "$(cd "$here/../../models" && pwd)/helpdesk-q8_0.gguf" "$tmp/"

instructions() { # model, -p, -n, -r
    CROFT_CPU=avx2 valgrind --tool=callgrind --callgrind-out-file=/dev/null "$tmp/croft" bench "$tmp/$1.gguf" -t 1 \
        -p "$2" -n "$3" -r "$4" --no-ceilings 2>"$tmp/e" >"$tmp/o" || { tail -n 3 "$tmp/e" >&2; return 1; }
    sed -n 's/.*Collected : *\([0-9]*\).*/\1/p' "$tmp/e"
}
per_token() { # model, -p, -n
    a=$(instructions "$1" "$2" "$3" 1) && b=$(instructions "$1" "$2" "$3" 2) && echo $(((b - a) / ($2 + $3)))
}

for model in helpdesk-q8_0 tiny-Q8_0 tiny-Q4_0 tiny-Q4_K_M; do
    prompt=$(per_token $model 64 0) && decode=$(per_token $model 0 16) || exit 1
    printf '%s prompt %s\n%s decode %s\n' $model "$prompt" $model "$decode"
done >"$tmp/counted" || exit 1

if [ "${2:-}" = --update ]; then
    { sed -n '/^#/p' "$noted"; cat "$tmp/counted"; } >"$tmp/new" && cat "$tmp/new" >"$noted"
    exit
fi
awk -v tolerance=$TOLERANCE -v update="tests/perf/run.sh build/croft --update" '
    /^#/ { next }
    FNR == NR { was[$1 " " $2] = $3; next }
    {
        test = $1 " " $2; n++
        if (!(test in was)) { printf "%s: no count is noted; run %s\n", test, update; bad++; next }
        change = 100 * ($3 / was[test] - 1)
        printf "%-22s %9d instructions a token, noted %9d: %+.1f %%\n", test, $3, was[test], change
        if (change > tolerance) {
            printf "%s: %.1f %% more instructions a token than noted. If that is meant, ", test, change
            printf "say why in the commit and run %s\n", update
            bad++
        } else if (change < -tolerance) printf "%s: fewer than noted; %s keeps what was won\n", test, update
    }
    END { printf "%d passed, %d failed, 0 skipped\n", n - bad, bad; exit bad > 0 }' "$noted" "$tmp/counted"
