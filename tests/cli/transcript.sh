#!/bin/sh
# Run every "$ command" of the console blocks of a page and compare what it prints with what the page says. Usage:
# tests/cli/transcript.sh PAGE; `croft` is the program under test, the folder is the repository's root; commands of one
# page share $T. Numbers depend on the machine (the order of floating-point sums, the clock): a number has to stand where
# one stands, words have to be the same. Prints the differences; exit 1 if there are any.
set -u
page=$1
T=${T:-$(mktemp -d)}; export T
# One number or several columns' worth of space are as good as another; energy is readable on few machines.
plain() { sed -E 's/[-+]?[0-9][0-9,]*(\.[0-9]+)?(e-?[0-9]+)?/N/g; s/[ \t]+/ /g; s/ $//; s/(not readable here|N J)$/E/'; }
awk '/^```console$/ { on = 1; next } /^```$/ { on = 0 } on' "$page" >"$T/.page"
[ -s "$T/.page" ] || { echo "$page has no console block"; exit 1; }
: >"$T/.got"
grep '^\$ ' "$T/.page" | sed 's/^\$ //' >"$T/.commands"
while IFS= read -r command; do
    printf '$ %s\n' "$command" >>"$T/.got"
    sh -c "$command" >>"$T/.got" 2>&1 </dev/null
done <"$T/.commands"
plain <"$T/.page" >"$T/.want.plain"
plain <"$T/.got" >"$T/.got.plain"
diff -u --label "$page" --label got "$T/.want.plain" "$T/.got.plain"
