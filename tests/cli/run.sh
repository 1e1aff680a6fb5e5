#!/bin/sh
# Command line tests: each is one readable file tests/cli/*.t. Usage: tests/cli/run.sh CROFT [TEST…], from the root.
#
#   # a comment, anywhere at the start of a line before "stdout:"
#   need: ../shared/models/stories260K.gguf     a file or a program; absent: skipped, and named
#   make: printf 'abc' > $T/x                   a shell command run first; $T is an empty folder of this test,
#                                               $HOME another
#   env: NAME=value                             may be repeated
#   run: croft show $T/x                        a shell command; `croft` is the program under test. Several `run:`
#                                               lines are several cases, each with the lines that follow it
#   exit: 65                                    expected exit code (default 0)
#   stdin: text                                 one line given on standard input (default: nothing)
#   out: text      err: text                    this line, exactly; together they are the whole stream
#   out~ regex     err~ regex                   the stream has a line that matches (extended, grep -E)
#   out! regex     err! regex                   it has none
#   json: filter                                standard output is JSON for which `jq -e filter` holds (needs jq)
#
# A case without out: and err: lines says nothing about the exact text, except that standard error is empty when the
# exit code is 0 and no err line is given. A crash (exit code ≥ 129, other than 130 and 141 if asked for) always fails.
set -u
croft=$1; shift
case $croft in /*) ;; *) croft=$(pwd)/$croft ;; esac
[ -x "$croft" ] || { echo "$croft is missing: run make first" >&2; exit 2; }
[ $# -gt 0 ] || set -- tests/cli/*.t
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/bin"; ln -s "$croft" "$tmp/bin/croft"
PATH=$tmp/bin:$PATH; export PATH
# Nothing of the user's own settings, and no model of theirs, may leak in.
unset CROFT_CPU CROFT_CTX CROFT_HOME CROFT_LOG CROFT_MODEL CROFT_THREADS NO_COLOR XDG_DATA_HOME XDG_RUNTIME_DIR
LC_ALL=C.UTF-8; export HOME LC_ALL
tab=$(printf '\t')
passed=0; failed=0; skipped=0

reset_case() { run=; want_exit=0; stdin=; has_err=0; rm -f "$T".*; : >"$T.checks"; : >"$T.want.out"; : >"$T.want.err"; exact=; }
complain() { ok=0; echo "$file:$line_of_run: $1"; }
# Run the pending case and compare.
finish() {
    [ -n "$run" ] || return 0
    ok=1
    printf '%s' "$stdin" >"$T.in"
    T="$T" timeout 300 sh -c "$run" <"$T.in" >"$T.out" 2>"$T.err"; rc=$?
    [ "$rc" -eq "$want_exit" ] || complain "exit code $rc, expected $want_exit"
    for s in out err; do
        case $exact in *$s*) diff -u "$T.want.$s" "$T.$s" >"$T.diff" || { complain "$s differs"; cat "$T.diff"; } ;; esac
    done
    [ "$want_exit" -ne 0 ] || [ $has_err = 1 ] || [ ! -s "$T.err" ] || complain "standard error is not empty"
    while IFS=$tab read -r kind pattern; do
        case $kind in
        'out~') grep -qE -e "$pattern" "$T.out" || complain "no line of stdout matches: $pattern" ;;
        'err~') grep -qE -e "$pattern" "$T.err" || complain "no line of stderr matches: $pattern" ;;
        'out!') ! grep -qE -e "$pattern" "$T.out" || complain "a line of stdout matches: $pattern" ;;
        'err!') ! grep -qE -e "$pattern" "$T.err" || complain "a line of stderr matches: $pattern" ;;
        json) if command -v jq >/dev/null; then jq -e "$pattern" "$T.out" >/dev/null 2>"$T.diff" ||
                  complain "stdout is not JSON with: $pattern $(cat "$T.diff")"
              else echo "SKIP: jq (JSON checks of $file)"; fi ;;
        esac
    done <"$T.checks"
    if [ $ok = 1 ]; then passed=$((passed + 1)); else
        failed=$((failed + 1)); echo "    $run"; sed 's/^/    stderr: /' "$T.err" | head -n 20
    fi
    run=
}
check() { printf '%s\t%s\n' "$1" "$2" >>"$T.checks"; }

for file in "$@"; do
    T=$tmp/$(basename "$file" .t); HOME=$tmp/homes/$(basename "$T"); mkdir -p "$T" "$HOME"
    n=0; skip=; line_of_run=0; reset_case
    while IFS= read -r line || [ -n "$line" ]; do
        n=$((n + 1))
        key=${line%%[:~!]*}; rest=${line#"$key"}; mark=$(printf '%.1s' "$rest"); value=${rest#?}; value=${value# }
        [ -z "$skip" ] || { case $key in run) skipped=$((skipped + 1)) ;; esac; continue; }
        case $key$mark in
        ''|'#'*) ;;
        need:) [ -e "$value" ] || command -v "$value" >/dev/null || { finish; skip=1; echo "SKIP: $value"; } ;;
        make:) finish; T="$T" sh -c "$value" || { echo "$file:$n: make failed"; failed=$((failed + 1)); } ;;
        run:) finish; reset_case; run=$value; line_of_run=$n ;;
        env:) run="env $value $run" ;;
        exit:) want_exit=$value ;;
        stdin:) stdin="$stdin$value
" ;;
        out:|err:) exact="$exact $key"; printf '%s\n' "$value" >>"$T.want.$key"; [ "$key" = out ] || has_err=1 ;;
        'err~'|'err!') has_err=1; check "$key$mark" "$value" ;;
        'out~'|'out!') check "$key$mark" "$value" ;;
        json:) check json "$value" ;;
        *) case $line in '#'*) ;; *) echo "$file:$n: not a test line: $line"; failed=$((failed + 1)) ;; esac ;;
        esac
    done <"$file"
    finish
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
