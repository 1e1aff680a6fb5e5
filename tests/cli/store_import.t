# A file of this repository becomes a model, is found by a prefix, and is removed.
run: CROFT_HOME=$T/s croft pull -q tests/golden/gguf/all_types.gguf
out~ ^Pulled all_types: .*SHA-256 checked\.$
run: CROFT_HOME=$T/s croft list --json
json: .[0].name == "all_types" and .[0].bytes == 1216 and .[0].damaged == false
run: CROFT_HOME=$T/s croft show ALL_ --json
json: .bytes == 1216
run: CROFT_HOME=$T/s croft pull -q tests/golden/gguf/all_types.gguf --json
json: .outcome == "present" and .fetched_bytes == 0
run: CROFT_HOME=$T/s croft pull --sha256 zz tests/golden/gguf/all_types.gguf
exit: 64
err~ --sha256 needs 64 hexadecimal digits
run: CROFT_HOME=$T/s croft rm all_types
out: Removed all_types, 1.2 KiB freed.
run: ls $T/s/blobs
run: CROFT_HOME=$T/s croft pull tests/cli/store.t
exit: 65
err~ is not a GGUF file
run: CROFT_HOME=$T/s croft pull tests/golden
exit: 64
err~ is not a regular file
run: CROFT_HOME=$T/s croft pull http://model.test/x.gguf
exit: 77
err~ Use https, or allow it with --insecure-http
run: CROFT_HOME=$T/s croft pull ftp://model.test/x.gguf
exit: 64
err~ Use https://HOST/PATH
