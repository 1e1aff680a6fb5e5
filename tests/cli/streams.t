# Standard output that cannot be written must not look like success; a reader that leaves is no error.
need: /dev/full
run: croft help > /dev/full
exit: 73
err~ Cannot write 'standard output': No space left
run: croft completion bash | head -n 1
out: # croft completion for bash: source it, or put it in /etc/bash_completion.d/
run: for i in 1 2 3 4 5; do croft help --markdown | head -n 1 >/dev/null; done
# no colour where there is no terminal
run: croft shwo 2>&1 | grep -c "$(printf '\033')"
exit: 1
out: 0
