# The frame: help, version, unknown words, exit codes.
run: croft
exit: 64
out~ ^Usage: croft COMMAND
run: croft help
out~ ^Measure$
out~ ^  doctor +look at this machine
run: croft --help
out~ ^Usage: croft COMMAND
run: croft help show
out~ ^Usage: croft show \[OPTION\]… MODEL$
out~ ^  -t, --tensors +list every tensor$
run: croft show --help
out~ ^Usage: croft show
# --help works even where other settings are wrong
run: croft doctor --nonsense --help
out~ ^Usage: croft doctor
run: croft version
out~ ^croft [0-9]+\.[0-9]+\.[0-9]+$
run: croft --version
out~ ^croft [0-9]
run: croft shwo
exit: 64
out! .
err: croft: There is no command 'shwo'. Did you mean 'show'? 'croft help' lists them.
err: Try 'croft --help'.
run: croft zzzzzzzz
exit: 64
err! Did you mean
run: croft help shwo
exit: 64
err~ Did you mean 'show'\?
run: croft --verbose
exit: 64
err~ Options come after the command
run: croft ''
exit: 64
err~ There is no command ''
run: croft help a b
exit: 64
err~ 'b' is one too many
run: croft help --markdown
out~ ^### croft doctor$
out~ ^\| `--json` \| print JSON \|$
# every command explains itself
run: for c in $(croft help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do croft $c --help | grep -q "^Usage: croft $c" || echo "$c"; done
out! .
