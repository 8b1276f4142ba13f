//! Which lines a client asks for (S10.4).

use super::Source;
use crate::model::{DynoName, ProcessType};

/// Who says a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// A dyno.
    App,
    /// `dyno` itself.
    Dyno,
}

/// Which sources are wanted. The default is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Only lines of, and about, these dynos and the dynos of `process_types`. All if both are empty.
    pub dynos: Vec<DynoName>,
    /// The process types whose dynos are wanted.
    pub process_types: Vec<ProcessType>,
    /// Only lines of this speaker.
    pub speaker: Option<Speaker>,
}

impl LogFilter {
    /// Whether lines of this source are wanted.
    #[must_use]
    pub fn wants(&self, source: &Source) -> bool {
        let (speaker, dyno) = match source {
            Source::App(dyno) => (Speaker::App, Some(dyno)),
            Source::Notice(dyno) => (Speaker::Dyno, Some(dyno)),
            Source::System => (Speaker::Dyno, None),
        };
        let all = self.dynos.is_empty() && self.process_types.is_empty();
        let is_named = |dyno: &DynoName| self.dynos.contains(dyno) || self.process_types.contains(&dyno.process_type);
        self.speaker.is_none_or(|wanted| wanted == speaker) && (all || dyno.is_some_and(is_named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_4_names_and_speaker_narrow_the_lines() {
        let process_type = |name: &str| ProcessType::new(name).unwrap();
        let dyno = |name: &str, index| DynoName::new(process_type(name), index);
        let sources = [Source::App(dyno("web", 1)), Source::Notice(dyno("web", 2)), Source::System];
        let wanted = |filter: &LogFilter| sources.each_ref().map(|source| filter.wants(source));

        assert_eq!(wanted(&LogFilter::default()), [true, true, true]);
        let web = LogFilter { process_types: vec![process_type("web")], ..LogFilter::default() };
        assert_eq!(wanted(&web), [true, true, false]);
        assert_eq!(wanted(&LogFilter { speaker: Some(Speaker::Dyno), ..web }), [false, true, false]);
        assert_eq!(wanted(&LogFilter { dynos: vec![dyno("web", 2)], ..LogFilter::default() }), [false, true, false]);
        let app = LogFilter { speaker: Some(Speaker::App), ..LogFilter::default() };
        assert_eq!(wanted(&app), [true, false, false]);
    }
}
