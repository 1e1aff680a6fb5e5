# Settings are rows: the errors that every command shares.
run: croft doctor --jsn
exit: 64
err: croft doctor: Unknown option '--jsn'. Did you mean '--json'?
err: Try 'croft doctor --help'.
run: croft doctor --json=1
exit: 64
err~ --json takes no value
run: croft doctor -z
exit: 64
err~ Unknown option '-z'
run: croft tokenize --text
exit: 64
err~ --text needs a value: give --text TEXT
run: croft show
exit: 64
err~ An argument is missing. Usage: croft show MODEL
run: croft show a b
exit: 64
err~ 'b' is one too many
# after "--" everything is a word
make: CROFT_HOME=$T/store croft pull -q tests/golden/gguf/all_types.gguf >/dev/null
run: CROFT_HOME=$T/store croft show -- --json
exit: 66
err~ no file and no model called '--json'
run: croft show -- --json
exit: 66
err~ no file '--json' and no model store yet
# a terminal cannot be driven by what an argument contains
run: croft "$(printf 'a\033[31mb')"
exit: 64
err~ a\?\[31mb
