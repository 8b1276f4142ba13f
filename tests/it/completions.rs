//! `dyno completions` and the question its scripts ask. Real shells press Tab in `real_apps_shells`.

use std::os::unix::fs::symlink;

use crate::harness::{App, Ended};

const PROCFILE: &str = "release: ./migrate\nweb: bin/server -p $PORT\nworker: work\nweb_hook: hook\n";

/// The words that may stand at the cursor behind this line.
#[track_caller]
fn offered(app: &App, line: &str) -> Vec<String> {
    let answer = answer(app, line);
    let (kind, words) = answer.split_once('\n').unwrap();
    assert!(kind.starts_with("words\t"), "{line}: {answer}");
    words.lines().map(|line| line.split_once('\t').unwrap().0.to_owned()).collect()
}

/// The whole answer; it never complains.
#[track_caller]
fn answer(app: &App, line: &str) -> String {
    let finished = app.dyno(["__complete", "--line", line]).run();
    finished.expect_end(Ended::Code(0));
    assert_eq!(finished.stderr(), "", "{line}");
    finished.stdout()
}

#[test]
fn a_process_type_is_completed_wherever_one_may_stand() {
    let app = App::new(PROCFILE);

    for (line, words) in [
        ("dyno start ", &["web", "worker", "web_hook"][..]),
        ("dyno start we", &["web", "web_hook"]),
        ("dyno start web w", &["worker", "web_hook"]),
        ("dyno local wo", &["worker"]),
        ("dyno start -l web,wo", &["web,worker"]),
        ("dyno start --except=web,wo", &["--except=web,worker"]),
        ("dyno start --ready we", &["web", "web_hook"]),
        ("dyno start -q wo", &["worker"]),
        ("dyno start -m ", &["web=", "worker=", "web_hook=", "all="]),
        ("dyno start -m all=1,wo", &["all=1,worker="]),
        ("dyno start -c wo", &["worker="]),
        ("dyno start --can-die worker=", &["worker=any"]),
        ("dyno start --allow-exit worker=", &["worker=any"]),
        ("dyno start --stop-signal wo", &["worker="]),
        ("dyno start --stop-signal web=INT,worker=Q", &["web=INT,worker=QUIT"]),
        ("dyno start --focus re", &["release"]),
        ("dyno start --focus wo", &["worker"]),
        ("dyno run w", &["web", "worker", "web_hook"]),
        ("dyno run rel", &["release"]),
    ] {
        assert_eq!(offered(&app, line), words, "{line}");
    }
}

#[test]
fn the_meaning_of_a_process_type_is_its_command() {
    let app = App::new("web: bin/server \u{1b}[31m\tred\nworker: work\n");

    assert_eq!(answer(&app, "dyno start w"), "words\tw\nweb\tbin/server  [31m red\nworker\twork\n");
}

#[test]
fn s1_7_the_procfile_is_the_one_the_line_names() {
    let app = App::new(PROCFILE)
        .file("Procfile.dev", "api: x\n")
        .file("a b/Procfile", "bot: x\n")
        .file("a b/.env", "")
        .file(".env", "PROCFILE=Procfile.ci\n")
        .file("Procfile.ci", "ci: x\n");

    assert_eq!(offered(&app, "dyno start -f Procfile.dev "), ["api"]);
    assert_eq!(offered(&app, "dyno -f Procfile.dev start "), ["api"]);
    assert_eq!(offered(&app, "dyno start --procfile=Procfile.dev "), ["api"]);
    assert_eq!(offered(&app, "dyno start -d 'a b' "), ["bot"]);
    assert_eq!(offered(&app, "dyno start -da\\ b "), ["bot"]);
    assert_eq!(offered(&app, "dyno start "), ["ci"]);
    assert_eq!(offered(&app, "dyno start -e /dev/null "), ["web", "worker", "web_hook"]);
}

#[test]
fn a_home_directory_is_found_before_the_shell_expands_it() {
    let app = App::empty();
    std::fs::write(app.top().join("home/Procfile"), "home: x\n").unwrap();

    assert_eq!(offered(&app, "dyno start -d ~ "), ["home"]);
    assert_eq!(offered(&app, "dyno start -f ~/Procfile "), ["home"]);
}

#[test]
fn subcommands_options_and_their_values_are_completed_and_hidden_ones_are_not() {
    let app = App::new(PROCFILE);

    assert_eq!(offered(&app, "dyno st"), ["start"]);
    assert!(!offered(&app, "dyno ").iter().any(|word| word.starts_with("__") || word.starts_with("local")));
    assert_eq!(offered(&app, "dyno help conf"), ["config"]);
    assert_eq!(offered(&app, "dyno man st"), ["start"]);
    assert_eq!(offered(&app, "dyno start --port"), ["--port", "--port-step"]);
    assert!(!offered(&app, "dyno start --").iter().any(|word| word == "--no-color" || word == "--start-cmd"));
    assert_eq!(offered(&app, "dyno start --pty a"), ["auto", "always"]);
    assert_eq!(offered(&app, "dyno start --color=n"), ["--color=never"]);
    assert_eq!(offered(&app, "dyno completions "), ["bash", "zsh", "fish", "elvish", "powershell"]);
}

#[test]
fn what_only_the_shell_can_complete_is_left_to_it() {
    let app = App::new(PROCFILE);

    for (line, expected) in [
        ("dyno start -f ", "files\t\n"),
        ("dyno start --env=a", "files\t--env=a\n"),
        ("dyno start -d s", "directories\ts\n"),
        ("dyno start -p 50", "nothing\t50\n"),
        ("dyno start --nope=x", "nothing\t--nope=x\n"),
        ("dyno run ./scr", "files\t./scr\n"),
        ("dyno run ls --po", "files\t--po\n"),
        ("dyno check x", "nothing\tx\n"),
    ] {
        assert_eq!(answer(&app, line), expected, "{line}");
    }
}

/// Tab is pressed in the middle of mending the file, too.
#[test]
fn a_procfile_that_cannot_be_used_is_no_reason_to_speak_or_to_wait() {
    let none = "words\tw\n";

    for content in [&b"nonsense\n"[..], b"web: a\0b\n", b"", b"\xff\xfe"] {
        assert_eq!(answer(&App::empty().file("Procfile", content), "dyno start w"), none, "{content:?}");
    }
    assert_eq!(answer(&App::new("nonsense\nweb: x\nweb: y\n"), "dyno start w"), "words\tw\nweb\ty\n");
    assert_eq!(answer(&App::empty(), "dyno start w"), none);
    assert_eq!(answer(&App::empty().fifo("Procfile"), "dyno start w"), none);
    assert_eq!(answer(&App::empty().fifo("pipe"), "dyno start -f pipe w"), none);
    let app = App::new(PROCFILE).file(".env", "A='open\n").file(".foreman", "port: x\n");
    assert_eq!(offered(&app, "dyno start wo"), ["worker"]);
    for line in ["dyno start -f - w", "dyno start -f /dev/stdin w", "dyno start -d nowhere w", "dyno -f"] {
        assert!(!answer(&app, line).contains("worker"), "{line}");
    }
}

/// Shells but bash give the words, without quotes.
#[test]
fn words_are_answered_as_a_line_is() {
    let app = App::new(PROCFILE);

    app.dyno(["__complete", "--", "dyno", "start", "-m", "web=1,wo"]).run().expect(
        Ended::Code(0),
        "words\tweb=1,wo\nweb=1,worker=\twork\n",
        "",
    );
    app.dyno(["__complete", "--", "dyno", "start", "--", "wo"]).run().expect(
        Ended::Code(0),
        "words\two\nworker\twork\n",
        "",
    );
    app.dyno(["__complete"]).run().expect_end(Ended::Code(0));
}

#[test]
fn each_shell_gets_its_script_and_an_unknown_one_is_told() {
    let app = App::empty();

    for (shell, registers) in [
        ("bash", "\ncomplete -F _dyno dyno\n"),
        ("zsh", "#compdef dyno\n"),
        ("fish", "\ncomplete -c dyno "),
        ("elvish", "\nset edit:completion:arg-completer[dyno] = "),
        ("powershell", "\nRegister-ArgumentCompleter -Native -CommandName 'dyno' "),
    ] {
        let finished = app.dyno(["completions", shell]).run();
        finished.expect_end(Ended::Code(0));
        let script = finished.stdout();
        assert!(script.contains(registers) && script.contains(" __complete --"), "{script}");
        assert_eq!(finished.stderr(), "");
    }
    app.dyno(["completions", "bsah"]).run().expect(
        Ended::Code(2),
        "",
        "error: invalid value 'bsah' for '<SHELL>'\n  [possible values: bash, zsh, fish, elvish, powershell]\n\n  \
         tip: a similar value exists: 'bash'\n\nFor more information, try '--help'.\n",
    );
    app.dyno(["completions"]).run().expect_end(Ended::Code(2));
}

#[test]
fn s13_2_under_the_names_of_others_there_is_none_of_it() {
    let app = App::new(PROCFILE);

    for (name, status) in [("foreman", 1), ("honcho", 2)] {
        let path = app.top().join(name);
        symlink(env!("CARGO_BIN_EXE_dyno"), &path).unwrap();
        for args in [&["completions", "bash"][..], &["man"], &["__complete", "--line", "dyno start "]] {
            let finished = app.dyno([]).program(&path).args(args).run();
            finished.expect_end(Ended::Code(status));
            assert_eq!(finished.stdout(), "", "{name} {args:?}");
        }
        let help = app.dyno(["--help"]).program(&path).run().stdout();
        assert!(!help.contains("completions") && !help.contains("\n  man "), "{help}");
    }
}
