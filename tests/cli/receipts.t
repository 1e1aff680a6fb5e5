# croft receipts, croft audit: over a folder that another program wrote from docs/RECEIPTS.md.
need: python3
need: openssl
make: python3 tests/cli/make_receipts.py $T/r > $T/last
run: croft audit verify --receipts $T/r
out~ ^Log 00112233445566778899aabbccddeeff: 12 receipts \(1 to 12\), 3 checkpoints, signed up to 12\.$
out~ ^2 receipts were never written
out~ ^The log is whole\.$
run: croft audit verify --receipts $T/r --json
json: .whole and .receipts == 12 and .signed_to == 12 and .lost == 2 and .findings == []
# the list, newest first; CROFT_RECEIPTS and CROFT_HOME name the folder too
run: CROFT_RECEIPTS=$T/r croft receipts -n 2
out~ ^2026-11-21T08:00:00 +01KAKE00000000000000000012 +triage +frontier +low_confidence +0\.40 +0\.042 USD +12\.50 +200 +2 to api\.example\.com$
out~ ^2026-11-20T08:00:00 .* refused +- +- +12\.50 +503 +-$
out! 2026-11-19
run: mkdir -p $T/home && cp -r $T/r $T/home/receipts && CROFT_HOME=$T/home croft receipts --json
json: length == 12 and .[0].seq == 12 and .[11].seq == 1
run: croft receipts --receipts $T/r --json --since 2026-11-12 --until 2026-11-14T08:00Z --key bob
json: map(.seq) == [4]
run: croft receipts --receipts $T/r --json --left --subject erika
json: map(.seq) == [12, 8, 4]
run: croft receipts --receipts $T/r --json --reason refused --status 503
json: map(.seq) == [11]
run: croft receipts --receipts $T/r --json --tier nowhere
json: . == []
run: croft receipts --receipts $T/r --csv -n 1
out~ ^time,id,seq,
out~ ^"2026-11-21T08:00:00.000Z","01KAKE00000000000000000012",12,,"'=1\+1","triage",.*,0\.4,"low_confidence","escalate",.*"2xapi.example.com:(ab)+:1000B","email=2"
run: croft receipts --receipts $T/r --since yesterday
exit: 64
err~ 'yesterday' is not a valid value of --since
run: croft receipts --receipts $T/r --reason because
exit: 64
err~ 'because' is no reason
run: croft receipts --receipts $T/none
exit: 66
err~ There are no receipts in
run: croft receipts shwo
exit: 64
err~ There is no 'croft receipts shwo'
# sums and what left
run: croft receipts --receipts $T/r --sums
out~ ^answered here, % +63\.64$
out~ ^cost +0\.126 USD$
out~ ^receipts lost +2$
out~ ^  low_confidence +3 +25\.00 +0\.126 USD
run: croft receipts --receipts $T/r --sums --json
json: .receipts == 12 and .device == 7 and .cloud == 3 and .unanswered == 1 and .shadow == 1 and (.reasons | map(.n) | add) == 12
run: croft receipts --receipts $T/r --perimeter
out~ ^12 receipts: of 3 something left this device \(6 messages, 6000 bytes\), 9 stayed whole\.$
out~ ^  api\.example\.com +frontier +cloud +low_confidence +escalate +internal +6 +5\.9 KiB +6$
out~ ^  confident +- +internal +7$
run: croft receipts --receipts $T/r --perimeter --json --since 2026-11-15
json: .messages == 4 and .left[0].redacted == 4 and (.stayed | map(.receipts) | add) == 5
# one receipt
run: croft receipts show --receipts $T/r 01KAKE00000000000000000008
out~ ^left +2 times 1000 bytes to api\.example\.com \(frontier, cloud\)$
out~ ^The confidence fell short of the fitted threshold\.$
out~ ^Receipt 01KAKE00000000000000000009 belongs to it: here, check\.$
run: croft receipts show --receipts $T/r 01KAKE00000000000000000003 --json
json: .seq == 3 and .confidence == 0.97
run: croft receipts show --receipts $T/r nobody
exit: 66
err~ There is no receipt 'nobody'
# access and erasure
run: croft receipts export --receipts $T/r --subject erika
out~ ^\{"answer_tokens":3,.*"seq":4,
out~ ^\{"store":"capture","receipt":"01KAKE4","task":"triage","time":"2026-11-21T08:00:00Z","input":"my petunia","output":"refund"\}$
out! geranium
run: croft receipts export --receipts $T/r --captured triage -o $T/pairs.jsonl && cat $T/pairs.jsonl
out: {"input":"my petunia","label":"refund"}
out: {"input":"a geranium","label":"order"}
run: croft receipts erase --receipts $T/r --subject erika
out: 1 stored texts erased. 3 receipts stay: they have no content.
run: grep -c petunia $T/r/store.db; croft audit verify --receipts $T/r --json
out~ ^0$
out~ "whole": true
run: croft receipts export --receipts $T/r --captured triage
out: {"input":"a geranium","label":"order"}
run: croft receipts erase --receipts $T/r
exit: 64
err~ Add --subject USER
# anchors and the export
run: croft audit anchor --receipts $T/r > $T/anchor && croft audit verify --receipts $T/r --anchors $T/anchor --public-key $T/r/receipts.pub
out~ ^1 anchors hold; 0 speak of what was pruned since\.$
run: croft audit anchor --all --receipts $T/r | wc -l
out: 3
run: croft audit export --receipts $T/r | wc -l
out: 15
run: croft audit export --receipts $T/r | sed -n 12p | cut -c10-73 | cmp - $T/last
run: croft audit anchor --receipts $T/none
exit: 66
err~ There are no receipts
# what was changed is found
make: cp -r $T/r $T/bad && python3 -c "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute(\"UPDATE receipt SET body = replace(body, 'alice', 'mallory') WHERE seq = 7\"); d.execute('DELETE FROM receipt WHERE seq = 3'); d.commit()" $T/bad/receipts.db
run: croft audit verify --receipts $T/bad
exit: 76
out~ ^dropped: Receipt 3 is missing\.$
out~ ^altered: Receipt 7 is not what was written
out~ ^2 findings: the log is not what was written\.$
run: croft audit verify --receipts $T/bad --json
exit: 76
json: (.whole | not) and (.findings | map([.kind, .from, .to])) == [["dropped", 3, 3], ["altered", 7, 7]]
run: cp -r $T/r $T/cut && python3 -c "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('DELETE FROM receipt WHERE seq > 10'); d.execute('DELETE FROM checkpoint WHERE seq > 10'); d.commit()" $T/cut/receipts.db && croft audit verify --receipts $T/cut && croft audit verify --receipts $T/cut --anchors $T/anchor
exit: 76
out~ ^truncated: An anchor speaks of receipt 12; the log ends at 10
run: printf 'not a database' > $T/bad/receipts.db; croft audit verify --receipts $T/bad
exit: 65
err~ is damaged
run: croft audit verify --receipts $T/r --public-key $T/anchor
exit: 65
err~ holds no public key
# pruning, by the writer itself
run: croft receipts prune --receipts $T/r --before 2026-11-16
out: 5 receipts removed.
run: croft audit verify --receipts $T/r --anchors $T/anchor
out~ ^Log .*: 7 receipts \(6 to 12\), 4 checkpoints, signed up to 12\.$
out~ ^1 anchors hold
out~ ^The log is whole\.$
run: croft receipts prune --receipts $T/r --before soon
exit: 64
err~ 'soon' is not a valid value of --before
run: croft audit
exit: 64
err~ An argument is missing
