# croft task: begin one, check it, answer inputs with it.
run: croft task init $T/a && croft task check $T/a/task.yaml --strict
out~ ^my-task: classify, 3 labels$
out~ ^0 errors, 0 warnings$
run: for k in classify extract generate embed; do croft task init $T/$k --kind $k > /dev/null && croft task check $T/$k/task.yaml --strict > /dev/null || echo $k; done
out! .
run: croft task init $T/a
exit: 64
err~ task.yaml' exists already; nothing is overwritten
run: croft task
exit: 64
err~ An argument is missing
run: croft task --help
out~ ^  check +look at
run: croft task check --help
out~ ^Usage: croft task check \[OPTION\]… TASK
run: croft task chekc $T/a/task.yaml
exit: 64
err~ There is no 'croft task chekc'
run: croft task check
exit: 64
err~ An argument is missing. Usage: croft task check TASK
run: croft task check $T/a/task.yaml --top 3
exit: 64
err~ --top
run: croft task check $T/none.yaml
exit: 66
err~ none.yaml
run: croft task check $T/a/task.yaml --json
json: .ok and .kind == "classify" and .labels == 3 and (.data | map(.data)) == ["train", "test"] and .data[0].n == 3 and .findings == []
# findings: an unknown label is an error, what is in both sets a warning
make: mkdir -p $T/b; printf 'name: b\nkind: classify\nlabels: [{name: x}, {name: y}]\ndata: {train: train.csv, test: t.jsonl, columns: {input: text, label: intent}}\n' > $T/b/task.yaml; printf 'text,intent\r\n"one, two",x\r\nthree,y\r\n' > $T/b/train.csv; printf '{"text":"one, two","intent":"x"}\n{"text":"four","intent":"y"}\n' > $T/b/t.jsonl
run: croft task check $T/b/task.yaml
out~ ^warning: test: 1 inputs stand in the training data too.*line 1: "one, two"
out~ ^0 errors, 1 warnings$
run: croft task check $T/b/task.yaml --strict --json
exit: 65
json: (.ok | not) and .findings[0].level == "warning" and .data[1].seen_in_training == 1
run: echo '{"text":"five","intent":"z"}' >> $T/b/t.jsonl; croft task check $T/b/task.yaml
exit: 65
out~ ^error: test: 1 examples have a label that the task does not name, first 'z' in line 3\.$
# another tool's task
run: croft task import tests/golden/import/letters/task.yaml -o $T/imported && croft task check $T/imported/task.yaml
out~ ^Imported from lm-eval: 1 training, 2 validation, 0 test examples
out~ ^polarity: classify, 2 labels$
run: croft task import tests/golden/import/sciq/task.yaml -o $T/sciq > /dev/null && croft task check $T/sciq/task.yaml --json
json: .ok and .labels == 0 and .data[1].n == 2
run: croft task import tests/golden/import/promptfoo/task.yaml -o $T/pf > /dev/null && croft task check $T/pf/task.yaml --strict
out~ ^0 errors, 0 warnings$
run: croft task import tests/golden/import/sciq/task.yaml -o $T/sciq
exit: 64
err~ nothing is overwritten
run: croft task import tests/golden/import/sciq/task.yaml
exit: 64
err~ add -o FOLDER
run: printf 'prompts: [a, b]\ntests: []\n' > $T/p.yaml; croft task import $T/p.yaml -o $T/x
exit: 69
err~ cannot be imported: it has 2 prompts
need: models/helpdesk-q8_0.gguf
run: croft task check examples/helpdesk/task.yaml -m models/helpdesk-q8_0.gguf --json
json: .ok and .model.p50 > 10 and .model.p50 <= .model.p95 and .model.p95 <= .model.max and .model.max_answer >= 2 and .model.too_long == 0
run: croft task check examples/helpdesk/task.yaml -m models/helpdesk-q8_0.gguf -c 20
exit: 65
out~ ^error: [0-9]+ examples do not fit a context of 20 tokens
run: croft task run examples/helpdesk/task.yaml -m models/helpdesk-q8_0.gguf "My parcel has not come and I want to know where it is"
out~ ^order_status	0\.[5-9][0-9]*$
run: croft task run examples/helpdesk/task.yaml -m models/helpdesk-q8_0.gguf --top 100 --json
stdin: where is my parcel
stdin:
stdin: I forgot my password
json: .label == .top[0].label and (.top | length) == 22 and (.top | map(.probability) | add | . > 0.999 and . < 1.001) and (.top | map(.probability) | . == (sort | reverse))
run: printf 'where is my parcel\n\nI forgot my password' | croft task run examples/helpdesk/task.yaml -m models/helpdesk-q8_0.gguf - | cut -f 1
out: order_status
out: login_problem
run: printf 'name: o\nkind: generate\nsystem: Write the order as JSON.\n' > $T/o.yaml; croft task run $T/o.yaml -m models/helpdesk-q8_0.gguf "two bottles of milk for delivery on friday please" --json
json: .output | fromjson | .items[0].quantity == 2 and .day == "friday"
run: croft eval $T/sciq/task.yaml -m models/helpdesk-q8_0.gguf --json
json: .n == 2 and .measures.accuracy.value == .n_right / 2 and (.examples | map(.p_truth > 0 and .p_truth < 1) | all)
run: croft eval $T/pf/task.yaml -m models/helpdesk-q8_0.gguf --json
json: .n > 0 and .measures.exact_match.value == .n_right / .n and .measures.accuracy == null
run: croft task run $T/sciq/task.yaml -m models/helpdesk-q8_0.gguf x
exit: 69
err~ those of its examples
run: croft task run examples/helpdesk/task.yaml
exit: 64
err~ add -m MODEL
run: croft task init $T/e --kind embed > /dev/null; croft task run $T/e/task.yaml -m models/helpdesk-q8_0.gguf x
exit: 69
err~ use 'croft embed
