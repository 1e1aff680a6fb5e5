# croft perplexity, embed, bench, eval.
need: ../shared/models/stories260K.gguf
need: ../shared/data/text/shakespeare.txt
# llama-perplexity (llama.cpp de3ff81, f32 cache, one thread) on the same bytes: 97.1497 +/- 4.37847 over 48 chunks.
run: head -c 20000 ../shared/data/text/shakespeare.txt > $T/x; croft perplexity ../shared/models/stories260K.gguf $T/x -c 256 --kv f32
out: perplexity 97.1497 ± 4.3785 (4.5763 nats per token, 6096 tokens in 48 chunks of 256)
run: head -c 20000 ../shared/data/text/shakespeare.txt > $T/x; croft perplexity ../shared/models/stories260K.gguf $T/x -c 256 --chunks 1 --kv f32 --json
json: (.perplexity - 45.8386 | fabs) < 0.01 and .n_chunks == 1
run: echo short > $T/x; croft perplexity ../shared/models/stories260K.gguf $T/x
exit: 64
err~ smaller --ctx
run: croft perplexity ../shared/models/stories260K.gguf $T/none
exit: 66
err~ none
run: croft bench ../shared/models/stories260K.gguf -p 16 -n 8 -r 2 --json
json: .prompt_tokens_per_s > 0 and .decode_tokens_per_s > 0 and .bandwidth_share > 0 and .peak_share > 0 and .threads >= 1
run: croft bench ../shared/models/stories260K.gguf -p 0 -n 4 -r 1 --no-ceilings --json
json: .prompt_tokens_per_s == null and .decode_tokens_per_s > 0 and .bandwidth_share == null
run: croft bench ../shared/models/stories260K.gguf --sustained 2 --json
json: length >= 1 and .[0].decode_tokens_per_s > 0
run: croft bench tests/golden/logits/bert-cls.gguf -p 8 -r 2 --no-ceilings --json
json: .prompt_tokens_per_s > 0 and .decode_tokens_per_s == null
run: croft bench ../shared/models/stories260K.gguf -p 0 -n 0
exit: 64
err~ nothing to measure
run: croft perplexity ../shared/models/stories260K.gguf /dev/null
exit: 64
err~ device or a pipe
run: croft embed ../shared/models/stories260K.gguf "$(seq 400)"
exit: 65
err~ too few
# Lines embedded together are the texts embedded one by one, in order; what can be embedded comes before an error.
run: printf 'a\nOnce upon a time\n\nlittle dog\n' | croft embed ../shared/models/stories260K.gguf --kv f32 --json > $T/all; for t in a "Once upon a time" "little dog"; do croft embed ../shared/models/stories260K.gguf --kv f32 --json "$t"; done > $T/one; jq -s '(.[0] | length) == 3 and ([.[0], [.[1:][][0]]] | map(map(.embedding) | flatten) | transpose | all((.[0] - .[1] | fabs) < 1e-6)) and (.[0] | map(.text)) == (.[1:] | map(.[0].text))' $T/all $T/one
out: true
run: (echo one; seq -s ' ' 400; echo two) | croft embed ../shared/models/stories260K.gguf | wc -l
out: 1
err~ too few
run: croft bench ../shared/models/stories260K.gguf -p 8 --prefix 60 -n 8 -d 40 --sequences 3 -r 2 --no-ceilings --json
json: .prefix == 60 and .sequences == 3 and .depth == 40 and .decode_tokens_per_s > 0 and (.decode_step_ms * .decode_tokens_per_s / 3000 - 1 | fabs) < 1e-6 and (.prompt_ms * .prompt_tokens_per_s / 8000 - 1 | fabs) < 1e-6 and .texts_per_s == null and .start_ms == null and .session_bytes > 60000 and .resident_bytes > .session_bytes
# A token's share of the weights shrinks with the sequences; its own keys and values do not.
run: for n in 1 2 4; do croft bench ../shared/models/stories260K.gguf -p 0 -n 4 --sequences $n -r 1 --no-ceilings --json; done | jq -s 'map(.bytes_per_token) | (.[0] - .[1] == 2 * (.[1] - .[2])) and .[2] > .[0] / 4'
out: true
run: croft bench ../shared/models/stories260K.gguf -p 8 --prefix 60 -n 8 -d 4 --sequences 3 -r 1 --no-ceilings
out~ pp8 @ prefix 60
out~ tg8 x 3 @ d4
run: croft bench tests/golden/logits/bert-cls.gguf -p 5 --sequences 7 -r 2 --no-ceilings --json
json: .texts_per_s > 0 and .batch_texts_per_s > 0 and (.texts_per_s * 5 / .prompt_tokens_per_s - 1 | fabs) < 1e-6 and .decode_tokens_per_s == null
run: croft bench tests/golden/logits/bert-cls.gguf -p 5 --sequences 7 -r 1 --no-ceilings
out~ pp5 x 7
out~ texts/s
run: croft bench ../shared/models/stories260K.gguf -p 4 -n 0 -r 2 --start --no-ceilings --json
json: .start_ms > 0.5 and .start_ms < 60000
run: croft bench tests/golden/logits/llama.gguf -p 4 -n 4 -r 1 --start --no-ceilings
out~ start .*[0-9]
run: croft bench ../shared/models/stories260K.gguf -p 0 -n 4 --prefix 8
exit: 64
err~ needs -p
run: croft bench tests/golden/logits/qwen35.gguf -p 4 --prefix 9 -n 4 -d 7 --sequences 2 -r 2 --no-ceilings --json
json: .decode_tokens_per_s > 0 and .prompt_ms > 0
# eval's --perplexity is the same measurement; a model is at no distance from itself.
run: head -c 20000 ../shared/data/text/shakespeare.txt > $T/x; croft eval -m ../shared/models/stories260K.gguf --perplexity $T/x -c 256 --kv f32
out: perplexity 97.1497 ± 4.3785 (4.5763 nats per token, 6096 tokens in 48 chunks of 256)
run: croft eval -m ../shared/models/stories260K.gguf --kl ../shared/models/stories260K.gguf --text $T/x -c 256 --chunks 2 --json
json: .n_chunks == 2 and .kl.mean < 1e-9 and .kl.same_top == 1 and .kl.same_top_lo > 0.97 and .kl.base_perplexity == .perplexity and .kl.quantiles.max < 1e-9
run: croft eval -m ../shared/models/stories260K.gguf --kl models/helpdesk-q8_0.gguf --text $T/x
exit: 64
err~ different tokens, first at token
run: croft eval -m ../shared/models/stories260K.gguf --kl ../shared/models/stories260K.gguf
exit: 64
err~ --text FILE
run: croft eval examples/helpdesk/task.yaml -m ../shared/models/stories260K.gguf --perplexity $T/x
exit: 64
err~ without a task
run: croft eval -m ../shared/models/stories260K.gguf --perplexity $T/none
exit: 66
err~ none
