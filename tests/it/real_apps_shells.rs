//! Tab in real shells, and the manual read by the programs that show one.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::{App, Call, Running};

const PROCFILE: &str = "web: true\nworker: true\n";

/// What is typed, then Tab, and what stands on the line then.
const CASES: [(&str, &str); 6] = [
    ("dyno completi", "dyno completions"),
    ("dyno start wo", "dyno start worker"),
    ("dyno start -m web=1,wo", "dyno start -m web=1,worker="),
    ("dyno start --formation=web=1,wo", "dyno start --formation=web=1,worker="),
    ("dyno start -f sub/Pr", "dyno start -f sub/Procfile.dev"),
    ("dyno start -f sub/Procfile.dev bo", "dyno start -f sub/Procfile.dev bot"),
];

fn app() -> App {
    App::new(PROCFILE).file("sub/Procfile.dev", "bot: true\n")
}

/// A shell in a terminal that finds `dyno` by its name.
fn shell<const N: usize>(app: &App, program: &str, args: [&str; N]) -> Call {
    let folder = Path::new(env!("CARGO_BIN_EXE_dyno")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    app.dyno(args).program(Path::new(program)).env("PATH", path)
}

/// Presses Tab behind each line, and lets the shell write the line to a file instead of running it.
fn press_tab(app: &App, shell: &Running) {
    shell.until_shown("ready>");
    for (index, (typed, completed)) in CASES.iter().enumerate() {
        let begin_of_line = '\u{1}';
        shell.terminal().type_keys(format!("{typed}\t{begin_of_line}echo > line{index} \r").as_bytes());
        let line = app.path(&format!("line{index}"));
        shell.until(&format!("`{typed}` becomes `{completed}`"), || {
            fs::read_to_string(&line).is_ok_and(|text| text.trim_end() == *completed)
        });
    }
}

#[test]
fn bash_completes_by_the_script() {
    let app = app().file("rc", "PS1='ready> '\nsource <(dyno completions bash)\n");

    let bash = shell(&app, "bash", ["--noprofile", "--rcfile", "rc", "-i"]).spawn_in_terminal();

    press_tab(&app, &bash);
}

#[test]
fn zsh_completes_by_the_script() {
    let rc = "PS1='ready> '\nautoload -U compinit\ncompinit -u -D\nsource <(dyno completions zsh)\n";
    let app = app().file("home/.zshrc", rc);

    let zsh = shell(&app, "zsh", ["-d", "-i"]).env("ZDOTDIR", app.path("home")).spawn_in_terminal();

    press_tab(&app, &zsh);
}

#[test]
fn fish_completes_by_the_script() {
    let config = "function fish_prompt; echo 'ready> '; end\nset -g fish_greeting\ndyno completions fish | source\n";
    let app = app().file("home/fish/config.fish", config);
    let home = app.path("home");

    let call = shell(&app, "fish", ["-i"]).env("XDG_CONFIG_HOME", &home).env("XDG_DATA_HOME", &home);

    press_tab(&app, &call.spawn_in_terminal());
}

#[test]
fn the_scripts_are_right_for_those_who_only_read_them() {
    let app = app();

    for (shell, words) in [("bash", &["bash", "-n"][..]), ("zsh", &["zsh", "-n"]), ("fish", &["fish", "-n"])] {
        let path = app.path(shell);
        fs::write(&path, app.dyno(["completions", shell]).run().stdout).unwrap();
        let checked = Command::new(words[0]).args(&words[1..]).arg(&path).output().unwrap();
        assert!(checked.status.success() && checked.stderr.is_empty(), "{shell}: {checked:?}");
    }
}

#[test]
fn the_manual_pages_are_clean() {
    let app = app();

    for page in ["", "start", "run", "release", "smoke", "check", "config", "completions", "man"] {
        let text = app.dyno(["man"]).args(if page.is_empty() { &[] } else { std::slice::from_ref(&page) }).run().stdout;
        let mut lint = Command::new("mandoc")
            .args(["-T", "lint", "-W", "warning"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        lint.stdin.take().unwrap().write_all(&text).unwrap();
        let said = lint.wait_with_output().unwrap();
        let said = [said.stdout, said.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        // A version stands for the date.
        let unexpected: Vec<&str> = said.lines().filter(|line| !line.contains("missing date")).collect();
        assert_eq!(unexpected, [""; 0], "{page}");
    }
}
