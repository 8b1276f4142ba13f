//! How the log looks and where it goes (S7.1 to S7.3).

use std::path::PathBuf;

use clap::ColorChoice;

use crate::app::{ForemanFile, Setting};
use crate::cli::{LogArgs, LogFormatName};
use crate::supervisor::NoticeStyle;

/// How the log looks and where it goes.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    /// How lines are written.
    pub(crate) format: LogFormatName,
    /// Whether lines of the format `text` begin with the time of day.
    pub(crate) timestamps: bool,
    /// Whether they begin with time and name.
    pub(crate) prefix: bool,
    /// When to use colours.
    pub(crate) color: ColorChoice,
    /// The directory of the log files.
    pub(crate) log_dir: Option<PathBuf>,
    /// The types whose output is not shown.
    pub(crate) quiet: Vec<String>,
    /// The options that have no effect, because only the format `text` can leave something out.
    pub(crate) unused_options: Vec<&'static str>,
}

impl Look {
    /// What the options ask for. `heroku`: that option, whose log format any other overrides (S7.3).
    pub(crate) fn new(args: &LogArgs, quiet: &[String], heroku: bool) -> Self {
        let default = if heroku { LogFormatName::Heroku } else { LogFormatName::Text };
        let format = args.log_format.unwrap_or(default);
        let given = [("--no-timestamps", args.no_timestamps), ("--no-prefix", args.no_prefix)];
        let unused = given.iter().filter(|(_, is_given)| *is_given && format != LogFormatName::Text);
        Self {
            format,
            timestamps: !args.no_timestamps,
            prefix: !args.no_prefix,
            color: args.color,
            log_dir: args.log_dir.clone(),
            quiet: quiet.to_vec(),
            unused_options: unused.map(|(option, _)| *option).collect(),
        }
    }

    /// The same with the defaults of `.foreman` (S4.5). `color`: the choice of the options.
    pub(crate) fn or_file(self, args: &LogArgs, color: ColorChoice, file: &ForemanFile) -> Self {
        let by_file = |setting: &Option<Setting<bool>>| setting.as_ref().map(|setting| setting.value);
        let color = match (color, by_file(&file.color)) {
            (ColorChoice::Auto, Some(true)) => ColorChoice::Always,
            (ColorChoice::Auto, Some(false)) => ColorChoice::Never,
            (choice, _) => choice,
        };
        let timestamps = self.timestamps && (args.timestamps || by_file(&file.timestamp).unwrap_or(true));
        Self { timestamps, color, ..self }
    }

    /// The wording of our own lines (S7.4).
    pub(crate) fn notice_style(&self) -> NoticeStyle {
        match self.format {
            LogFormatName::Heroku => NoticeStyle::Heroku,
            LogFormatName::Text | LogFormatName::Json => NoticeStyle::Plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(text: &str, args: &LogArgs, color: ColorChoice) -> (bool, ColorChoice) {
        let look = Look::new(args, &[], false).or_file(args, color, &ForemanFile::parse(text.as_bytes()));
        (look.timestamps, look.color)
    }

    #[test]
    fn s4_5_color_and_timestamp_are_defaults_of_the_options() {
        let none = LogArgs::default();
        let with_time = LogArgs { timestamps: true, ..LogArgs::default() };
        let without_time = LogArgs { no_timestamps: true, ..LogArgs::default() };

        assert_eq!(with_file("", &none, ColorChoice::Auto), (true, ColorChoice::Auto));
        assert_eq!(with_file("color: true\n", &none, ColorChoice::Auto), (true, ColorChoice::Always));
        assert_eq!(with_file("color: false\ntimestamp: no\n", &none, ColorChoice::Auto), (false, ColorChoice::Never));
        assert_eq!(with_file("color: true\n", &none, ColorChoice::Never), (true, ColorChoice::Never));
        assert_eq!(with_file("timestamp: off\n", &with_time, ColorChoice::Auto), (true, ColorChoice::Auto));
        assert_eq!(with_file("timestamp: true\n", &without_time, ColorChoice::Auto), (false, ColorChoice::Auto));
    }

    #[test]
    fn s7_3_an_explicit_log_format_overrides_heroku() {
        let of = |format| LogArgs { log_format: format, ..LogArgs::default() };
        let style = |format, heroku| Look::new(&of(format), &[], heroku).notice_style();

        assert_eq!(Look::new(&of(None), &[], true).format, LogFormatName::Heroku);
        assert_eq!(Look::new(&of(Some(LogFormatName::Json)), &[], true).format, LogFormatName::Json);
        assert_eq!(style(Some(LogFormatName::Text), true), NoticeStyle::Plain);
        assert_eq!(style(Some(LogFormatName::Heroku), false), NoticeStyle::Heroku);
    }
}
