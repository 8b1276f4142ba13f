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
    /// Only lines of, and about, these dynos and the dynos of `process_types`; the type `router` also means the router. All if
    /// both are empty.
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
            Source::System | Source::Router => (Speaker::Dyno, None),
        };
        let all = self.dynos.is_empty() && self.process_types.is_empty();
        let is_named = |dyno: &DynoName| self.dynos.contains(dyno) || self.process_types.contains(&dyno.process_type);
        let is_named = dyno.is_some_and(is_named) || (*source == Source::Router && self.names_router());
        self.speaker.is_none_or(|wanted| wanted == speaker) && (all || is_named)
    }

    fn names_router(&self) -> bool {
        self.process_types.iter().any(|name| name.as_str() == Source::ROUTER)
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

    #[test]
    fn s16_5_the_router_has_a_name_and_does_not_speak_for_a_dyno() {
        let router = LogFilter { process_types: vec![ProcessType::new("router").unwrap()], ..LogFilter::default() };
        let web = LogFilter { process_types: vec![ProcessType::new("web").unwrap()], ..LogFilter::default() };
        let spoken_by = |speaker| LogFilter { speaker: Some(speaker), ..LogFilter::default() };

        assert!(router.wants(&Source::Router) && !router.wants(&Source::System) && !web.wants(&Source::Router));
        assert!(spoken_by(Speaker::Dyno).wants(&Source::Router) && !spoken_by(Speaker::App).wants(&Source::Router));
    }
}
