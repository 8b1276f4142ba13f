//! Decides which colour each process type has.
//!
//! Colours follow the order of the Procfile, so that a process type keeps its colour from run to run, as in foreman.
//! The caller decides whether to use colour at all (S7.2). Called by the log formats.

use crate::model::ProcessType;

use super::Source;

/// A foreground colour of a terminal, by the number of its SGR sequence: 30 to 37, bright 90 to 97, or 39 for the
/// default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color(u8);

impl Color {
    /// For lines about the whole formation, those of the router, and for process types that are not in the palette: the terminal's own
    /// foreground. White, which foreman uses, cannot be read on a light background.
    pub const SYSTEM: Self = Self(39);

    /// foreman's order: cyan, yellow, green, magenta, red, blue, then the bright version of each.
    const ORDER: [Self; 12] = [
        Self(36),
        Self(33),
        Self(32),
        Self(35),
        Self(31),
        Self(34),
        Self(96),
        Self(93),
        Self(92),
        Self(95),
        Self(91),
        Self(94),
    ];

    /// The parameter of the SGR sequence, `36` in `ESC[36m`.
    #[must_use]
    pub fn sgr(self) -> u8 {
        self.0
    }
}

/// The colours of a formation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Palette(Vec<(ProcessType, Color)>);

impl Palette {
    /// Gives each process type its colour, in the order of the Procfile. Colours repeat after twelve types.
    #[must_use]
    pub fn new(process_types: impl IntoIterator<Item = ProcessType>) -> Self {
        Self(process_types.into_iter().zip(Color::ORDER.into_iter().cycle()).collect())
    }

    /// The colour of lines from this source; a notice has the colour of the dyno it is about.
    #[must_use]
    pub fn color(&self, source: &Source) -> Color {
        match source {
            Source::App(dyno) | Source::Notice(dyno) => self
                .0
                .iter()
                .find(|(process_type, _)| *process_type == dyno.process_type)
                .map_or(Color::SYSTEM, |(_, color)| *color),
            Source::System | Source::Router => Color::SYSTEM,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::DynoName;

    use super::*;

    fn process_type(name: &str) -> ProcessType {
        ProcessType::new(name).unwrap()
    }

    fn color_of(palette: &Palette, name: &str, index: u32) -> u8 {
        palette.color(&Source::App(DynoName::new(process_type(name), index))).sgr()
    }

    // S7.1: coloured by process type.
    #[test]
    fn process_types_get_the_colours_of_foreman_in_the_same_order() {
        let palette = Palette::new(["web", "worker", "clock"].map(process_type));

        assert_eq!(color_of(&palette, "web", 1), 36);
        assert_eq!(color_of(&palette, "web", 2), 36);
        assert_eq!(color_of(&palette, "worker", 1), 33);
        assert_eq!(color_of(&palette, "clock", 1), 32);
    }

    #[test]
    fn colours_turn_bright_after_six_types_and_repeat_after_twelve() {
        let palette = Palette::new((0..13).map(|number| process_type(&format!("p{number}"))));

        assert_eq!(color_of(&palette, "p6", 1), 96);
        assert_eq!(color_of(&palette, "p11", 1), 94);
        assert_eq!(color_of(&palette, "p12", 1), 36);
    }

    #[test]
    fn the_system_router_and_unknown_types_have_the_default_foreground() {
        let palette = Palette::new([process_type("web")]);

        assert_eq!(palette.color(&Source::System), Color::SYSTEM);
        assert_eq!(palette.color(&Source::Router), Color::SYSTEM);
        assert_eq!(color_of(&palette, "run", 4711), 39);
    }
}
