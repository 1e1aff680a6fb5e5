#!/bin/sh
# Every lint check is shown to fail: plant one fault in a temporary tree, run lint, and see a new finding of exactly that
# check and no other. Usage: tests/lint/selftest.sh BUILD, from the repository root, after make.
# The tree is a part of this one (lint itself, the build's rules, base and plat, some headers): enough for each fault.
set -u
unset MAKEFLAGS MAKELEVEL
build=${1:-build}
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
root=$(pwd)
# The copy keeps times, so that objects stay valid; it has no .git, so lint finds files by itself.
part='Makefile mk include tests/lint src/plat src/base src/kern/api src/kern/type.c src/model/api src/model/gguf.c'
objects=$(for f in src/plat/*.c src/base/*.c src/kern/type.c src/model/gguf.c; do o=${f#src/}; echo "$build/${o%.c}.o"; done)
# shellcheck disable=SC2086
tar -cf - $part $objects | tar -xf - -C "$tmp" || exit 2
mkdir -p "$tmp/tests/unit"
cd "$tmp" || exit 2
tests/lint/lint.sh "$build" | grep -E ': \[[a-z_]+\]' | sort >before

passed=0; failed=0; seen=''
# expect CHECK: compile what is new, lint, compare with the findings before; then undo.
expect() {
    check=$1; seen="$seen $check"
    for f in src/*/planted.c; do
        o=${f#src/}; o=$build/${o%.c}.o
        [ ! -f "$f" ] || [ -f "$o" ] || [ "$check" = objects ] || make -s BUILD="$build" WERROR= "$o" >make.log 2>&1 ||
            cat make.log
    done
    tests/lint/lint.sh "$build" >out; rc=$?
    grep -E ': \[[a-z_]+\]' out | sort | comm -13 before - >new
    others=$(grep -vcF "[$check]" new)
    if [ "$rc" -ne 0 ] && [ -s new ] && [ "$others" -eq 0 ]; then
        passed=$((passed + 1)); printf '  %-16s %s\n' "$check" "$(head -1 new)"
    else
        failed=$((failed + 1)); printf '  %-16s NOT CAUGHT as that and only that (exit %s):\n' "$check" "$rc"; cat new
    fi
    find . -name 'planted*' -exec rm -f {} +
}
object() { cc -c -x c /dev/null -o "$build/$1"; }
c() { printf '/* Planted. */\n%s\n' "$2" >"$1"; } # a source file with an opening comment

# This one cannot compile, which is the point; an empty object stands in.
c src/base/planted.c '#include "model_gguf.h"'; object base/planted.o; expect include

c tests/unit/planted.c '#include "../lint/x.h"'; expect parent_include

c src/model/planted.c '#include <stdlib.h>
void *tok_planted(void);
void *tok_planted(void) { return malloc(8); }'; expect alloc

c src/model/planted.c '#include <stdlib.h>
int tok_planted(void);
int tok_planted(void) { return system("true"); }'; expect banned

c src/model/planted.c '#include <stdlib.h>
void tok_planted(void);
void tok_planted(void) { abort(); }'; expect process

c src/model/planted.c 'int net_client_send(void);
int tok_planted(void);
int tok_planted(void) { return net_client_send(); }'; expect gate

c src/model/planted.c 'int planted(void);
int planted(void) { return 0; }'; expect prefix

{ echo '/* Planted. */'; yes '' | head -1200; } >tests/planted.c; expect size

{ printf '/* Planted. */\nint planted(int x)\n{\n'; yes '    x++;' | head -121; printf '    return x;\n}\n'; } >tests/planted.c
expect function

c tests/planted.c "// $(yes x | head -130 | tr -d '\n')"; expect line

c src/model/planted.c '#ifdef __linux__
int tok_planted;
#endif'; expect if

c src/model/planted.c '#include <string.h>
void tok_planted(double *a, const double *b);
__attribute__((target("avx2"))) void tok_planted(double *a, const double *b)
{
    for (int i = 0; i < 64; i++) a[i] *= b[i];
}'
case $(cc -dumpmachine) in x86_64*) expect isa ;; *) find . -name 'planted*' -exec rm -f {} + ; seen="$seen isa" ;; esac

printf 'size_t planted(void);\n' >src/model/planted.h; expect header
printf 'int planted;\n' >tests/planted.c; expect comment
c tests/planted.c "/* TO""DO later */"; expect todo
printf 'see /ho''me/somebody/notes\n' >planted.txt; expect path
c src/model/planted.c 'int tok_planted;'; expect objects

# A check without a planted fault is itself a fault.
for k in $(sed -n 's/^check_\([a-z_]*\)().*/\1/p' "$root/tests/lint/lint.sh"); do
    case " $seen " in *" $k "*) ;; *) echo "  $k has no planted fault"; failed=$((failed + 1)) ;; esac
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
