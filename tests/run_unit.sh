#!/bin/sh
# Run unit test programs (cmocka) one after another and print one line each, then the total.
# Usage: tests/run_unit.sh PROGRAM…   A program's output is shown only when it fails. Exit 1 if any failed.
passed=0; failed=0; skipped=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
for t in "$@"; do
    if "$t" >"$log" 2>&1; then rc=ok; else rc=FAILED; fi
    p=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | awk '{s+=$1} END {print s+0}')
    f=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$log" | awk '{s+=$1} END {print s+0}')
    s=$(grep -c '^\[  SKIPPED \] [a-z_]' "$log")
    [ "$rc" = FAILED ] && [ "$f" -eq 0 ] && f=1
    passed=$((passed + p)); failed=$((failed + f)); skipped=$((skipped + s))
    printf '  %-40s %s (%d passed, %d failed, %d skipped)\n' "${t#*/tests/}" "$rc" "$p" "$f" "$s"
    grep '^SKIP:' "$log" | sed 's/^/      /' | sort -u
    [ "$rc" = ok ] || sed 's/^/    | /' "$log" | tail -60
done
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
