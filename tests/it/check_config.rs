//! `dyno check` and `dyno config`: full texts and statuses (S1.4, S2.6, S2.8, S3.2).

use crate::harness::{App, Ended, Finished};

#[test]
fn check_says_that_an_app_without_problems_is_valid() {
    let app = App::new("web: true\nworker: true\n").file(".env", "A=1\n");

    app.dyno(["check"]).run().expect(Ended::Code(0), "valid procfile detected (web, worker)\n", "");
}

#[test]
fn s1_4_check_fails_on_a_line_that_is_not_an_entry() {
    let app = App::new("web: true\nnpm start\n");

    app.dyno(["check"]).run().expect(
        Ended::Code(78),
        "",
        "error: Procfile:2: `npm start` has no process type\nhint: write `web: npm start`\n",
    );
}

#[test]
fn s2_8_a_difference_from_strict_readers_is_an_error_only_with_strict() {
    let app = App::new("web: true\n").file(".env", "NAME=two words\n");
    let text = ".env:1: a strict .env reader rejects `NAME`\nhint: quote the value: `NAME='text'`, or `NAME=\"text ${OTHER}\"` with a reference\n";

    let valid = "valid procfile detected (web)\n";
    app.dyno(["check"]).run().expect(Ended::Code(0), valid, &format!("note: {text}"));
    app.dyno(["check", "--strict"]).run().expect(Ended::Code(78), "", &format!("error: {text}"));
}

#[test]
fn s2_8_at_most_a_hundred_notes_of_each_kind_are_listed_per_file() {
    let entries: Vec<String> = (1..=1_000).map(|n| format!("K-{n}=v\n")).collect();
    let app = App::new("web: true\n").file(".env", entries.concat());

    let checked = app.dyno(["check"]).run();
    let name =
        |n: usize| (n, format!("`K-{n}` is not a name that every shell accepts: `/bin/sh` may drop the variable"));
    let strict = |n: usize| (n, format!("a strict .env reader rejects `K-{n}`"));
    let name_hint = "use A-Z a-z 0-9 _ and do not start with a digit";
    let strict_hint = "quote the value: `NAME='text'`, or `NAME=\"text ${OTHER}\"` with a reference";
    let more = || (101, "and 900 more like this".to_owned());
    let more_hint = "fix the first ones and run `dyno check` again";
    let pairs = (1..=100).flat_map(|n| [("note", name(n), name_hint), ("error", strict(n), strict_hint)]);
    let all: Vec<_> = pairs.chain([("note", more(), more_hint), ("error", more(), more_hint)]).collect();
    let text = all.iter().map(|(_, (line, fact), hint)| format!("note: .env:{line}: {fact}\nhint: {hint}\n"));
    checked.expect(Ended::Code(0), "valid procfile detected (web)\n", &text.collect::<String>());
    let as_json = app.dyno(["check", "--strict", "--json"]).run();
    assert_eq!((as_json.ended, as_json.stderr()), (Ended::Code(78), String::new()));
    let result: serde_json::Value = serde_json::from_str(&as_json.stdout()).unwrap();
    let problem = |(severity, (line, message), hint): &(&str, (usize, String), &str)| {
        let mut problem = serde_json::json!({"severity": severity, "file": ".env", "line": line, "message": message,
            "hint": hint});
        if *line <= 100 {
            problem["key"] = format!("K-{line}").into();
        }
        problem
    };
    assert_eq!(result["problems"], all.iter().map(problem).collect::<serde_json::Value>());
}

#[test]
fn s2_8_strict_turns_only_notes_about_strict_readers_into_errors() {
    let app = App::new("  web: a\n").file(".env", "A=${NOPE}\nB=1\n");
    let notes = "note: .env:1: `A` refers to the unset variable `NOPE`, treated as empty\n\
                 hint: write `${NOPE:-default}`, or put single quotes around the value to keep `${` as it is\n\
                 note: Procfile:1: there is whitespace before `web`\n\
                 hint: remove it: other tools ignore the line or fail\n";

    app.dyno(["check", "--strict"]).run().expect(Ended::Code(0), "valid procfile detected (web)\n", notes);
}

#[test]
fn s2_8_a_key_that_the_shell_may_drop_is_noted_once_with_its_line() {
    let text = "A.B=first\nOK=1\nA.B=last\nC-D=dash\n1E=digit\n";
    let app = App::new("web: true\n").file("odd.env", text).file("vars.json", "{\"a.b\": {\"c-d\": 1}}");

    let checked = app.dyno(["check", "-e", "odd.env,vars.json"]).run();

    let name = |place: &str, key: &str| {
        format!(
            "note: {place}: `{key}` is not a name that every shell accepts: `/bin/sh` may drop the variable\n\
             hint: use A-Z a-z 0-9 _ and do not start with a digit\n"
        )
    };
    let strict = |place: &str, key: &str| {
        format!(
            "note: {place}: a strict .env reader rejects `{key}`\n\
             hint: quote the value: `NAME='text'`, or `NAME=\"text ${{OTHER}}\"` with a reference\n"
        )
    };
    let stderr = [
        name("odd.env:3", "A.B"),
        name("odd.env:4", "C-D"),
        strict("odd.env:4", "C-D"),
        name("odd.env:5", "1E"),
        strict("odd.env:5", "1E"),
        name("vars.json:1", "A.B_C-D"),
    ];
    checked.expect(Ended::Code(0), "valid procfile detected (web)\n", &stderr.concat());
}

#[test]
fn problems_are_listed_in_the_order_of_the_lines() {
    let app = App::new("web: true\n").file(".env", "A=two words\nnonsense\nB=it's\nC=${NOPE}\n");

    let stderr = "note: .env:1: a strict .env reader rejects `A`\n\
                  hint: quote the value: `NAME='text'`, or `NAME=\"text ${OTHER}\"` with a reference\n\
                  error: .env:2: this line is not an assignment\n\
                  hint: write `KEY=value`, or `#` before a comment\n\
                  note: .env:3: a strict .env reader rejects `B`\n\
                  hint: quote the value: `NAME='text'`, or `NAME=\"text ${OTHER}\"` with a reference\n\
                  note: .env:4: `C` refers to the unset variable `NOPE`, treated as empty\n\
                  hint: write `${NOPE:-default}`, or put single quotes around the value to keep `${` as it is\n";
    app.dyno(["check"]).run().expect(Ended::Code(78), "", stderr);
}

#[test]
fn json_has_the_process_types_and_the_problems() {
    let app = App::new("web: true --it\nnpm start\n").file(".env", "K=a b\n");

    let finished = app.dyno(["check", "--json"]).run();

    finished.expect_end(Ended::Code(78));
    let result: serde_json::Value = serde_json::from_str(&finished.stdout()).unwrap();
    let expected = serde_json::json!({
        "process_types": [{"name": "web", "command": "true --it", "line": 1}],
        "problems": [
            {"severity": "note", "file": ".env", "line": 1, "key": "K",
             "message": "a strict .env reader rejects `K`",
             "hint": "quote the value: `NAME='text'`, or `NAME=\"text ${OTHER}\"` with a reference"},
            {"severity": "error", "file": "Procfile", "line": 2,
             "message": "`npm start` has no process type", "hint": "write `web: npm start`"},
        ],
    });
    let sorted = |value: &serde_json::Value| {
        let mut problems: Vec<String> = value["problems"].as_array().unwrap().iter().map(ToString::to_string).collect();
        problems.sort();
        (value["process_types"].clone(), problems)
    };
    assert_eq!(sorted(&result), sorted(&expected));
}

/// `check --json` fails, and this is its whole output.
#[track_caller]
fn fails_with(finished: &Finished, expected: &serde_json::Value) {
    finished.expect_end(Ended::Code(78));
    assert_eq!(finished.stderr(), "");
    let result: serde_json::Value = serde_json::from_str(&finished.stdout()).unwrap();
    assert_eq!(&result, expected);
}

#[test]
fn every_failure_of_check_is_in_its_json_with_or_without_a_line() {
    let app = App::new("web: true\n").file("foreman/.foreman", "root: gone\n");
    let one = |file: &str, line: Option<u32>, message: &str, hint: &str| {
        let problem =
            serde_json::json!({"severity": "error", "file": file, "line": line, "message": message, "hint": hint});
        serde_json::json!({"process_types": [], "problems": [problem]})
    };

    let hint = "there is `Procfile`; `-f Procfile` uses it";
    fails_with(&app.dyno(["check", "--json", "-f", "none"]).run(), &one("none", None, "does not exist", hint));
    let message = "the directory `none` cannot be used: No such file or directory";
    fails_with(
        &app.dyno(["check", "--json", "-d", "none"]).run(),
        &one("none", None, message, "leave out `-d` to use the current directory"),
    );
    let message = "`Procfile` is not a directory";
    fails_with(
        &app.dyno(["check", "--json", "-d", "Procfile"]).run(),
        &one("Procfile", None, message, "leave out `-d` to use the current directory"),
    );
    let message = "the directory `gone` cannot be used: No such file or directory";
    let within = app.dyno(["check", "--json"]).after("cd foreman").run();
    fails_with(&within, &one(".foreman", Some(1), message, "remove the line to use the current directory"));
    let message = "the current directory cannot be used: No such file or directory";
    let nowhere = app.dyno(["check", "--json"]).after("mkdir gone && cd gone && rmdir \"$PWD\"").run();
    fails_with(&nowhere, &one(".", None, message, "change to a directory that exists"));
}

#[test]
fn config_quotes_values_so_that_they_can_be_read_again() {
    let app = App::new("web: true\n").file(".env", "A=1 # one\nB=\"x\\ny\"\n").file("more.env", "A=2\n");

    app.dyno(["config"]).run().expect(Ended::Code(0), "A=1\nB=\"x\\ny\"\n", "");
    let both = ["config", "--json", "-e", ".env,more.env"];
    app.dyno(both).run().expect(Ended::Code(0), "{\"A\":\"2\",\"B\":\"x\\ny\"}\n", "");
}

#[test]
fn s3_2_explain_names_the_source_of_a_value_and_what_it_overrides() {
    let app = App::new("web: true\n").file("a.env", "\nKEY=1\n").file("b.env", "KEY=2\n");

    let explained = app.dyno(["config", "-e", "a.env,b.env", "--explain", "KEY"]).env("KEY", "shell").run();

    let text = "KEY comes from b.env:1\n  and overrides a.env:2\n  and overrides the shell\n";
    explained.expect(Ended::Code(0), text, "");
}

#[test]
fn s3_2_variables_that_dyno_sets_override_those_of_the_files() {
    let text = "DYNO=a\nPS=b\nDYNO_SESSION=c\nPWD=d\nHONCHO_PROCESS_NAME=mine\n";
    let app = App::new("web: true\n").file(".env", text);
    let explained = |key: &str, stdout: &str| {
        app.dyno(["config", "--explain", key]).env(key, "x").run().expect(Ended::Code(0), stdout, "");
    };

    for (line, key) in ["DYNO", "PS", "DYNO_SESSION", "PWD"].into_iter().enumerate() {
        let overridden = format!("  and overrides .env:{}\n  and overrides the shell\n", line + 1);
        explained(key, &format!("{key} comes from the dyno\n{overridden}"));
    }
    explained("HONCHO_PROCESS_NAME", "HONCHO_PROCESS_NAME comes from .env:5\n  and overrides the shell\n");
}

#[test]
fn config_refuses_explain_together_with_json() {
    let app = App::new("web: true\n").file(".env", "A=1\n");

    let finished = app.dyno(["config", "--json", "--explain", "A"]).run();

    let error = "error: `--json` cannot be used with `--explain`\n\nhint: did you mean `dyno config --json` or `dyno config --explain A`?\n";
    finished.expect(Ended::Code(2), "", error);
}

#[test]
fn explain_of_an_unset_variable_is_an_error() {
    let app = App::new("web: true\n");

    app.dyno(["config", "--explain", "NOPE"]).run().expect(
        Ended::Code(78),
        "",
        "error: `NOPE` is not set\n\nhint: `dyno config` lists the config vars; `--set NOPE=VALUE` or a line in .env adds one\n",
    );
}

#[test]
fn s1_7_with_a_procfile_on_stdin_the_root_is_the_current_directory() {
    let app = App::empty().file("other", "web: test -f other\n");

    for name in ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"] {
        app.dyno(["start", "-f", name]).after("exec < other").run().expect_end(Ended::Code(0));
    }
}
