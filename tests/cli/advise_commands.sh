#!/bin/sh
# Does every command that the compliance worksheet names exist, with the options that it is named with? Prints what does not.
croft advise --worksheet --json | jq -r '.obligations[].command' | sort -u | while read -r _ command verb rest; do
    case $verb in
    show | export | erase | prune | verify | explain) command="$command $verb" ;;
    *) rest="$verb $rest" ;;
    esac
    help=$(croft $command --help) || echo "no croft $command"
    for word in $rest; do
        case $word in -*) printf '%s\n' "$help" | grep -qe "[ ,]$word[ ,]" || echo "no $word of croft $command" ;; esac
    done
done
