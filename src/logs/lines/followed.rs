//! Lines that the screen follows lose nothing, however long they are and wherever the program pauses (S7.5, S7.6).

use proptest::prelude::*;

use super::tests::Run;
use super::*;

/// The pieces of one line put together again. The line must be the only one.
fn joined(pieces: &[String]) -> String {
    let (first, rest) = pieces.split_first().expect("something was shown");
    assert!(!first.starts_with("> "), "{first}");
    let rest = rest.iter().map(|piece| piece.strip_prefix("> ").unwrap_or_else(|| panic!("another line: {piece}")));
    std::iter::once(first.as_str()).chain(rest).collect()
}

fn numbers(count: usize) -> String {
    (1..=count).fold(String::new(), |text, number| text + &number.to_string() + ",")
}

#[test]
fn s7_5_a_shown_part_of_a_line_that_grows_out_of_reach_is_not_the_last() {
    for beginning in ["\rimporting ", "\x1b[?25labc", "\x1b[2Kabc"] {
        let mut run = Run::on_terminal(5, 40);
        run.write(beginning);
        run.pause();
        run.write(&numbers(900));

        let text = beginning.trim_start_matches(['\r', '\x1b']).replace("[?25l", "").replace("[2K", "");
        assert_eq!(joined(&run.end()), text + &numbers(900));
    }
}

#[test]
fn s7_5_a_followed_line_of_several_pieces_loses_nothing() {
    let mut run = Run::on_terminal(24, 80);
    run.write(&format!("\r{}", numbers(15_000)));
    run.pause();
    run.write(&numbers(15_000));

    assert_eq!(joined(&run.end()), numbers(15_000).repeat(2));

    let mut run = Run::on_terminal(24, 80);
    run.write(&format!("10%\r{}", numbers(30_000)));
    assert_eq!(joined(&run.end()), numbers(30_000));
}

#[test]
fn s7_6_a_piece_of_a_followed_line_never_ends_inside_a_sequence() {
    let mut run = Run::on_terminal(2, 1_000);
    run.write(&format!("\r{}", "\x1b[31ma\x1b[32mb".repeat(20_000)));

    let pieces = run.end();

    assert!(pieces.len() > 1);
    for piece in pieces {
        let text = piece.strip_prefix("> ").unwrap_or(&piece);
        assert_eq!(incomplete::unfinished_bytes(text.as_bytes()), 0);
        assert!(text.starts_with('\x1b'), "{}", text.get(..20).unwrap());
    }
}

#[test]
fn s7_6_the_colours_of_a_line_that_grows_out_of_reach_are_shown_once() {
    let mut run = Run::on_terminal(2, 10);
    run.write("\r\x1b[31mred 123");
    run.pause();
    run.write(" 456789012345678901234567890123\x1b[32mgreen\n");

    let rest = ">  456789012345678901234567890123\x1b[0;32mgreen";
    assert_eq!(run.end(), ["\x1b[31mred 123", rest]);
}

#[test]
fn s7_6_a_long_line_from_a_pipe_stays_one_line_after_a_carriage_return() {
    let words = (0..60).fold(String::new(), |text, word| text + "word" + &word.to_string() + " ");
    for mut run in [Run::on_pipe(), Run::on_terminal(1, 80)] {
        run.write(&format!("download 100%\r{words}end\n"));

        assert_eq!(run.end(), [format!("{words}end")]);
    }
}

#[test]
fn s7_6_a_status_line_that_is_wider_than_the_screen_does_not_grow() {
    for columns in [40, 100, 3_000] {
        for mut run in [Run::on_pipe(), Run::on_terminal(1, 63), Run::on_terminal(5, 63)] {
            for frame in 0..1_000 {
                run.write(&format!("frame={frame:0columns$}\r"));
                run.pause();
            }
            let pieces = run.end();

            let bytes: usize = pieces.iter().map(String::len).sum();
            assert!(bytes < 1_000 * 2 * (columns + 80), "{columns} {bytes} {:?}", pieces.last());
            assert!(pieces.iter().any(|piece| piece.ends_with("999")), "{columns}");
        }
    }
}

#[test]
fn s7_6_on_a_pipe_a_carriage_return_leads_to_the_start_of_a_long_line() {
    let (old, new) = ("a".repeat(2_000), "b".repeat(2_000));
    for (written, line) in [
        (format!("{old}\r{new}\n"), &new),
        (format!("{old}\r\x1b[K{new}\n"), &new),
        (format!("{old}\r\x1b[31m\x1b[0m\x1b[?25h\x07\r\n"), &old),
        (format!("a\r{old}\r\r\n"), &old),
    ] {
        let mut run = Run::on_pipe();
        run.write(&format!("x\ry\n{written}"));

        assert_eq!(run.end(), ["y", line]);
    }
}

#[test]
fn s7_6_a_letter_that_is_corrected_in_a_long_line_does_not_cut_it() {
    let mut run = Run::on_terminal(4, 20);
    run.write(&format!("\r{}x\x08{}", numbers(10), numbers(50)));

    assert_eq!(joined(&run.end()), numbers(10) + &numbers(50));
}

#[test]
fn s7_6_a_pipe_has_no_screen_that_a_program_could_clear_or_leave() {
    for sequence in ["\x1b[?1049h", "\x1b[?1049l", "\x1b[2J", "\x1b[H\x1b[J", "\x1bc", "\x1b[?7l", "\x1b[2A", "\x1b[3S"]
    {
        let mut run = Run::on_pipe();
        run.write(&format!("a\rERROR: it {sequence}failed\nline 1\n"));

        assert_eq!(run.end(), ["ERROR: it failed", "line 1"], "{sequence:?}");
    }
    let mut run = Run::on_pipe();
    run.write("downloading\r\x1b[Kdone\nabc\r\x1b[2C!\n");
    assert_eq!(run.end(), ["done", "ab!"]);
}

#[test]
fn s7_5_a_title_without_an_end_does_not_swallow_the_next_lines() {
    for opening in ["\x1b]0;title", "\x1bPdata", "\x1b_data"] {
        let mut run = Run::on_terminal(24, 80);
        run.write(&format!("a\rb{opening}\nline 1\nline 2\n"));

        assert_eq!(run.end(), ["b", "line 1", "line 2"], "{opening:?}");
    }
}

#[test]
fn s7_5_the_last_full_screen_comes_before_the_exit_notice() {
    let mut run = Run::on_terminal(24, 80);
    run.write("start\n\x1b[?1049h\x1b[H\x1b[2JFATAL: why it ended");
    run.flush_all();
    assert_eq!(run.take(), ["start", "FATAL: why it ended"]);

    run.write("\x1b[2;1Hmore");
    assert_eq!(run.end(), ["more"]);
}

#[test]
fn s7_5_an_incomplete_character_at_the_end_is_shown() {
    for start in ["", "\r"] {
        let mut run = Run::on_terminal(24, 80);
        run.write_bytes(&[start.as_bytes(), b"abc\xc3"].concat());
        // The exit notice follows.
        run.flush_all();
        assert_eq!(run.take(), ["abc\u{fffd}"], "{start:?}");

        assert_eq!(run.end(), [""; 0], "{start:?}");
    }
}

#[test]
fn s7_6_a_flag_and_a_letter_with_many_accents_stay_whole() {
    let accents = format!("e{}", "\u{301}".repeat(10));
    for text in ["🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f} England", accents.as_str()] {
        let mut run = Run::on_terminal(24, 80);
        run.write(&format!("\r{text}\n"));

        assert_eq!(run.end(), [text]);
    }
}

#[test]
fn s7_6_a_wrapped_line_goes_on_when_the_terminal_becomes_narrower() {
    let mut run = Run::on_terminal(24, 60);
    run.write(&format!("\r{}", numbers(40)));
    let size = ScreenSize { rows: 24, columns: 40 };
    run.resize(size);
    run.write(&numbers(20));

    assert_eq!(joined(&run.end()), numbers(40) + &numbers(20));
}

#[test]
fn s7_6_an_accent_that_comes_after_a_pause_is_shown() {
    let mut run = Run::on_terminal(24, 80);
    run.write("\re");
    run.pause();
    run.write("\u{301}t\u{e9}\n");

    assert_eq!(joined(&run.end()), "e\u{301}t\u{e9}");
}

#[test]
fn s7_6_a_coloured_line_of_one_row_goes_on_when_that_becomes_narrower() {
    let mut run = Run::on_terminal(1, 10);
    run.write(&format!("\r\x1b[31m{}", numbers(12)));
    run.resize(ScreenSize { rows: 1, columns: 8 });
    run.write(&numbers(3));

    assert_eq!(joined(&run.end()).replace("\x1b[31m", ""), numbers(12) + &numbers(3));
}

#[test]
fn s7_5_an_empty_full_screen_does_not_end_the_line_below_it() {
    let mut run = Run::on_terminal(24, 80);
    run.write("\rLoading");
    run.pause();
    run.write("\x1b[?1049h");
    run.flush_all();
    run.write("\x1b[?1049l done\n");

    assert_eq!(joined(&run.end()), "Loading done");
}

/// Text that begins with something for which the screen is needed, in parts with or without a pause after them.
fn parts() -> impl Strategy<Value = Vec<(String, bool)>> {
    prop::collection::vec(("([a-z漢é]|\x1b\\[3[1-7]m|\x1b\\[0m){0,40}", any::<bool>()), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.clamp(500, 20_000), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s7_5_pauses_lose_nothing_of_a_line_and_show_nothing_twice(
        parts in parts(), (rows, columns) in (1_u16..5, 2_u16..14), first in prop::sample::select(vec!["\r", "\x1b[?25l"])
    ) {
        let mut run = Run::on_terminal(rows, columns);
        run.write(first);
        for (text, pauses) in &parts {
            run.write(text);
            if *pauses {
                run.pause();
            }
        }
        let letters = |text: &str| -> String {
            text.chars().filter(|letter| letter.is_alphabetic()).filter(|letter| *letter != 'm').collect()
        };
        let all: String = parts.iter().map(|(text, _)| text.as_str()).collect();
        if letters(&all).is_empty() {
            return Ok(());
        }

        let pieces = run.end();

        prop_assert_eq!(letters(&joined(&pieces)), letters(&all), "{:?}", pieces);
    }
}
