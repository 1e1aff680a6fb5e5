# croft show on files that are no models.
run: croft show $T/absent
exit: 66
err~ absent
run: croft show $T
exit: 64
err~ is a folder
make: : > $T/empty
run: croft show $T/empty
exit: 65
err~ empty
make: printf 'GGUF' > $T/short
run: croft show $T/short
exit: 65
make: printf 'hello world, this is text' > $T/text
run: croft show $T/text
exit: 65
err: croft show: This is not a GGUF file: it does not start with the four letters GGUF.
make: printf 'GGUF\003\000\000\000\377\377\377\377\377\377\377\177\377\377\377\377\377\377\377\177' > $T/huge
run: croft show $T/huge
exit: 65
# a name that tries to drive the terminal, and bytes that are no UTF-8
make: printf 'GGUF\003\0\0\0\0\0\0\0\0\0\0\0\001\0\0\0\0\0\0\0\014\0\0\0\0\0\0\0general.name\010\0\0\0\011\0\0\0\0\0\0\0a\033[31m\377b\n' > $T/evil
run: croft show $T/evil --metadata | od -c | grep -cE '033|377'
exit: 1
out: 0
run: croft show $T/evil --metadata
out~ ^name +a\?\[31m
run: croft show $T/evil --json
json: .name == "a\u001b[31m\ufffdb\n" and .architecture == null and .n_parameters == 0
# this project's own golden file
need: tests/golden/gguf/all_types.gguf
run: croft show tests/golden/gguf/all_types.gguf --json --tensors --metadata
json: .gguf_version == 3 and (.tensors | length) == .n_tensors and (.metadata | length) == .n_metadata
json: ([.types[].n_tensors] | add) == .n_tensors
run: croft show tests/golden/gguf/all_types.gguf -tm
out~ ^GGUF version +3$
run: head -c 300 tests/golden/gguf/all_types.gguf > $T/cut; croft show $T/cut
exit: 65
err~ damaged|truncated|Fetch
