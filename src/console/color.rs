//! Whether the log, or the labels on stderr, are coloured (S7.2).

use clap::ColorChoice;

/// Decided by the option, then `NO_COLOR`, then `CLICOLOR_FORCE` or `FORCE_COLOR`, then whether the stream is a terminal
/// that shows colours: not with `TERM=dumb` or `CLICOLOR=0`.
///
/// `variable`: looks up a variable of the shell.
pub(crate) fn is_wanted(choice: ColorChoice, variable: impl Fn(&str) -> Option<String>, is_terminal: bool) -> bool {
    let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
    let is_on = |name| variable(name).is_some_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
    let is = |name, text: &str| variable(name).is_some_and(|value| value == text);
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if is_set("NO_COLOR") => false,
        ColorChoice::Auto if is_on("CLICOLOR_FORCE") || is_on("FORCE_COLOR") => true,
        ColorChoice::Auto => is_terminal && !is("TERM", "dumb") && !is("CLICOLOR", "0"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(choice: ColorChoice, variables: &[(&str, &str)], terminal: bool) -> bool {
        let find =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        is_wanted(choice, find, terminal)
    }

    #[test]
    fn the_option_beats_no_color_beats_force_color_beats_the_terminal() {
        let all = [("NO_COLOR", "1"), ("FORCE_COLOR", "1")];

        assert!(wanted(ColorChoice::Always, &all, false));
        assert!(!wanted(ColorChoice::Never, &[("FORCE_COLOR", "1")], true));
        assert!(!wanted(ColorChoice::Auto, &all, true));
        assert!(wanted(ColorChoice::Auto, &[("CLICOLOR_FORCE", "1")], false));
        assert!(wanted(ColorChoice::Auto, &[("FORCE_COLOR", "3")], false));
        assert!(wanted(ColorChoice::Auto, &[], true));
        assert!(!wanted(ColorChoice::Auto, &[], false));
    }

    #[test]
    fn a_terminal_that_shows_no_colours_gets_none_unless_they_are_forced() {
        for variable in [("TERM", "dumb"), ("CLICOLOR", "0")] {
            assert!(!wanted(ColorChoice::Auto, &[variable], true));
            assert!(wanted(ColorChoice::Auto, &[variable, ("FORCE_COLOR", "1")], true));
            assert!(wanted(ColorChoice::Always, &[variable], true));
        }
        assert!(wanted(ColorChoice::Auto, &[("TERM", "xterm"), ("CLICOLOR", "1")], true));
        assert!(!wanted(ColorChoice::Auto, &[("CLICOLOR", "1")], false));
    }

    #[test]
    fn an_empty_or_zero_variable_is_ignored() {
        assert!(wanted(ColorChoice::Auto, &[("NO_COLOR", "")], true));
        assert!(!wanted(ColorChoice::Auto, &[("FORCE_COLOR", "0"), ("CLICOLOR_FORCE", "0")], false));
    }
}
