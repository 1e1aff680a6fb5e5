# croft logits: the file that other programs compare. Values are checked by tests/unit/infer/test_logits.c.
run: croft logits tests/golden/logits/llama.gguf --tokens "1 2,3" -o $T/a && od -An -td4 -N28 $T/a | xargs && wc -c <$T/a
out: 1330072625 3 40 0 1 2 3
out: 508
run: croft logits tests/golden/logits/bert-cls.gguf --tokens "1 2" --embd -o $T/a && od -An -td4 -N24 $T/a | xargs
out: 1330072625 2 24 0 1 2
run: croft logits tests/golden/logits/llama.gguf --tokens "1 2 40" -o $T/b; test ! -e $T/b && exit 64
exit: 64
err~ Token 40 at position 2 is not in the vocabulary of 40
run: croft logits tests/golden/logits/llama.gguf --tokens "1 x" -o $T/b
exit: 64
err~ 'x' is not a token id
run: croft logits tests/golden/logits/llama.gguf -o $T/b
exit: 64
err~ Give the tokens
run: croft logits tests/golden/logits/llama.gguf --tokens 1
exit: 64
err~ Say where to write
run: croft logits tests/golden/logits/llama.gguf --tokens "1 2 3 4" -c 3 -o $T/b
exit: 65
err~ 1 too few
run: croft logits tests/golden/logits/bert-cls.gguf --tokens "1 2" -o $T/b
exit: 64
err~ embeddings, not next tokens
run: croft logits tests/golden/gguf/all_types.gguf --tokens 1 -o $T/b
exit: 69
err~ "test" is not supported; known: llama
run: CROFT_CPU=nonsense croft logits tests/golden/logits/llama.gguf --tokens 1 -o $T/b
exit: 64
err~ nonsense
run: croft logits tests/golden/logits/llama.gguf --tokens 1 -o $T/no/such/folder/b
exit: 66
err~ .
