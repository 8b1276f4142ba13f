# Completion of `dyno` for bash 4.4 and later.
_dyno() {
    local -a answer
    local kind typed kept word
    mapfile -t answer < <(command dyno __complete --line "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    COMPREPLY=()
    IFS=$'\t' read -r kind typed <<<"${answer[0]}"
    case $kind in
        files) compopt -o bashdefault -o default ;;
        directories) compopt -o dirnames ;;
        words)
            # bash takes a word apart at `=` and `:`, and replaces its last part alone.
            kept=${typed%"$2"}
            for word in "${answer[@]:1}"; do
                word=${word%%$'\t'*}
                COMPREPLY+=("${word#"$kept"}")
            done
            [[ ${COMPREPLY[*]} != *= ]] || compopt -o nospace
            ;;
    esac
}
complete -F _dyno dyno
