# Completion of `dyno` for elvish 0.18 and later.
use str

set edit:completion:arg-completer[dyno] = {|@words|
    var answer = []
    try {
        set answer = [((external dyno) __complete -- $@words 2>/dev/null)]
    } catch e {
        nop
    }
    if (> (count $answer) 0) {
        var kind = (str:split &max=2 "\t" $answer[0] | take 1)
        if (or (eq $kind files) (eq $kind directories)) {
            edit:complete-filename $words[-1]
        } elif (eq $kind words) {
            for line $answer[1..] {
                var word meaning = (str:split &max=2 "\t" $line)
                var suffix = ' '
                if (str:has-suffix $word '=') {
                    set suffix = ''
                }
                var display = $word
                if (not-eq $meaning '') {
                    set display = $word' ('$meaning')'
                }
                edit:complex-candidate $word &display=$display &code-suffix=$suffix
            }
        }
    }
}
