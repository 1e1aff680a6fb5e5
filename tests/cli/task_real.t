# The forms of real data sets, read where they lie: JSONL with labels, JSONL with outputs, CSV through columns.
need: ../shared/data
make: labels() { jq -r .label "$1" | sort -u | sed 's/.*/  - {name: "&"}/'; }; D=$PWD/../shared/data; for d in banking77 hwu64 clinc150; do { printf 'name: %s\nkind: classify\nlabels:\n' $d; labels $D/$d/train.jsonl; printf 'data: {train: %s/train.jsonl, test: %s/test.jsonl}\n' $D/$d $D/$d; } > $T/$d.yaml; done; { printf 'name: sib200\nkind: classify\nlabels:\n'; labels $D/sib200/khm_Khmr/train.jsonl; printf 'data: {train: %s/train.jsonl, validation: %s/dev.jsonl, test: %s/test.jsonl}\n' $D/sib200/khm_Khmr $D/sib200/khm_Khmr $D/sib200/khm_Khmr; } > $T/sib200.yaml
run: croft task check $T/banking77.yaml --json
json: .labels == 77 and .data[0].n == 10003 and .data[1].n == 1540
run: croft task check $T/hwu64.yaml --json
json: .data[0].n == 9960 and .data[1].n == 538
run: croft task check $T/clinc150.yaml --json
json: .labels == 151 and .data[0].n == 15100
run: croft task check $T/sib200.yaml --json
json: .labels == 7 and (.data | map(.n)) == [701, 99, 102]
make: D=$PWD/../shared/data; for d in snips atis; do printf 'name: %s\nkind: extract\nschema: {type: object}\ndata: {train: %s/train.jsonl, validation: %s/dev.jsonl, test: %s/test.jsonl}\n' $d $D/$d $D/$d $D/$d > $T/$d.yaml; done
run: croft task check $T/snips.yaml --json
json: (.data | map(.n)) == [13084, 700, 350]
run: croft task check $T/atis.yaml --json
json: (.data | map(.n)) == [4478, 500, 446]
# MMLU: four columns of choices and the number of the right one
make: f=$(ls $PWD/../shared/data/mmlu/test/*.csv | head -1); printf 'name: mmlu\nkind: classify\nlabels: [{name: A}, {name: B}, {name: C}, {name: D}]\ndata:\n  test: %s\n  columns:\n    input: "{{question}}\\nA. {{choice0}}\\nB. {{choice1}}\\nC. {{choice2}}\\nD. {{choice3}}"\n    label: "{{ %sABCD%s[answer|int] }}"\n' "$f" "'" "'" > $T/letters.yaml; printf 'name: mmlu\nkind: classify\ndata:\n  test: %s\n  columns:\n    input: question\n    choices: [choice0, choice1, choice2, choice3]\n    label: "{{ [choice0, choice1, choice2, choice3][answer|int] }}"\n' "$f" > $T/choices.yaml
run: croft task check $T/letters.yaml --json
json: .ok and .labels == 4 and .data[0].labels == 4
run: croft task check $T/choices.yaml --json
json: .ok and .data[0].n > 50
