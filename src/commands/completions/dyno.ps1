# Completion of `dyno` for PowerShell 7 and later. Where nothing is offered here, PowerShell offers files.
Register-ArgumentCompleter -Native -CommandName 'dyno' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $program = Get-Command -Name dyno -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
    if ($null -eq $program) { return }
    $length = $cursorPosition - $commandAst.Extent.StartOffset
    $line = $commandAst.Extent.Text.PadRight($length).Substring(0, $length)
    $answer = @(& $program __complete --line $line 2>$null)
    if ($answer.Count -eq 0 -or $answer[0].Split("`t")[0] -ne 'words') { return }
    $answer | Select-Object -Skip 1 | ForEach-Object {
        $word, $meaning = $_.Split("`t", 2)
        if ([string]::IsNullOrEmpty($meaning)) { $meaning = $word }
        [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $meaning)
    }
}
