//! What Tab offers. The tests call `dyno` like the scripts of `dyno completions` do; `real_apps_shells` presses Tab in
//! real shells.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};

use nix::sys::signal::Signal;

use crate::binary;
use crate::harness::{App, Call, Ended, until};
use crate::texts;

const PROCFILE: &str = "release: ./migrate\nweb: bin/server -p $PORT\nworker: work\nweb_hook: hook\n";

/// The call that the script for fish makes: the words of the line up to the cursor.
fn at_tab(app: &App, line: &str) -> Call {
    app.dyno(["--"]).args(&line.split(' ').collect::<Vec<_>>()).env("_DYNO_COMPLETE", "fish")
}

/// The candidates with their descriptions, one per line. Tries again if there are none: on a busy machine `dyno` may
/// reach its own time limit first.
#[track_caller]
fn answer(call: impl Fn() -> Call) -> String {
    let mut answer = String::new();
    until("there are candidates", || {
        let finished = call().run();
        assert_eq!((finished.ended, finished.stderr().as_str()), (Ended::Code(0), ""));
        answer = finished.stdout();
        !answer.is_empty()
    });
    answer
}

/// The candidates at the end of this line, without their descriptions.
#[track_caller]
pub(crate) fn offered(app: &App, line: &str) -> Vec<String> {
    let answer = answer(|| at_tab(app, line));
    answer.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

/// Checks that Tab offers nothing at the end of this line.
#[track_caller]
pub(crate) fn nothing_is_offered(app: &App, line: &str) {
    at_tab(app, line).run().expect(Ended::Code(0), "", "");
}

#[test]
fn process_types_are_offered_wherever_they_are_accepted() {
    let app = App::new(PROCFILE);

    for (line, words) in [
        ("dyno start ", &["web", "worker", "web_hook"][..]),
        ("dyno start we", &["web", "web_hook"]),
        ("dyno start web w", &["worker", "web_hook"]),
        ("dyno start web=2 w", &["worker", "web_hook"]),
        ("dyno local wo", &["worker"]),
        ("dyno local start wo", &["worker"]),
        ("dyno start -l web,wo", &["web,worker"]),
        ("dyno start -l web,w", &["web,worker", "web,web_hook"]),
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
        ("dyno start -- wo", &["worker"]),
        ("dyno start --stop-all wo", &["worker"]),
        ("dyno smoke --allow-exit wo", &["worker"]),
        ("dyno smoke --can-die wo", &["worker"]),
        ("dyno smoke --stop-all wo", &["worker"]),
        ("dyno smoke wo", &["worker"]),
    ] {
        assert_eq!(offered(&app, line), words, "{line}");
    }
    nothing_is_offered(&app, "dyno start -m web=");
}

#[test]
fn focus_offers_single_dynos_of_types_that_run_more_than_once() {
    let app = App::new(PROCFILE);

    assert_eq!(offered(&app, "dyno start --focus "), ["release", "web", "worker", "web_hook"]);
    assert_eq!(offered(&app, "dyno start -m worker=2 --focus wo"), ["worker", "worker.1", "worker.2"]);
    assert_eq!(offered(&app, "dyno start worker=2 --focus worker.2"), ["worker.2"]);
    let app = app.file(".foreman", "formation: web=2\n");
    assert_eq!(offered(&app, "dyno start --focus web."), ["web.1", "web.2"]);
}

#[test]
fn the_description_of_a_process_type_is_its_command() {
    let app = App::new("web: bin/server \u{1b}[31m\tred\nworker: work\n");

    assert_eq!(answer(|| at_tab(&app, "dyno start w")), "web\tbin/server  [31m red\nworker\twork");
}

#[test]
fn s1_7_process_types_come_from_the_procfile_that_start_would_use() {
    let app = App::new(PROCFILE)
        .file("Procfile.dev", "api: x\n")
        .file("a b/Procfile", "bot: x\n")
        .file("a b/.env", "")
        .file(".env", "PROCFILE=Procfile.ci\n")
        .file("Procfile.ci", "ci: x\n");

    assert_eq!(offered(&app, "dyno start -f Procfile.dev "), ["api"]);
    assert_eq!(offered(&app, "dyno -f Procfile.dev start "), ["api"]);
    assert_eq!(offered(&app, "dyno start --procfile=Procfile.dev "), ["api"]);
    let directory = || app.dyno(["--", "dyno", "start", "-d", "a b", ""]).env("_DYNO_COMPLETE", "fish");
    assert_eq!(answer(directory), "bot\tx");
    assert_eq!(offered(&app, "dyno start "), ["ci"]);
    assert_eq!(offered(&app, "dyno start -e /dev/null "), ["web", "worker", "web_hook"]);
    assert_eq!(offered(&app, "dyno start --set PROCFILE=Procfile.dev "), ["api"]);
    let exported = || at_tab(&app, "dyno start -e /dev/null ").env("PROCFILE", "Procfile.dev");
    assert_eq!(answer(exported), "api\tx");
}

#[test]
fn a_tilde_in_an_option_is_the_home_directory() {
    let app = App::empty();
    fs::write(app.top().join("home/Procfile"), "home: x\n").unwrap();

    assert_eq!(offered(&app, "dyno start -d ~ "), ["home"]);
    assert_eq!(offered(&app, "dyno start -f ~/Procfile "), ["home"]);
    assert_eq!(offered(&app, "dyno start -f ~/Pro"), ["~/Procfile"]);
}

#[test]
fn subcommands_options_and_fixed_values_are_offered() {
    let app = App::new(PROCFILE);

    assert_eq!(offered(&app, "dyno st"), ["start", "stop"]);
    let commands = "start run ps ls router logs attach screen scale restart reload releases releases:info rollback stop wait why release smoke \
                    check export config config:get config:set config:unset env mcp completions man help";
    assert_eq!(offered(&app, "dyno ").join(" "), commands);
    assert_eq!(offered(&app, "dyno help conf"), ["config", "config:get", "config:set", "config:unset"]);
    assert_eq!(answer(|| at_tab(&app, "dyno help po")), "ports\tWhich port each dyno gets");
    nothing_is_offered(&app, "dyno help ports po");
    assert_eq!(offered(&app, "dyno man st"), ["start", "stop"]);
    assert_eq!(offered(&app, "dyno start --port"), ["--port", "--port-step"]);
    let check = ["--procfile", "--root", "--env", "--for", "--strict", "--help", "--after", "--json"];
    assert_eq!(offered(&app, "dyno check "), check);
    assert_eq!(offered(&app, "dyno check -"), check);
    assert_eq!(offered(&app, "dyno start --pty a"), ["auto", "always"]);
    assert_eq!(offered(&app, "dyno start --color=n"), ["--color=never"]);
    assert_eq!(offered(&app, "dyno completions "), ["bash", "zsh", "fish", "elvish"]);
    assert_eq!(offered(&app, "dyno start --no-t"), ["--no-timestamps"]);
    assert_eq!(offered(&app, "dyno smoke --color never --allow"), ["--allow-exit"]);
    for line in ["dyno start -p 50", "dyno start --nope=x", "dyno check x"] {
        nothing_is_offered(&app, line);
    }
}

#[test]
fn s10_2_names_of_the_running_app_are_offered() {
    let app = App::new("web: exec sleep 1000\nworker: exec sleep 1000\n");
    nothing_is_offered(&app, "dyno restart w");
    let running = app.dyno(["start", "web=2"]).spawn();
    running.until("it runs", || app.dyno(["ps", "web.2"]).run().ended == Ended::Code(0));

    assert_eq!(offered(&app, "dyno restart w"), ["web", "worker", "web.1", "web.2"]);
    assert_eq!(offered(&app, "dyno ps web."), ["web.1", "web.2"]);
    assert_eq!(offered(&app, "dyno wait w"), ["web", "worker", "web.1", "web.2"]);
    assert_eq!(offered(&app, "dyno why -d web."), ["web.1", "web.2"]);
    assert_eq!(offered(&app, "dyno stop -p w"), ["web", "worker"]);
    assert_eq!(offered(&app, "dyno scale w"), ["web=", "worker="]);
    running.signal(Signal::SIGSTOP);
    nothing_is_offered(&app, "dyno scale w");
    running.signal(Signal::SIGCONT);
    app.dyno(["stop"]).run().expect_end(Ended::Code(0));
    running.finish();
}

#[test]
fn s10_2_the_apps_that_run_are_offered() {
    let app = App::new("web: exec sleep 1000\nworker: exec sleep 1000\n");
    nothing_is_offered(&app, "dyno ps -a ");
    let running = app.dyno(["start", "web"]).spawn();
    running.until_shown("started with pid");
    let copy = app.dyno(["start", "--name", "copy", "web=2"]).spawn();
    copy.until_shown("web.2  | started with pid");

    assert_eq!(offered(&app, "dyno ps -a "), ["app", "app-copy"]);
    assert_eq!(offered(&app, "dyno run --detach --app app-"), ["app-copy"]);
    assert_eq!(offered(&app, "dyno restart --name c"), ["copy"]);
    assert_eq!(offered(&app, "dyno restart -a app web."), ["web.1"]);
    assert_eq!(offered(&app, "dyno restart --name copy web."), ["web.1", "web.2"]);
    let pids = offered(&app, "dyno logs --run ");
    assert_eq!(pids.len(), 2);
    let mut dynos: Vec<usize> =
        pids.iter().map(|pid| offered(&app, &format!("dyno stop --run {pid} web.")).len()).collect();
    dynos.sort_unstable();
    assert_eq!(dynos, [1, 2]);
    app.dyno(["stop"]).run().expect_end(Ended::Code(0));
    running.finish();
    copy.finish();
}

#[test]
fn options_offer_files_or_directories() {
    let app = App::new(PROCFILE).file("sub/Procfile.dev", "bot: x\n");

    assert_eq!(offered(&app, "dyno start -f P"), ["Procfile"]);
    assert_eq!(offered(&app, "dyno start --procfile=sub/P"), ["--procfile=sub/Procfile.dev"]);
    assert_eq!(offered(&app, "dyno start -e a,P"), ["a,Procfile"]);
    assert_eq!(offered(&app, "dyno start -d s"), ["sub/"]);
    assert_eq!(offered(&app, "dyno start --log-dir s"), ["sub/"]);
    assert_eq!(offered(&app, "dyno smoke --junit P"), ["Procfile"]);
}

#[test]
fn run_offers_process_types_programs_and_files() {
    let app = App::new(PROCFILE)
        .script("bin/rails", "")
        .script("programs/webpack", "")
        .file("programs/web.txt", "")
        .file(".env", "");
    let with_path = |line: &'static str| {
        let answer = answer(|| at_tab(&app, line).env("PATH", app.path("programs")));
        answer.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect::<Vec<_>>()
    };

    assert_eq!(with_path("dyno run we"), ["web", "web_hook", "webpack"]);
    assert_eq!(with_path("dyno run rel"), ["release"]);
    assert_eq!(with_path("dyno run "), ["release", "web", "worker", "web_hook", "bin/", "programs/"]);
    assert_eq!(with_path("dyno run bin/"), ["bin/rails"]);
    assert_eq!(with_path("dyno run ./b"), ["./bin/"]);
    assert_eq!(with_path("dyno run programs/"), ["programs/webpack"]);
    assert_eq!(with_path("dyno run cat P"), ["Procfile"]);
    assert_eq!(with_path("dyno run cat "), ["Procfile", "bin/", "programs/"]);
    assert_eq!(with_path("dyno run cat .e"), [".env"]);
    assert_eq!(with_path("dyno run cat Procfile programs/web."), ["programs/web.txt"]);
    assert_eq!(with_path("dyno local run webp"), ["webpack"]);
    assert_eq!(with_path("dyno smoke -- we"), ["webpack"]);
    assert_eq!(with_path("dyno smoke web -- webpack programs/web."), ["programs/web.txt"]);
    // Options after the command belong to the command.
    nothing_is_offered(&app, "dyno run ls --pro");
}

#[test]
fn set_and_explain_offer_the_keys_of_env_without_their_values() {
    let app = App::new(PROCFILE)
        .file(".env", "DATABASE_URL=postgres://secret\nDEBUG=1\n")
        .file(".env.local", "\nDATABASE_URL=other\n");

    assert_eq!(answer(|| at_tab(&app, "dyno config --explain ")), "DATABASE_URL\t.env:1\nDEBUG\t.env:2");
    assert_eq!(answer(|| at_tab(&app, "dyno start --set DA")), "DATABASE_URL=\t.env:1");
    let files = "dyno run -e .env,.env.local --set DA";
    assert_eq!(answer(|| at_tab(&app, files)), "DATABASE_URL=\t.env.local:2");
    nothing_is_offered(&app, "dyno start --set DEBUG=");
    for line in ["dyno config:get DA", "dyno config unset DA", "dyno config:set --stdin DA"] {
        assert_eq!(offered(&app, line), ["DATABASE_URL"], "{line}");
    }
    assert_eq!(offered(&app, "dyno config:set A=1 DE"), ["DEBUG="]);
}

// Users also press Tab while they edit a file.
#[test]
fn s2_1_unusable_files_are_silently_skipped() {
    for content in [&b"nonsense\n"[..], b"web: a\0b\n", b"", b"\xff\xfe"] {
        nothing_is_offered(&App::empty().file("Procfile", content), "dyno start w");
    }
    let app = App::new("nonsense\nweb: x\nweb: y\n");
    assert_eq!(answer(|| at_tab(&app, "dyno start w")), "web\ty");
    for app in [App::empty(), App::empty().fifo("Procfile"), App::empty().file("Procfile/web", "")] {
        nothing_is_offered(&app, "dyno start w");
    }
    let app = App::new(PROCFILE).fifo("pipe").file(".env", "A='open\n").file(".foreman", "port: x\n");
    assert_eq!(offered(&app, "dyno start wo"), ["worker"]);
    for line in ["dyno start -f pipe w", "dyno start -d nowhere w"] {
        nothing_is_offered(&app, line);
    }
    nothing_is_offered(&App::new(PROCFILE).file(".foreman", "procfile: /dev/stdin\n"), "dyno start w");
}

#[test]
fn s2_1_stdin_is_never_read() {
    let app = App::new(PROCFILE);
    let with_stdin = |line: &str, procfile: Option<&str>| {
        let mut script = "printf 'stdin: x\\n' | { \"$@\"; printf '[%s]\\n' \"$(cat)\"; }".to_owned();
        if let Some(procfile) = procfile {
            script = format!("PROCFILE={procfile}; export PROCFILE; {script}");
        }
        let call = at_tab(&app, line).under(&["sh", "-c", &script, "sh"]);
        call.run().expect(Ended::Code(0), "[stdin: x]\n", "");
    };

    for file in ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"] {
        with_stdin(&format!("dyno start -f {file} s"), None);
        with_stdin("dyno start s", Some(file));
    }
    with_stdin("dyno start -e /dev/stdin --set s", None);
}

#[test]
fn s2_1_a_named_pipe_is_not_opened() {
    let app = App::new("job: x\n").fifo(".env");
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).custom_flags(nix::libc::O_NONBLOCK);
    let mut pipe = options.open(app.path(".env")).unwrap();
    pipe.write_all(b"A=1\n").unwrap();

    for line in ["dyno start j", "dyno start -e .env j"] {
        assert_eq!(offered(&app, line), ["job"], "{line}");
    }
    nothing_is_offered(&app, "dyno start --set A");

    let mut left = [0; 4];
    pipe.read_exact(&mut left).unwrap();
    assert_eq!(&left, b"A=1\n");
}

// bash splits words at `=` and `:`, replaces only the last part, and passes quotes and backslashes on.
#[test]
fn bash_gets_only_the_part_of_the_word_that_it_replaces() {
    let app = App::new(PROCFILE).file("a b/Procfile", "bot: x\n");
    let in_bash = |words: &[&str]| {
        let call = || {
            let call = app.dyno(["--"]).args(words).env("_DYNO_COMPLETE", "bash").env("_CLAP_IFS", "\u{b}");
            call.env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string())
        };
        answer(call).replace('\u{b}', " | ")
    };

    assert_eq!(in_bash(&["dyno", "start", "-m", "web", "=", "1,wo"]), "1,worker=");
    assert_eq!(in_bash(&["dyno", "start", "--formation", "=", "web", "=", "1,wo"]), "1,worker=");
    assert_eq!(in_bash(&["dyno", "start", "--color", "="]), "auto | always | never");
    assert_eq!(in_bash(&["dyno", "start", "-d", "'a b'", "-q", ""]), "bot");
    assert_eq!(in_bash(&["dyno", "start", "-f", "a\\ b/P"]), "a\\ b/Procfile");
}

#[test]
fn each_shell_gets_a_script_that_calls_the_dyno_in_its_path() {
    let app = App::empty();

    let script = |shell: &str| {
        let finished = app.dyno(["completions", shell]).run();
        finished.expect_end(Ended::Code(0));
        assert_eq!(finished.stderr(), "", "{shell}");
        (shell.to_owned(), finished.stdout())
    };
    texts::assert_folder("completions", ["bash", "zsh", "fish", "elvish"].map(script));
    app.dyno(["completions", "bsah"]).run().expect(
        Ended::Code(2),
        "",
        "error: `bsah` is not a valid value for `SHELL`\n\nhint: did you mean `bash`?\n",
    );
    app.dyno(["completions"]).run().expect_end(Ended::Code(2));
}

#[test]
fn powershell_is_refused_and_the_supported_shells_are_listed() {
    let app = App::empty();

    for name in ["powershell", "pwsh"] {
        let error = format!(
            "error: `{name}` is not a valid value for `SHELL`\n\n\
             hint: PowerShell is not supported: pressing Tab would run any `$(…)` on the line\n"
        );
        app.dyno(["completions", name]).run().expect(Ended::Code(2), "", &error);
    }
}

#[test]
fn a_completion_variable_alone_does_not_change_what_a_command_does() {
    let app = App::new("web: echo started\n");

    for (name, value) in [("COMPLETE", "bash"), ("_DYNO_COMPLETE", "bash"), ("_DYNO_COMPLETE", "nonsense")] {
        let finished = app.dyno(["start", "--no-timestamps", "--no-prefix"]).env(name, value).run();
        finished.expect_end(Ended::Code(0));
        assert!(finished.stdout().contains("started\n"), "{name}={value}: {}", finished.stdout());
    }
}

#[test]
fn s13_2_foreman_and_honcho_have_no_completions() {
    let app = App::new(PROCFILE);

    for (name, status) in [("foreman", 1), ("honcho", 2)] {
        let path = app.top().join(name);
        symlink(binary::dyno(), &path).unwrap();
        for args in [&["completions", "bash"][..], &["man"], &["--", name, "sta"]] {
            let finished = app.dyno([]).program(&path).args(args).env("_DYNO_COMPLETE", "bash").run();
            finished.expect_end(Ended::Code(status));
            assert_eq!(finished.stdout(), "", "{name} {args:?}");
        }
    }
}
