# The model store without a network and without a store (tests/store has the rest).
run: CROFT_HOME=/dev/null/croft croft list
out: NAME  QUANT  SIZE  PULLED  SOURCE
err: No models here. Get one: croft pull hf:OWNER/REPO:QUANT
run: CROFT_HOME=/dev/null/croft croft list --json
json: . == []
run: XDG_RUNTIME_DIR=$T/none croft ps --json
json: . == []
run: env -u XDG_RUNTIME_DIR CROFT_HOME=/dev/null/croft croft ps --json
json: . == []
# Without standard streams, what is printed must not end up in the file that took their number.
run: CROFT_HOME=$T/closed croft pull tests/golden/logits/llama.gguf <&- >&- 2>&-; for f in $T/closed/blobs/*; do echo "${f##*-}  $f" | sha256sum -c --quiet && echo whole; done
out: whole
run: CROFT_HOME=/dev/null/croft croft rm foo
exit: 66
err~ There is no model store at '/dev/null/croft' yet\. Get a model with
run: CROFT_HOME=/dev/null/croft croft rm
exit: 64
err~ Which model\?
run: CROFT_HOME=/dev/null/croft croft show foo
exit: 66
err~ no model store yet.*croft pull
run: croft pull
exit: 64
err~ croft pull
run: CROFT_HOME=/dev/null/croft croft pull hf:a/b
exit: 66
err~ Cannot create the model store's folder
