use super::*;

const SIZE: PtySize = PtySize { rows: 4, cols: 20 };

fn record(parts: &[&[u8]]) -> ScreenRecord {
    let mut record = ScreenRecord::new(SIZE);
    for part in parts {
        record.push(part);
    }
    record
}

fn rows(record: &mut ScreenRecord) -> String {
    record.text().rows.join("|")
}

#[test]
fn s10_5_the_screen_is_what_a_terminal_would_show() {
    let mut record = record(&[b"one\r\ntwo\r\n", b"\x1b[31mthree\x1b[m\r\nfour\r\nfi", b"ve\x1b[1;1Hx"]);

    assert_eq!(rows(&mut record), "xwo|three|four|five");
    assert_eq!(record.text().cursor, (0, 1));
    assert!(record.text().colored[1].contains("\x1b[31mthree"));
    let mut again = ScreenRecord::new(SIZE);
    again.push(&record.redraw(false));
    assert_eq!(again.text(), record.text());
}

#[test]
fn s10_5_a_newline_alone_begins_a_line_unless_output_is_raw() {
    let mut lines = record(&[b"one\ntwo\r", b"\nthree\r"]);
    assert_eq!(rows(&mut lines), "one|two|three|");
    lines.push(b"\nfour");
    assert_eq!(rows(&mut lines), "one|two|three|four");

    let mut raw = record(&[b"one\ntwo\n\x1b[?1049h\x1b[Hthree\nfour\r\nfive"]);
    raw.set_newline(NewlineMeaning::Down);
    assert_eq!(rows(&mut raw), "three|     four|five|");
    raw.push(b"\x1b[?1049l");
    assert_eq!(rows(&mut raw), "one|two||");
}

#[test]
fn s10_5_blanks_with_a_colour_are_drawn() {
    let mut bar = record(&[b"\x1b[7mbar   \x1b[m\r\nx"]);
    assert!(bar.text().colored[0].contains("bar   "), "{:?}", bar.text().colored);
    for below in [false, true] {
        let mut again = record(&[&bar.redraw(below)]);
        assert_eq!(again.text(), bar.text());
    }
}

#[test]
fn s10_5_rows_that_do_not_scroll_stay_where_they_are() {
    for origin in ["", "\x1b[?6h"] {
        let mut split = record(&[b"title\x1b[2;3r", origin.as_bytes(), b"\x1b[2;1Hone"]);
        let mut again = record(&[&split.redraw(false)]);
        for record in [&mut split, &mut again] {
            record.push(b"\r\ntwo\r\nthree");
        }
        assert_eq!(rows(&mut split), "title|two|three|");
        assert_eq!(again.text(), split.text(), "{origin}");
    }
}

#[test]
fn s10_5_a_screen_is_drawn_below_what_a_terminal_shows_already() {
    let mut below = record(&[b"$ dyno attach\r\n"]);

    below.push(&record(&[b"one\r\n\x1b[32m> 12\x1b[1D"]).redraw(true));
    below.push(b"!");

    assert_eq!(rows(&mut below), "$ dyno attach|one|> 1!|");
    assert!(below.text().colored[2].contains("\x1b[32m> 1!"), "{:?}", below.text().colored[2]);
    below.push(&record(&[b"\x1b[?1049h\x1b[Hfull"]).redraw(true));
    assert_eq!(rows(&mut below), "full|||");
}

#[test]
fn s10_5_a_flood_on_the_main_screen_leaves_its_last_lines_and_modes() {
    let mut record = record(&[b"\x1b[?2004h\x1b[?25l"]);
    for line in 0..20_000 {
        record.push(format!("line {line}\r\n").as_bytes());
    }

    assert!(record.screen.is_none(), "nothing was drawn");
    assert_eq!(rows(&mut record), "line 19997|line 19998|line 19999|");
    assert!(record.redraw(false).ends_with(b"\x1b[?25l\x1b[?2004h"));
}

#[test]
fn s10_5_what_was_drawn_long_ago_stays_on_the_alternate_screen() {
    for looks_before in [false, true] {
        let mut record = record(&[b"shell\r\n\x1b[?1049h\x1b[2J\x1b[1;1Htitle"]);
        if looks_before {
            assert_eq!(rows(&mut record), "title|||");
        }
        for count in 0..20_000 {
            record.push(format!("\x1b[3;1H{count}").as_bytes());
        }

        assert_eq!(rows(&mut record), "title||19999|", "{looks_before}");
        assert!(record.text().is_alternate);
        record.push(b"\x1b[?1049l");
        assert!(!record.text().is_alternate);
    }
}

#[test]
fn s10_5_one_block_may_be_larger_than_what_is_kept() {
    let flood = b"0123456789\r\n".repeat(10_000);
    let mut record = record(&[b"\x1b[?1049htitle\x1b[?1049l", &flood, b"end"]);

    assert_eq!(rows(&mut record), "0123456789|0123456789|0123456789|end");
    assert_eq!(record.end(), 120_000 + 21 + 3);
    assert_eq!(record.after(0, 10, &mut Vec::new()), None);
    let mut last = Vec::new();
    assert_eq!(record.after(record.end() - 5, 4, &mut last), Some(record.end() - 1));
    assert_eq!(last, b"\r\nen");
    assert_eq!(record.after(record.end() + 1, 4, &mut last), None);
}

#[test]
fn s10_5_a_new_run_begins_with_a_fresh_terminal() {
    let mut record = record(&[b"\x1b[?1049h\x1b[?1000hold"]);
    let end = record.end();

    record.clear(SIZE);

    assert_eq!(record.end(), end);
    assert_eq!(rows(&mut record), "|||");
    assert!(!record.text().is_alternate);
}

#[test]
fn s10_5_a_resize_applies_to_what_is_written_after_it() {
    let mut record = record(&[b"0123456789abcdefghijklmno"]);

    record.resize(PtySize { rows: 2, cols: 30 });
    record.push(b"\r\n0123456789abcdefghijklmno");

    assert_eq!(rows(&mut record), "klmno|0123456789abcdefghijklmno");
    assert_eq!(record.size(), PtySize { rows: 2, cols: 30 });
    record.resize(PtySize { rows: 0, cols: u16::MAX });
    assert_eq!(record.size(), PtySize { rows: 1, cols: 500 });
}

#[test]
fn s10_5_a_screen_that_was_read_before_the_first_output_gets_a_new_size() {
    let mut record = record(&[]);
    record.text();

    record.resize(PtySize { rows: 2, cols: 5 });
    record.push(b"sixteen letters!");

    assert_eq!(rows(&mut record), "tters|!");
}
