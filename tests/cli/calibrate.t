# croft calibrate with the help-desk model: what is stored, what it says of answers, and when it is refused.
need: models/helpdesk-q8_0.gguf
make: cp examples/helpdesk/*.yaml examples/helpdesk/*.jsonl $T; ln -s $PWD/models/helpdesk-q8_0.gguf $T/m.gguf
run: croft task run $T/task.yaml -m $T/m.gguf --json "where is my parcel"
json: .verdict == "uncalibrated" and .confidence == null
run: croft calibrate $T/task.yaml -m $T/m.gguf --data test --check validation --target-error 0.1 --out-of-scope out_of_scope --json
json: .holds and .n > 300 and .coverage > 0.5 and .n_needed == 58 and .threshold <= 1 and .temperature > 0.3
json: .signals == ["probability", "margin", "entropy"] and (.groups | length) == 1
json: .check | .n == 203 and .out_of_scope == 20 and .error < .error_of_all and .auroc_error > 0.7 and .auroc_out_of_scope > 0.8
run: croft task run $T/task.yaml -m $T/m.gguf --json "where is my parcel"
json: .verdict == "accept" and .confidence > 0.9
run: croft task run $T/task.yaml -m $T/m.gguf "where is my parcel"
out~ ^order_status	0\.[0-9]+	accept	0\.9[0-9]+$
# the label that stands for it is never an answer to stand
run: croft task run $T/task.yaml -m $T/m.gguf "write me a poem about the sea"
out~ ^out_of_scope	.*	out_of_scope	
# another revision of the task: refused, and said
make: sed 's/Classify the message/Sort the message/' $T/task.yaml > $T/other.yaml
run: croft task run $T/other.yaml -m $T/m.gguf --json "where is my parcel"
err~ uncalibrated.*another revision of the task.*croft calibrate
json: .verdict == "uncalibrated"
# other weights: the same file with a byte more
make: cp $T/m.gguf $T/n.gguf; printf x >> $T/n.gguf; cp $T/m.helpdesk-intent.calibration.json $T/n.helpdesk-intent.calibration.json
run: croft task run $T/task.yaml -m $T/n.gguf --json "where is my parcel"
err~ uncalibrated.*other weights
json: .verdict == "uncalibrated"
# conformal risk control: what accepted answers cost all inputs, in the mean; more is answered here, and less is promised
run: croft calibrate $T/task.yaml -m $T/m.gguf --data test --check validation --target-error 0.05 --bound expectation --out-of-scope out_of_scope --json
json: .holds and .bound == "expectation" and .confidence == null and .n_needed == 38 and .coverage > 0.7
json: .check | .error * .coverage < 0.08
run: croft task run $T/task.yaml -m $T/m.gguf --json "where is my parcel"
json: .verdict == "accept"
run: croft calibrate $T/task.yaml -m $T/m.gguf --data test --check none --target-error 0.002 --bound expectation
out~ No threshold keeps the promise: .* at least 998 in all
# too strict for so few examples: a valid calibration that accepts nothing
run: croft calibrate $T/task.yaml -m $T/m.gguf --target-error 0.01
out~ No threshold keeps the promise: everything is escalated\. .* at least 598 in all
run: croft task run $T/task.yaml -m $T/m.gguf --json "where is my parcel"
json: .verdict == "low_confidence"
# a threshold for each answered label; free text by its tokens and a probe
run: croft calibrate $T/task.yaml -m $T/m.gguf --data test --check none --target-error 0.3 --per label --json
json: .holds and (.groups | length) >= 1 and .groups[-1].group == (if (.groups | length) > 1 then "(all others)" else "(all)" end)
run: croft eval $T/task.yaml -m $T/m.gguf --json
json: .calibration.verdicts | .uncalibrated.n == 0 and .accept.n > 50
# thresholds for the values of a column: eval reads the column that calibrate was given
make: awk '{sub(/}$/, ", \"channel\": \"" (NR % 2 ? "web" : "mail") "\"}"); print}' examples/helpdesk/test_intents.jsonl > $T/grouped.jsonl
make: sed 's/^data:.*/data: {test: grouped.jsonl}/' $T/task.yaml > $T/grouped.yaml
run: croft calibrate $T/grouped.yaml -m $T/m.gguf --data test --check none --target-error 0.3 --per channel --json
json: .holds and ([.groups[].group] | contains(["web", "mail"]))
run: croft eval $T/grouped.yaml -m $T/m.gguf --json
json: .calibration.verdicts | .uncalibrated.n == 0 and .accept.n > 50
run: croft task run $T/grouped.yaml -m $T/m.gguf --json "where is my parcel"
json: .verdict == "uncalibrated"
run: croft task run $T/grouped.yaml -m $T/m.gguf --json --group mail "where is my parcel"
json: .verdict == "accept"
make: head -600 examples/helpdesk/orders_train.jsonl > $T/orders_train.jsonl
run: croft calibrate $T/orders.yaml -m $T/m.gguf --target-error 0.5 --check none --vector yes --json
json: (.signals | index("token_margin_min")) != null and .temperature == null
run: croft task run $T/orders.yaml -m $T/m.gguf "two bags of rice please"
out~ ^\{
err~ ^(accept|low_confidence|out_of_scope) [01]\.
# what is wrong is said
run: croft calibrate $T/task.yaml -m $T/m.gguf --target-error 0
exit: 64
err~ --target-error
run: croft calibrate $T/orders.yaml -m $T/m.gguf --per label
exit: 64
err~ --per label needs a task that classifies
run: croft calibrate $T/orders.yaml -m $T/m.gguf --method temperature
exit: 64
err~ temperature alone
run: croft calibrate $T/task.yaml -m $T/m.gguf --per channel
exit: 65
err~ no text under "channel"
run: croft calibrate $T/task.yaml
exit: 64
err~ No model is given
make: sed -i 's/^data:.*/data: {train: train.jsonl, validation: train.jsonl}/' $T/task.yaml
run: croft calibrate $T/task.yaml -m $T/m.gguf
exit: 65
err~ stand in the training data too
