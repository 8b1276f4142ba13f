# Completion of `dyno` for fish 3.0 and later.
function __dyno_complete
    set -l typed (commandline -ct)
    set -l answer (command dyno __complete -- (commandline -opc) "$typed" 2>/dev/null)
    set -l kind (string split \t -- $answer[1])[1]
    set -l option (string match -r -- '^--[^=]*=' "$typed")
    switch "$kind"
        case files
            string replace -r -- '^' "$option" (__fish_complete_path (string replace -- "$option" '' "$typed"))
        case directories
            string replace -r -- '^' "$option" (__fish_complete_directories (string replace -- "$option" '' "$typed"))
        case words
            set -e answer[1]
            string join -- \n $answer
    end
end
complete -c dyno -f -k -a '(__dyno_complete)'
