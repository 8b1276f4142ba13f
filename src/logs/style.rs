//! The colours and attributes that a program has switched on (SGR), as one value.
//!
//! Decides what an SGR sequence changes and which sequence produces a style. Unknown codes change nothing. Used by
//! [`escapes`], `lines` and `screen`, where each line must carry its own colours.

use std::io::Write;

use memchr::memchr_iter;

use super::escapes::{self, Sequence};

/// Switches off all colours and attributes.
pub(super) const RESET: &[u8] = b"\x1b[0m";

/// Codes that switch on one attribute each. The index is its bit in [`Style::attributes`].
const ATTRIBUTES: [u16; 10] = [1, 2, 3, 5, 6, 7, 8, 9, 20, 53];
/// Bits of the attributes that are visible on blanks, too: inverse, struck out, overlined.
const SEEN_ON_BLANKS: u16 = 1 << 5 | 1 << 7 | 1 << 9;
/// Maximum count of numbers read from one sequence; a truecolor foreground, background and underline need 15.
const MAX_NUMBERS: usize = 32;

/// A colour, in the form in which the program gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum SgrColor {
    #[default]
    Default,
    /// One of 256; the first 16 have short codes.
    Indexed(u8),
    Rgb(u8, u8, u8),
}

/// Everything an SGR sequence can switch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Style {
    attributes: u16,
    /// 0: none, 1: single, 2: double, 3 and up: curly, dotted, dashed.
    underline: u8,
    foreground: SgrColor,
    background: SgrColor,
    underline_color: SgrColor,
}

impl Style {
    /// Without colours and attributes.
    pub(super) const PLAIN: Self = Self {
        attributes: 0,
        underline: 0,
        foreground: SgrColor::Default,
        background: SgrColor::Default,
        underline_color: SgrColor::Default,
    };

    /// Whether there are no colours and attributes.
    pub(super) fn is_plain(self) -> bool {
        self == Self::PLAIN
    }

    /// The part of the style that an erased cell keeps.
    pub(super) fn background_only(self) -> Self {
        Self { background: self.background, ..Self::PLAIN }
    }

    /// Whether a blank in this style looks different from an empty cell.
    pub(super) fn is_seen_on_blanks(self) -> bool {
        self.background != SgrColor::Default || self.underline > 0 || self.attributes & SEEN_ON_BLANKS != 0
    }

    /// Applies the parameters of `ESC [ … m`.
    pub(super) fn apply(&mut self, parameters: &[u8]) {
        let mut numbers = parameters.split(|byte| *byte == b';').take(MAX_NUMBERS);
        while let Some(part) = numbers.next() {
            if part.contains(&b':') {
                self.apply_colons(part);
                continue;
            }
            match number(part) {
                code @ (38 | 48 | 58) => {
                    let color = match numbers.next().map(number) {
                        Some(5) => numbers.next().map(|index| SgrColor::Indexed(byte(index))),
                        Some(2) => {
                            let mut channel = || numbers.next().map(byte);
                            channel().zip(channel()).zip(channel()).map(|((r, g), b)| SgrColor::Rgb(r, g, b))
                        }
                        Some(_) | None => None,
                    };
                    self.set_color(code, color);
                }
                code => self.apply_code(code),
            }
        }
    }

    /// Applies all SGR sequences in a text.
    pub(super) fn apply_all(&mut self, text: &[u8]) {
        for at in memchr_iter(b'\x1b', text) {
            let sequence = text.get(at..).unwrap_or_default();
            if let Sequence::Sgr(parameters, _) = escapes::sequence(sequence, &mut Vec::new()) {
                self.apply(parameters);
            }
        }
    }

    /// Applies one parameter with colons (ISO 8613-6): `38:5:9`, `38:2::1:2:3`, `4:3`.
    fn apply_colons(&mut self, part: &[u8]) {
        let parts: Vec<&[u8]> = part.split(|byte| *byte == b':').collect();
        match parts.as_slice() {
            [b"4", kind, ..] => self.underline = byte(kind),
            [code, b"5", index, ..] => self.set_color(number(code), Some(SgrColor::Indexed(byte(index)))),
            [code, b"2", r, g, b] | [code, b"2", _, r, g, b, ..] => {
                self.set_color(number(code), Some(SgrColor::Rgb(byte(r), byte(g), byte(b))));
            }
            _ => {}
        }
    }

    fn set_color(&mut self, code: u16, color: Option<SgrColor>) {
        let Some(color) = color else { return };
        match code {
            38 => self.foreground = color,
            48 => self.background = color,
            58 => self.underline_color = color,
            _ => {}
        }
    }

    fn apply_code(&mut self, code: u16) {
        let index = |first: u16| SgrColor::Indexed(u8::try_from(code - first).unwrap_or(0));
        match code {
            0 => *self = Self::default(),
            4 => self.underline = 1,
            21 => self.underline = 2,
            22 => self.switch_off(&[1, 2]),
            23 => self.switch_off(&[3, 20]),
            24 => self.underline = 0,
            25 => self.switch_off(&[5, 6]),
            27 => self.switch_off(&[7]),
            28 => self.switch_off(&[8]),
            29 => self.switch_off(&[9]),
            55 => self.switch_off(&[53]),
            30..=37 => self.foreground = index(30),
            39 => self.foreground = SgrColor::Default,
            40..=47 => self.background = index(40),
            49 => self.background = SgrColor::Default,
            59 => self.underline_color = SgrColor::Default,
            90..=97 => self.foreground = index(90 - 8),
            100..=107 => self.background = index(100 - 8),
            code => {
                if let Some(bit) = ATTRIBUTES.iter().position(|attribute| *attribute == code) {
                    self.attributes |= 1 << bit;
                }
            }
        }
    }

    fn switch_off(&mut self, codes: &[u16]) {
        for (bit, code) in ATTRIBUTES.iter().enumerate() {
            if codes.contains(code) {
                self.attributes &= !(1 << bit);
            }
        }
    }

    /// Writes the sequence that changes this style into `to`; nothing if they are the same.
    pub(super) fn write_change(self, to: Self, out: &mut Vec<u8>) {
        if self == to {
            return;
        }
        if to.is_plain() {
            return out.extend_from_slice(RESET);
        }
        out.extend_from_slice(b"\x1b[");
        if !self.is_plain() {
            out.extend_from_slice(b"0;");
        }
        to.write_codes(out);
        // Replaces the last `;`.
        out.pop();
        out.push(b'm');
    }

    /// Writes the codes that are switched on, each followed by `;`.
    fn write_codes(self, out: &mut Vec<u8>) {
        for (bit, code) in ATTRIBUTES.iter().enumerate() {
            if self.attributes & 1 << bit != 0 {
                let _ = write!(out, "{code};");
            }
        }
        match self.underline {
            0 => {}
            1 => out.extend_from_slice(b"4;"),
            2 => out.extend_from_slice(b"21;"),
            kind => drop(write!(out, "4:{kind};")),
        }
        for (color, base, bright) in [(self.foreground, 30, 90), (self.background, 40, 100)] {
            let _ = match color {
                SgrColor::Default => Ok(()),
                SgrColor::Indexed(index @ 0..=7) => write!(out, "{};", base + index),
                SgrColor::Indexed(index @ 8..=15) => write!(out, "{};", bright + index - 8),
                SgrColor::Indexed(index) => write!(out, "{};5;{index};", base + 8),
                SgrColor::Rgb(r, g, b) => write!(out, "{};2;{r};{g};{b};", base + 8),
            };
        }
        let _ = match self.underline_color {
            SgrColor::Default => Ok(()),
            SgrColor::Indexed(index) => write!(out, "58;5;{index};"),
            SgrColor::Rgb(r, g, b) => write!(out, "58;2;{r};{g};{b};"),
        };
    }
}

/// An empty number is 0. One that is too large saturates, which is outside every valid range.
fn number(digits: &[u8]) -> u16 {
    digits.iter().fold(0, |number: u16, digit| {
        number.saturating_mul(10).saturating_add(u16::from(digit.wrapping_sub(b'0').min(9)))
    })
}

fn byte(digits: &[u8]) -> u8 {
    u8::try_from(number(digits)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(parameters: &[u8]) -> Style {
        let mut style = Style::default();
        style.apply(parameters);
        style
    }

    fn change(from: &[u8], to: &[u8]) -> String {
        let mut out = Vec::new();
        style(from).write_change(style(to), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_style_is_written_as_it_was_read() {
        for codes in
            ["1;31", "2;3;7;9;4;97", "38;5;200;48;2;1;2;3", "21;44", "4:3;58;5;9", "5;8;53;103", "38;2;255;0;1"]
        {
            assert_eq!(change(b"", codes.as_bytes()), format!("\x1b[{codes}m"));
        }
        assert_eq!(change(b"", b"38:5:9;38:2::1:2:3;48:2:4:5:6"), "\x1b[38;2;1;2;3;48;2;4;5;6m");
    }

    #[test]
    fn a_change_of_style_is_as_short_as_possible() {
        assert_eq!(change(b"31", b"31"), "");
        assert_eq!(change(b"31", b""), "\x1b[0m");
        assert_eq!(change(b"1;31", b"32"), "\x1b[0;32m");
    }

    #[test]
    fn each_off_code_undoes_its_own_attribute() {
        assert!(style(b"1;2;3;4;5;6;7;8;9;53;31;42;58;5;1;22;23;24;25;27;28;29;55;39;49;59").is_plain());
        assert!(style(b"31;").is_plain());
        assert_eq!(style(b"1;999;38;5;;99999;11"), style(b"1;30"));
        assert!(
            style(b"44").is_seen_on_blanks() && style(b"7").is_seen_on_blanks() && !style(b"1;31").is_seen_on_blanks()
        );
    }

    #[test]
    fn an_incomplete_sequence_changes_nothing() {
        for codes in [&b"38"[..], b"38;5", b"48;2;1;2", b"38;9", b"38:5", b":"] {
            assert!(style(codes).is_plain(), "{codes:?}");
        }
    }
}
