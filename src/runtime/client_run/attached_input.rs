//! What a client of an attached one-off dyno types (S17.3), without what belongs to the protocol of the `heroku` CLI.

/// The end-of-transmission character, which ends the input of a line on a terminal.
const EOT: u8 = 0x04;

/// Takes the protocol out of the bytes of a client.
#[derive(Debug)]
pub(in crate::runtime) struct ClientInput {
    begun: LineEnd,
    /// Whether the input goes to a pipe, on which EOT would be text.
    is_pipe: bool,
    /// The last byte was EOT: the end of the input, unless more comes.
    held: bool,
}

/// How much of the line end after the secret has come. Some clients send none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    Nothing,
    Return,
    All,
}

impl ClientInput {
    pub(in crate::runtime) fn new(is_pipe: bool) -> Self {
        Self { begun: LineEnd::Nothing, is_pipe, held: false }
    }

    /// Whether the input has ended, unless more comes.
    pub(in crate::runtime) fn may_have_ended(&self) -> bool {
        self.held
    }

    /// What the client has typed with these bytes.
    pub(in crate::runtime) fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut typed = Vec::with_capacity(bytes.len() + 1);
        if !bytes.is_empty() && std::mem::take(&mut self.held) {
            typed.push(EOT);
        }
        for &byte in bytes {
            match (self.begun, byte) {
                (LineEnd::Nothing, b'\r') => self.begun = LineEnd::Return,
                (LineEnd::Nothing | LineEnd::Return, b'\n') => self.begun = LineEnd::All,
                (LineEnd::Return, _) => {
                    self.begun = LineEnd::All;
                    typed.extend([b'\r', byte]);
                }
                (LineEnd::Nothing | LineEnd::All, _) => {
                    self.begun = LineEnd::All;
                    typed.push(byte);
                }
            }
        }
        if self.is_pipe && typed.last() == Some(&EOT) {
            typed.pop();
            self.held = true;
        }
        typed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(is_pipe: bool, pieces: &[&[u8]]) -> (Vec<u8>, bool) {
        let mut input = ClientInput::new(is_pipe);
        let typed = pieces.iter().flat_map(|piece| input.feed(piece)).collect();
        (typed, input.may_have_ended())
    }

    #[test]
    fn s17_3_the_line_end_after_the_secret_is_not_typed() {
        for pieces in [&[&b"\r\nls\r"[..]][..], &[b"\r", b"\nls\r"], &[b"\n", b"ls\r"], &[b"l", b"s\r"]] {
            assert_eq!(typed(false, pieces), (b"ls\r".to_vec(), false), "{pieces:?}");
        }
        assert_eq!(typed(false, &[b"\r\n\r\n"]), (b"\r\n".to_vec(), false));
        assert_eq!(typed(false, &[b"\r", b"x"]), (b"\rx".to_vec(), false));
    }

    #[test]
    fn s17_3_the_last_eot_ends_the_input_of_a_pipe_only() {
        assert_eq!(typed(true, &[b"\r\na\x04"]), (b"a".to_vec(), true));
        assert_eq!(typed(true, &[b"\r\na\x04", b"b"]), (b"a\x04b".to_vec(), false));
        assert_eq!(typed(true, &[b"\r\n\x04", b"\x04"]), (b"\x04".to_vec(), true));
        assert_eq!(typed(true, &[b"\r\n\x04", b""]), (Vec::new(), true));
        assert_eq!(typed(false, &[b"\r\na\x04"]), (b"a\x04".to_vec(), false));
    }
}
