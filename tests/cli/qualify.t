# croft qualify: this machine against requirements, predictions for others, the plan over a device's life.
run: croft qualify models/helpdesk-q8_0.gguf --hardware-only -p 16 -n 4
out~ memory +pass
out~ Verdict: qualified
run: croft qualify models/helpdesk-q8_0.gguf -p 16 -n 4
exit: 2
out~ evaluation +open +not evaluated
out~ Verdict: open
run: croft qualify models/helpdesk-q8_0.gguf --hardware-only -p 16 -n 4 --sustained 1 --min-decode 1e9 --json
exit: 1
json: .verdict == "fail" and .measured and ([.checks[] | select(.outcome == "fail") | .check] == ["decode"]) and ([.checks[] | select(.check == "p99") | .value][0] > 0)
run: croft qualify models/helpdesk-q8_0.gguf --hardware-only -p 16 -n 0 --memory-factor 100 --json
json: [.checks[] | select(.check == "memory")][0] | .outcome == "pass" and .limit == 100
# With a limit 100 answers are measured, since fewer have no P99.
run: croft qualify models/helpdesk-q8_0.gguf --hardware-only -p 16 -n 2 --max-p99 10000 --json
json: .verdict == "pass" and ([.checks[] | select(.check == "p99") | .reason][0] | contains("of 100 answers"))
# The evaluation comes first: beside the model, for these weights and this task, above its floor.
run: cp models/helpdesk-q8_0.gguf $T/m.gguf; croft eval examples/helpdesk/task.yaml -m $T/m.gguf --limit 40 -o $T/m.helpdesk-intent.eval.json > /dev/null; croft qualify examples/helpdesk/task.yaml -m $T/m.gguf
out~ evaluation +pass +accuracy 0\.[0-9]+ by .*m\.helpdesk-intent\.eval\.json
out~ Verdict: qualified
run: croft qualify examples/helpdesk/task.yaml -m models/helpdesk-q8_0.gguf --eval $T/m.helpdesk-intent.eval.json
out~ Verdict: qualified
# other weights: the last byte of the last tensor
run: (head -c -1 $T/m.gguf; printf '\001') > $T/o.gguf; croft qualify $T/o.gguf --eval $T/m.helpdesk-intent.eval.json -p 8 -n 2
exit: 2
out~ is of other weights
run: sed 's/"revision": "./"revision": "x/' $T/m.helpdesk-intent.eval.json > $T/other.json; croft qualify examples/helpdesk/task.yaml -m $T/m.gguf --eval $T/other.json
exit: 2
out~ another revision
run: sed 's/^floor:.*/floor: 0.999/' examples/helpdesk/task.yaml > $T/strict.yaml; cp examples/helpdesk/*.jsonl $T/; croft qualify $T/strict.yaml -m $T/m.gguf --eval $T/m.helpdesk-intent.eval.json
exit: 1
out~ evaluation +fail .*required: at least 0.9990
run: echo '{}' > $T/no.json; croft qualify models/helpdesk-q8_0.gguf --eval $T/no.json
exit: 65
err~ not a report
# Predictions. A step of this model reads 3203072 bytes of weights and 2048 of keys and values for each of
# 256 + 64 / 2 = 288 positions; an L4 reads 300 GB/s.
run: croft qualify models/helpdesk-q8_0.gguf --hardware-only -d nvidia-l4 --json
json: .measured == false and .verdict == "pass" and ((.devices[0].predicted.decode.limit / (300e9 / (3203072 + 2048 * 288)) - 1) | fabs) < 1e-9 and (.devices[0].predicted.basis | contains("not measured")) and (.prediction_error.rows | length) >= 2 and .devices[0].source != null
run: croft qualify models/helpdesk-q8_0.gguf --hardware-only -d nvidia-l4
out~ predicted to be enough; measure it before
out~ Error of predictions
run: croft qualify models/helpdesk-q8_0.gguf --hardware-only -d here --json
json: .devices[0].device == "here" and .devices[0].predicted.prompt.from <= .devices[0].predicted.prompt.tokens_per_s
run: croft qualify models/helpdesk-q8_0.gguf --hardware-only -d hailo-10h --min-decode 5
exit: 2
out~ decode +open +cannot be predicted
run: croft qualify models/helpdesk-q8_0.gguf -d nvidia-l5
exit: 66
err~ Did you mean 'nvidia-l4'
run: printf 'devices:\n  - {name: box, kind: cpu, cores: 2, bandwidth_gbs: 0.01, int8_tops: 0.01, memory_gb: 0.004, source: s}\n' > $T/d.yaml; croft qualify models/helpdesk-q8_0.gguf --hardware-only --devices $T/d.yaml --min-decode 100
exit: 1
out~ memory +fail
out~ decode +fail
run: printf 'devices:\n  - {name: box, kind: cpu, bandwidth_gbs: -2, source: s}\n' > $T/d.yaml; croft qualify models/helpdesk-q8_0.gguf --devices $T/d.yaml
exit: 65
err~ d\.yaml:2: 'bandwidth_gbs' must be a number from 0\.01 to 20000
run: printf 'devices:\n  - {name: box, kind: cpu, bandwidth: 2, source: s}\n' > $T/d.yaml; croft qualify --list-devices --devices $T/d.yaml
exit: 65
err~ d\.yaml:2: there is no 'bandwidth' in devices\[0\]
run: croft qualify --list-devices --json
json: length >= 15 and all(.[]; .source != null and .read_on != null)
# A plan of three years: review after 18 months, refresh after 24.
run: croft qualify models/helpdesk-q8_0.gguf --plan --bought 2026-11 --life 36
out~ 2028-05  mid-life review
out~ 2028-11  refresh decision
out~ 2029-11  depreciation cliff
run: croft qualify m --plan --bought 2026-11 --json
json: [.steps[].due] == ["2026-11", "2028-05", "2028-11", "2029-11"] and .life_months == 36
run: croft qualify m --plan --bought 2026-11 --format ics | tr -d '\r' | grep -c '^BEGIN:VEVENT'
out: 4
run: croft qualify m --plan --bought 2026-11 --life 12
exit: 64
err~ 24 to 240
run: croft qualify m --plan
exit: 64
err~ --bought
run: croft qualify m --plan --bought 2026-13
exit: 64
err~ not a month
run: croft qualify
exit: 64
err~ Say what to qualify
run: croft qualify models/helpdesk-q8_0.gguf --hardware-only -p 100000
exit: 65
err~ does not fit the model's context
run: croft qualify models/helpdesk-q8_0.gguf --hardware-only -p 0
exit: 65
err~ prompt of at least 1 token
run: croft qualify examples/helpdesk/task.yaml
exit: 64
err~ -m MODEL
run: croft qualify m --min-sustained 0.9
exit: 64
err~ --sustained 60
run: croft qualify m -d nvidia-l4 --sustained 5
exit: 64
err~ on the machine itself
run: croft qualify models/helpdesk-q8_0.gguf --level turbo
exit: 64
err~ no kernel level 'turbo'
run: croft qualify $T/none.gguf
exit: 66
err~ none
run: croft qualify tests/golden/logits/bert-cls.gguf --hardware-only -p 5 --json
json: .shape.decodes == false and ([.checks[] | select(.check == "decode") | .value] == [null]) and ([.checks[] | select(.check == "prompt") | .value][0] > 0)
run: croft qualify tests/golden/logits/bert-cls.gguf --hardware-only -p 5 --min-decode 5
exit: 64
err~ encoder
