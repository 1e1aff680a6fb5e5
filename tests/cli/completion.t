run: croft completion bash | bash -n
run: croft completion bash
out~ list=.*doctor.*show
run: croft completion fish
out~ ^complete -c croft .* -a doctor
run: croft completion zsh
out~ ^#compdef croft$
run: croft completion tcsh
exit: 64
err~ give bash, zsh or fish
run: croft completion
exit: 64
