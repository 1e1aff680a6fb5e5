# croft run: the answer alone on standard output when it is not a terminal; greedy unless told otherwise.
need: ../shared/models/stories260K.gguf
need: ../shared/models/stories260K.greedy.txt
# The reference's greedy continuation, word for word (its last line may be cut in the middle).
run: { printf ' Once upon a time'; croft run ../shared/models/stories260K.gguf "Once upon a time" -n 200 -c 512; } > $T/a; head -c 400 ../shared/models/stories260K.greedy.txt > $T/b; head -c 400 $T/a | cmp - $T/b && echo same
out: same
run: croft run ../shared/models/stories260K.gguf Once upon a time -n 3
out: , there was
# Standard input is the prompt; "-" puts it between words.
run: croft run ../shared/models/stories260K.gguf -n 3
stdin: Once upon a time
out: , there was
run: croft run ../shared/models/stories260K.gguf "Once upon" - -n 3
stdin: a time
out: , there was
# A stop string does not appear.
run: croft run ../shared/models/stories260K.gguf "Once upon a time" -n 50 --stop " girl"
out: , there was a little
# JSON with log-probabilities.
run: croft run ../shared/models/stories260K.gguf "Once upon a time" -n 4 --json --logprobs 2
json: .answer == ", there was a" and .finish_reason == "length" and (.logprobs | length) == 4 and (.logprobs[1].text == " there") and (.logprobs[0].top | length) == 2 and .logprobs[0].logprob <= 0
# A banned token is not drawn; the same seed gives the same answer.
run: croft run ../shared/models/stories260K.gguf "Once upon a time" -n 1 --logit-bias 432=-inf
out! ^,
run: croft run ../shared/models/stories260K.gguf "Once upon a time" -n 30 --temp 1 --seed 7 > $T/a; croft run ../shared/models/stories260K.gguf "Once upon a time" -n 30 --temp 1 --seed 7 | cmp - $T/a && echo same
out: same
run: croft run ../shared/models/stories260K.gguf "Once upon a time" -n 30 --temp 1 --seed 7 > $T/a; croft run ../shared/models/stories260K.gguf "Once upon a time" -n 30 --temp 1 --seed 8 | cmp -s - $T/a || echo other
out: other
# Every kernel level says the same.
run: for l in ref avx2 avx512 vnni amx neon dotprod i8mm; do CROFT_CPU=$l croft run ../shared/models/stories260K.gguf "Once upon a time" -n 60 2>/dev/null | cksum; done | sort -u | grep -vc '^4294967295 0$'
out: 1
# What does not fit is an error that says by how much, not a cut.
run: croft run ../shared/models/stories260K.gguf "Once upon a time" -c 4
exit: 65
err~ 1 too many
run: croft run ../shared/models/stories260K.gguf "" -n 3
exit: 64
err~ prompt is empty
run: croft run ../shared/models/stories260K.gguf x --logit-bias 9999=1
exit: 64
err~ token id below
run: croft run ../shared/models/stories260K.gguf x -s "Be brief."
exit: 64
err~ chat template
run: croft run tests/golden/gguf/all_types.gguf x
exit: 69
err~ known: 
run: croft run $T/none.gguf x
exit: 66
err~ none.gguf
run: croft run tests/golden/logits/bert-cls.gguf x
exit: 69
err~ croft embed
# A full disk is not success.
run: croft run ../shared/models/stories260K.gguf "Once upon a time" -n 50 > /dev/full
exit: 73
err~ No space left
# A FIFO or a device as MODEL is refused at once, not waited for.
run: mkfifo $T/fifo && timeout 20 croft show $T/fifo
exit: 64
err~ device or a pipe
run: croft run /dev/zero x
exit: 64
err~ device or a pipe
# A bias without bounds would leave no token to draw.
run: croft run ../shared/models/stories260K.gguf x --temp 1 --logit-bias 5=1e300
exit: 64
err~ up to 1e9
# Ctrl-C while the prompt is read ends the program.
run: mkfifo $T/in; sleep 3 > $T/in & timeout --preserve-status -s INT 1 croft run ../shared/models/stories260K.gguf < $T/in
exit: 130
