//! How blocks look in every format and for every kind of reader.

use jiff::Timestamp;
use jiff::tz;

use crate::model::{DynoName, ProcessType};

use super::*;

const TEXT: LogFormat = LogFormat::Text(TextOptions { timestamps: true, prefix: true });

fn web() -> DynoName {
    DynoName::new(ProcessType::new("web").unwrap(), 1)
}

/// For a file: no colour, and a time zone two hours east of Greenwich.
fn plain() -> View {
    let palette = Palette::new([ProcessType::new("web").unwrap()]);
    let zone = TimeZone::fixed(tz::offset(2));
    View { color: false, passing: Passing::All, name_width: 8, unprefixed: None, palette, zone }
}

fn block(source: Source, bytes: &[u8]) -> LogBlock {
    let time = Timestamp::from_microsecond(1_757_991_324_741_657).unwrap();
    LogBlock { source, time, bytes: bytes.to_vec(), continued: false }
}

fn rendered(format: LogFormat, view: View, blocks: &[LogBlock]) -> String {
    let mut formatter = Formatter::new(format, view);
    let mut out = Vec::new();
    for block in blocks {
        formatter.render(block, &mut out);
    }
    String::from_utf8(out).unwrap()
}

// S7.1
#[test]
fn each_line_has_the_local_time_and_the_padded_name() {
    let blocks = [
        block(Source::Notice(web()), b"started with pid 7\n"),
        block(Source::App(web()), b"one\n\ntwo\n"),
        block(Source::System, b"sending SIGTERM\n"),
    ];

    assert_eq!(
        rendered(TEXT, plain(), &blocks),
        "04:55:24 web.1    | started with pid 7\n\
         04:55:24 web.1    | one\n04:55:24 web.1    | \n04:55:24 web.1    | two\n\
         04:55:24 system   | sending SIGTERM\n"
    );
}

// S7.1: --no-timestamps, --no-prefix.
#[test]
fn time_and_prefix_can_be_left_out() {
    let mut piece = block(Source::App(web()), b"rest\nnext\n");
    piece.continued = true;

    let no_time = LogFormat::Text(TextOptions { timestamps: false, prefix: true });
    let no_prefix = LogFormat::Text(TextOptions { timestamps: true, prefix: false });

    assert_eq!(rendered(no_time, plain(), &[piece.clone()]), "web.1    > rest\nweb.1    | next\n");
    assert_eq!(rendered(no_prefix, plain(), &[piece]), "> rest\nnext\n");
}

// S7.1: coloured by process type.
#[test]
fn colour_covers_the_prefix_as_in_foreman() {
    let view = View { color: true, ..plain() };
    let blocks = [block(Source::App(web()), b"hi\n"), block(Source::System, b"bye\n")];

    assert_eq!(
        rendered(TEXT, view, &blocks),
        "\x1b[36m04:55:24 web.1    | \x1b[0mhi\n\x1b[39m04:55:24 system   | \x1b[0mbye\n"
    );
}

// S7.2
#[test]
fn on_a_terminal_each_line_keeps_only_its_colours() {
    let view = View { passing: Passing::Terminal, ..plain() };
    let no_time = LogFormat::Text(TextOptions { timestamps: false, prefix: true });
    let blocks = [block(Source::App(web()), b"\x1b[2J\x1b[31mred\nstill\x1b]0;t\n]\x1b[m\x07\nplain\n")];

    assert_eq!(
        rendered(no_time, view, &blocks),
        "web.1    | \x1b[31mred\x1b[0m\nweb.1    | \x1b[31mstill\x1b[0m\n\
         web.1    | \x1b[31m]\x1b[m\x07\x1b[0m\nweb.1    | plain\n"
    );
}

#[test]
fn on_a_terminal_a_sequence_cut_between_two_pieces_does_not_leak() {
    let view = View { passing: Passing::Terminal, ..plain() };
    let no_time = LogFormat::Text(TextOptions { timestamps: false, prefix: true });
    let first = block(Source::App(web()), b"a\x1b[3\n");
    let between = block(Source::System, b"1m\n");
    let rest = LogBlock { continued: true, ..block(Source::App(web()), b"1mb\n1mc\n") };
    let other = block(Source::App(web()), b"1mc\n");

    assert_eq!(
        rendered(no_time, view.clone(), &[first.clone(), between, rest]),
        "web.1    | a\nsystem   | 1m\nweb.1    > b\nweb.1    | 1mc\n"
    );
    assert_eq!(rendered(no_time, view, &[first, other]), "web.1    | a\nweb.1    | 1mc\n");
}

#[test]
fn s7_2_a_colour_that_is_left_on_lasts_until_the_run_ends() {
    let view = View { passing: Passing::Terminal, ..plain() };
    let no_time = LogFormat::Text(TextOptions { timestamps: false, prefix: true });
    let blocks = [
        block(Source::App(web()), b"\x1b[31mred\n"),
        block(Source::System, b"plain\n"),
        block(Source::App(web()), b"red\n"),
        block(Source::Notice(web()), b"exited with code 1\n"),
        block(Source::App(web()), b"plain\n"),
    ];

    assert_eq!(
        rendered(no_time, view, &blocks),
        "web.1    | \x1b[31mred\x1b[0m\nsystem   | plain\nweb.1    | \x1b[31mred\x1b[0m\n\
         web.1    | exited with code 1\nweb.1    | plain\n"
    );
}

#[test]
fn s7_6_on_a_terminal_trailing_blanks_are_not_shown() {
    let no_time = LogFormat::Text(TextOptions { timestamps: false, prefix: true });
    let blocks = [block(Source::App(web()), b"logo      \n \t \n\x1b[1mbold  \x1b[m\nend  ")];

    let on_terminal = rendered(no_time, View { passing: Passing::Terminal, ..plain() }, &blocks);
    let in_file = rendered(no_time, plain(), &blocks[..1]);

    assert_eq!(on_terminal, "web.1    | logo\nweb.1    | \nweb.1    | \x1b[1mbold\x1b[0m\nweb.1    | end\n");
    assert!(in_file.contains("logo      \n") && in_file.ends_with("end  \n"), "{in_file}");
}

// S7.2: elsewhere bytes are passed on as they are.
#[test]
fn files_and_unprefixed_output_get_all_bytes() {
    let bytes = b"\x1b[2J\x1b[31m\xff\x00\x08\r\n";
    let no_prefix = LogFormat::Text(TextOptions { timestamps: false, prefix: false });
    let mut out = Vec::new();

    Formatter::new(TEXT, plain()).render(&block(Source::App(web()), bytes), &mut out);
    assert_eq!(out, [&b"04:55:24 web.1    | "[..], bytes].concat());

    out.clear();
    Formatter::new(no_prefix, View { passing: Passing::Terminal, ..plain() })
        .render(&block(Source::App(web()), bytes), &mut out);
    assert_eq!(out, b"\x1b[2J\x1b[31m\xff\x00\x08\r\x1b[0m\n");
}

#[test]
fn s7_2_without_a_prefix_a_colour_does_not_run_on_into_other_lines() {
    let no_prefix = LogFormat::Text(TextOptions { timestamps: false, prefix: false });
    let on_terminal = |blocks: &[LogBlock]| rendered(no_prefix, View { passing: Passing::Terminal, ..plain() }, blocks);
    let web = |bytes: &[u8]| block(Source::App(web()), bytes);

    let other = block(Source::System, b"plain\n");
    assert_eq!(
        on_terminal(&[web(b"\x1b[31mred\n\nstill\n"), other.clone(), web(b"red\x1b[m not\nplain")]),
        "\x1b[31mred\x1b[0m\n\n\x1b[31mstill\x1b[0m\nplain\n\x1b[31mred\x1b[m not\nplain\n"
    );
    let rest = LogBlock { continued: true, ..web(b"red\n") };
    assert_eq!(on_terminal(&[web(b"\x1b[1m\n"), rest]), "\x1b[1m\x1b[0m\n> \x1b[1mred\x1b[0m\n");
    assert_eq!(on_terminal(&[web(b"a\x1b[3\n"), other]), "a\x1b[3\x1b[0m\nplain\n");
    assert_eq!(on_terminal(&[web(b"a \x1b[32mok\x1b[39m \x1b[2K\n")]), "a \x1b[32mok\x1b[39m \x1b[2K\n");
    let exited = block(Source::Notice(self::web()), b"exited with code 1\n");
    assert_eq!(
        on_terminal(&[web(b"\x1b[31mred\n"), exited, web(b"plain\n")]),
        "\x1b[31mred\x1b[0m\nexited with code 1\nplain\n"
    );
}

// S7.3
#[test]
fn the_heroku_format_matches_the_platform_and_uses_utc() {
    let mut piece = block(Source::App(web()), b"rest\n");
    piece.continued = true;
    let blocks = [
        block(Source::App(web()), b"hi\n"),
        piece,
        block(Source::Notice(web()), b"State changed from starting to up\n"),
        block(Source::System, b"Scaled to web@2 by user x\n"),
    ];

    assert_eq!(
        rendered(LogFormat::Heroku, plain(), &blocks),
        "2025-09-16T02:55:24.741657+00:00 app[web.1]: hi\n\
         2025-09-16T02:55:24.741657+00:00 app[web.1]: > rest\n\
         2025-09-16T02:55:24.741657+00:00 heroku[web.1]: State changed from starting to up\n\
         2025-09-16T02:55:24.741657+00:00 app[api]: Scaled to web@2 by user x\n"
    );
    assert_eq!(
        rendered(LogFormat::Heroku, View { color: true, ..plain() }, &blocks[..1]),
        "\x1b[36m2025-09-16T02:55:24.741657+00:00 app[web.1]:\x1b[0m hi\n"
    );
}

#[test]
fn a_last_line_without_a_newline_gets_one_in_every_format() {
    for format in [TEXT, LogFormat::Text(TextOptions { timestamps: false, prefix: false }), LogFormat::Heroku] {
        let ended = rendered(format, plain(), &[block(Source::System, b"a\nb\n")]);

        assert_eq!(rendered(format, plain(), &[block(Source::System, b"a\nb")]), ended);
    }
}

fn for_ci(format: LogFormat, passing: Passing, color: bool, bytes: &[u8], continued: bool) -> String {
    let view = View { color, passing, ..plain() };
    let shown = rendered(format, view, &[LogBlock { continued, ..block(Source::App(web()), bytes) }]);
    shown.replace("\x1b[36mweb.1    | \x1b[0m", "web.1    | ")
}

#[test]
fn in_ci_control_characters_are_escaped_and_colours_are_optional() {
    let no_time = LogFormat::Text(TextOptions { timestamps: false, prefix: true });
    let bytes = b"plain \xff\n\x1b[31mred\x1b[2J\r\x07 ##[x]\n";

    assert_eq!(
        for_ci(no_time, Passing::Text, false, bytes, true),
        "web.1    > plain \u{fffd}\nweb.1    | red\\r\\x07 ##[x]\n"
    );
    assert_eq!(for_ci(no_time, Passing::Text, true, b"\x1b[31mred\x1b[2J\n", false), "web.1    | \x1b[31mred\x1b[0m\n");
}

// S19.6: GitHub's runner looks for commands in the log; the output of a dyno must not contain any.
#[test]
fn for_github_no_line_of_a_dyno_is_a_command_in_any_format() {
    let text = |prefix| LogFormat::Text(TextOptions { timestamps: false, prefix });
    let bytes = b"::error::a\n ::add-mask::b\nc\r::group::\n##[stop-commands]d\n";
    let shown = |format| for_ci(format, Passing::GitHub, false, bytes, false);

    assert_eq!(
        shown(text(true)),
        "web.1    | ::error::a\nweb.1    |  ::add-mask::b\nweb.1    | c\\r::group::\nweb.1    | ## [stop-commands]d\n"
    );
    assert_eq!(shown(text(false)), ": :error::a\n : :add-mask::b\nc\\r::group::\n## [stop-commands]d\n");
    assert_eq!(for_ci(text(false), Passing::GitHub, false, b"::a\n", true), "> ::a\n");
    assert!(shown(LogFormat::Heroku).ends_with("app[web.1]: ## [stop-commands]d\n"));
    assert!(shown(LogFormat::Json).ends_with("\"message\":\"#\\u0023[stop-commands]d\"}\n"));
}

#[test]
fn in_ci_plain_text_is_unchanged() {
    for passing in [Passing::Text, Passing::GitHub] {
        for format in [TEXT, LogFormat::Text(TextOptions { timestamps: false, prefix: false }), LogFormat::Heroku] {
            let bytes = "a\tµ # [x] : b\n\nc\n".as_bytes();
            let everywhere = rendered(format, plain(), &[block(Source::App(web()), bytes)]);

            assert_eq!(for_ci(format, passing, false, bytes, false), everywhere);
        }
    }
}
