# croft advise: answers from a file, a task, --set and a terminal; the verdicts are those of docs/ADVISE.md.
need: python3
make: printf 'bounded: choice\nvolume_month: 2000000\ntokens_question: 500\nlatency_ms: 0\ndata: public\noffline: no\nlocal_cost_month: 400\nquality_local: 0.95\nfloor: 0.9\n' > $T/price.yaml
make: printf 'data: special\nleave: premises\nregimes: [gdpr, hipaa]\nlatency_ms: 500\n' > $T/ward.yaml
# nothing but price speaks: 1000 million tokens at $0.042 are 42 USD
run: croft advise -f $T/price.yaml
out~ ^Use a cloud API: a decision API is cheaper$
out~ ^  A decision API at \$0\.042 per million tokens is cheaper\. Nothing but price speaks here: use it\.$
out~ ^  1 volume +local +2,000,000 questions a month$
out~ ^      held against +50,000 to 500,000 a month \[1\]$
out~ ^ +1,000,000 a month \[2\]$
out~ ^  4 total cost of ownership +cloud +cloud 42\.00 USD \(a decision API\), own machine 400\.00 USD a month$
out~ ^  volume_month +21,170,000 or more +-> local$
out~ ^  \[1\] stated by the user's organisation / rule of thumb, no public source found
run: croft advise -f $T/price.yaml --set bounded=narrow --set cloud_cost_month=2500
out~ ^Run it locally$
run: croft advise -f $T/price.yaml -s volume_month=200000 -s thresholds.volume_high=150000 --json
json: .verdict == "cloud" and .decision_api and (.matrix | length) == 6 and (.placement | length) == 7 and .matrix[0].leans == "undecided" and (.matrix[0].because | contains("disagree")) and .matrix[0].held_against[0].source == "set by hand"
json: [.matrix[].rule] == ["volume", "latency", "compliance", "cost", "footprint", "shape"] and (.worksheet.obligations | length) > 30
# only here
run: croft advise -f $T/ward.yaml
out~ ^Run it locally$
out~ ^  Places that remain: device, premises$
out~ ^  - Show that the model is good enough: croft eval TASK -m MODEL, croft calibrate\.$
run: croft advise -f $T/ward.yaml --set quality_local=0.8 --set floor=0.9 --set escalation=0.1 --json
json: .verdict == "hybrid" and .places == ["device", "premises"]
# a scenario of croft tco is the cost line: 54,000 against 34,400 over 36 months
run: printf 'cloud: {price_per_answer: 0.00075}\nvolume: {per_month: 2000000}\nhardware: {price: 12000}\noperations: {per_month: 400, engineering: 8000}\nuncertainty: {draws: 0}\n' > $T/scenario.yaml; printf 'tco: scenario.yaml\nlatency_ms: 0\ndata: public\noffline: no\nquality_local: 0.9\nfloor: 0.9\n' > $T/with.yaml; croft advise -f $T/with.yaml
out~ ^Run it locally$
out~ cloud 1500\.00 USD, own machine 955\.56 USD a month, over 36 months$
out~ Fewer than 1,274,074 answers a month
# with the table's list prices a decision API may be cheaper than both
run: printf 'kind: classify\ncloud: {model: gpt-5-mini}\ntokens: {in: 300, out: 10}\nvolume: {per_month: 2000000}\nhardware: {price: 12000}\noperations: {per_month: 400}\nuncertainty: {draws: 0}\n' > $T/scenario.yaml; croft advise --set tco=$T/scenario.yaml --set latency_ms=0 --set data=public --set offline=no --json
json: .verdict == "cloud" and .decision_api and (.matrix[3].because | contains("decision API at 0.042 USD per million tokens is cheaper"))
run: printf 'tco: nowhere.yaml\n' > $T/with.yaml; croft advise -f $T/with.yaml
exit: 66
err~ nowhere\.yaml
# what is missing is named, and the exit code says so
run: croft advise --set volume_month=5000000
exit: 1
out~ ^Not decided: missing latency_ms, leave, offline, cloud_cost_month, local_cost_month$
out~ ^  leave +premises +-> local$
run: croft advise --set volume_month=5000000 --json
exit: 1
json: .verdict == "undecided" and (.missing | index("local_cost_month")) and ([.flips[] | select(.key == "offline" and .value == "must")][0].verdict == "local")
# a task answers in part
run: croft advise examples/helpdesk/task.yaml --set data=public --set offline=no --set latency_ms=0 --set volume_month=1000
out~ ^Use a cloud API$
out~ choice: one of a list
run: mkdir -p $T/t && printf 'name: x\nkind: generate\nlatency_ms: 100\nfloor: 0.8\nsensitivity: local-only\n' > $T/t/task.yaml && croft advise $T/t/task.yaml --json
json: .verdict == "local" and .places == ["device"] and .matrix[1].number == "p95 within 100 ms"
run: croft advise $T/none.yaml
exit: 66
err~ none\.yaml
# the worksheet
run: croft advise --worksheet -f $T/ward.yaml
out~ Not legal advice
out~ ^  GDPR art\. 28: contract with a processor$
out~ ^      device: falls away, premises: falls away, cloud: arises$
out~ ^        croft receipts --perimeter$
out~ ^hipaa$
out! DORA
run: croft advise --worksheet
out~ DORA art\. 28\(3\)
out~ StGB sec\. 203
run: croft advise --worksheet --json --set regimes=dora
json: [.obligations[].regime] | unique == ["dora"]
run: croft advise --worksheet --markdown --set regimes=pci
out~ ^\| PCI DSS 4\.0\.1, req\. 12\.8 \| service providers listed, assessed, agreed with \| falls away \| falls away \| arises \|
# every command that it names exists as it is named
need: jq
run: sh tests/cli/advise_commands.sh
out! .
run: croft advise -f $T/ward.yaml -o $T/advice.md && cat $T/advice.md
out~ ^# Run it locally$
out~ ^\| leave \| premises \|$
out~ ^## Compliance worksheet$
out~ Not legal advice
run: croft advise -f $T/ward.yaml -o $T/advice.json && cat $T/advice.json
json: .verdict == "local"
# a file to begin from is one that can be read
run: croft advise --questions | sed 's/^#thresholds:/thresholds:/; s/^#  \([a-z_]*: [0-9.]*\)$/  \1/; s/^#volume_month:/volume_month: 7/' > $T/q.yaml; croft advise -f $T/q.yaml --json
exit: 1
json: .matrix[0].number == "7 questions a month" and (.matrix[0].held_against[0].source | startswith("set in "))
# bad input
run: printf 'data: public\nvolume_mnth: 3\n' > $T/b.yaml; croft advise -f $T/b.yaml
exit: 65
err~ b\.yaml:2: there is no 'volume_mnth' in the answers\. Did you mean 'volume_month'\?
run: printf 'thresholds: {volume_lo: 3}\n' > $T/b.yaml; croft advise -f $T/b.yaml
exit: 65
err~ b\.yaml:1: there is no 'volume_lo' in thresholds\. Did you mean 'volume_low'\?
run: printf 'volume_month: -5\n' > $T/b.yaml; croft advise -f $T/b.yaml
exit: 65
err~ b\.yaml:1: 'volume_month' must be a number from 0
run: croft advise --set regimes=gdrp
exit: 65
err~ the worksheet knows no 'gdrp'\. Did you mean 'gdpr'\?
run: croft advise --set volume_month
exit: 64
err~ --set takes KEY=VALUE
run: croft advise
exit: 64
err~ Nothing is answered: give a TASK, -f FILE or --set KEY=VALUE, or run it at a terminal\.
run: croft advise -f $T/nothing.yaml
exit: 66
err~ nothing\.yaml
run: croft advise -f $T/price.yaml --json --markdown
exit: 64
err~ Give --json or --markdown
run: croft advise -f $T/price.yaml -o $T/no/such/folder.md
exit: 66
err~ folder\.md
# a terminal: bounded, volume, latency, two measured, data, leave, regimes, offline (Enter proposes no), then the end
run: python3 tests/cli/advise_session.py "shut,choice,200000,400,,,personal,premises,gdpr,,^D"
out~ What may an answer be: choice
out~ \[choice, schema, narrow, open; Enter: not known\]
out~ 'bounded' must be choice, schema, narrow or open\.
out~ How many questions a month\?
out~ \[no, short, must; Enter: no\]
out~ ^Run it locally$
out! Is there a cloud API in that region
run: python3 tests/cli/advise_session.py "choice,5000,0,public,,^D"
out! How far may they go
out~ ^Use a cloud API$
run: python3 tests/cli/advise_session.py "^D"
exit: 1
out~ ^Not decided
run: python3 tests/cli/advise_session.py "gdpr" --worksheet
out~ GDPR art\. 28
out! DORA
# a share may be written as percent, as in a scenario of croft tco
run: croft advise --set escalation='5 %' --set quality_local=90% --set floor=0.8 --json
exit: 1
json: .matrix[] | select(.rule == "shape") | .number == "quality 0.9 (floor 0.8), 5 % sent on"
run: croft advise --set escalation='500 %'
exit: 65
err~ 'escalation' must be a number from 0 to 1
