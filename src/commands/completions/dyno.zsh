#compdef dyno
# Completion of `dyno` for zsh. In a directory of `fpath` its name is `_dyno`; it may also be sourced after `compinit`.
_dyno() {
    local -a answer closed open
    local line entry
    answer=("${(@f)$(command dyno __complete -- "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    case ${answer[1]%%$'\t'*} in
        files) compset -P '--*='; _files ;;
        directories) compset -P '--*='; _files -/ ;;
        words)
            for line in "${(@)answer[2,-1]}"; do
                entry="${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}"
                if [[ ${line%%$'\t'*} == *= ]]; then open+=("$entry"); else closed+=("$entry"); fi
            done
            _describe -V dyno closed -- open -S ''
            ;;
        *) return 1 ;;
    esac
}
if [[ ${funcstack[1]} == _dyno ]]; then
    _dyno "$@"
else
    compdef _dyno dyno
fi
