//! No line is dropped and no value is cut silently: line ends, comments, quotes and defaults (S1.1, S2.3-S2.5).

use crate::harness::{App, Ended};

/// `check` and `start` fail with the error about a lone carriage return at this place.
#[track_caller]
fn refused(app: &App, options: &[&str], place: &str) {
    let fact =
        format!("error: {place}: a lone carriage return does not end a line, and the entry after it would be lost\n");
    let hint = "hint: save the file with LF or CRLF line endings\n";

    app.dyno(["check"]).args(options).run().expect(Ended::Code(78), "", &format!("{fact}{hint}"));
    app.dyno(["start"]).args(options).run().expect(Ended::Code(78), "", &format!("{fact}\n{hint}"));
}

#[test]
fn s1_1_a_procfile_with_carriage_returns_as_line_ends_is_refused() {
    for (text, line) in [
        ("web: true\rworker: true\r", 1),
        ("web: true\nworker: true\rclock: true\n", 2),
        ("# processes\rweb: true\nworker: true\n", 1),
        ("web: true\r\nworker: true\r  clock : true\r\n", 2),
        ("web: true\rworker:\r", 1),
    ] {
        refused(&App::new(text), &[], &format!("Procfile:{line}"));
    }
}

#[test]
fn s1_1_an_env_file_with_carriage_returns_as_line_ends_is_refused() {
    for (text, line) in [
        ("A=1\rB=2\r", 1),
        ("A=1\nB='2'\rC=3\n", 2),
        ("# comment\rA=1\n", 1),
        ("A=1\rexport B = 2\n", 1),
        ("A=1\rB: 2\n", 1),
        ("A=\"1\"\r\nB=\"x\ny\"\rC=1\n", 3),
    ] {
        let app = App::new("web: true\n").file(".env", text).file("more.env", text);
        refused(&app, &[], &format!(".env:{line}"));
        refused(&app, &["-e", "more.env"], &format!("more.env:{line}"));
    }
}

#[test]
fn s1_1_a_foreman_file_with_carriage_returns_as_line_ends_is_refused() {
    refused(&App::new("web: true\n").file(".foreman", "app: shop\rport: 7000\r"), &[], ".foreman:1");
}

#[test]
fn s1_1_crlf_doubled_carriage_returns_and_json_are_fine() {
    let app = App::new("web: true\r\r\nworker: true\r\n").file(".env", "A=1\r\nB='x'\r\r\nC=\r\n");
    app.dyno(["check"]).run().expect(Ended::Code(0), "valid procfile detected (web, worker)\n", "");
    app.dyno(["config"]).run().expect(Ended::Code(0), "A=1\nB=x\nC=\n", "");

    let app = App::new("web: true\n").file(".env", "{\r\"a\": 1,\r\"b\": 2\r}\r");
    app.dyno(["config"]).run().expect(Ended::Code(0), "A=1\nB=2\n", "");
}

#[test]
fn s2_3_a_comment_inside_an_open_quote_fails_check_and_warns_at_start() {
    let text = "JSON={\"a\": \"x #y\"}\nSHELL_LINE=sh -c 'echo #1'\nOK=Don't panic # shown\nALSO_OK=\"a # b\" # c\n";
    let app = App::new("web: echo \"$JSON\"\n").file(".env", text);
    let about = |label: &str, line: u8, key: &str| {
        format!(
            "{label}: .env:{line}: `{key}` has an open quote before `#`, and the rest of the line is read as a comment\n\
             hint: put quotes around the whole value\n"
        )
    };
    let both = |label: &str| about(label, 1, "JSON") + &about(label, 2, "SHELL_LINE");

    let checked = app.dyno(["check"]).run();
    checked.expect_end(Ended::Code(78));
    let stderr = checked.stderr();
    let errors: Vec<&str> = stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    let expected = both("error");
    assert_eq!(errors, expected.lines().filter(|line| line.starts_with("error: ")).collect::<Vec<_>>());
    app.dyno(["run", "echo \"$JSON\""]).run().expect(Ended::Code(0), "{\"a\": \"x\n", &both("warning"));
}

#[test]
fn s2_4_text_after_a_closing_quote_is_reported_and_its_entry_ignored() {
    let app = App::new("web: true\n").file(".env", "K='p\\'#c'\nL=\"a\"#b\"\nM='x'#comment\nN=\"y\" # it's\n");
    let about = |line: u8, key: &str| {
        format!(
            "warning: .env:{line}: `{key}` has text after its closing quote\n\
             hint: quote the whole value, or none of it\n"
        )
    };

    app.dyno(["config"]).run().expect(Ended::Code(0), "M=x\nN=y\n", &(about(1, "K") + &about(2, "L")));
}

#[test]
fn s2_4_a_value_that_ends_early_at_a_quote_after_a_backslash_warns() {
    let app = App::new("web: true\n").file(".env", "K='p\\' #c'\nDIR='C:\\' # a drive\n");

    let warning = "warning: .env:1: `K` ends at the quote after a backslash, and the rest of the line is read as a comment\n\
                   hint: to put a quote inside the value, write it as `\\\"` in double quotes\n";
    app.dyno(["config"]).run().expect(Ended::Code(0), "DIR=C:\\\nK=p\\\n", warning);
}

#[test]
fn s2_5_defaults_can_contain_braces_and_quotes() {
    let text =
        "F=${NO:-\"{{ xx }}\"}\nJ=${NO:-{\"commits\":1}}\nP=${SET:-{\"commits\":1}}\nQ=\"${NO:-'{a}'} ${SET:-{}}\"\n";
    let app = App::new("web: true\n").file(".env", text);

    let shown = app.dyno(["config"]).env("SET", "set").run();
    shown.expect(Ended::Code(0), "F='{{ xx }}'\nJ='{\"commits\":1}'\nP=set\nQ='{a} set'\n", "");
}

#[test]
fn s2_5_every_unset_variable_is_named() {
    let app = App::new("web: true\n").file(".env", "URL=http://${HOST_NAME}:${PORT_NUMBER}/${HOST_NAME}\n");
    let about = |name: &str| {
        format!(
            "warning: .env:1: `URL` refers to the unset variable `{name}`, treated as empty\n\
             hint: write `${{{name}:-default}}`, or put single quotes around the value to keep `${{` as it is\n"
        )
    };

    let warnings = about("HOST_NAME") + &about("PORT_NUMBER");
    app.dyno(["config"]).run().expect(Ended::Code(0), "URL=http://:/\n", &warnings);
}
