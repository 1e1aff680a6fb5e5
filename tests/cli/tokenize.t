# croft tokenize: what the arguments mean. Ids of the real vocabulary come from the reference's own files.
run: croft tokenize
exit: 64
run: croft tokenize $T/absent --text x
exit: 66
run: croft tokenize x --text a --lines b
exit: 64
err~ Give one of FILE, --text, --lines and --decode
need: ../shared/fixtures/tokenizer/ggml-vocab-gpt-2.gguf
make: ln -s $(realpath ../shared/fixtures/tokenizer)/ggml-vocab-gpt-2.gguf $T/gpt2.gguf
make: ln -s $(realpath ../shared/fixtures/tokenizer)/ggml-vocab-llama-spm.gguf $T/spm.gguf
# The reference's inputs are compared by the unit tests; here: lines, bytes, the last line.
make: printf 'a\n\nb\r\nc' > $T/lines
run: croft tokenize $T/gpt2.gguf --lines $T/lines
out: 64
out:
out: 65 201
out: 66
run: croft tokenize $T/gpt2.gguf --lines $T/absent
exit: 66
run: croft tokenize $T/gpt2.gguf --text ''
out:
run: croft tokenize $T/gpt2.gguf
stdin: a
out: 64 198
run: croft tokenize $T/gpt2.gguf --text a --json
json: .ids == [64] and .pieces == ["a"]
run: croft tokenize $T/gpt2.gguf --lines $T/lines --json
json: length == 4 and .[1].ids == []
run: croft tokenize $T/gpt2.gguf --decode '64 65,66'
out: abc
run: croft tokenize $T/gpt2.gguf --decode '64 x'
exit: 64
err~ 'x' in --decode is not a token id
run: croft tokenize $T/gpt2.gguf --decode '999999'
exit: 64
err~ from 0 to 50256
# special text: plain text by default, a token with --special (which also adds BOS)
run: croft tokenize $T/spm.gguf --special --text 'a<s>'
out: 1 263 1
# a BOS that the text begins with is not doubled
run: croft tokenize $T/spm.gguf --special --text '<s>'
out: 1
run: croft tokenize $T/spm.gguf --text '<s>'
out! ^1( |$)
# an ill-formed byte is no error
run: printf '\377' | croft tokenize $T/gpt2.gguf --json
json: .pieces == ["�"]
