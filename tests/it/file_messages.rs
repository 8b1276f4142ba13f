//! The full text of every message that a line of a Procfile, `.env` or `.foreman` can cause.
//!
//! Most tests use `check`, which shows all of them; `start` and `run` use the same words. Files that cannot be read are
//! in `bad_input`.

use crate::harness::{App, Ended};

/// `check` of this file fails with these messages.
#[track_caller]
fn refuses(app: &App, file: &str, stderr: &str) {
    let finished = match file {
        ".env" | ".foreman" | "Procfile" => app.dyno(["check"]),
        file if file.starts_with("env") => app.dyno(["check", "-e", file]),
        file => app.dyno(["check", "-f", file]),
    };
    finished.run().expect(Ended::Code(78), "", stderr);
}

#[test]
fn s1_4_every_kind_of_line_that_is_not_an_entry_is_reported() {
    let entries = (1..=20).map(|number| format!("type{number}: true\n")).collect::<Vec<_>>().concat();
    let lines = "\
<<<<<<< HEAD
- web
{% if web %}
heroku ps:restart web
# KEY=hunter2
my.worker: a
: a
generate:api: a
empty:
wrapped: a \\
  --more
release bundle exec rake
npm start
   fast enough.
type1: again
";
    let long = format!("{}: a\n", "n".repeat(129));
    let app = App::new(&[lines, &long, &entries].concat());

    refuses(
        &app,
        "Procfile",
        "\
error: Procfile:1: `<<<<<<< HEAD` is a merge conflict marker
hint: keep one side of the conflict and remove the markers
error: Procfile:2: `- web` looks like YAML
hint: write each process type and its command on one line, such as `web: npm start`
error: Procfile:3: `{% if web %}` looks like a template
hint: render the template and pass the result with `-f`
error: Procfile:4: `heroku ps:restart web` looks like a Heroku command
hint: run it in a terminal and remove the line
error: Procfile:6: `my.worker` is not a valid process type: use only A-Z a-z 0-9 _ -
hint: write `my-worker: COMMAND`
error: Procfile:7: there is no name before the colon
hint: write `web: COMMAND`
error: Procfile:8: `generate:api` is not a valid process type: the name contains a colon
hint: write `generate-api: COMMAND`
error: Procfile:9: `empty` has no command
hint: write `empty: COMMAND`, or remove the line
error: Procfile:10: the command of `wrapped` ends in a backslash, but lines are not joined
hint: write the whole command on one line
error: Procfile:11: `--more` continues line 10, but lines are not joined
hint: write the whole command on one line
error: Procfile:12: the colon after `release` is missing
hint: write `release: bundle exec rake`
error: Procfile:13: `npm start` has no process type
hint: write `web: npm start`
error: Procfile:14: `fast enough.` has no process type
hint: write `NAME: COMMAND`, or put `#` before a comment
error: Procfile:16: `nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn…` is not a valid process type: the name is longer than 128 characters
hint: write `nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn: COMMAND`
error: Procfile:17: `type1` is defined on line 15 and again here; this command is used
hint: remove one of them, or rename one, for example to `type1_2`, to run both
",
    );
}

#[test]
fn every_kind_of_odd_procfile_entry_gets_a_note() {
    let app = App::new(
        "  web: a\nworker : a\nps:scale web=1\nhttp://example.com\ncolons:: npm start\ncomment: # only this\n\
         windows: python -p %PORT%\npath: bin\\serve.bat 1\ncr: a\rb\n",
    );

    app.dyno(["check"]).run().expect(
        Ended::Code(0),
        "valid procfile detected (web, worker, ps, http, colons, comment, windows, path, cr)\n",
        "\
note: Procfile:1: there is whitespace before `web`
hint: remove it: other tools ignore the line or fail
note: Procfile:2: there is whitespace between `worker` and its colon
hint: remove it: other tools ignore the line or fail
note: Procfile:3: `ps:scale` looks like a Heroku command, but it defines the process type `ps`
hint: run it in a terminal and remove the line
note: Procfile:4: `http://example.com` looks like an address, but it defines the process type `http`
hint: put `#` before it if it is a comment
note: Procfile:5: the command of `colons` begins with `:`, which does nothing
hint: write one colon after `colons`
note: Procfile:6: the command of `comment` is only a comment
hint: write `#` before `comment` to leave it out, or a command after the colon
note: Procfile:7: `%PORT%` is a variable on Windows only
hint: write `$PORT`
note: Procfile:8: the shell drops the backslashes of `bin\\serve.bat`
hint: write `/` in paths, or pass a Procfile for this system with `-f`
note: Procfile:9: the command of `cr` contains a carriage return
hint: save the file with LF line endings
",
    );
}

#[test]
fn a_file_of_another_type_used_as_procfile_gets_one_message() {
    let hint = "hint: write lines such as `web: npm start`, or pass another file with `-f`\n";
    for (text, line, kind, count) in [
        ("services:\n  web:\n    image: x\n    ports:\n", 1, "a docker-compose file", "4 of 4"),
        ("{\"web\": \"x\"}\n", 1, "JSON", "1 of 1"),
        ("[\n1]\n", 1, "JSON", "2 of 2"),
        ("[web]\ncommand = x\n", 1, "a TOML or INI file", "2 of 2"),
        ("[[processes]]\nname = \"x\"\n", 1, "a TOML or INI file", "2 of 2"),
        ("all: build\nbuild:\n\tgo build\n\tgo vet\ntest:\n\tgo test\n", 2, "a Makefile", "5 of 6"),
        ("Usage:\n  run this\n  then that\nNotes:\n  none\n", 1, "plain text", "5 of 5"),
        ("<html>\n<body>\n", 1, "XML or HTML", "2 of 2"),
        ("#!/bin/sh\nset -e\nnpm start\n", 2, "a script", "2 of 2"),
        ("version: 2\njobs:\n  - build\n  - test\n---\n", 2, "YAML", "4 of 5"),
        ("A=1\nB=2\n", 1, "a `.env` file", "2 of 2"),
        ("FROM x\nRUN y\n", 1, "a Dockerfile", "2 of 2"),
        ("int main() {\n return 0;\n}\n", 1, "source code", "3 of 3"),
        ("set -e\ncd x\necho x\n", 1, "a shell script", "3 of 3"),
        ("set -e\nnpm install\nnpm start\n", 1, "a shell script", "3 of 3"),
        ("version: '3'\nservices:\n  web:\n    image: nginx\n", 2, "a docker-compose file", "3 of 4"),
        ("name: test\non: push\njobs:\n  test:\n    runs-on: x\n", 3, "YAML", "3 of 5"),
        ("{{ x }}\n{{ y }}\n", 1, "a template", "2 of 2"),
    ] {
        let fact =
            format!("error: Procfile:{line}: the file looks like {kind}: {count} lines are not Procfile entries\n");
        refuses(&App::new(text), "Procfile", &(fact + hint));
    }
}

#[test]
fn binary_too_large_and_endless_files_are_refused() {
    let app = App::empty().file("utf16", b"\xff\xfew\0e\0").file("big", "#".repeat((16 << 20) + 1)).fifo("fifo");

    refuses(&app, "utf16", "error: utf16:1: the file has a NUL byte\nhint: it looks like UTF-16; save it as UTF-8\n");
    refuses(&app, "big", "error: big is larger than 16 MiB\nhint: check that it is the right file\n");
    let endless = "error: stdin did not reach end of file within 5 seconds\nhint: make sure that the program that writes to it exits\n";
    app.dyno(["check", "-f", "-"]).after("exec <>fifo").run().expect(Ended::Code(78), "", endless);
}

#[test]
fn problems_after_the_first_hundred_are_counted() {
    let nonsense = |count: usize| (1..=count).map(|n| format!("npm {n}\ntype{n}: true\n")).collect::<Vec<_>>();
    for (count, rest) in [(101, "and 1 more problem"), (102, "and 2 more problems")] {
        let finished = App::new(&nonsense(count).concat()).dyno(["check"]).run();

        let stderr = finished.stderr();
        let last = format!("error: Procfile:201: {rest}\nhint: fix the first ones and run `dyno check` again\n");
        assert!(stderr.ends_with(&last) && stderr.lines().count() == 2 * 101, "{stderr}");
    }
}

#[test]
fn s2_every_kind_of_env_line_without_effect_is_reported() {
    let text = "export KEY\nNAME:\n=======\nA B=hunter2\nhunter2\nAFTER=\"a\"hunter2\nLINES=\"a\nb\" hunter2\n\
                MORE=\"a\n\nb\" hunter2\n";
    let app = App::new("web: true\n").file(".env", text);

    refuses(
        &app,
        ".env",
        "\
error: .env:1: `export` without a value sets nothing
hint: write `KEY=value`: every variable is exported
error: .env:2: nothing follows the colon
hint: write `KEY=value`, or `KEY=` for an empty value
error: .env:3: this line is a merge conflict marker
hint: keep one side and remove the markers
error: .env:4: the text before `=` is not a valid variable name
hint: write `KEY=value`, with only A-Z a-z 0-9 _ . - in the key
error: .env:5: this line is not an assignment
hint: write `KEY=value`, or `#` before a comment
error: .env:6: `AFTER` has text after its closing quote
hint: quote the whole value, or none of it
error: .env:7: `LINES` has a quote that closes a line below, with text after it
hint: close it on the line where it opens
error: .env:9: `MORE` has a quote that closes 2 lines below, with text after it
hint: close it on the line where it opens
",
    );
}

#[test]
fn s2_5_unintended_references_and_strict_readers_get_notes() {
    let text = "UNKNOWN=${NOWHERE}\nFORM=a${b\nCR='a\rb'\nBARE=a$B\n";
    let app = App::new("web: true\n").file(".env", text);

    app.dyno(["check"]).run().expect(
        Ended::Code(0),
        "valid procfile detected (web)\n",
        "\
note: .env:1: `UNKNOWN` refers to the unset variable `NOWHERE`, treated as empty
hint: write `${NOWHERE:-default}`, or put single quotes around the value to keep `${` as it is
note: .env:2: `FORM` has a `${` that is not `${NAME}` or `${NAME:-default}`; kept as it is
hint: put single quotes around the value to keep `${` as text; quote a default that has an unmatched brace
note: .env:2: a strict .env reader rejects `FORM`
hint: quote the value: `NAME='text'`, or `NAME=\"text ${OTHER}\"` with a reference
note: .env:3: `CR` has a carriage return in its value
hint: save the file with LF line endings
note: .env:4: a strict .env reader reads a different value for `BARE`
hint: quote the value: `NAME='text'`, or `NAME=\"text ${OTHER}\"` with a reference
",
    );
}

#[test]
fn s2_9_a_too_long_value_an_unclosed_quote_and_a_bad_port_fail_check() {
    let long = "x".repeat(140_000);
    let app = App::new("web: true\n")
        .file("env", format!("LONG={long}\nOPEN=\"a\n"))
        .file("env.json", format!("{{\"long\": \"{long}\"}}"))
        .file(".env", "PORT=http\n");

    let hint = "hint: write the value to a file and set the variable to its path\n";
    let fact = "`LONG` is longer than 128 KiB, the limit for a variable\n";
    let open = "error: env:2: `OPEN` opens a quote that is never closed\n\
                hint: close it, or use the other kind of quotes\n";
    refuses(&app, "env", &format!("error: env:1: {fact}{hint}{open}"));
    refuses(&app, "env.json", &format!("error: env.json:1: {fact}{hint}"));
    let port = "error: .env:1: `PORT` is not a port number from 1 to 65535\nhint: write a line such as `PORT=5000`\n";
    refuses(&app, ".env", port);
}

#[test]
fn s2_7_every_kind_of_unreadable_json_is_reported() {
    for (text, fault) in [
        ("{\"A\" 1}", "expected a colon after the key"),
        ("{A: 1}", "expected a key in double quotes"),
        ("{\"A\": x}", "expected a value"),
        ("{\"A\": 1", "it ends unexpectedly"),
        ("{\"A\": 1 \"B\": 2}", "expected a comma or a closing brace"),
        ("{\"A\": [1 2]}", "expected a comma or a closing bracket"),
        ("{\"A\": 1} x", "text follows the closing brace"),
        ("{\"A\": 1.}", "invalid number"),
        ("{\"A\": \"b", "a string is not closed"),
        ("{\"A\": \"\\x\"}", "a string has an invalid escape"),
        ("{\"A\": \"\\u12\"}", "a string has a bad `\\u` escape"),
        ("{\"A\": \"\\u0000\"}", "a string has a NUL character"),
        ("{\"A\": \"a\nb\"}", "a string has a control character; write `\\n` for a newline"),
    ] {
        let app = App::new("web: true\n").file(".env", text);
        let fact = format!("error: .env:1: the JSON cannot be read: {fault}\n");
        refuses(&app, ".env", &(fact + "hint: fix the JSON, or write one `KEY=value` per line\n"));
    }
    let app = App::new("web: true\n").file(".env", "{\"a b\": 1}");
    let fact = "error: .env:1: a JSON key is not a valid variable name\n";
    refuses(&app, ".env", &[fact, "hint: use only A-Z a-z 0-9 _ . - in keys\n"].concat());
    let app = App::new("web: true\n").file(".env", "{\"a\":".repeat(1000));
    let fact = "error: .env:1: the JSON cannot be read: it is nested too deeply\n";
    refuses(&app, ".env", &[fact, "hint: fix the JSON, or write one `KEY=value` per line\n"].concat());
}

#[test]
fn s4_5_every_kind_of_dot_foreman_line_without_effect_is_reported() {
    let app = App::new("web: true\n").file(".foreman", "root:\napp: x\nprot: 1\nnonsense\nport: 5000\nport: 6000\n");

    refuses(
        &app,
        ".foreman",
        "\
error: .foreman:1: `root` has no value and is ignored
hint: write one, or remove the line
error: .foreman:3: `prot` has no effect
hint: did you mean `port`?
error: .foreman:4: `nonsense` is not `key: value`
hint: write a line such as `port: 5000`
error: .foreman:6: `port` is set on line 5 and again here; this value is used
hint: remove one of the lines
",
    );
}

#[test]
fn s4_5_every_kind_of_unusable_dot_foreman_value_is_reported() {
    let seconds = "write a whole number of seconds from 0 to 86400, as in `timeout: 5`";
    for (line, fact, hint) in [
        (&b"port: \"1"[..], "the value of `port` has no closing quote", "close the quote"),
        (b"port: \"1\" 2", "the value of `port` continues after its closing quote", "put the whole value in quotes"),
        (b"env: [a]", "the value of `env` uses YAML syntax that is not supported", "write `a, b` for a list"),
        (b"env: \xff", "the value of `env` is not UTF-8", "save the file as UTF-8"),
        (b"port: 0", "`0` is not a port number from 1 to 65535", "write a line such as `port: 5000`"),
        (b"timeout: x", "`x` is not a valid value for `timeout`", seconds),
        (b"formation: web", "`web` has no quantity", "write `web=1`"),
        (b"concurrency: wbe=1", "the Procfile has no process type `wbe`", "did you mean `web`?"),
    ] {
        let app = App::new("web: true\n").file(".foreman", line);
        refuses(&app, ".foreman", &format!("error: .foreman:1: {fact}\nhint: {hint}\n"));
    }
}

#[test]
fn s4_5_a_bad_value_in_dot_foreman_causes_only_one_error() {
    let error = |line: u8, fact: &str, between: &str, hint: &str| {
        format!("error: .foreman:{line}: {fact}\n{between}hint: {hint}\n")
    };
    let port = ("`abc` is not a port number from 1 to 65535", "write a line such as `port: 5000`");
    let quote = ("the value of `procfile` has no closing quote", "close the quote");
    for (file, line, (fact, hint)) in [("procfile: P1\nport: abc\n", 2, port), ("procfile: 'P1\n", 1, quote)] {
        let app = App::empty().file("P1", "web: true\n").file(".foreman", file);

        app.dyno(["check"]).run().expect(Ended::Code(78), "", &error(line, fact, "", hint));
        app.dyno(["start"]).run().expect(Ended::Code(78), "", &error(line, fact, "\n", hint));
    }
    // A bad value of another key does not hide a missing Procfile.
    let app = App::empty().file(".foreman", "port: abc\n");
    let stderr = app.dyno(["check"]).run().stderr();
    let fact = format!("error: no Procfile in {}\n", app.root().display());
    assert!(stderr.contains(&fact), "{stderr}");
}

#[test]
fn s4_5_a_bad_quantity_in_dot_foreman_is_reported_with_its_line() {
    let app = App::new("web: true\n").file(".foreman", "formation: all=1,stripe=0\n\nconcurrency: wbe=2\n");

    let warning = ".foreman:1: the Procfile has no process type `stripe` to leave out\n\
                   hint: it has `web`\n";
    let fact = "error: .foreman:3: the Procfile has no process type `wbe`\n";
    let hint = "hint: did you mean `web`?\n";
    refuses(&app, ".foreman", &format!("note: {warning}{fact}{hint}"));
    app.dyno(["start"]).run().expect(Ended::Code(78), "", &format!("warning: {warning}{fact}\n{hint}"));
}

#[test]
fn an_unreadable_file_is_reported_at_the_line_that_names_it() {
    let named = |file: &str, text: &str| App::new("web: true\n").file("Procfile.dev", "web: true\n").file(file, text);
    let refused = |app: &App, fact: &str, hint: &str| {
        app.dyno(["check"]).run().expect(Ended::Code(78), "", &format!("error: {fact}\nhint: {hint}\n"));
        app.dyno(["start"]).run().expect(Ended::Code(78), "", &format!("error: {fact}\n\nhint: {hint}\n"));
    };
    let there = "check the name; there are `Procfile` and `Procfile.dev`";
    let missing = "check the name, or create the file";

    refused(&named(".foreman", "port: 1\nprocfile: no\n"), ".foreman:2: the Procfile `no` does not exist", there);
    refused(&named(".foreman", "procfile: ..\n"), ".foreman:1: the Procfile `..` is a directory", "name a file in it");
    let app = App::new("web: true\n").file(".foreman", "env: .env, a\n").file(".env", "");
    refused(&app, ".foreman:1: the file `a` does not exist", missing);
    refused(&named(".env", "A=1\nPROCFILE=no\n"), ".env:2: the Procfile `no` does not exist", there);
    refused(&App::empty().file(".env", "PROCFILE=no\n"), ".env:1: the Procfile `no` does not exist", missing);
    let of_shell = named("unused", "").dyno(["check"]).env("PROCFILE", "no").run();
    let fact = "error: no does not exist (named by `PROCFILE` in the shell)\n";
    of_shell.expect(Ended::Code(78), "", &format!("{fact}hint: {there}\n"));
}

#[test]
fn s5_1_too_high_ports_are_reported_at_the_line_that_sets_the_base() {
    let app = |file: &str, text: &str| App::new("release: true\nweb: true\nworker: true\n").file(file, text);
    let refused = |app: &App, fact: &str, hint: &str| {
        app.dyno(["check"]).run().expect(Ended::Code(78), "", &format!("error: {fact}\nhint: {hint}\n"));
        app.dyno(["start"]).run().expect(Ended::Code(78), "", &format!("error: {fact}\n\nhint: {hint}\n"));
    };
    let lower = "start from a lower port with `-p`, or set a smaller `--port-step`";
    let port = |dyno: &str, port: u32| format!("`{dyno}` would get port {port}, but the highest port is 65535");

    refused(&app(".env", "A=1\nPORT=65500\n"), &format!(".env:2: {}", port("worker.1", 65600)), lower);
    refused(&app(".foreman", "port: 65500\n"), &format!(".foreman:1: {}", port("worker.1", 65600)), lower);
    let app = app(".foreman", "port: 65435\nformation: web=2,worker=2\n");
    refused(&app, &format!(".foreman:1: {}", port("worker.2", 65536)), lower);
    // If the base comes from an option or the shell, no file is named; options can also correct what a file sets.
    let fact = port("worker.1", 65600);
    let by_option = app.dyno(["start", "-p", "65500"]).run();
    by_option.expect(Ended::Code(2), "", &format!("error: {fact}\n\nhint: {lower}\n"));
    app.dyno(["start", "-m", "all=1", "--can-die", "web,worker"]).run().expect_end(Ended::Code(0));
    let of_shell = App::new("web: true\nworker: true\n").dyno(["check"]).env("PORT", "65500").run();
    of_shell.expect(Ended::Code(0), "valid procfile detected (web, worker)\n", "");
}

#[test]
fn s5_1_check_fails_at_the_first_process_type_that_has_no_port() {
    let types: Vec<String> = (1..=607).map(|n| format!("t{n}: true\n")).collect();

    App::new(&types[..606].concat()).dyno(["check"]).run().expect_end(Ended::Code(0));
    let fact = "error: Procfile:607: `t607.1` would get port 65600, but the highest port is 65535\n";
    let hint = "hint: start from a lower port with `-p`, or set a smaller `--port-step`\n";
    refuses(&App::new(&types.concat()), "Procfile", &[fact, hint].concat());
}

#[test]
fn s1_4_no_hint_suggests_a_command_that_the_shell_cannot_parse() {
    let app = App::new("a: true\nnpm start \\\n\"\n\\\nweb it's\nc: true\ne: true\ng: true\ni: true\n");

    let hint = "hint: write `NAME: COMMAND`, or put `#` before a comment\n";
    let error = |line: u8, text: &str| format!("error: Procfile:{line}: `{text}` has no process type\n{hint}");
    let colon = "error: Procfile:5: the colon after `web` is missing\nhint: write `web: COMMAND`\n";
    refuses(&app, "Procfile", &[error(2, "npm start \\"), error(3, "\""), error(4, "\\"), colon.to_owned()].concat());
}
