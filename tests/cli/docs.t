# The console blocks of pages, run as they stand.
need: jq
need: models/helpdesk-q8_0.gguf
run: tests/cli/transcript.sh docs/EVAL.md
out! .
run: tests/cli/transcript.sh docs/TCO.md
out! .
