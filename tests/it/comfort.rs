//! Help, manual pages, suggestions and colours (S7.2, S13.3).

use crate::binary;
use crate::harness::{App, Ended};
use crate::texts;

/// A terminal of 24 lines, of which the prompt takes one.
const SCREEN_LINES: usize = 23;
const SCREEN_COLUMNS: usize = 80;

/// Stdout of `dyno` with these arguments. `COLUMNS` is larger than the screen, so that a line that is too long is not
/// hidden by wrapping.
fn printed(app: &App, args: &[&str]) -> String {
    let finished = app.dyno([]).args(args).env("COLUMNS", (3 * SCREEN_COLUMNS).to_string()).run();

    finished.expect_end(Ended::Code(0));
    assert_eq!(finished.stderr(), "", "{args:?}");
    finished.stdout()
}

/// The subcommands that `dyno --help` lists, and those of `heroku local`, which it does not list.
fn subcommands(app: &App) -> Vec<String> {
    let help = printed(app, &["help"]);
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = lines.map(|line| line.split_whitespace().next().unwrap().to_owned());
    names.filter(|name| name != "help").chain(["local".to_owned(), "local:run".to_owned()]).collect()
}

#[test]
fn s13_3_the_help_of_every_command_fits_a_screen() {
    let app = App::empty();
    let names = subcommands(&app);
    assert!(
        ["start", "run", "check", "config"].iter().all(|name| names.iter().any(|known| known == name)),
        "{names:?}"
    );

    for words in names.iter().map(|name| vec![name.as_str()]).chain([vec![]]) {
        for flag in ["--help", "-h"] {
            let text = printed(&app, &[&words[..], &[flag]].concat());
            let lines = text.lines().count();
            let columns = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(
                lines <= SCREEN_LINES && columns <= SCREEN_COLUMNS,
                "{lines} lines of at most {columns} columns; hide an argument with `hide_short_help`:\n{text}"
            );
        }
    }
}

#[test]
fn s13_3_the_help_of_every_command_ends_with_examples() {
    let app = App::empty();

    for words in subcommands(&app).iter().map(|name| vec![name.as_str()]).chain([vec![]]) {
        let text = printed(&app, &[&words[..], &["--help"]].concat());
        let (_, examples) = text.split_once("\nExamples:\n").expect(&text);
        // Each example is one line.
        let lines = examples.lines().take_while(|line| !line.is_empty());
        // The examples of `completions` also create a directory.
        let is_example = |line: &str| line.contains("dyno ") || line.contains("mkdir ");
        assert!(lines.clone().count() >= 2 && lines.clone().all(is_example), "{text}");
    }
}

#[test]
fn dyno_alone_prints_help_but_options_without_a_command_are_an_error() {
    let app = App::empty();

    assert_eq!(printed(&app, &[]), printed(&app, &["--help"]));
    app.dyno(["-f", "Procfile"]).run().expect(
        Ended::Code(2),
        "",
        "error: a command is missing\n\nhint: `dyno start` runs the app; `dyno --help` lists the commands\n",
    );
}

#[test]
fn s11_help_that_cannot_be_written_is_an_error_unless_its_reader_left() {
    let app = App::empty();
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let error = "error: the output could not be written: No space left on device\n";

    for words in [&[][..], &["--help"], &["start", "--help"], &["help", "start"], &["--version"], &["man"]] {
        app.dyno([]).args(words).stdout_to(full()).run().expect(Ended::Code(74), "", error);
        let line = "{ \"$0\" \"$@\"; echo $? >status; } | true";
        app.dyno([]).args(words).under(&["sh", "-c", line]).run().expect(Ended::Code(0), "", "");
        let status = std::fs::read_to_string(app.path("status")).unwrap();
        assert!(["0\n", "141\n"].contains(&status.as_str()), "{words:?}: {status}");
    }
}

/// The version changes with every release, so the files have `VERSION`.
fn without_version(text: &str) -> String {
    text.replace(concat!("dyno ", env!("CARGO_PKG_VERSION")), "dyno VERSION")
}

/// `dyno_help_start` for `dyno help start`.
fn file_name(program: &str, words: &[&str]) -> String {
    [&[program], words].concat().join("_").replace(':', "-")
}

#[test]
fn s13_3_help_lists_commands_topics_options_keys_and_examples() {
    let app = App::empty();
    let names = subcommands(&app);
    let lines = names.iter().flat_map(|name| [vec![name.as_str(), "--help"], vec!["help", name]]);
    let lines = lines.chain([vec!["--help"], vec!["help"]]);

    texts::assert_folder("help", lines.map(|words| (file_name("dyno", &words), printed(&app, &words))));
}

#[test]
fn s13_2_foreman_and_honcho_list_their_own_options() {
    let app = App::empty();
    let page = |name: &str, words: &[&str]| {
        let path = app.top().join(name);
        if !path.exists() {
            std::os::unix::fs::symlink(binary::dyno(), &path).unwrap();
        }
        let finished = app.dyno([]).program(&path).args(words).env("COLUMNS", "80").run();
        finished.expect_end(Ended::Code(0));
        assert_eq!(finished.stderr(), "", "{name} {words:?}");
        (file_name(name, words), finished.stdout())
    };

    let both = ["foreman", "honcho"].into_iter().flat_map(|name| {
        [&["--help"][..], &["start", "--help"], &["run", "--help"], &["check", "--help"]].map(|words| page(name, words))
    });
    texts::assert_folder("help-of-other-names", both);
}

#[test]
fn s13_3_every_command_has_a_manual_page() {
    let app = App::empty();
    let names = subcommands(&app).into_iter().filter(|name| !name.starts_with("local"));
    let pages = names.map(|name| (format!("dyno-{}.1", name.replace(':', "-")), printed(&app, &["man", &name])));

    let pages: Vec<(String, String)> = pages.chain([("dyno.1".to_owned(), printed(&app, &["man"]))]).collect();

    // roff shows other characters only in some locales.
    assert!(pages.iter().all(|(_, text)| text.is_ascii()));
    texts::assert_folder("man", pages.into_iter().map(|(name, text)| (name, without_version(&text))));
}

#[test]
fn man_suggests_the_nearest_page() {
    let error = "error: there is no manual page `strat`\n\nhint: did you mean `dyno man start`?\n";

    App::empty().dyno(["man", "strat"]).run().expect(Ended::Code(2), "", error);
}

/// Whether the prefix of a line is coloured.
fn is_colored(shown: &str) -> bool {
    assert!(shown.contains("exited with code 0"), "{shown}");
    shown.contains("\u{1b}[")
}

// Most rows also set a variable that must be overridden or ignored.
#[test]
fn s7_2_without_a_terminal_there_are_colours_only_if_forced() {
    let app = App::new("web: true\n");

    for (variables, args, colored) in [
        (&[][..], &[][..], false),
        (&["CLICOLOR=1"], &[], false),
        (&["CLICOLOR_FORCE=1"], &[], true),
        (&["FORCE_COLOR=1"], &[], true),
        (&["FORCE_COLOR=3", "TERM=dumb"], &[], true),
        (&["CLICOLOR_FORCE=0", "FORCE_COLOR=0"], &[], false),
        (&["FORCE_COLOR=1", "NO_COLOR=1"], &[], false),
        (&["CLICOLOR_FORCE=1", "NO_COLOR=1"], &[], false),
        (&["FORCE_COLOR=1", "NO_COLOR="], &[], true),
        (&["NO_COLOR=1", "TERM=dumb", "CLICOLOR=0"], &["--color", "always"], true),
        (&["FORCE_COLOR=1", "CLICOLOR_FORCE=1"], &["--color", "never"], false),
    ] {
        let call = variables.iter().fold(app.dyno(["start"]).args(args), |call, variable| {
            let (name, value) = variable.split_once('=').unwrap();
            call.env(name, value)
        });
        assert_eq!(is_colored(&call.run().stdout()), colored, "{variables:?} {args:?}");
    }
}

#[test]
fn s7_2_on_a_terminal_there_are_colours_unless_turned_off() {
    let app = App::new("worker: true\n");

    for (variable, args, colored) in [
        ("A=", &[][..], true),
        ("NO_COLOR=", &[], true),
        ("NO_COLOR=1", &[], false),
        ("CLICOLOR=0", &[], false),
        ("CLICOLOR=1", &[], true),
        ("TERM=dumb", &[], false),
        ("TERM=xterm", &["--color", "never"], false),
        ("TERM=dumb", &["--color", "always"], true),
        ("A=", &["--no-colour"], false),
    ] {
        let call = app.dyno(["start"]).args(args).after(&format!("export {variable}"));
        let finished = call.spawn_in_terminal().finish();
        assert_eq!(is_colored(&finished.stdout()), colored, "{variable} {args:?}: {}", finished.stdout());
    }
}

#[test]
fn s7_2_errors_are_coloured_by_the_same_rule() {
    let app = App::new("worker: true\n");
    let is_red = |text: &str| {
        assert!(text.contains("error"), "{text}");
        text.contains("\u{1b}[31m")
    };

    for (args, colored) in [(&[][..], true), (&["--color", "never"], false), (&["--no-color"], false)] {
        let finished = app.dyno(["start", "nope"]).args(args).spawn_in_terminal().finish();
        assert_eq!(is_red(&finished.stdout()), colored, "{args:?}: {}", finished.stdout());
    }
    assert!(!is_red(&app.dyno(["start", "nope"]).run().stderr()));
    assert!(is_red(&app.dyno(["start", "nope"]).env("FORCE_COLOR", "1").run().stderr()));
    assert!(is_red(&app.dyno(["start", "nope", "--color", "always"]).run().stderr()));
}

#[test]
fn s9_2_run_suggests_the_nearest_process_type() {
    let app = App::new("release: true\nweb: true\nworker: true\n");

    app.dyno(["run", "wroker", "--once"]).run().expect(
        Ended::Code(127),
        "",
        "error: `wroker` was not found\n\nhint: did you mean `worker`?\n",
    );
}
