# croft tco. The published case: $0.00075 x 2,000,000 x 36 = $54,000 against 12,000 + 400 x 36 + 8,000 = $34,400.
make: printf 'name: published\nkind: generate\nvolume: {per_month: 2000000}\nhorizon: {months: 36}\ncloud: {price_per_answer: 0.00075}\nhardware: {price: 12000}\noperations: {per_month: 400, engineering: 8000}\n' > $T/p.yaml
run: croft tco --price-per-answer 0.00075 --volume 2000000 --months 36 --capex 12000 --operations 400 --engineering 8000 --kind generate
out~ ^Run it here: 34,400 USD over 36 months, against 54,000 at the cloud API\.$
out~ ^  total +54,000\.00 +34,400\.00$
out~ ^  at the start +0\.00 +20,000\.00$
out~ ^  year 3 +18,000\.00 +4,800\.00$
out~ ^  saving +19,600\.00 USD \(36 %\)$
out~ ^  paid back +month 19$
out~ ^  tipping volume +1,274,075 answers a month$
out~ ^    by the published formula +1,274,075 answers a month$
out~ ^  volume\.per_month +2,000,000 answers/month +flag: --volume; triangular
run: croft tco $T/p.yaml --json
json: .format == "croft-tco-1" and .verdict.kind == "local" and .options.cloud.total == 54000 and .options.local.total == 34400 and .saving.total == 19600 and (.saving.share * 100 | round) == 36 and (.saving.tipping_volume / 1000 | round) == 1274 and (.saving.tipping_volume_published / 1000 | round) == 1274 and .saving.payback_month == 19
json: (.options.local.lines | .engineering == 8000 and .hardware == 12000 and .operations == 14400) and ([.options.local.years[].total] == [20000, 4800, 4800, 4800]) and (.options.local.months | length) == 37 and ((.options.local.months | add) - 34400 | fabs) < 1e-6
json: .interval.draws == 10000 and .interval.seed == 1 and .interval.low < .interval.median and .interval.median < .interval.high and .parameters["cloud.price_per_answer"].source == "file" and .parameters["cloud.price_per_answer"].line == 5 and (.tornado | length) == 4 and .tornado[0].name == "volume.per_month"
run: croft tco $T/p.yaml --volume 5000000 --json
json: .options.cloud.total == 135000 and .options.local.total == 34400 and .parameters["volume.per_month"].source == "flag"
run: croft tco $T/p.yaml --volume 1274074 --draws 0 --json; croft tco $T/p.yaml --volume 1274075 --draws 0 --json > $T/above.json; jq .verdict.kind $T/above.json
out~ ^    "kind": "cloud",$
out~ ^"local"$
run: croft tco $T/p.yaml --csv
out~ ^option,year,line,amount,currency.$
out~ ^cloud,1,usage,18000\.00,USD.$
out~ ^local,0,hardware,12000\.00,USD.$
out~ ^local,0,total,20000\.00,USD.$
run: croft tco $T/p.yaml --csv | tr -d '\r' | awk -F, '$1 == "local" && $3 == "total" {s += $4} END {print s}'
out: 34400
# The same seed gives the same interval; another one another.
run: croft tco $T/p.yaml --json | jq -c .interval > $T/1; croft tco $T/p.yaml --json | jq -c .interval > $T/2; croft tco $T/p.yaml --seed 2 --json | jq -c .interval > $T/3; cmp $T/1 $T/2 && ! cmp -s $T/1 $T/3 && echo same
out: same
# One page, with plots, nothing that runs or comes from elsewhere, hostile names as text.
make: sed 's,^name:.*,name: "<script>x</script>",' $T/p.yaml > $T/h.yaml
run: croft tco $T/h.yaml --html $T/h.html -o $T/h.json > $T/h.txt; grep -c '<svg' $T/h.html; grep -ciE '<script|http|src=|url\(' $T/h.html; grep -o '<title>What[^/]*' $T/h.html; grep -o 'paid back: month 19</text>' $T/h.html; grep -o '1,274,075 answers a month' $T/h.html | head -1; jq '.saving.total == 19600' $T/h.json
out: 4
out: 0
out: <title>What it costs: &lt;script&gt;x&lt;
out: paid back: month 19</text>
out: 1,274,075 answers a month
out: true
# What a decision API costs is said; where the machine is there anyway, that too; --gate makes the verdict an exit code.
run: croft tco $T/p.yaml --kind classify --tokens-in 300 --json
json: .verdict.kind == "decision" and (.verdict.sentence | contains("A decision API at 0.042 USD per million tokens is cheaper")) and .parameters["decision.price_input"].source == "price table" and (.parameters["decision.price_input"].note | startswith("jev-latest, 2026-"))
run: croft tco $T/p.yaml --set hardware.price=60000 --owned --json
json: .verdict.kind == "local-idle" and (.verdict.sentence | contains("only because the box is idle anyway"))
run: croft tco $T/p.yaml --capex 26000 --gate decided > $T/open.txt
exit: 1
err~ --gate decided is not kept: the verdict is 'open'
run: grep -c 'Not decided: .* includes zero' $T/open.txt
out: 1
run: croft tco $T/p.yaml --gate decided --gate local > $T/x.txt && croft tco $T/p.yaml --volume 200000 --gate decided > $T/x.txt && echo kept
out: kept
run: croft tco $T/p.yaml --volume 200000 --gate local > $T/x.txt
exit: 1
err~ --gate local is not kept: the verdict is 'cloud'
run: croft tco $T/p.yaml --local-only --json
json: .verdict.kind == "local-only"
run: croft tco $T/p.yaml --rent 0.5 --rent-rate 20 --rate 3 --json
json: .utilisation.steps[0].utilisation == 0.05 and (.utilisation.steps | length) == 7 and (.utilisation | has("rented_wins_from")) and .options.rented.total > 0
# What is not known is said: without a rate nothing tells whether one unit is enough. Amounts of a verdict are net present values.
run: croft tco $T/p.yaml --volume 20000000 --discount-rate 8%
out~ over 36 months, discounted, against
out~ ^  hardware\.price +11,632 to 12,871 
out~ ^  Nothing says how fast the hardware is .* counted is 1 unit, and whether that is enough for the volume was not checked\.$
run: croft tco $T/p.yaml --volume 20000000 --rate 100 --escalation 5% --draws 0 --json
json: .remarks == [] and .options.local.units == 1 and .parameters["escalation.share"].distribution == "triangular 0.035, 0.05, 0.075"
run: croft tco $T/p.yaml --escalation 5%
out~ ^  escalation\.share +5 % +flag: --escalation; triangular 3\.5, 5, 7\.5 %$
run: croft tco $T/p.yaml --escalation 5
exit: 64
err~ must be a number from 0 to 1, or in percent with its sign, as in 5 %\.$
run: croft tco $T/p.yaml > /dev/full
exit: 73
err~ Cannot write 'standard output'
# The table of prices, and of what a scenario may say.
run: croft tco --prices
out~ ^jev-latest +0\.042 +0 +0\.042 +2026-09-29 +zuplo
out~ ^gpt-6-luna-decisions +0\.1 +0 +0\.1 +2026-10-10
run: croft tco --params --json
json: length > 40 and any(.name == "escalation.share" and .unit == "share" and .assumed == "x 0.7 to x 1.5")
# Bad input: what is wrong, where, what to do.
run: croft tco
exit: 65
err~ How many answers a month\? Give volume\.per_month
run: croft tco $T/none.yaml
exit: 66
err~ none\.yaml
run: croft tco $T/p.yaml --volume -3
exit: 64
err~ --volume: 'volume\.per_month' must be a number from 1 to
run: croft tco $T/p.yaml --months 0
exit: 64
err~ --months: 'horizon\.months' must be a whole number from 1 to 240
run: croft tco $T/p.yaml --operations '400 EUR/month'
exit: 64
err~ currencies are not mixed
run: croft tco $T/p.yaml --currency EUR
exit: 64
err~ is in USD: --currency EUR does not convert it
run: croft tco $T/p.yaml --set hardware.prise=3
exit: 64
err~ '--set hardware\.prise=3' sets nothing
run: croft tco $T/p.yaml --json --csv
exit: 64
err~ exclude each other
run: croft tco $T/p.yaml --draws 1e9
exit: 64
err~ not a valid value of --draws
run: printf 'volume: {per_month: 10}\nclowd: {}\n' > $T/b.yaml; croft tco $T/b.yaml
exit: 65
err~ b\.yaml:2: .*clowd
run: croft tco $T/p.yaml --cloud-model no-such
exit: 66
err~ The price table has no model 'no-such'
# Measurements: an evaluation, a benchmark.
make: printf '{"format":"croft-eval-1","n":200,"n_right":170,"n_failed":0,"answers_per_s":12.5,"tokens":{"prompt":9000},"energy":null,"calibration":{"verdicts":{"accept":{"n":160,"n_right":156}}}}' > $T/e.json
make: printf '{"prompt_tokens_per_s":1000,"prompt_mean":1000,"prompt_sd":100,"decode_tokens_per_s":50,"decode_mean":50,"decode_sd":5,"n_prompt":512}' > $T/b.json
run: croft tco $T/p.yaml --from-eval $T/e.json --json
json: .parameters["escalation.share"] == {"value": 0.2, "unit": "", "source": "measured", "note": "e.json: 40 of 200 handed on", "line": null, "distribution": "counted 40 of 200 (Jeffreys)"} and .parameters["errors.local_share"].value == 0.025 and .parameters["hardware.answers_per_second"].value == 12.5 and (.remarks | any(contains("energy")))
run: croft tco $T/p.yaml --from-eval $T/e.json --escalation 5%
out~ escalation\.share is as the command line says; measured was 0\.2
run: croft tco $T/p.yaml --from-bench $T/b.json --tokens-in 500 --tokens-out 20 --json
json: (.parameters["hardware.answers_per_second"] | .value > 1.111 and .value < 1.112 and .source == "measured")
run: croft tco $T/p.yaml --from-bench $T/b.json
exit: 64
err~ give tokens\.in and tokens\.out
run: croft tco $T/p.yaml --from-eval $T/p.yaml
exit: 65
err~ p\.yaml:1: this is no JSON
run: croft tco $T/p.yaml --from-eval $T/b.json
exit: 65
err~ 'b\.json' is no report of an evaluation
# Receipts: thirty days of lines, one of ten from the cloud at 0.003; then a day less, then another currency.
make: for d in $(seq -w 1 30); do for h in $(seq -w 0 23); do p='"device"'; [ $h -eq 7 ] && p='"cloud","cost":"0.003","currency":"USD"'; [ $h -eq 19 ] && p='"cloud","cost":"0.003","currency":"USD"'; printf '{"time":"2026-09-%sT%s:30:00.000Z","place":%s,"prompt_tokens":200,"answer_tokens":8,"latency_ms":40,"status":200}\n' $d $h "$p"; done; done > $T/r.jsonl
run: croft tco $T/p.yaml --from-receipts=$T/r.jsonl --json
json: (.parameters["escalation.share"] | (.value * 24 - 2 | fabs) < 1e-6 and .source == "measured" and .note == "r.jsonl, 2026-09-01 to 2026-09-30: 60 of 720 handed on") and .parameters["escalation.price_per_answer"].value == 0.003 and .parameters["tokens.in"].value == 200 and .parameters["volume.per_month"].value == 2000000 and (.remarks | length) == 1
run: grep -v 2026-09-1 $T/r.jsonl > $T/gap.jsonl; croft tco $T/p.yaml --from-receipts=$T/gap.jsonl
out~ 10 of the 30 days from 2026-09-01 to 2026-09-30 have no receipt
run: grep -v ^volume $T/p.yaml > $T/v.yaml; croft tco $T/v.yaml --from-receipts=$T/r.jsonl --json
json: .parameters["volume.per_month"].value == 730
run: head -20 $T/r.jsonl > $T/short.jsonl; croft tco $T/p.yaml --from-receipts=$T/short.jsonl
exit: 65
err~ cover 19\.0 hours: less than a day says nothing about a month
run: sed '100,$s/USD/EUR/' $T/r.jsonl > $T/mixed.jsonl; croft tco $T/p.yaml --from-receipts=$T/mixed.jsonl
exit: 65
err~ are in USD and in EUR
run: sed '5s/.*/nothing/' $T/r.jsonl > $T/bad.jsonl; croft tco $T/p.yaml --from-receipts=$T/bad.jsonl
exit: 65
err~ bad\.jsonl:5: This is no JSON
run: croft tco $T/p.yaml --from-receipts
exit: 66
run: (sed -n 1p $T/r.jsonl | sed 's/20[0-9][0-9]-/9999-/'; cat $T/r.jsonl) > $T/future.jsonl; croft tco $T/p.yaml --from-receipts=$T/future.jsonl
exit: 65
err~ future.jsonl:1: A receipt is from the future, 9999-
run: (sed -n 1p $T/r.jsonl | sed 's/"prompt_tokens": *[0-9]*/"prompt_tokens":-200/'; cat $T/r.jsonl) > $T/minus.jsonl; croft tco $T/p.yaml --from-receipts=$T/minus.jsonl
exit: 65
err~ minus.jsonl:1: A receipt counts fewer than no tokens.
# the page's own example, as it stands there
make: sed -n '/^```yaml$/,/^```$/{/^```/!p}' docs/TCO.md > $T/page.yaml
run: croft tco $T/page.yaml --json
json: .verdict.kind and .interval.low < .interval.high and (.interval | .confidence == 0.9 and .draws == 10000 and .seed == 1) and ([.tornado[].name] | contains(["volume.per_month", "operations.per_month", "escalation.share"]) and index("operations.engineering") == null)
