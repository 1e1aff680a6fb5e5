#!/bin/sh
# The model store against a real HTTP server (server.py) that imitates a model hub and misbehaves on demand.
# Usage: tests/store/run.sh [PROGRAM]      from the repository root; PROGRAM defaults to build/croft.
# The last line is "N passed, N failed, N skipped".
croft=$(realpath "${1:-build/croft}")
here=$(dirname "$(realpath "$0")")
passed=0; failed=0; skipped=0
finish() { printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"; [ "$failed" -eq 0 ]; exit $?; }
command -v python3 >/dev/null || { echo 'SKIP: python3 is missing: the store was not tested against a server'; skipped=1; finish; }
[ -x "$croft" ] || { echo "FAILED: $croft is missing"; failed=1; finish; }

dir=$(mktemp -d) || exit 1
server=; tls=; mounted=
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null
    [ -z "$tls" ] || kill "$tls" 2>/dev/null
    [ -z "$mounted" ] || umount "$mounted" 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
# Nothing of the user's own settings may leak in.
unset HF_TOKEN HUGGING_FACE_HUB_TOKEN HF_HOME HF_TOKEN_PATH XDG_CACHE_HOME XDG_DATA_HOME CURL_CA_BUNDLE SSL_CERT_FILE \
      http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
export HOME="$dir/home" XDG_RUNTIME_DIR="$dir/runtime" NO_COLOR=1
mkdir -p "$HOME" "$XDG_RUNTIME_DIR"

python3 "$here/server.py" "$dir/port" & server=$!
i=0; while [ ! -s "$dir/port" ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i + 1)); done
read -r port other <"$dir/port" || { echo 'FAILED: server.py did not start'; failed=1; finish; }
hub="http://127.0.0.1:$port"
export HF_ENDPOINT="$hub"

ask() { python3 -c 'import sys, urllib.request as u; sys.stdout.write(u.build_opener(u.ProxyHandler({})).open(sys.argv[1]).read().decode())' "$hub$1"; }
fresh() { ask /reset; [ $# -eq 0 ] || ask "/set?$1"; export CROFT_HOME="$dir/store$((n = n + 1))"; }
n=0
# run EXPECTED_EXIT COMMAND…: output in $out, $err
run() {
    want=$1; shift
    "$croft" "$@" >"$dir/out" 2>"$dir/err"; got=$?
    out=$(cat "$dir/out"); err=$(cat "$dir/err")
    [ "$got" -eq "$want" ] || why="croft $* ended with $got instead of $want; $why"
}
has() { case "$2" in *"$1"*) ;; *) why="no \"$1\" in: $2; $why" ;; esac; }
lacks() { case "$2" in *"$1"*) why="\"$1\" in: $2; $why" ;; esac; }
check() { "$@" || why="$* is false; $why"; }
json() { python3 -c 'import json, sys; v = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }
nothing_visible() { # no model, no blob
    [ -z "$(ls "$CROFT_HOME/blobs" "$CROFT_HOME/models" 2>/dev/null | grep -v : )" ] || why="something became visible; $why"
}
begin() { what=$1; why=; }
end() {
    if [ -z "$why" ]; then passed=$((passed + 1)); printf '  ok      %s\n' "$what"
    else failed=$((failed + 1)); printf '  FAILED  %s\n          %s\n' "$what" "$why"; fi
}
skip() { skipped=$((skipped + 1)); printf 'SKIP: %s: %s\n' "$what" "$1"; }
sum() { sha256sum "$1" | cut -d' ' -f1; }
model() { echo "$CROFT_HOME/models/$1"; }

begin 'fresh pull by quantisation, list, and again: nothing to do'
fresh
run 0 pull hf:acme/Tiny-Model-GGUF:Q4_0
has 'Pulled tiny-model:q4_0' "$out"
f="$(model tiny-model:q4_0)/tiny-model-q4_0.gguf"
check [ -L "$f" ]
check [ "sha256-$(sum "$f")" = "$(basename "$(readlink "$f")")" ]
check [ -z "$(ls "$CROFT_HOME/partial")" ]
run 0 list --json
check [ "$(echo "$out" | json 'v[0]["name"], v[0]["bytes"], v[0]["quant"], v[0]["family"]')" = "('tiny-model:q4_0', 300000, 'q4_0', 'tiny')" ]
run 0 pull hf:acme/Tiny-Model-GGUF:q4_0
has 'already here' "$out"
check [ "$(ask /log | json 'sum("/content/" in x["path"] for x in v)')" = 1 ]
end

begin 'default quantisation, a listing without digests from a mirror, --json'
fresh no_revision_api=1
run 0 pull hf:acme/Tiny-Model-GGUF --json --quiet
check [ "$(echo "$out" | json 'v["name"], v["outcome"], v["fetched_bytes"]')" = "('tiny-model:q4_k_m', 'pulled', 400000)" ]
check [ -z "$err" ]
end

begin 'a file by its path, by web address, and at a revision'
fresh
run 0 pull hf:acme/Tiny-Model-GGUF@v1/tiny-model-q8_0.gguf --json
check [ "$(echo "$out" | json 'v["name"], v["revision"] == "1" * 40')" = "('tiny-model:q8_0', True)" ]
run 0 pull "$hub/acme/Tiny-Model-GGUF/blob/main/tiny-model-q4_0.gguf"
has 'Pulled tiny-model:q4_0' "$out"
run 66 pull hf:acme/Tiny-Model-GGUF@v9:Q4_0
has 'v9' "$err"
end

begin 'split files: all parts, siblings by name'
fresh
run 0 pull hf:acme/Set-GGUF
check [ "$(ls "$(model set:q8_0)" | wc -l)" = 3 ]
check [ "$(ls "$CROFT_HOME/blobs" | wc -l)" = 3 ]
run 66 pull hf:acme/Hole-GGUF
has 'Part 2 of 3' "$err"
end

begin 'what does not exist: errors that list what does'
fresh
run 66 pull hf:acme/Tiny-Model-GGUF:Q2_K
has 'q4_0' "$err"; has 'Q4_K_M' "$err"; lacks mmproj "$err"; lacks evil "$err"
run 64 pull hf:acme/Two-GGUF:Q8_0
has 'tiny-model-q8_0.gguf' "$err"
run 66 pull hf:acme/Nothing-GGUF
run 66 pull hf:acme/None
has 'no GGUF' "$err"
run 64 pull hf:acme
run 64 pull hf:../..:Q4_0
run 64 pull nonsense
run 66 pull ./absent.gguf
nothing_visible
end

begin 'gated: without a token, with a wrong one, with the right one; never sent to the content host'
fresh
run 77 pull hf:acme/Gated-GGUF
has HF_TOKEN "$err"
HF_TOKEN=wrong run 77 pull hf:acme/Gated-GGUF
HF_TOKEN=sesame run 0 pull hf:acme/Gated-GGUF
check [ "$(ask /log | json '[x["auth"] for x in v if x["hub"]][-1]')" = 'Bearer sesame' ]
check [ "$(ask /log | json '[x["auth"] for x in v if not x["hub"]]')" = '[None]' ]
fresh
mkdir -p "$HOME/.cache/huggingface"; echo sesame >"$HOME/.cache/huggingface/token"
run 0 pull hf:acme/Gated-GGUF
rm "$HOME/.cache/huggingface/token"
end

begin 'plain http to another machine is refused; a token never goes there; allowed it uses the proxy'
fresh
HF_ENDPOINT=http://model.test run 77 pull hf:acme/Tiny-Model-GGUF
has 'https' "$err"
HF_TOKEN=sesame HF_ENDPOINT=http://model.test run 77 pull --insecure-http hf:acme/Tiny-Model-GGUF
has 'token' "$err"
http_proxy=$hub run 0 pull --insecure-http http://model.test/x/tiny-model-q4_0.gguf
check [ "$(ask /log | json 'v[0]["path"]')" = http://model.test/x/tiny-model-q4_0.gguf ]
end

begin 'redirects: in circles, to a file, to another machine over http'
fresh loop=1
run 75 pull hf:acme/Tiny-Model-GGUF:Q4_0
has 'circles' "$err"
fresh redirect_to=file:///etc/passwd
run 75 pull hf:acme/Tiny-Model-GGUF:Q4_0
fresh redirect_to=http://model.test/x.gguf
run 77 pull hf:acme/Tiny-Model-GGUF:Q4_0
nothing_visible
end

# Start pulling $1 from a slow server and kill -9 the program once more than a megabyte is on the disk.
killed_in_the_middle() {
    "$croft" pull "$1" >/dev/null 2>&1 & pid=$!
    for _ in $(seq 600); do # a loaded machine may need long to get there
        have=$(cat "$CROFT_HOME"/partial/*.part 2>/dev/null | wc -c)
        [ "$have" -gt 1000000 ] && break
        sleep 0.05
    done
    kill -9 $pid; wait $pid 2>/dev/null
    part=$(ls "$CROFT_HOME"/partial/*.part); have=$(stat -c %s "$part")
    check [ "$have" -gt 1000000 ]; check [ "$have" -lt 24000000 ]
}

begin 'kill -9 in the middle, then continue from there'
fresh rate=4000000
killed_in_the_middle hf:acme/Big-GGUF
nothing_visible
ask '/set?rate=0'
run 0 pull hf:acme/Big-GGUF --json
check [ "$(ask /log | json '[x["range"] for x in v if x["range"] and not x["hub"]]')" = "['bytes=$have-']" ]
check [ "$(echo "$out" | json 'v["fetched_bytes"]')" = $((24000000 - have)) ]
f="$(model big:q4_0)/big-q4_0.gguf"
check [ "sha256-$(sum "$f")" = "$(basename "$(readlink "$f")")" ]
end

interrupted() { # leave a part of the big file, then change the behaviour
    fresh "rate=4000000"
    killed_in_the_middle "$1"
    ask "/set?rate=0&$2"
}
for how in ignore_range=1 status_416=1 wrong_start=5; do
    begin "continue from a server with $how"
    interrupted hf:acme/Big-GGUF $how
    run 0 pull hf:acme/Big-GGUF
    f="$(model big:q4_0)/big-q4_0.gguf"
    check [ "sha256-$(sum "$f")" = "$(basename "$(readlink "$f")")" ]
    end
done

begin 'the file changed on a plain server meanwhile: its ETag makes us start again'
interrupted "$hub/plain/big-q4_0.gguf" 'etag="other"'
run 0 pull "$hub/plain/big-q4_0.gguf" --json
check [ "$(echo "$out" | json 'v["fetched_bytes"]')" = 24000000 ]
end

begin 'a part damaged on disk is found by its digest and removed'
interrupted hf:acme/Big-GGUF rate=0
printf 'XXXX' | dd of="$(ls "$CROFT_HOME"/partial/*.part)" bs=1 seek=5000 conv=notrunc 2>/dev/null
run 76 pull hf:acme/Big-GGUF
check [ -z "$(ls "$CROFT_HOME"/partial/*.part 2>/dev/null)" ]
nothing_visible
run 0 pull hf:acme/Big-GGUF
end

begin 'the connection drops three times'
fresh 'drop_after=5000000&drop_times=3'
run 0 pull hf:acme/Big-GGUF
check [ "$(ask /log | json 'sum(1 for x in v if x["range"] and not x["hub"])')" = 3 ]
end

begin '503 and 429 with Retry-After, then well'
fresh 'fail_status=503&fail_times=2'
run 0 pull hf:acme/Tiny-Model-GGUF:Q4_0
fresh 'fail_status=429&fail_times=1&retry_after=2'
t=$(date +%s)
run 0 pull hf:acme/Tiny-Model-GGUF:Q4_0
check [ $(($(date +%s) - t)) -ge 2 ]
fresh 'fail_status=429&fail_times=9&retry_after=9999'
run 75 pull hf:acme/Tiny-Model-GGUF:Q4_0
has 429 "$err"
end

begin 'lies about the digest: removed, an earlier model stays'
fresh
run 0 pull hf:acme/Tiny-Model-GGUF:Q8_0
before=$(find "$CROFT_HOME/models" "$CROFT_HOME/blobs" | sort)
ask '/set?wrong_digest=1'
run 76 pull hf:acme/Tiny-Model-GGUF:Q4_0
has 'SHA-256' "$err"
check [ "$(find "$CROFT_HOME/models" "$CROFT_HOME/blobs" | sort)" = "$before" ]
check [ -z "$(ls "$CROFT_HOME"/partial/*.part 2>/dev/null)" ]
fresh
run 76 pull "$hub/plain/tiny-model-q4_0.gguf" --sha256 "$(printf x | sha256sum | cut -c1-64)"
nothing_visible
run 64 pull "$hub/plain/tiny-model-q4_0.gguf" --sha256 123
end

begin 'lies about the length: shorter, longer, endless'
fresh wrong_size=5
run 75 pull hf:acme/Tiny-Model-GGUF:Q4_0
has 'announces 300000' "$err"
fresh wrong_length=-1000
run 75 pull hf:acme/Tiny-Model-GGUF:Q4_0
fresh wrong_size=-1000
ask '/set?chunked=1'
run 75 pull hf:acme/Tiny-Model-GGUF:Q4_0
has 'more than' "$err"
fresh endless=1
run 75 pull hf:acme/Tiny-Model-GGUF:Q4_0
check [ "$(du -sk "$CROFT_HOME" | cut -f1)" -lt 1000 ]
run 65 pull "$hub/plain/tiny-model-q4_0.gguf" --max-size 3M
check [ "$(du -sk "$CROFT_HOME" | cut -f1)" -lt 4000 ]
nothing_visible
end

begin 'a server that stalls is left after --timeout and asked again; a JSON answer that is none'
fresh 'drop_after=150000&drop_times=1&stall_s=20'
t=$(date +%s)
run 0 pull --timeout 2 hf:acme/Tiny-Model-GGUF:Q4_0
check [ $(($(date +%s) - t)) -lt 15 ]
check [ "$(ask /log | json '[x["range"] for x in v if not x["hub"]]')" = "[None, 'bytes=150000-']" ]
fresh bad_json=1
run 65 pull hf:acme/Tiny-Model-GGUF
nothing_visible
end

begin 'a web page instead of a model'
fresh
run 65 pull "$hub/plain/page.gguf"
has 'web page' "$err"
nothing_visible
check [ -z "$(ls "$CROFT_HOME"/partial/*.part 2>/dev/null)" ]
end

begin 'plain URL: pulled, present by ETag, updated'
fresh
run 0 pull "$hub/plain/tiny-model-q4_0.gguf?signature=secret"
check [ -z "$(grep -r secret "$CROFT_HOME")" ]
run 0 pull "$hub/plain/tiny-model-q4_0.gguf"
has 'already here' "$out"
run 64 pull "$hub/plain/download?id=4"
has -- '--name' "$err"
end

begin 'a new revision with the same bytes, then another owner of the same name'
fresh
run 0 pull hf:acme/Tiny-Model-GGUF:Q8_0
ask "/set?commit=$(printf '%040d' 2)"
run 0 pull hf:acme/Tiny-Model-GGUF:Q8_0 --json
check [ "$(echo "$out" | json 'v["outcome"], v["fetched_bytes"], v["revision"][-1]')" = "('present', 0, '2')" ]
run 0 pull hf:other/Tiny-Model-GGUF:Q8_0
has 'other/tiny-model:q8_0' "$out"
check [ "$(ls "$CROFT_HOME/blobs" | wc -l)" = 1 ]
run 0 rm tiny-model:q8_0
check [ "$(ls "$CROFT_HOME/blobs" | wc -l)" = 1 ]
run 0 rm other/tiny-model:q8_0
check [ "$(ls "$CROFT_HOME/blobs" | wc -l)" = 0 ]
end

begin 'offline: list and pull of what is here work, the rest is a sentence'
fresh
run 0 pull hf:acme/Tiny-Model-GGUF:Q8_0
export HF_ENDPOINT=http://127.0.0.1:9
run 0 list
has tiny-model:q8_0 "$out"
run 0 pull "hf:acme/Tiny-Model-GGUF@1111111111111111111111111111111111111111:Q8_0"
check [ -z "$err" ]
run 0 pull hf:acme/Tiny-Model-GGUF:Q8_0
has 'could not be asked' "$err"
run 75 pull hf:acme/Tiny-Model-GGUF:Q4_0
has '127.0.0.1' "$err"
export HF_ENDPOINT="$hub"
end

begin 'two pulls of the same model at once'
fresh rate=12000000
"$croft" pull hf:acme/Big-GGUF >"$dir/out1" 2>&1 & one=$!
sleep 0.5
run 75 pull --no-wait hf:acme/Big-GGUF
has 'Another croft' "$err"
run 75 rm --unused
run 0 pull hf:acme/Big-GGUF
has 'waiting' "$err"
wait $one || why="the first pull failed: $(cat "$dir/out1"); $why"
check [ "$(ask /log | json 'sum("/content/" in x["path"] for x in v)')" = 1 ]
end

begin 'import: copy, again, link, a set, not a GGUF'
fresh
python3 - "$dir" <<'PY'
import sys
for name in ("Foo-7B.Q4_K_M.gguf", "set-Q8_0-00001-of-00002.gguf", "set-Q8_0-00002-of-00002.gguf"):
    open(sys.argv[1] + "/" + name, "wb").write(b"GGUF" + name.encode() * 1000)
open(sys.argv[1] + "/no.gguf", "w").write("hello, this is text")
PY
run 0 pull "$dir/Foo-7B.Q4_K_M.gguf"
has 'Pulled foo-7b:q4_k_m' "$out"
check cmp -s "$dir/Foo-7B.Q4_K_M.gguf" "$(model foo-7b:q4_k_m)/Foo-7B.Q4_K_M.gguf"
run 0 pull "$dir/Foo-7B.Q4_K_M.gguf"
has 'already here' "$out"
run 0 pull --link --name linked "$dir/Foo-7B.Q4_K_M.gguf"
check [ "$(readlink "$(model linked)/Foo-7B.Q4_K_M.gguf")" = "$dir/Foo-7B.Q4_K_M.gguf" ]
run 0 pull "$dir/set-Q8_0-00001-of-00002.gguf"
check [ "$(ls "$(model set:q8_0)" | wc -l)" = 2 ]
run 65 pull "$dir/no.gguf"
run 64 pull "$dir"
run 64 pull --name ../x "$dir/Foo-7B.Q4_K_M.gguf"
run 0 rm linked foo-7b:q4_k_m
check [ -f "$dir/Foo-7B.Q4_K_M.gguf" ]
check [ "$(ls "$CROFT_HOME/blobs" | wc -l)" = 2 ]
check [ -z "$(ls "$CROFT_HOME/partial")" ]
end

begin 'rm: unknown, only tag, damaged record, leftovers'
fresh
run 0 pull hf:acme/Tiny-Model-GGUF:Q8_0
run 66 rm tiny
run 0 rm tiny-model
check [ -z "$(ls "$CROFT_HOME/blobs")" ]
run 0 pull hf:acme/Tiny-Model-GGUF:Q8_0
echo '{' >"$CROFT_HOME/models/tiny-model:q8_0.json"
run 0 list
has damaged "$out"
run 0 rm tiny-model:q8_0
check [ "$(ls "$CROFT_HOME/blobs" | wc -l)" = 1 ]
run 0 rm --unused
check [ -z "$(ls "$CROFT_HOME/blobs")" ]
run 64 rm
end

begin 'an empty store, and nothing running'
fresh
run 0 list --json
check [ "$out" = '[]' ]
run 0 ps --json
check [ "$out" = '[]' ]
run 66 rm x
end

begin 'file size limit (ulimit -f): an error, the part stays, then continued'
fresh
(ulimit -f 4096; "$croft" pull hf:acme/Big-GGUF >/dev/null 2>"$dir/err"); got=$?
check [ $got -eq 73 ]
has 'ulimit' "$(cat "$dir/err")"
check [ "$(stat -c %s "$CROFT_HOME"/partial/*.part)" -gt 1000000 ]
nothing_visible
run 0 pull hf:acme/Big-GGUF
check [ "$(ask /log | json 'sum(1 for x in v if x["range"] and not x["hub"])')" = 1 ]
end

begin 'disk full: refused before the transfer, and in its middle with the part kept'
fresh
mkdir -p "$dir/small"
if mount -t tmpfs -o size=12m tmpfs "$dir/small" 2>/dev/null; then
    mounted="$dir/small"
    CROFT_HOME="$dir/small/store"; export CROFT_HOME
    run 73 pull hf:acme/Big-GGUF
    has 'missing' "$err"
    check [ "$(ask /log | json 'sum("/content/" in x["path"] for x in v)')" = 0 ]
    ask '/set?chunked=1'
    run 73 pull "$hub/plain/big-q4_0.gguf"
    check [ "$(stat -c %s "$CROFT_HOME"/partial/*.part)" -gt 5000000 ]
    nothing_visible
    mount -o remount,size=64m "$dir/small"
    ask '/set?chunked=0'
    run 0 pull "$hub/plain/big-q4_0.gguf"
    check [ "$(ask /log | json 'sum(1 for x in v if x["range"])')" = 1 ]
    umount "$dir/small"; mounted=
    end
else
    skip 'mounting a small tmpfs needs root'
fi

begin 'TLS: a self-signed certificate is refused, CURL_CA_BUNDLE and SSL_CERT_FILE accept it'
if command -v openssl >/dev/null && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout "$dir/key.pem" \
    -out "$dir/cert.pem" -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>/dev/null; then
    python3 "$here/server.py" "$dir/tlsport" --tls "$dir/cert.pem" "$dir/key.pem" & tls=$!
    i=0; while [ ! -s "$dir/tlsport" ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i + 1)); done
    read -r tlsport _ <"$dir/tlsport"
    fresh
    export HF_ENDPOINT="https://127.0.0.1:$tlsport"
    run 77 pull hf:acme/Tiny-Model-GGUF:Q4_0
    has 'not trusted' "$err"; has CURL_CA_BUNDLE "$err"
    CURL_CA_BUNDLE="$dir/cert.pem" run 0 pull hf:acme/Tiny-Model-GGUF:Q4_0
    SSL_CERT_FILE="$dir/cert.pem" run 0 pull hf:acme/Tiny-Model-GGUF:Q8_0
    CURL_CA_BUNDLE="$dir/absent.pem" run 77 pull hf:acme/Tiny-Model-GGUF:Q4_K_M
    CURL_CA_BUNDLE="$dir/cert.pem" HF_ENDPOINT="https://localhost:$tlsport" run 0 pull hf:acme/Set-GGUF
    export HF_ENDPOINT="$hub"
    end
else
    skip 'openssl is missing'
fi
finish
