# croft eval on the demo model: the score is the recipe's, the floor is a gate.
need: models/helpdesk-q8_0.gguf
run: croft eval examples/helpdesk/task.yaml -m models/helpdesk-q8_0.gguf --json
json: .n == 376 and .score.value >= 0.80 and (.measures | map(.lo <= .value and .value <= .hi and .lo < .hi) | all) and .answers_per_s > 0 and .latency_ms.p50 <= .latency_ms.p95 and .latency_ms.p95 <= .latency_ms.p99 and (.labels | length) == 22 and .format == "croft-eval-1" and .gate.passed and (.examples | length) == 376
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
# The report's numbers come from its own records: recomputed here by jq.
make: croft eval examples/helpdesk/task.yaml -m models/helpdesk-q8_0.gguf -o $T/all.json > /dev/null
run: cat $T/all.json
json: (.examples | map(select(.right)) | length) == .n_right and (.confusion.counts | map(.[2]) | add) == .n and (.confusion.counts | map(select(.[0] == .[1]) | .[2]) | add) == .n_right
json: ((.examples | map(-(.p_truth | log)) | add / length) - .measures.log_loss.value | fabs) < 1e-9 and ((.examples | map(.brier) | add / length) - .measures.brier.value | fabs) < 1e-9
json: (.reliability | map(.n) | add) == .n and (.risk_coverage | last | .coverage == 1) and ((.risk_coverage | last | .risk) - (1 - .score.value) | fabs) < 1e-9
json: .examples | map(has("input") | not) | all
run: [ "$(jq -r '.examples[0].input_sha256' $T/all.json)" = "$(head -1 examples/helpdesk/test_intents.jsonl | jq -j .input | sha256sum | cut -c-64)" ]
run: croft eval examples/helpdesk/task.yaml -m models/helpdesk-q8_0.gguf --limit 3 --with-inputs --json
json: .examples[0].input | length > 0
# Against a report: the same model is no different from itself; one whose answers were all right is better.
run: croft eval examples/helpdesk/task.yaml -m models/helpdesk-q8_0.gguf --against $T/all.json --max-regression 0 --json
json: .against.n == 376 and .against.difference == 0 and .against.p == 1 and .against.lo == 0 and .against.hi == 0 and .gate.passed
run: jq '.model.name = "perfect" | .examples |= map(.right = true)' $T/all.json > $T/perfect.json; croft eval examples/helpdesk/task.yaml -m models/helpdesk-q8_0.gguf --against $T/perfect.json --max-regression 0.05
exit: 1
err~ differs from that of 'perfect' by -0\.[0-9]+ \(95 % interval -0\.[0-9]+ to -0\.[0-9]+, p = .*\); the allowed regression is 0\.0500
run: croft eval examples/helpdesk/task.yaml -m models/helpdesk-q8_0.gguf --against $T/perfect.json --max-regression 0.5 --limit 100
out~ ^examples of both +100$
out~ McNemar, exact
# One wrong answer is no proof of anything, and the value passes where the interval's lower end does not.
make: jq '(.examples | map(.right) | index(false)) as $i | .examples[$i].right = true' $T/all.json > $T/one.json
run: croft eval examples/helpdesk/task.yaml -m models/helpdesk-q8_0.gguf --against $T/one.json --max-regression 0.003
out~ ^right in this one alone, in the other alone +0, 1$
run: croft eval examples/helpdesk/task.yaml -m models/helpdesk-q8_0.gguf --against $T/one.json --max-regression 0.003 --gate bound
exit: 1
err~ for the lower end
run: croft eval examples/helpdesk/task.yaml -m models/helpdesk-q8_0.gguf --against models/helpdesk-q8_0.gguf --limit 20 --json
json: .against.model == "models/helpdesk-q8_0.gguf" and .against.difference == 0
run: jq '.examples |= reverse' $T/all.json > $T/r.json; croft eval examples/helpdesk/task.yaml -m models/helpdesk-q8_0.gguf --limit 5 --against $T/r.json
exit: 65
err~ Example 1 is not the same
run: echo '{"format": "x"}' > $T/x.json; croft eval examples/helpdesk/task.yaml -m models/helpdesk-q8_0.gguf --limit 5 --against $T/x.json
exit: 65
err~ is not a report
run: croft eval examples/helpdesk/task.yaml -m models/helpdesk-q8_0.gguf --max-regression 0.1
exit: 64
err~ add --against
# Questions of MMLU and ARC, without a task.
make: printf '"One, two?",a,b,c,d,B\nTwo?,w,x,y,z,D\n' > $T/bare.csv; printf 'question,choice0,choice1,choice2,answer\n"One, two?",a,b,,1\nTwo?,w,x,y,2\n' > $T/head.csv
make: printf '{"question":"Which?","choices":{"text":["a x","b","c"],"label":["1","2","3"]},"answerKey":"3"}\n{"question":{"stem":"Q","choices":[{"text":"t","label":"A"},{"text":"u","label":"B"}]},"answerKey":"A"}\n' > $T/arc.jsonl
run: croft eval --data $T/bare.csv -m models/helpdesk-q8_0.gguf --with-inputs --json
json: .n == 2 and .confusion.labels == ["A", "B", "C", "D"] and (.examples | map(.label)) == ["B", "D"] and .examples[0].input == "One, two?\nA. a\nB. b\nC. c\nD. d"
run: croft eval --data $T/head.csv -m models/helpdesk-q8_0.gguf --with-inputs --json --ask texts
json: .n == 2 and .examples[0].input == "One, two?" and (.examples | map(.expected)) == ["b", "y"]
run: croft eval --data $T/arc.jsonl -m models/helpdesk-q8_0.gguf --with-inputs --json
json: .n == 2 and (.examples | map(.expected)) == ["C", "A"] and .examples[0].input == "Which?\nA. a x\nB. b\nC. c"
run: sed 's/,D$/,E/' $T/bare.csv > $T/bad.csv; croft eval --data $T/bad.csv -m models/helpdesk-q8_0.gguf
exit: 65
err~ Line 2 of '.*' is not a usable question: its answer is none of its choices
run: echo '{"input":"x","label":"y"}' > $T/e.jsonl; croft eval --data $T/e.jsonl -m models/helpdesk-q8_0.gguf
exit: 65
err~ holds no multiple-choice questions
run: croft eval -m models/helpdesk-q8_0.gguf
exit: 64
err~ Say what to score on
# A file in the task's columns; a task's fields; a metric that does not fit.
run: head -5 examples/helpdesk/dev.jsonl > $T/five.jsonl; croft eval examples/helpdesk/task.yaml --data $T/five.jsonl -m models/helpdesk-q8_0.gguf --json --gate bound
exit: 1
err~ and its lower end is below
json: .n == 5 and (.gate.passed | not)
run: sed 's/^metric:.*/metric: field_f1/; s,\(orders_[a-z]*\|test_orders\)\.jsonl,'$PWD'/examples/helpdesk/&,g' examples/helpdesk/orders.yaml > $T/o.yaml; croft eval $T/o.yaml -m models/helpdesk-q8_0.gguf --limit 10 --json
json: .task.metric == "field_f1" and .score == .measures.field_f1 and (.examples | map(.fields.hit + .fields.missed) | add) >= 30 and .measures.exact_match.method == "wilson"
run: sed 's/^metric:.*/metric: field_f1/' $T/t.yaml > $T/u.yaml; echo '{"input":"x","label":"a"}' > $T/d; echo 'metric: field_f1' >> $T/u.yaml; croft eval $T/u.yaml -m models/helpdesk-q8_0.gguf
exit: 69
err~ 'field_f1' is not for a task of this kind
# The page: all three plots, nothing that runs or comes from elsewhere, and hostile names as text.
run: croft eval examples/helpdesk/task.yaml -m models/helpdesk-q8_0.gguf --against $T/one.json --max-regression 0.1 --html $T/p.html > $T/p.txt; grep -c '<svg' $T/p.html; grep -ciE '<script|http|src=|url\(' $T/p.html; grep -c '<b>Passed.</b> The floor of 0.8000 is kept. The regression is within the allowed 0.1000.' $T/p.html; grep -o "McNemar&#39;s exact test" $T/p.html
out: 3
out: 0
out: 1
out: McNemar&#39;s exact test
make: printf 'name: "<script>alert(1)</script>"\nkind: classify\nlabels: [{name: "<img src=x>"}, {name: "a\\"b'"'"'&c"}]\ndata: {test: h.jsonl}\n' > $T/h.yaml; printf '{"input":"x","label":"<img src=x>"}\n{"input":"y","label":"a\\"b'"'"'&c"}\n' > $T/h.jsonl
run: croft eval $T/h.yaml -m models/helpdesk-q8_0.gguf --html $T/h.html > $T/h.txt; grep -cE '<script|<img' $T/h.html; grep -o '<title>Evaluation of &lt;script&gt;alert(1)&lt;/script&gt;</title>' $T/h.html; grep -m 1 -o '<td>a&quot;b&#39;&amp;c</td>' $T/h.html
out: 0
out: <title>Evaluation of &lt;script&gt;alert(1)&lt;/script&gt;</title>
out: <td>a&quot;b&#39;&amp;c</td>
run: croft eval $T/h.yaml -m models/helpdesk-q8_0.gguf --html $T/none/h.html
exit: 66
err~ none/h.html
# What a calibration lets stand is counted beside its promise; against a report of before only the confidence differs.
make: cp models/helpdesk-q8_0.gguf $T/m.gguf; croft calibrate examples/helpdesk/task.yaml -m $T/m.gguf --target-error 0.2 > $T/calibrate.txt
run: croft eval examples/helpdesk/task.yaml -m $T/m.gguf --against $T/all.json --html $T/c.html -o $T/c.json; jq -e '(.examples | map(select(.verdict == "accept"))) as $a | .confidence == "calibration" and .calibration.holds and .calibration.verdicts.accept == {"n": ($a | length), "n_right": ($a | map(select(.right)) | length)} and (.calibration.verdicts | map(.n) | add) == .n and .against.difference == 0' $T/c.json; grep -o 'at most 20.0 % are wrong, with confidence 95.0 %' $T/c.html
out~ ^accepted by the calibration +[1-9][0-9]*, [0-9.]+ % of all$
out~ ^wrong among those +[0-9]+, [0-9.]+ % \(95 % interval [0-9.]+ to [0-9.]+\); promised: at most 20.00 %$
out~ ^true$
out~ ^at most 20.0 % are wrong, with confidence 95.0 %$
# What does not fit is wrong, and counted; it does not end the evaluation.
make: cat $T/bare.csv > $T/long.csv; printf '"%s",a,b,c,d,A\n' "$(seq 400 | tr '\n' ' ')" > $T/l.csv; sed -i "1r $T/l.csv" $T/long.csv
run: croft eval --data $T/long.csv -m models/helpdesk-q8_0.gguf --json
json: .n == 3 and .n_failed == 1 and (.examples[1] | .failed and (.right | not) and .confidence == 0 and .p_truth == 0.25 and .brier == 0.75 and (has("answer") | not)) and (.confusion.counts | map(.[2]) | add) == 2
run: croft eval --data $T/long.csv -m models/helpdesk-q8_0.gguf
out~ ^without an answer +1: too long
# A task with columns reads files of questions by them.
run: printf 'name: q\nkind: classify\ndata: {columns: {input: question, choices: [choice0, choice1], label: "{{ [choice0, choice1][answer|int] }}"}}\n' > $T/q.yaml; head -2 $T/head.csv > $T/h2.csv; croft eval $T/q.yaml --data $T/h2.csv -m models/helpdesk-q8_0.gguf --limit 1 --with-inputs --json
json: .n == 1 and .examples[0].input == "One, two?" and .examples[0].expected == "b" and .task.name == "q"
