# croft eval on the demo model: the score is the recipe's, the floor is a gate.
need: models/helpdesk-q8_0.gguf
run: croft eval examples/helpdesk/task.yaml -m models/helpdesk-q8_0.gguf --json
json: .n == 376 and .accuracy >= 0.80 and .accuracy_lo < .accuracy and .accuracy < .accuracy_hi and .answers_per_s > 0 and .p50_ms <= .p99_ms and (.labels | length) == 22
run: croft eval examples/helpdesk/task.yaml -m models/helpdesk-q8_0.gguf --limit 10 --per-label
out~ order_status
run: sed 's/^floor:.*/floor: 1/; s,\(train\|dev\|test_intents\)\.jsonl,'$PWD'/examples/helpdesk/&,g' examples/helpdesk/task.yaml > $T/t.yaml; croft eval $T/t.yaml -m models/helpdesk-q8_0.gguf
exit: 1
err~ below the task's floor
run: croft eval examples/helpdesk/task.yaml
exit: 64
err~ add -m MODEL
run: croft eval $T/none.yaml -m models/helpdesk-q8_0.gguf
exit: 66
err~ none.yaml
run: printf 'name: x\nkind: classify\nlabels: [{name: a}, {name: b}]\n' > $T/t.yaml; croft eval $T/t.yaml -m models/helpdesk-q8_0.gguf
exit: 66
err~ names no test data
run: printf 'name: x\nkind: classify\nlabels: [{name: a}, {name: b}]\ndata: {test: d}\n' > $T/t.yaml; echo '{"input":"x","label":"c"}' > $T/d; croft eval $T/t.yaml -m models/helpdesk-q8_0.gguf
exit: 65
err~ label 'c'
run: croft run models/helpdesk-q8_0.gguf -s "Classify the message." "My parcel has not come and I want to know where it is" -n 8
out: order_status
run: croft run models/helpdesk-q8_0.gguf -s "Write the order as JSON." "two bottles of milk for delivery on friday please" -n 60
json: .items[0].quantity == 2 and .fulfilment == "delivery" and .day == "friday"
