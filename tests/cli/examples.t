# The scenarios in examples/: every file runs as it stands, and what their READMEs say is what the program prints.
need: models/helpdesk-q8_0.gguf
run: for t in examples/*/task.yaml; do croft task check $t -m models/helpdesk-q8_0.gguf --json | jq -e .ok > $T/ok || echo $t; done
out! .
run: for c in examples/*/croft.yaml; do croft serve --check -c $c || echo $c; done
out! .
# every example has a README, and every file of it is read by something
run: for d in examples/*/; do [ -f $d/README.md ] || echo $d; for f in $d*; do case $f in *.md|*/task.yaml|*/orders.yaml|*/tco.yaml|*/croft.yaml|*/advise.yaml|*/day.py) ;; *) grep -qs ${f##*/} $d*.yaml $d/README.md || echo $f ;; esac; done; done
out! .
# point of sale
run: croft task run examples/point-of-sale/task.yaml -m models/helpdesk-q8_0.gguf "two croissants and a flat white please" --json
json: .output | has("items") and has("fulfilment") and has("day")
run: croft eval examples/point-of-sale/task.yaml -m models/helpdesk-q8_0.gguf --json
json: .n == 24 and .n_right == 2 and .measures.field_f1.value > 0.63 and .measures.field_f1.value < 0.72
run: croft advise -f examples/point-of-sale/advise.yaml
out~ ^Run it locally$
out~ Local wins only because the box is idle anyway
run: croft tco examples/point-of-sale/tco.yaml --json
json: .verdict.kind == "local-idle" and (.options.local.npv | . > 5150 and . < 5300) and (.options.cloud.npv | . > 9750 and . < 9900) and (.verdict.sentence | test("73,[78][0-9][0-9] USD if|73,[78][0-9][0-9] if it had to be bought"))
run: sed /owned/d examples/point-of-sale/tco.yaml > $T/bought.yaml; croft tco $T/bought.yaml --json
json: .verdict.kind == "cloud"
# support triage, 95/5
run: croft eval examples/support-triage/task.yaml -m models/helpdesk-q8_0.gguf --json
json: .n == 44 and .n_right >= 42
run: croft route explain -c examples/support-triage/croft.yaml -t examples/support-triage/task.yaml --verdict low_confidence
out~ answered by frontier
run: croft route explain -c examples/support-triage/croft.yaml -t examples/support-triage/task.yaml --verdict low_confidence --text "refund to DE89370400440532013000 please"
out~ answered by the local model
out~ class +account
make: cp models/helpdesk-q8_0.gguf $T/m.gguf
run: croft calibrate examples/support-triage/task.yaml -m $T/m.gguf --target-error 0.15
out~ wrong in at most 15 %
out~ That share of inputs, 5[0-9]\.[0-9] %, is answered here
out~ answered here \(%\) +9[0-9]\.
run: croft advise -f examples/support-triage/advise.yaml
out~ ^Hybrid: local first, and escalate$
run: croft tco examples/support-triage/tco.yaml --json
json: .verdict.kind == "open" and (.saving.npv | . > 4400 and . < 4700) and .interval.low < 0 and (.interval.high | . > 8500 and . < 9500) and ([.tornado[0:3][].name] | sort == ["operations.engineering", "tokens.in", "volume.per_month"]) and .options.local.lines.escalation < .options.local.total / 10
run: croft tco examples/support-triage/tco.yaml --set escalation.share=0.3 --json
json: .saving.npv < 1000
# residency: whatever a client says, nothing leaves
run: croft route explain -c examples/residency/croft.yaml -t examples/residency/task.yaml --class public --verdict uncalibrated
out~ ^answered by the local model$
out~ ^reason +local_only
run: croft route explain -c examples/residency/croft.yaml -t examples/residency/task.yaml --class public --tier archive
exit: 77
err~ keeps this request from the tier 'archive'
run: croft task run examples/residency/task.yaml -m models/helpdesk-q8_0.gguf "Leaflet: how to separate your waste" --json
json: .label | IN("public", "internal", "personal", "sealed")
run: croft advise -f examples/residency/advise.yaml
out~ ^Run it locally$
out~ A cloud is out of the question
run: croft tco examples/residency/tco.yaml --json
json: .verdict.kind == "local-only" and .currency == "EUR" and (.options.local.npv | . > 15400 and . < 15600) and (.options.cloud.npv | . > 1850 and . < 1950)
run: croft advise -f examples/residency/advise.yaml --worksheet
out~ GDPR
# content pre-filter: the advice is against
run: croft eval examples/prefilter/task.yaml -m models/helpdesk-q8_0.gguf --json
json: .n == 32
run: croft advise -f examples/prefilter/advise.yaml
out~ ^Use a cloud API: a decision API is cheaper$
out~ Nothing but price speaks here
out~ Against the cloud API alone: 15,980,702 answers a month
run: croft tco examples/prefilter/tco.yaml --json
json: .verdict.kind == "decision" and (.options.decision.npv | . > 3950 and . < 4050) and (.options.cloud.npv | . > 5950 and . < 6050) and (.options.local.npv | . > 12300 and . < 12450) and (.saving.tipping_volume | . > 14e6 and . < 16e6)
# inspection: what cannot be sent waits
run: croft task run examples/inspection/task.yaml -m models/helpdesk-q8_0.gguf "Valve V-104 does not close fully any more." --json
json: .output | has("object") and has("defect") and has("severity") and has("stopped")
run: croft route explain -c examples/inspection/croft.yaml -t examples/inspection/task.yaml --verdict uncalibrated
out~ answered by office
run: croft advise -f examples/inspection/advise.yaml
out~ ^Run it locally$
out~ must work without a network
run: croft tco examples/inspection/tco.yaml --json
json: .verdict.kind == "local" and (.options.local.npv | . > 32200 and . < 32400) and (.options.cloud.npv | . > 61400 and . < 61600) and .saving.tipping_volume == 0 and .options.cloud.lines.usage < 60
# fifty million a month
run: croft eval examples/fifty-million/task.yaml -m models/helpdesk-q8_0.gguf --json
json: .n == 35
run: croft advise -f examples/fifty-million/advise.yaml
out~ ^Run it locally$
out~ A cloud cannot answer that fast
run: croft tco examples/fifty-million/tco.yaml --json
json: .verdict.kind == "local" and ([.options.local, .options.rented, .options.decision, .options.cloud] | map(.npv / 100 | round)) == [470, 753, 903, 1522] and (.saving.tipping_volume / 1e5 | round) == 104 and .options.local.units == 2
run: croft tco examples/fifty-million/tco.yaml --html $T/page.html > $T/text && grep -c '<svg' $T/page.html
out~ ^[1-9]
