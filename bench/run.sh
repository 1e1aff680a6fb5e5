#!/bin/sh
# Side by side: croft and a peer's llama-bench on the same models, in turns (A B A B ...), so that a change of the
# machine's load or clock meets both. Reads both programs' JSON; what counts is the ratio, not the absolute number.
#
#   LLAMA_BENCH=path/to/llama-bench bench/run.sh MODEL.gguf ...
#
# Settings (environment): THREADS (2)  PROMPT (512)  GEN (64; 0 for encoders)  ROUNDS (5)  REPS (1, per round)
#   CROFT (build/croft)  CROFT_ARGS (--no-ceilings), PEER_ARGS: more options
#   OUT (bench): where results.csv, results.svg and RESULTS.md go
# The peer is not built here. Without one, croft's own numbers are written and no ratio is claimed.
# Exit status: 0; 1 when a run failed (the rest is still written); 2 for wrong usage.
set -u
LC_ALL=C; export LC_ALL
here=$(dirname "$0")
THREADS=${THREADS:-2} PROMPT=${PROMPT:-512} GEN=${GEN:-64} ROUNDS=${ROUNDS:-5} REPS=${REPS:-1}
CROFT=${CROFT:-$here/../build/croft} CROFT_ARGS=${CROFT_ARGS---no-ceilings} PEER_ARGS=${PEER_ARGS:-}
OUT=${OUT:-$here} PEER=${LLAMA_BENCH:-}
die() { echo "bench/run.sh: $*" >&2; exit 2; }
[ $# -gt 0 ] || die "no model given. Usage: LLAMA_BENCH=path bench/run.sh MODEL.gguf ..."
for m; do [ -r "$m" ] || die "cannot read the model $m"; done
for v in "$THREADS" "$PROMPT" "$GEN" "$ROUNDS" "$REPS"; do
    case $v in ''|*[!0-9]*) die "THREADS, PROMPT, GEN, ROUNDS and REPS are whole numbers, not '$v'";; esac
done
[ "$ROUNDS" -gt 0 ] && [ "$PROMPT" -gt 0 ] || die "ROUNDS and PROMPT must be at least 1"
[ -x "$CROFT" ] || die "there is no program $CROFT: run make first, or set CROFT"
if [ -z "$PEER" ]; then
    echo "No peer given: LLAMA_BENCH is not set, so only croft is measured and there is NOTHING TO COMPARE WITH." >&2
    echo "Set LLAMA_BENCH to the path of a llama-bench program to get ratios." >&2
else
    [ -x "$PEER" ] || die "LLAMA_BENCH=$PEER is not a program that can be run"
fi
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
raw=$tmp/raw failed=$tmp/failed
: > "$raw"; : > "$failed"

# raw: model program metric round tokens_per_s
label() { basename "$1" .gguf | tr ' ,' '__'; }
croft_run() { # model round
    # shellcheck disable=SC2086
    "$CROFT" bench "$1" -t "$THREADS" -p "$PROMPT" -n "$GEN" -r "$REPS" --json $CROFT_ARGS > "$tmp/a" 2> "$tmp/e" || return 1
    awk -v m="$(label "$1")" -v r="$2" -v gen="$GEN" '
        function num(k) { return match(s, "\"" k "\":[0-9.eE+-]+") ? substr(s, RSTART + length(k) + 3, RLENGTH - length(k) - 3) + 0 : 0 }
        { s = s $0 }
        END { gsub(/[ \t\r]/, "", s); p = num("prompt_tokens_per_s"); d = num("decode_tokens_per_s")
              if (p <= 0 || (gen > 0 && d <= 0)) exit 1
              print m, "croft", "prompt", r, p; if (gen > 0) print m, "croft", "decode", r, d }' "$tmp/a" >> "$raw" && return 0
    echo "its output has no prompt_tokens_per_s or no decode_tokens_per_s" > "$tmp/e"; return 1
}
peer_run() {
    # shellcheck disable=SC2086
    "$PEER" -m "$1" -t "$THREADS" -p "$PROMPT" -n "$GEN" -r "$REPS" -o json $PEER_ARGS > "$tmp/b" 2> "$tmp/e" || return 1
    awk -v m="$(label "$1")" -v r="$2" '
        /"n_prompt":/ { gsub(/[^0-9]/, ""); np = $0 }
        /"avg_ts":/   { sub(/.*: */, ""); sub(/,.*/, ""); print m, "peer", (np > 0 ? "prompt" : "decode"), r, $0 + 0; n++ }
        END { exit n == 0 }' "$tmp/b" >> "$raw" || { echo "its output has no avg_ts" > "$tmp/e"; return 1; }
    [ -s "$tmp/peer" ] || sed -n 's/.*"build_commit": *"\([^"]*\)".*/\1/p' "$tmp/b" | head -n 1 > "$tmp/peer"
}
turn() { # name function model round
    if ! "$2" "$3" "$4"; then
        echo "$1 failed on $(basename "$3"), round $4: $(tail -n 1 "$tmp/e")" | tee -a "$failed" >&2; return 0
    fi
    tail -n 2 "$raw" | awk -v n="$1" -v r="$4" '$2 == n && $4 == r { printf "%-28s round %s  %-6s %-6s %10.2f tok/s\n", $1, r, $2, $3, $5 }'
}
load() { cut -d ' ' -f 1 /proc/loadavg 2> /dev/null || echo unknown; }
load_a=$(load)
for m; do
    r=1
    while [ "$r" -le "$ROUNDS" ]; do
        turn croft croft_run "$m" "$r"
        [ -z "$PEER" ] || turn peer peer_run "$m" "$r"
        r=$((r + 1))
    done
done
load_b=$(load)
date=$(date -u +%Y-%m-%d)
commit=$(git -C "$here" rev-parse --short HEAD 2> /dev/null || echo unknown)
[ -z "$(git -C "$here" status --porcelain -uno 2> /dev/null)" ] || commit="$commit with local changes"

# ---- results.csv ----
awk -v d="$date" -v t="$THREADS" -v p="$PROMPT" -v g="$GEN" '
    BEGIN { print "date,model,threads,metric,tokens,program,round,tokens_per_s" }
    { printf "%s,%s,%s,%s,%s,%s,%s,%s\n", d, $1, t, $3, $3 == "prompt" ? p : g, $2, $4, $5 }' "$raw" > "$OUT/results.csv"

# ---- medians: model metric median_croft spread_croft median_peer spread_peer ratio ratio_min ratio_max ----
# The ratio is the median of the rounds' ratios: both halves of a round ran next to each other.
awk '
    function sort(a, n,  i, j, x) { for (i = 2; i <= n; i++) { x = a[i]; for (j = i - 1; j > 0 && a[j] > x; j--) a[j + 1] = a[j]; a[j + 1] = x } }
    function med(a, n) { return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2 }
    function stat(prog, k,  n, r, a) {
        n = 0; for (r = 1; r <= maxr; r++) if ((k, prog, r) in v) a[++n] = v[k, prog, r]
        if (!n) return "- -"
        sort(a, n); return sprintf("%.2f %.1f", med(a, n), 100 * (a[n] - a[1]) / med(a, n)) }
    function ratio(k,  n, r, a) {
        n = 0; for (r = 1; r <= maxr; r++) if ((k, "croft", r) in v && (k, "peer", r) in v) a[++n] = v[k, "croft", r] / v[k, "peer", r]
        if (!n) return "- - -"
        sort(a, n); return sprintf("%.3f %.3f %.3f", med(a, n), a[1], a[n]) }
    { k = $1 " " $3; if (!(k in seen)) { seen[k] = 1; key[++nk] = k } v[k, $2, $4] = $5; if ($4 > maxr) maxr = $4 }
    END { for (i = 1; i <= nk; i++) print key[i], stat("croft", key[i]), stat("peer", key[i]), ratio(key[i]) }' "$raw" > "$tmp/med"

# ---- results.svg ----
awk -v peer="${PEER:+yes}" '
    $7 != "-" { n++; name[n] = $1; kind[n] = $2; q[n] = $7; lo[n] = $8; hi[n] = $9; if ($9 > top) top = $9 }
    END {
        if (top < 1.2) top = 1.2
        x0 = 250; w = 420; bh = 18; h = 70 + n * (bh + 8); if (!n) h = 90
        printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"%d\" viewBox=\"0 0 760 %d\" font-family=\"sans-serif\" font-size=\"13\">\n", h, h
        print "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
        print "<text x=\"12\" y=\"24\" font-size=\"15\">croft / peer, tokens per second (1 = equal, longer = croft is faster)</text>"
        if (!n) printf "<text x=\"12\" y=\"60\">%s</text>\n", peer ? "No round in which both programs succeeded." : "No peer was given: nothing to compare."
        for (i = 1; i <= n; i++) {
            y = 44 + (i - 1) * (bh + 8)
            printf "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s, %s</text>\n", x0 - 8, y + 13, name[i], kind[i]
            printf "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", x0, y, w * q[i] / top, bh, kind[i] == "prompt" ? "#4477aa" : "#66aa77"
            printf "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" stroke=\"#333\"/>\n", x0 + w * lo[i] / top, x0 + w * hi[i] / top, y + bh / 2, y + bh / 2
            printf "<text x=\"%.1f\" y=\"%d\">%.2f</text>\n", x0 + w * hi[i] / top + 6, y + 13, q[i]
        }
        if (n) printf "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"38\" y2=\"%d\" stroke=\"#aa3333\" stroke-dasharray=\"4 3\"/>\n", x0 + w / top, x0 + w / top, h - 22
        print "</svg>"
    }' "$tmp/med" > "$OUT/results.svg"

# ---- RESULTS.md ----
{
    echo "# Speed, side by side"
    echo
    if [ -n "$PEER" ]; then echo "croft $commit and llama-bench (llama.cpp $(cat "$tmp/peer" 2> /dev/null)), $date."
    else echo "croft $commit, $date. **No peer was given, so there is nothing to compare with:** only croft's own numbers follow."; fi
    echo
    echo "Machine, as lscpu says:"
    echo
    { lscpu 2> /dev/null || uname -mp; } | grep -E '^(Architecture|CPU\(s\)|Model name|Thread|Core|Socket|L[123]|Hyper)|^[^:]*$' | sed 's/^ */    /'
    lscpu 2> /dev/null | awk '/^Flags/ { s = ""; for (i = 2; i <= NF; i++) if ($i ~ /^(avx|fma|f16c|amx|asimd|i8mm|sve|bf16)/) s = s " " $i; print "    Flags:" s " ..." }'
    echo "    Load average at the start and end: $load_a, $load_b"
    echo
    echo "Commands, in turns, $ROUNDS rounds:"
    echo
    echo "    croft bench MODEL -t $THREADS -p $PROMPT -n $GEN -r $REPS --json${CROFT_ARGS:+ $CROFT_ARGS}"
    [ -z "$PEER" ] || echo "    llama-bench -m MODEL -t $THREADS -p $PROMPT -n $GEN -r $REPS -o json${PEER_ARGS:+ $PEER_ARGS}"
    echo
    echo "Tokens per second: medians of the rounds; spread = (largest - smallest) / median. Ratio: the median of the"
    echo "rounds' own ratios croft / peer, with the smallest and the largest."
    echo
    echo "| model | phase | croft | spread | peer | spread | ratio | range |"
    echo "|---|---|---:|---:|---:|---:|---:|---:|"
    awk '{ pc = $4 == "-" ? "" : "%"; pp = $6 == "-" ? "" : "%"
           printf "| %s | %s | %s | %s%s | %s | %s%s | %s | %s |\n", $1, $2, $3, $4, pc, $5, $6, pp, $7 == "-" ? "-" : "**" $7 "**", $8 == "-" ? "-" : $8 " to " $9 }' "$tmp/med"
    if [ -s "$failed" ]; then echo; echo "Runs that failed:"; echo; sed -e 's/^/- /' -e 's:/[^ ]*/::g' "$failed"; fi
    [ -z "$PEER" ] || { echo; echo "![ratios](results.svg)"; }
} > "$OUT/RESULTS.md"
echo "written: results.csv, results.svg, RESULTS.md"
[ ! -s "$failed" ]
