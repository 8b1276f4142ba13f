//! What a terminal receives when other lines interrupt an unfinished one.

use super::*;

/// The bytes that the terminal receives when two lines `other` come between `written` and `then`.
fn interrupted(written: &[u8], columns: Option<u16>, then: &[u8]) -> String {
    let mut line = OpenLine::default();
    let mut out = written.to_vec();
    line.follow(written);
    for _ in 0..2 {
        line.step_aside(|| columns, &mut out);
        out.extend_from_slice(b"other\r\n");
    }
    line.come_back(&mut out);
    out.extend_from_slice(then);
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn s6_8_after_a_finished_line_other_lines_are_simply_written() {
    assert_eq!(interrupted(b"done\r\n", Some(80), b"next"), "done\r\nother\r\nother\r\nnext");
    assert_eq!(interrupted(b"", Some(80), b"next"), "other\r\nother\r\nnext");
    // The same after the sequences that end a typed line.
    let marks = "\r\n\x1b[?2004l\r";
    assert_eq!(interrupted(marks.as_bytes(), Some(80), b"42"), format!("{marks}other\r\nother\r\n42"));
}

#[test]
fn s6_8_a_prompt_and_the_typed_text_are_shown_again_after_other_lines() {
    assert_eq!(
        interrupted(b"old\r\n(Pdb) pri", Some(80), b"nt"),
        "old\r\n(Pdb) pri\r\x1b[Jother\r\nother\r\n(Pdb) print"
    );
}

#[test]
fn s6_8_colours_do_not_leak_into_other_lines() {
    assert_eq!(
        interrupted(b"\x1b[32m> ab\x08\x1b[K", Some(80), b"c"),
        "\x1b[32m> ab\x08\x1b[K\x1b[0m\r\x1b[Jother\r\nother\r\n\x1b[32m> ab\x08\x1b[Kc"
    );
}

#[test]
fn s6_8_a_line_that_may_wrap_is_not_erased_but_shown_again_below() {
    for columns in [None, Some(5)] {
        let below = if columns.is_some() { "\x1b[J" } else { "" };
        assert_eq!(interrupted(b"12345", columns, b"6"), format!("12345\r\n{below}other\r\nother\r\n123456"));
    }
    assert_eq!(interrupted(b"12345", Some(6), b"6"), "12345\r\x1b[Jother\r\nother\r\n123456");
}

#[test]
fn s6_8_a_line_that_must_not_be_sent_twice_is_not_shown_again() {
    // A query other than for the cursor, a cursor that leaves the line, incomplete sequences.
    for line in ["a\x1b[5n", "a\x1b[A", "a\x1b[3", "a\x1b]0;t", "a\x1b]0;t\x1b", "a\x1b"] {
        assert_eq!(
            interrupted(line.as_bytes(), Some(80), b"b"),
            format!("{line}\x1b[0m\r\n\x1b[Jother\r\nother\r\nb"),
            "{line:?}"
        );
    }
}

#[test]
fn s6_8_bell_title_and_cursor_query_are_not_sent_again() {
    assert_eq!(interrupted(b"a\x07", Some(80), b"b"), "a\x07\r\x1b[Jother\r\nother\r\nab");
    for once in ["\x1b[6n", "\x1b]0;title\x07", "\x1b]2;title\x1b\\"] {
        assert_eq!(
            interrupted(format!("a{once}> ").as_bytes(), Some(80), b"b"),
            format!("a{once}> \x1b[0m\r\x1b[Jother\r\nother\r\na> b"),
            "{once:?}"
        );
    }
}

#[test]
fn s6_8_the_prompt_of_a_repl_inside_tmux_is_shown_again() {
    assert_eq!(
        interrupted(b"\x1b[34h\x1b[?25h>>> ", Some(80), b"1"),
        "\x1b[34h\x1b[?25h>>> \x1b[0m\r\x1b[Jother\r\nother\r\n\x1b[34h\x1b[?25h>>> 1"
    );
}

#[test]
fn s6_8_a_very_long_line_is_not_shown_again() {
    let long = vec![b'x'; MAX_BYTES + 1];
    let shown = interrupted(&long, Some(80), b"y");

    assert!(shown.ends_with("x\x1b[0m\r\n\x1b[Jother\r\nother\r\ny"), "{shown}");
}

#[test]
fn s6_8_a_notice_about_the_dyno_ends_its_line() {
    let mut line = OpenLine::default();
    let mut out = Vec::new();
    line.follow(b"(Pdb) ");
    line.step_aside(|| Some(80), &mut out);
    out.extend_from_slice(b"other\r\n");

    line.end(&mut out);
    line.end(&mut out);

    assert_eq!(String::from_utf8_lossy(&out), "\r\x1b[Jother\r\n(Pdb) \r\n");
}

#[test]
fn s6_8_a_hint_below_the_line_is_shown_again_with_it() {
    // Like node: the result of what is typed so far, then back up.
    let hint = "\r\n\x1b[90m42\x1b[39m\x1b[6G\x1b[1A";
    let typed = format!("ok\r\n> 6*7{hint}\x1b[1B\x1b[2K\x1b[1A+{hint}");
    let line = typed.strip_prefix("ok\r\n").expect("the first line");

    assert_eq!(
        interrupted(typed.as_bytes(), Some(80), b"1"),
        format!("{typed}\x1b[0m\r\x1b[Jother\r\nother\r\n{line}1")
    );
}

#[test]
fn cursor_movement_within_a_line_is_counted() {
    let last_line = |text: &str| {
        let mut line = OpenLine::default();
        line.follow(text.as_bytes());
        match line.last_line() {
            LastLine::Nothing => Some(0),
            LastLine::Line { columns, .. } => Some(columns),
            LastLine::Unknown => None,
        }
    };

    assert_eq!(last_line("\x1b[1G\x1b[0J> \x1b[3G"), Some(2));
    assert_eq!(last_line("abc\rd"), Some(3));
    assert_eq!(last_line("\t\x1b[5C\x1b[Dx"), Some(13));
    assert_eq!(last_line("\x1b[?25l\x1b=\r"), Some(0));
    for unknown in ["\x1b[99999999999C", "a\x1b[2J", "a\x1b[B", "a\r\nb\x1b[2A"] {
        assert_eq!(last_line(unknown), None, "{unknown:?}");
    }
}

#[test]
fn the_line_does_not_depend_on_how_the_output_was_read() {
    let long: Vec<u8> = (0..40_000_u32).map(|n| if n % 97 == 0 { b'\n' } else { b'x' }).collect();
    let endless = vec![b'x'; 2 * MAX_BYTES];
    let started = [b"ab\n", &endless[..]].concat();
    let texts = [&long[..], &endless, &started, &[&endless[..], b"\nab"].concat()];

    for (text, last) in texts.into_iter().zip([Some(39_999 % 97), None, None, Some(2)]) {
        for size in [1, 7, MAX_BYTES - 1, MAX_BYTES, MAX_BYTES + 1, text.len()] {
            let mut line = OpenLine::default();
            text.chunks(size).for_each(|chunk| line.follow(chunk));
            let expected = last.map_or(LastLine::Unknown, |columns| match line.last_line() {
                LastLine::Line { from, .. } => LastLine::Line { from, columns },
                other @ (LastLine::Nothing | LastLine::Unknown) => other,
            });
            assert_eq!(line.last_line(), expected, "{size}");
            assert!(line.recent.len() <= MAX_BYTES, "{size}");
            assert_eq!(line.last_line() == LastLine::Unknown, last.is_none(), "{size}");
        }
    }
}
