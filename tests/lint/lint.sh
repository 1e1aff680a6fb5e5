#!/bin/sh
# What a script can check of the house rules (docs/STYLE.md). Usage: tests/lint/lint.sh BUILD, from the repository root,
# after `make BUILD=…`. Prints "file:line: [check] message" for every finding; exit 1 if there is any.
#
# One check = one function named check_…, which prints its findings; tests/lint/selftest.sh plants a fault for each.
# tests/lint/allow exempts "check file" pairs, one a line; it starts empty and should stay so.
set -u
unset MAKEFLAGS MAKELEVEL
LC_ALL=C.UTF-8; export LC_ALL
build=${1:-build}
here=tests/lint
[ -f mk/modules.mk ] || { echo "lint: run from the repository root" >&2; exit 2; }
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT

# ---- facts that several checks use ------------------------------------------------------------------------------

modules=$(sed -n 's/^MODULES *:= *//p' mk/modules.mk)
var() { sed -n "s/^$1 *:= *//p" mk/modules.mk | head -1; }
isa_suffixes=$(sed -n 's/^ISA_\([a-z0-9]*\) *:=.*/\1/p' mk/isa.mk)
isa_mk() { # a make expression evaluated with mk/isa.mk
    printf 'CC ?= cc\ninclude mk/isa.mk\nall:\n\t@echo %s\n' "$1" | make -s --no-print-directory -f - all
}
kern_dirs=$(isa_mk '$(KERN_DIRS)')

# Files of the repository: tracked, and new ones that git does not ignore.
files() {
    if git rev-parse --git-dir >/dev/null 2>&1; then git ls-files -co --exclude-standard -- "$@"
    else find . -type f -not -path './build*' | sed 's,^\./,,' | sort; fi | while IFS= read -r f; do
        [ -f "$f" ] && printf '%s\n' "$f"
    done
}
files >"$tmp/files"
grep -E '\.(c|h|inc)$' "$tmp/files" >"$tmp/c_files"
grep -E '^(src|include)/' "$tmp/c_files" >"$tmp/src_files"

# "module source object" of every source that is built on this architecture.
for m in $modules; do
    for f in src/"$m"/*.c $([ "$m" = kern ] && for d in $kern_dirs; do echo "src/kern/$d/*.c"; done); do
        [ -f "$f" ] && echo "$m $f $build/${f#src/}" | sed 's/\.c$/.o/'
    done
done >"$tmp/objects"

has_isa_suffix() { # path
    base=${1##*/}; base=${base%.*}
    for s in $isa_suffixes; do case $base in *_"$s"|"$s") return 0;; esac; done
    return 1
}

# Symbols of all objects, once: "module source kind symbol".
while read -r m f o; do
    if [ ! -f "$o" ]; then echo "$f:1: [objects] $o is missing: run make BUILD=$build first" >>"$tmp/missing"; continue; fi
    nm "$o" | awk -v m="$m" -v f="$f" '{ print m, f, $(NF-1), $NF }'
done <"$tmp/objects" >"$tmp/symbols"

# ---- the checks -------------------------------------------------------------------------------------------------

check_objects() { [ ! -f "$tmp/missing" ] || cat "$tmp/missing"; }

# A module includes its own headers and the api/ headers that its line in mk/modules.mk allows.
check_include() {
    for m in $modules; do echo "DEPS $m $m $(var "DEPS_$m")"; done >"$tmp/deps"
    grep '\.h$\|\.inc$' "$tmp/src_files" | sed 's/^/HEADER /' >>"$tmp/deps"
    xargs grep -HnE '^[ \t]*#[ \t]*include[ \t]*"' <"$tmp/src_files" | awk -F: '
        FNR == NR {
            split($0, w, " ")
            if (w[1] == "DEPS") for (i = 3; i in w; i++) allowed[w[2], w[i]] = 1
            else {
                n = split(w[2], p, "/"); owner = p[2]; base = p[n]
                if (p[1] == "src") { if (p[3] == "api") api[base] = owner; else private[base] = private[base] " " owner }
            }
            next
        }
        {
            split($1, p, "/"); if (p[1] != "src") next
            name = $3; sub(/^[^"]*"/, "", name); sub(/".*/, "", name); n = split(name, q, "/"); base = q[n]; m = p[2]
            if (base in api && !((m, api[base]) in allowed))
                print $1 ":" $2 ": [include] " m " may not include " name " of " api[base] " (mk/modules.mk)"
            else if (!(base in api) && base in private && index(private[base] " ", " " m " ") == 0)
                print $1 ":" $2 ": [include] " name " is private to" private[base]
        }' "$tmp/deps" -
}

check_parent_include() {
    xargs grep -HnE '#[ \t]*include[ \t]*["<]\.\./' <"$tmp/c_files" |
        sed 's/^\([^:]*:[0-9]*\):.*/\1: [parent_include] an include may not climb with "..\/": use the module graph/'
}

# Undefined symbols that no object may refer to. symbol_check NAME REGEX EXCEPT_REGEX MESSAGE
symbol_check() {
    awk -v name="$1" -v re="^($2)(@.*)?$" -v except="$3" -v text="$4" '
        $3 == "U" && $4 ~ re && $2 !~ except { print $2 ":1: [" name "] " $4 ": " text }' "$tmp/symbols"
}
check_alloc() {
    symbol_check alloc 'malloc|calloc|realloc|reallocarray|free|cfree|strdup|strndup|__strdup|aligned_alloc|posix_memalign|memalign|valloc|v?asprintf|__v?asprintf_chk|getline|__getdelim|getdelim|open_memstream' \
        '^src/base/mem\.c$' 'memory comes from base_mem.h alone'
}
check_banned() {
    symbol_check banned 'strcpy|__strcpy_chk|strcat|__strcat_chk|sprintf|__sprintf_chk|vsprintf|gets|strtok|atoi|atol|atof|system|popen|tmpnam|tempnam|mktemp|rand|srand' \
        '^$' 'banned, see base_banned.h for what replaces it'
}
check_process() { # library code never prints, exits or aborts
    symbol_check process 'exit|_exit|_Exit|quick_exit|abort|__assert_fail|printf|__printf_chk|vprintf|puts|putchar|perror|stdout' \
        '^src/cli/' 'library code never prints, exits or aborts: return an error'
    symbol_check process 'stderr' '^src/(cli/|base/log\.c$)' 'library code never prints: return an error'
}

# The perimeter: one function posts to other tiers, and what decides about them cannot open a connection by itself.
check_gate() {
    symbol_check gate 'net_client_send' '^src/route/gate\.c$' 'requests to other tiers go through route_gate_send'
    symbol_check gate 'net_fetch|net_get|curl_(easy|multi)_.*|socket|connect|send|sendto|sendmsg|bufferevent_socket_.*|getaddrinfo|BIO_new_connect|SSL_connect|fork|vfork|exec[lv].*|posix_spawnp?' \
        '^src/(plat|base|kern|model|infer|task|net|bundle|cli)/' 'this module opens no connections: route_gate_send does'
}

check_prefix() {
    for m in $modules; do echo "PREFIX $m $(var "PREFIX_$m")"; done >"$tmp/prefixes"
    awk '$1 == "PREFIX" { for (i = 3; i <= NF; i++) ok[$2, ++n[$2]] = $i; next }
        $3 ~ /^[TDBRCVW]$/ {
            if ($4 == "main" && $1 == "cli" || $4 ~ /^(__|_?DW\.)/) next
            good = 0
            for (i = 1; i <= n[$1]; i++) if (index($4, ok[$1, i]) == 1) good = 1
            if (!good) print $2 ":1: [prefix] external symbol " $4 " does not start with a prefix of " $1 " (mk/modules.mk)"
        }' "$tmp/prefixes" "$tmp/symbols"
}

check_size() {
    xargs wc -l <"$tmp/c_files" | awk '
        $2 == "total" { next }
        { max = $2 ~ /\.inc$/ ? 0 : $2 ~ /cmd_[a-z0-9_]*\.c$/ ? 400 : $2 ~ /\.h$/ ? 350 : 1200
          if (max && $1 > max) print $2 ":" $1 ": [size] the file has " $1 " lines, at most " max " are allowed" }'
}
# House style opens a function with "{" alone in column 0 and closes it with "}" in column 0.
check_function() {
    grep '\.[ch]$' "$tmp/c_files" | xargs awk '
        FNR == 1 { start = 0 }
        /^\{[ \t]*$/ { start = FNR }
        /^\}/ && start { if (FNR - start > 120) print FILENAME ":" start ": [function] the function has " FNR - start " lines, at most 120 are allowed"; start = 0 }
        /^[A-Za-z_].*\)[ \t]*\{$/ && !/^(struct|enum|union|typedef|extern)[^(]*\{/ && !/=/ {
            print FILENAME ":" FNR ": [function] the opening brace of a function stands on its own line" }'
}
check_line() {
    xargs grep -HnE '^.{121}' <"$tmp/c_files" |
        sed 's/^\([^:]*:[0-9]*\):.*/\1: [line] the line has more than 120 columns (aim for 110)/'
    xargs grep -HnE '[ 	]$|^ *	' <"$tmp/c_files" |
        sed 's/^\([^:]*:[0-9]*\):.*/\1: [line] tab or space at the end, or a tab as indentation/'
}

# Conditional compilation lives in src/plat; elsewhere only include guards, and X-macro defaults in .inc files.
check_if() {
    grep -v '^src/plat/' "$tmp/src_files" | xargs grep -HnE '^[ \t]*#[ \t]*(if|ifdef|ifndef|elif)' |
        grep -vE '\.h:[0-9]+:#ifndef [A-Z0-9_]+_H(_INCLUDED)?$|\.inc:[0-9]+:#ifndef [A-Z0-9_]+$|^include/.*#ifdef __cplusplus$' |
        sed 's/^\([^:]*:[0-9]*\):.*/\1: [if] conditional compilation belongs in src\/plat (or a file with an instruction-set suffix)/'
}

# An object without an instruction-set suffix runs on the oldest CPU of its architecture.
check_isa() {
    while read -r m f o; do
        has_isa_suffix "$f" || [ ! -f "$o" ] || echo "$o"
    done <"$tmp/objects" | xargs -r objdump -d --no-show-raw-insn 2>/dev/null | awk -v build="$build/" '
        /file format/ { f = $1; sub(/:$/, "", f); sub("^" build, "src/", f); sub(/\.o$/, ".c", f); x86 = /x86-64/; arm = /aarch64/; next }
        / <.*>:$/ { fn = $2; gsub(/[<>:]/, "", fn); next }
        seen[f] { next }
        x86 && (/%[yz]mm/ || /^ *[0-9a-f]+:\tv[a-z]/ && !/\tver[rw]/) || arm && /\t[su]dot|mmla|bfdot|\tptrue/ {
            seen[f] = 1; sub(/^ *[0-9a-f]+:\t/, ""); gsub(/[ \t]+/, " ")
            print f ":1: [isa] " fn " contains \"" $0 "\", beyond the oldest CPU: put it in a file with a suffix of mk/isa.mk" }'
}

# Every header compiles alone, with what its module may see. A body that is written to be included after some definitions
# says so in its opening comment ("The including file defines …"), and is compiled by the files that include it.
check_header() {
    for h in $(grep '\.h$' "$tmp/src_files"); do
        ! head -n 12 "$h" | grep -q 'The including file defines' || continue
        m=$(echo "$h" | cut -d/ -f2)
        case $h in
        include/*) inc='' ;;
        src/kern/*/*) case " api $kern_dirs " in *" $(echo "$h" | cut -d/ -f3) "*) inc='-Isrc/kern -Isrc/kern/api' ;; *) continue ;; esac ;;
        *) inc="-Isrc/$m -Isrc/$m/api" ;;
        esac
        case $h in src/*) for d in $(var "DEPS_$m"); do inc="$inc -Isrc/$d/api"; done ;; esac
        echo "$h $inc $(isa_of "$h")" | sed 's/ *$//' # xargs -L joins a line that ends in a blank with the next
    done | xargs -P "$(nproc 2>/dev/null || echo 1)" -L 1 sh -c '
        h=$1; shift
        out=$(${CC:-cc} -std=gnu11 -fsyntax-only -D_GNU_SOURCE -Iinclude "$@" -x c "$h" 2>&1 | grep -m1 "error:") &&
            echo "$h:1: [header] does not compile alone: ${out#*error: }"
        true' sh
}
# The flags a header is compiled with: its suffix's; without one, in an architecture's folder, those of the highest.
isa_of() {
    if has_isa_suffix "$1"; then isa_mk "\$(call isa_flags,$1)"; return; fi
    case $1 in src/kern/x86/*) isa_mk '$(ISA_vnni)' ;; src/kern/arm/*) isa_mk '$(ISA_dotprod)' ;; esac
}

check_comment() { # each .c opens with what it is for
    grep '\.c$' "$tmp/c_files" | while IFS= read -r f; do
        case $(head -c 2 "$f") in '/*') ;; *) echo "$f:1: [comment] the file does not open with a comment that says what it is for" ;; esac
    done
}
check_todo() {
    { cat "$tmp/c_files"; grep -E '\.(sh|py|mk)$|^scripts/|Makefile$' "$tmp/files"; } | grep -v "^$here/" |
        xargs grep -HnE '\b(TODO|FIXME|XXX)\b' | grep -vE '\b(TODO|FIXME)\([a-z][a-z0-9_/-]*\): ' |
        sed 's/^\([^:]*:[0-9]*\):.*/\1: [todo] write TODO(module): and what is missing/'
}
check_path() { # paths of the machine somebody worked on
    xargs grep -HnIE '(^|[^A-Za-z0-9_.~-])/(w[o]rk|h[o]me|r[o]ot|Us[e]rs|op[t])/' <"$tmp/files" |
        sed 's/^\([^:]*:[0-9]*\):.*/\1: [path] a path of somebody'\''s own machine/'
}

# ---- run --------------------------------------------------------------------------------------------------------

checks=$(sed -n 's/^\(check_[a-z_]*\)().*/\1/p' "$here/lint.sh")
passed=0; failed=0
for c in $checks; do
    "$c" >"$tmp/out"
    while read -r name file; do # drop what the allow-list exempts
        case $name in ''|'#'*) continue ;; esac
        grep -vF "$file:" "$tmp/out" >"$tmp/kept"; grep -F "$file:" "$tmp/out" | grep -vF "[$name]" >>"$tmp/kept"
        mv "$tmp/kept" "$tmp/out"
    done <"$here/allow"
    if [ -s "$tmp/out" ]; then failed=$((failed + 1)); cat "$tmp/out"; else passed=$((passed + 1)); fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
