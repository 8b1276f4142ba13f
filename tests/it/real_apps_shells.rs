//! Tab in real shells, and manual pages in a real formatter.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binary;
use crate::harness::{App, Call, Ended, Running};

const PROCFILE: &str = "web: true\nworker: true\n";

/// The keys to type, including Tab, and the resulting line.
const CASES: [(&str, &str); 14] = [
    ("dyno completi\t", "dyno completions"),
    ("dyno start wo\t", "dyno start worker"),
    ("dyno start web=2 wo\t", "dyno start web=2 worker"),
    ("dyno start -m wo\t2", "dyno start -m worker=2"),
    ("dyno start -m web=1,wo\t2", "dyno start -m web=1,worker=2"),
    ("dyno start --formation=web=1,wo\t2", "dyno start --formation=web=1,worker=2"),
    ("dyno start --color=n\t", "dyno start --color=never"),
    ("dyno start --set DATA\tx:y -q wo\t", "dyno start --set DATABASE_URL=x:y -q worker"),
    ("dyno start -f sub/Pr\t", "dyno start -f sub/Procfile.dev"),
    ("dyno start -f sub/Procfile.dev bo\t", "dyno start -f sub/Procfile.dev bot"),
    ("dyno start -d 'a b' ro\t", "dyno start -d a b robot"),
    ("dyno start -f a\\ b/Pr\t", "dyno start -f a b/Procfile"),
    ("dyno run cat READ\t", "dyno run cat README"),
    ("dyno run bin/ra\t", "dyno run bin/rails"),
];

fn app() -> App {
    let app = App::new(PROCFILE).file("sub/Procfile.dev", "bot: true\n").file("a b/Procfile", "robot: true\n");
    app.file("README", "").file(".env", "DATABASE_URL=x\n").script("bin/rails", "")
}

/// A shell that has `dyno` in its `PATH`.
fn shell<const N: usize>(app: &App, program: &str, args: [&str; N]) -> Call {
    let folder = binary::directory();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    app.dyno(args).program(Path::new(program)).env("PATH", path)
}

/// Types each line, then inserts `echo >` before it, so that the shell writes the line to a file instead of running it.
/// Completion gives up after 200 ms, which may be too short on a loaded machine. In that case it types the line again,
/// like a person.
fn press_tab(app: &App, shell: &Running) {
    const ATTEMPTS: usize = 10;
    shell.until_shown("ready>");
    for (index, (typed, completed)) in CASES.iter().enumerate() {
        let mut seen = Vec::new();
        while seen.len() < ATTEMPTS && !seen.iter().any(|line| line == completed) {
            seen.push(line_after(app, shell, typed, &format!("line{index}-{}", seen.len())));
        }
        assert_eq!(seen.last().unwrap(), completed, "`{typed}`: {seen:?}");
    }
}

fn line_after(app: &App, shell: &Running, typed: &str, file: &str) -> String {
    let begin_of_line = '\u{1}';
    shell.terminal().type_keys(format!("{typed}{begin_of_line}echo > {file} \r").as_bytes());
    let written = || fs::read_to_string(app.path(file)).unwrap_or_default();
    shell.until(&format!("`{typed}` is in a file"), || written().ends_with('\n'));
    written().trim_end().to_owned()
}

/// Runs the install lines of the help for this shell, in an empty home directory.
fn install(app: &App, name: &str) {
    let help = app.dyno(["completions", "--help"]).run().stdout();
    let is_for_it = |line: &&str| line.starts_with("  mkdir -p ~") || line.contains(&format!("completions {name}"));
    for line in help.lines().filter(is_for_it) {
        shell(app, "sh", ["-ec", line]).run().expect(Ended::Code(0), "", "");
    }
}

#[test]
fn bash_completes_after_the_install_line_of_the_help() {
    let app = app();
    install(&app, "bash");
    let bashrc = app.top().join("home/.bashrc");
    fs::write(&bashrc, fs::read_to_string(&bashrc).unwrap() + "PS1='ready> '\n").unwrap();

    press_tab(&app, &shell(&app, "bash", ["-i"]).spawn_in_terminal());
}

#[test]
fn zsh_completes_after_the_install_line_of_the_help() {
    let app = app();
    install(&app, "zsh");
    let zshrc = app.top().join("home/.zshrc");
    fs::write(&zshrc, fs::read_to_string(&zshrc).unwrap() + "PS1='ready> '\n").unwrap();

    press_tab(&app, &shell(&app, "zsh", ["-d", "-i"]).spawn_in_terminal());
}

#[test]
fn fish_completes_after_the_install_lines_of_the_help() {
    let app = app();
    install(&app, "fish");
    let config = "function fish_prompt; echo 'ready> '; end\nset -g fish_greeting\n";
    fs::write(app.top().join("home/.config/fish/config.fish"), config).unwrap();

    press_tab(&app, &shell(&app, "fish", ["-i"]).spawn_in_terminal());
}

#[test]
fn completion_scripts_have_no_syntax_errors() {
    let app = app();

    for (shell, words) in [("bash", &["bash", "-n"][..]), ("zsh", &["zsh", "-n"]), ("fish", &["fish", "-n"])] {
        let path = app.path(shell);
        fs::write(&path, app.dyno(["completions", shell]).run().stdout).unwrap();
        let checked = Command::new(words[0]).args(&words[1..]).arg(&path).output().unwrap();
        assert!(checked.status.success() && checked.stderr.is_empty(), "{shell}: {checked:?}");
    }
}

/// All manual pages, which other tests compare with what `dyno man` prints.
fn manual_pages() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/texts/man");
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn manual_pages_in_the_c_locale_have_all_their_characters() {
    let rendered = |path: &Path, output: &str| {
        let output = Command::new("mandoc").env("LC_ALL", "C").args(["-T", output]).arg(path).output().unwrap();
        assert!(output.status.success(), "{}: {output:?}", path.display());
        String::from_utf8(output.stdout).unwrap()
    };

    for page in manual_pages() {
        let (in_c, in_utf8) = (rendered(&page, "ascii"), rendered(&page, "utf8"));
        // Bold is a character, a backspace and the same character again.
        let plain = |text: &str| -> String {
            let chars: Vec<char> = text.chars().collect();
            let is_kept = |at: usize| chars[at] != '\u{8}' && chars.get(at + 1) != Some(&'\u{8}');
            (0..chars.len()).filter(|at| is_kept(*at)).map(|at| chars[at]).collect()
        };
        let in_ascii = plain(&in_utf8).replace('×', "x").replace(['−', '‐'], "-").replace(['‘', '’'], "'");
        assert!(in_c.is_ascii());
        assert_eq!(plain(&in_c), in_ascii, "{}", page.display());
    }
}

#[test]
fn manual_pages_have_no_lint_warnings() {
    for page in manual_pages() {
        let output = Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).arg(&page).output().unwrap();
        let output = [output.stdout, output.stderr].concat();
        let warnings = String::from_utf8_lossy(&output);
        // The pages have a version instead of a date.
        let unexpected: Vec<&str> = warnings.lines().filter(|line| !line.contains("missing date")).collect();
        assert_eq!(unexpected, [""; 0], "{}", page.display());
    }
}
