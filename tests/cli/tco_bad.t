# Scenarios that croft tco refuses: each error names file, line and what to do, and ends with exit code 65.
# $T/tco EXPRESSION: croft tco on the scenario below, edited by sed.
make: printf 'volume: {per_month: 2000000}\nhorizon: {months: 36}\ncloud: {price_per_answer: 0.00075}\nhardware: {price: 12000}\n' > $T/good.yaml
make: printf '#!/bin/sh\nsed "$1" '$T'/good.yaml > '$T'/x.yaml && exec croft tco '$T'/x.yaml --json\n' > $T/tco; chmod +x $T/tco
run: $T/tco p
exit: 65
err~ stands there for the second time
run: $T/tco ''
json: .saving.total == 42000
run: croft tco $T/good.yaml --rate 5 --json
json: .remarks == []
# numbers
run: $T/tco 's/0.00075/-0.001/'
exit: 65
err~ x.yaml:3: 'cloud.price_per_answer' must be a number from 0 to 1000000 USD/answer
run: $T/tco 's/2000000/0/'
exit: 65
err~ x.yaml:1: 'volume.per_month' must be a number from 1 to 9000000000 answers/month
run: $T/tco 's/36/0/'
exit: 65
err~ x.yaml:2: 'horizon.months' must be a whole number from 1 to 240 months
run: $T/tco 's/36/1.5/'
exit: 65
err~ x.yaml:2: 'horizon.months' must be a whole number
run: $T/tco 's/12000/12000, units: 1.5/'
exit: 65
err~ x.yaml:4: 'hardware.units' must be a whole number
run: $T/tco 's/0.00075/.nan/'
exit: 65
err~ x.yaml:3: 'cloud.price_per_answer' must be a number .* not '.nan'
run: $T/tco 's/0.00075/.inf/'
exit: 65
err~ x.yaml:3: 'cloud.price_per_answer' must be a number .* not '.inf'
run: $T/tco 's/12000/1e400/'
exit: 65
err~ x.yaml:4: 'hardware.price' must be a number
run: $T/tco 's/12000/1e30/'
exit: 65
err~ x.yaml:4: 'hardware.price' must be a number
run: $T/tco 's/0.00075/0.0000000001/'
exit: 65
err~ x.yaml:3: 'cloud.price_per_answer' must be a number with at most nine digits behind the point
run: $T/tco 's/0.00075/"0.0000000001 USD"/'
exit: 65
err~ x.yaml:3: 'cloud.price_per_answer' must be a number with at most nine digits
run: $T/tco 's/12000/free/'
exit: 65
err~ x.yaml:4: 'hardware.price' must be a number
run: $T/tco 's/12000/true/'
exit: 65
err~ x.yaml:4: 'hardware.price' must be a number
run: $T/tco 's/12000//'
exit: 65
err~ x.yaml:4: 'hardware.price' must be a number
run: $T/tco 's/12000/"12,000"/'
exit: 65
err~ x.yaml:4: 'hardware.price' has the unit ',000'
run: $T/tco '$aescalation: {share: 5}'
exit: 65
err~ x.yaml:5: 'escalation.share' must be a number from 0 to 1
# units and currencies
run: $T/tco 's/0.00075/0.12 USD\/kWh/'
exit: 65
err~ x.yaml:3: 'cloud.price_per_answer' has the unit 'USD/kWh', which does not fit: write it in USD/answer
run: $T/tco 's/36/36 weeks/'
exit: 65
err~ x.yaml:2: 'horizon.months' has the unit 'weeks'
run: $T/tco 's/12000/12000 EUR/'
exit: 65
err~ x.yaml:4: 'hardware.price' is in EUR, and the scenario in USD
run: $T/tco '$acurrency: dollars'
exit: 65
err~ x.yaml:5: 'currency' must be three capital letters
run: $T/tco 's/price_per_answer: 0.00075/model: gpt-5-mini/;$acurrency: EUR\ntokens: {in: 500, out: 10}'
exit: 65
err~ price of 'gpt-5-mini' is in USD, and the scenario in EUR. Give 'exchange.usd'
run: $T/tco 's/price_per_answer: 0.00075/model: gpt-17/'
exit: 66
err~ x.yaml: The price table has no model 'gpt-17'
# names
run: $T/tco 's/price_per_answer/price_per_anwser/'
exit: 65
err~ x.yaml:3: there is no 'price_per_anwser' in cloud. Did you mean 'price_per_answer'
run: $T/tco 's/hardware/hardwear/'
exit: 65
err~ x.yaml:4: there is no 'hardwear' .*Did you mean 'hardware'
run: $T/tco 's/price: 12000/price: 12000, price: 13000/'
exit: 65
err~ 'price' in line 4 stands there for the second time
run: $T/tco '$ahorizon: {months: 12}'
exit: 65
err~ 'horizon' in line 5 stands there for the second time
run: $T/tco '$akind: guess'
exit: 65
err~ x.yaml:5: 'kind' must be classify, extract, generate or embed
# what does not belong together, and what is missing
run: $T/tco '/volume/d'
exit: 65
err~ Give volume.per_month
run: $T/tco '/cloud/d'
exit: 65
err~ What does the cloud cost
run: $T/tco '/hardware/d'
exit: 65
err~ What does the hardware cost
run: $T/tco 's/0.00075/0.00075, price_input: 1, price_output: 2/'
exit: 65
err~ x.yaml:3: 'cloud' has both price_per_answer and prices of tokens
run: $T/tco 's/price_per_answer: 0.00075/price_input: 0.3/'
exit: 65
err~ x.yaml:3: 'cloud' has a price of prompts alone. Give price_output too
run: $T/tco 's/price_per_answer: 0.00075/price_output: 0.3/'
exit: 65
err~ x.yaml:3: 'cloud' has a price of answers alone. Give price_input too
run: $T/tco 's/price_per_answer: 0.00075/price_input: 0.3, price_output: 1/'
exit: 65
err~ x.yaml:3: Prices of tokens need tokens.in and tokens.out
run: $T/tco '$aescalation: {share: 0.1, price_input: 3}'
exit: 65
err~ x.yaml:5: 'escalation' has a price of prompts alone
run: $T/tco 's/0.00075/0.00075, egress_share: 0.1, egress_per_gb: 0.1, bytes_per_answer: 5/'
exit: 65
err~ x.yaml:3: Egress is either a share
run: $T/tco 's/0.00075/0.00075, egress_per_gb: 0.1/'
exit: 65
err~ x.yaml:3: Egress needs both
run: $T/tco 's/12000/12000, idle_watts: 30, busy_watts: 20/'
exit: 65
err~ x.yaml:4: hardware.idle_watts is above hardware.busy_watts
run: $T/tco '$aenergy: {price_per_kwh: 0.3}'
exit: 65
err~ x.yaml:5: Energy needs both
run: $T/tco '$arented: {price_per_hour: 1}'
exit: 65
err~ x.yaml:5: A rented GPU needs both
run: $T/tco '$aupdates: {price_per_gb: 1}'
exit: 65
err~ x.yaml:5: Updates need
run: $T/tco '$aerrors: {cost_per_wrong: 1}'
exit: 65
err~ x.yaml:5: A cost of wrong answers needs how many are wrong
run: $T/tco 's/12000/12000, units: 1, answers_per_second: 0.5/'
exit: 65
err~ x.yaml:4: 1 unit cannot answer this volume: its busiest hour needs 7
# uncertainty
run: $T/tco '$auncertainty: {volume: {uniform: [1, 2]}}'
exit: 65
err~ x.yaml:5: there is no 'volume': name a value as in 'volume.per_month'
run: $T/tco '$auncertainty: {volume.per_month: {uniform: [3, 2]}}'
exit: 65
err~ x.yaml:5: 'uniform' of 'volume.per_month' must be in rising order
run: $T/tco '$auncertainty: {volume.per_month: {gamma: [1, 2]}}'
exit: 65
err~ x.yaml:5: 'volume.per_month' must be certain, or one of
run: $T/tco '$auncertainty: {escalation.share: {counted: [30, 20]}}'
exit: 65
err~ x.yaml:5: 'counted' of 'escalation.share' makes no sense
run: $T/tco '$auncertainty: {volume.per_month: {counted: [3, 20]}}'
exit: 65
err~ x.yaml:5: 'counted' of 'volume.per_month' makes no sense
run: $T/tco '$auncertainty: {volume.per_month: {normal: [1e6, -5]}}'
exit: 65
err~ x.yaml:5: 'normal' of 'volume.per_month' makes no sense
run: $T/tco '$auncertainty: {volume.per_month: {triangular: [.nan, 1, 2]}}'
exit: 65
err~ x.yaml:5: 'volume.per_month' must be a number
run: $T/tco '$auncertainty: {draws: -1}'
exit: 65
err~ x.yaml:5: 'draws' must be a whole number from 0 to 1000000
run: $T/tco '$auncertainty: {confidence: 1}'
exit: 65
err~ x.yaml:5: 'confidence' must be a number from 0.5 to 0.999
# no scenario at all
run: $T/tco '1,$d'
exit: 65
err~ must hold names with values
run: $T/tco '1,$s/.*/- x/'
exit: 65
err~ must hold names with values
run: $T/tco '1i{{{'
exit: 65
err~ is not YAML
# the file itself, and flags
run: croft tco $T/none.yaml
exit: 66
err~ none.yaml
run: croft tco $T/good.yaml --set volume.per_month=many
exit: 64
err~ volume.per_month
run: croft tco $T/good.yaml --set volume.per_mont=1
exit: 64
err~ volume.per_mont
run: croft tco $T/good.yaml --hardware-prize 3
exit: 64
err~ hardware-prize
# too few draws to say anything; measurements that are not there
run: croft tco $T/good.yaml --draws 1
exit: 65
err~ ask for at least 100, or for none with 0
run: croft tco $T/good.yaml --from-eval /dev/null
exit: 65
err~ croft tco: /dev/null is empty.$
