//! What a new user meets in the first hour: each case compares status, stdout and stderr in full.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;

use crate::docs_examples::PAGES;
use crate::harness::{App, Ended, RARE_PORT, without_sizes};

/// The rows of the table of a page, without its heading.
fn table(page: &str) -> Vec<(String, String)> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    rows.skip(1).map(|(status, when)| (status.to_owned(), when.to_owned())).collect()
}

#[test]
fn s11_1_docs_and_manual_list_the_statuses_of_the_one_table() {
    let statuses: Vec<(String, String)> =
        dynorun::error::exit_statuses().map(|(status, when)| (status, when.to_owned())).collect();

    assert_eq!(table(include_str!("../../docs/statuses.md")), statuses);
    let page = App::empty().dyno(["man"]).run().stdout();
    let (_, section) = page.split_once(".SH \"EXIT STATUS\"\n").unwrap();
    let (section, _) = section.split_once(".SH ").unwrap();
    let entry = |(status, when): &(String, String)| {
        format!(".TP\n\\fB{status}\\fR\n{when}\n").replace('-', "\\-").replace('\'', "\\*(Aq")
    };
    assert_eq!(section, statuses.iter().map(entry).collect::<String>());
}

#[test]
fn s11_1_the_docs_mention_only_statuses_of_the_table() {
    let known: BTreeSet<String> = dynorun::error::exit_statuses().map(|(status, _)| status).collect();
    let mut count = 0;
    for (page, text) in PAGES {
        let words: Vec<&str> =
            text.split_whitespace().map(|word| word.trim_end_matches(['.', ',', ':', ';'])).collect();
        // `(78)`, `status 78`, and the numbers of sysexits.h, which mean nothing else in the docs.
        let in_parentheses = words.iter().filter_map(|word| word.strip_prefix('(')?.strip_suffix(')'));
        let named =
            words.windows(2).filter(|pair| pair[0].ends_with("status")).map(|pair| pair[1].trim_end_matches(')'));
        let is_sysexit = |word: &&str| word.parse().is_ok_and(|number: u8| (65..=78).contains(&number));
        let alone = words.iter().copied().filter(is_sysexit);
        let numbers = in_parentheses.chain(named).chain(alone);
        for number in numbers.filter(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())) {
            count += 1;
            // 204 is a status of HTTP.
            assert!(known.contains(number) || number == "204", "{page}: {number}");
        }
    }
    assert!(count > 20, "{count}");
}

/// Checks that a command line fails with status 2, nothing on stdout, and this error with its hint.
fn refuses(app: &App, args: &[&str], fact: &str, hint: &str) {
    let stderr = format!("error: {fact}\n\nhint: {hint}\n");
    app.dyno([]).args(args).run().expect(Ended::Code(2), "", &stderr);
}

#[test]
fn s1_4_a_mostly_bad_procfile_lists_ten_lines_with_their_reasons() {
    let bad: Vec<String> = (2..=23).map(|line| format!("note {line}\n")).collect();
    let app = App::new(&format!("web: true\n{}", bad.concat()));
    let hint = "write lines such as `web: npm start`, or pass another file with `-f`";
    let more = "and 12 more: 22 of 23 lines are not Procfile entries";

    let listed: Vec<String> = (2..=11)
        .map(|line| {
            format!("error: Procfile:{line}: `note {line}` has no process type\nhint: write `web: note {line}`\n")
        })
        .collect();
    let stderr = format!("{}error: Procfile:12: {more}\nhint: {hint}\n", listed.concat());
    app.dyno(["check"]).run().expect(Ended::Code(78), "", &stderr);
    let finding = |line: usize, message: &str, hint: &str| {
        format!(
            "{{\"severity\":\"error\",\"file\":\"Procfile\",\"line\":{line},\"message\":\"{message}\",\"hint\":\"{hint}\"}}"
        )
    };
    let listed = (2..=11)
        .map(|line| finding(line, &format!("`note {line}` has no process type"), &format!("write `web: note {line}`")));
    let all: Vec<String> = listed.chain([finding(12, more, hint)]).collect();
    let stdout = format!(
        "{{\"process_types\":[{{\"name\":\"web\",\"command\":\"true\",\"line\":1}}],\"problems\":[{}]}}\n",
        all.join(",")
    );
    app.dyno(["check", "--json"]).run().expect(Ended::Code(78), &stdout, "");
}

#[test]
fn s1_4_four_to_ten_bad_lines_are_listed_without_a_summary() {
    let app = App::new("web: true\nlorem ipsum\ndolor sit\namet elit\nsed do\n");

    let line = |number: usize, text: &str| {
        format!("error: Procfile:{number}: `{text}` has no process type\nhint: write `web: {text}`\n")
    };
    let stderr = [line(2, "lorem ipsum"), line(3, "dolor sit"), line(4, "amet elit"), line(5, "sed do")].concat();
    app.dyno(["check"]).run().expect(Ended::Code(78), "", &stderr);
}

#[test]
fn s1_4_check_finds_what_is_never_closed_and_every_shell_refuses() {
    let (close, apostrophe) = ("close the quote", "close the quote, or write an apostrophe as `\\'`");
    let backtick = "close it with another backtick";
    for (command, unclosed, hint) in [
        ("echo 'hi", "`'`", apostrophe),
        ("echo it's", "`'`", apostrophe),
        ("sh -c \"true", "`\"`", close),
        ("echo \"$(date\"", "`\"`", close),
        ("echo `date", "backtick", backtick),
        ("echo \"`date\"", "backtick", backtick),
        ("echo $(date", "`$(`", "close it with `)`"),
        ("(cd app; rake", "`(`", "close it with `)`"),
        ("echo ${PORT", "`${`", "close it with `}`"),
        ("echo ${PORT:-`x`", "`${`", "close it with `}`"),
    ] {
        let error = format!(
            "error: Procfile:1: the command of `a` has an unclosed {unclosed}, and the shell refuses it\nhint: {hint}\n"
        );

        App::new(&format!("a: {command}\n")).dyno(["check"]).run().expect(Ended::Code(78), "", &error);
    }
    let app = App::new(
        "ok: echo \"it's\" # don't (\nansi: echo $'it\\'s'\nnested: echo \"$(echo \"x\")\"\n\
         odd: echo ${A:-(} ${B//[`c`]/\\}} $((1 << (2))) \"`a \\` b`\" \"${X:-'a'}\" \\( \\`\n\
         dash: echo \"${A:-${B:-it's}}\"\n",
    );
    app.dyno(["check"]).run().expect(Ended::Code(0), "valid procfile detected (ok, ansi, nested, odd, dash)\n", "");
}

#[test]
fn s1_6_check_notes_programs_that_cannot_be_executed() {
    let app = App::new(
        "a: nosuch-program --x\nb: exec ./bin/missing\nc: /nowhere/x\nd: ./plain\ne: ./folder y\nf: own -z\n\
         g: A=1 nosuch-program\nh: nosuch-program | cat\ni: cd . && nosuch-program\nj: sh -c nosuch-program\n",
    )
    .file("plain", "")
    .file("folder/x", "")
    .script("tools/own", "")
    .file(".env", "PATH=tools:${PATH}\n");

    let note = |line: usize, fact: &str, hint: &str| format!("note: Procfile:{line}: {fact}\nhint: {hint}\n");
    let stderr = [
        note(1, "`a` runs `nosuch-program`, which is not on `PATH`", "install it, or check the name"),
        note(
            2,
            "`b` runs `./bin/missing`, which does not exist",
            "check the path: it is relative to the root of the app",
        ),
        note(3, "`c` runs `/nowhere/x`, which does not exist", "check the path"),
        note(4, "`d` runs `./plain`, which is not executable", "run `chmod +x ./plain`"),
        note(5, "`e` runs `./folder`, which is a directory", "name a program in it"),
    ];
    let valid = "valid procfile detected (a, b, c, d, e, f, g, h, i, j)\n";
    app.dyno(["check"]).run().expect(Ended::Code(0), valid, &stderr.concat());
}

#[test]
fn s1_6_process_types_beyond_a_hundred_with_such_programs_are_counted() {
    for (types, last) in [(101, 1), (103, 3)] {
        let lines: Vec<String> = (1..=types).map(|number| format!("t{number}: ./missing {number}\n")).collect();

        let finished = App::new(&lines.concat()).dyno(["check"]).run();

        finished.expect_end(Ended::Code(0));
        let summary = format!("note: Procfile:101: and {last} more like this\n");
        assert!(finished.stderr().contains(&summary), "{}", finished.stderr());
        assert_eq!(finished.stderr().matches("note: ").count(), 101);
    }
}

#[test]
fn s13_4_a_process_type_in_place_of_a_command_suggests_start() {
    let app = App::new("web: true\nworker: true\nserve: true\n").file("Procfile.dev", "css: true\n");

    for (line, typed, meant) in [
        (&["web"][..], "web", "dyno start web"),
        (&["web=2", "--restart"], "web=2", "dyno start web=2 --restart"),
        (&["web,worker"], "web,worker", "dyno start web,worker"),
        (&["wbe"], "wbe", "dyno start web"),
        (&["-f", "Procfile.dev", "css"], "css", "dyno -f Procfile.dev start css"),
        (&["up"], "up", "dyno start"),
        // The app's own process type, not the word of another tool.
        (&["serve"], "serve", "dyno start serve"),
        (&["strat"], "strat", "dyno start"),
        (&["exec", "sh", "-c", "echo $A"], "exec", "dyno run sh -c 'echo $A'"),
        (&["Procfile.dev"], "Procfile.dev", "dyno start -f Procfile.dev"),
        (&["sh", "-c", "true"], "sh", "dyno run sh -c true"),
    ] {
        refuses(&app, line, &format!("unknown command `{typed}`"), &format!("did you mean `{meant}`?"));
    }
    refuses(&app, &["xyzzy"], "unknown command `xyzzy`", "`dyno --help` lists the commands");
}

#[test]
fn s13_4_a_file_in_place_of_an_argument_suggests_its_option() {
    let app = App::new("web: true\nworker: true\n").file("Procfile.x", "css: true\n").file("ci.env", "");

    let unknown = "the Procfile has no process type `Procfile.x`";
    refuses(&app, &["start", "Procfile.x"], unknown, "did you mean `-f Procfile.x`?");
    refuses(&app, &["smoke", "Procfile.x"], unknown, "did you mean `-f Procfile.x`?");
    for (line, option) in
        [(["check", "Procfile.x"], "-f"), (["release", "Procfile.x"], "-f"), (["check", "ci.env"], "-e")]
    {
        let [command, file] = line;
        let hint = format!("did you mean `dyno {command} {option} {file}`?");
        refuses(&app, &line, &format!("unexpected argument `{file}`"), &hint);
    }
    refuses(&app, &["check", "web"], "unexpected argument `web`", "`dyno help check` lists its options");
}

#[test]
fn s19_1_a_command_without_dashes_suggests_them() {
    let app = App::new("web: true\nworker: true\n");

    let unknown = |name: &str| format!("the Procfile has no process type `{name}`");
    let hint = |line: &str| format!("to run a command, write `--` before it: `{line}`");
    refuses(&app, &["smoke", "no-npm", "test"], &unknown("no-npm"), &hint("dyno smoke -- no-npm test"));
    refuses(&app, &["smoke", "web", "sh", "-z"], "unknown option `-z`", "`dyno help smoke` lists its options");
    refuses(&app, &["smoke", "web", "sh", "x y"], &unknown("sh"), &hint("dyno smoke web -- sh 'x y'"));
    refuses(&app, &["smoke", "wbe"], &unknown("wbe"), "did you mean `web`?");
    refuses(&app, &["smoke", "xyzzy"], &unknown("xyzzy"), "it has `web`, `worker`");
}

#[test]
fn s4_2_the_whole_formation_and_process_types_exclude_each_other() {
    let app = App::new("web: true\nworker: true\n");

    for (line, named, meant) in [
        (&["start", "-m", "web=1", "worker"][..], "worker", "-m web=1,worker=1"),
        (&["start", "worker=2", "web", "-m", "all=1"], "worker=2,web", "-m all=1,worker=2,web=1"),
        (&["smoke", "-m", "web=1", "-l", "worker"], "worker", "-m web=1,worker=1"),
    ] {
        let fact = format!("`-m` sets the whole formation, so `{named}` cannot be named as well");
        refuses(&app, line, &fact, &format!("write `{meant}`"));
    }
}

#[test]
fn a_negative_number_is_a_wrong_value_not_an_unknown_option() {
    let app = App::new("web: true\n");

    let seconds = "write a number of seconds from 0 to 86400";
    refuses(&app, &["start", "-t", "-1"], "`-1` is not a valid value for `--timeout`", seconds);
    refuses(&app, &["smoke", "--grace", "-1"], "`-1` is not a valid value for `--grace`", seconds);
    let number = "write a whole number from 0 to 65535";
    refuses(&app, &["start", "--port-step", "-1"], "`-1` is not a valid value for `--port-step`", number);
    let port = "give a port such as `-p 5000`, or `-p auto`";
    refuses(&app, &["start", "-p", "-1"], "`-p -1` is not a port number from 1 to 65535", port);
}

#[test]
fn s13_4_hints_list_at_most_three_names() {
    let app = App::new("aa: true\nbb: true\ncc: true\ndd: true\nee: true\n");

    refuses(
        &app,
        &["start", "xyzzy"],
        "the Procfile has no process type `xyzzy`",
        "it has `aa`, `bb`, `cc` and 2 more",
    );
    let fact = "`--quiet`: the Procfile has no process type `xyzzy`";
    refuses(&app, &["start", "-q", "xyzzy"], fact, "it has `aa`, `bb`, `cc` and 2 more");
}

#[test]
fn s13_4_every_usage_error_has_a_hint_to_type() {
    let app = App::new("web: true\n");

    for (line, fact, hint) in [
        (&["-m", "web=1"][..], "unknown option `-m`", "did you mean `dyno start -m web=1`?"),
        (&["-f", "Procfile"], "a command is missing", "`dyno start` runs the app; `dyno --help` lists the commands"),
        (&["start", "--nope"], "unknown option `--nope`", "`dyno help start` lists its options"),
        (&["start", "--prot", "1"], "unknown option `--prot`", "did you mean `--port`?"),
        (&["start", "--color", "x"], "`x` is not a valid value for `--color`", "write `auto`, `always` or `never`"),
        (&["start", "--color"], "`--color` needs a value", "write `--color WHEN`"),
        (&["start", "--restart=1"], "`--restart` takes no value", "write `--restart` alone"),
        (
            &["start", "-p", "1", "-p", "2"],
            "`--port` is given twice",
            "did you mean `dyno start -p 1` or `dyno start -p 2`?",
        ),
        (&["run"], "`dyno run` needs `COMMAND`", "for example `dyno run rails console`"),
        (&["completions", "zhs"], "`zhs` is not a valid value for `SHELL`", "did you mean `zsh`?"),
        (&["man", "xyzzy"], "there is no manual page `xyzzy`", "`dyno --help` lists the commands"),
        (&["help", "xyzzy"], "there is no command or topic `xyzzy`", "`dyno help` lists the commands and topics"),
        (&["help", "prots"], "there is no command or topic `prots`", "did you mean `dyno help ports`?"),
        (
            &["start", "-m", "web=1", "-c", "web=2"],
            "`--formation` cannot be used with `--concurrency`",
            "did you mean `dyno start -m web=1` or `dyno start -c web=2`?",
        ),
        (
            &["start", "--max-delay", "3"],
            "`--max-delay` needs `--restart` or `--heroku`",
            "did you mean `dyno start --restart --max-delay 3`?",
        ),
    ] {
        refuses(&app, line, fact, hint);
    }
}

#[test]
fn help_of_help_is_help_and_v_is_the_version() {
    let app = App::empty();
    let help = app.dyno(["help"]).run();
    let version = concat!("dyno ", env!("CARGO_PKG_VERSION"), "\n");

    for flag in ["--help", "-h", "help"] {
        app.dyno(["help", flag]).run().expect(Ended::Code(0), &help.stdout(), "");
    }
    for flag in ["-v", "-V", "--version"] {
        app.dyno([flag]).run().expect(Ended::Code(0), version, "");
    }
}

#[test]
fn s2_9_too_many_small_variables_are_reported_by_their_number() {
    let file: Vec<String> = (1..=150_000).map(|number| format!("K{number}=1\n")).collect();
    let app = App::new("web: true\n").file("many.env", file.concat());

    let fact =
        "the environment has N variables with N bytes, over the system limit of N bytes; N of them are in many.env";
    let hint = "hint: remove variables that the app does not read, or let it read them from a file";

    for (args, before, blank) in [
        (&["start", "-e", "many.env"][..], "error: ", "\n"),
        (&["run", "-e", "many.env", "true"], "error: ", "\n"),
        (&["smoke", "-e", "many.env"], "error: ", "\n"),
        (&["check", "-e", "many.env"], "error: ", ""),
    ] {
        let finished = app.dyno([]).args(args).after("ulimit -s 8192").run();

        let stderr = finished.stderr();
        let expected = (Ended::Code(78), String::new(), format!("{before}{fact}\n{blank}{hint}\n"));
        assert_eq!((finished.ended, finished.stdout(), without_sizes(&stderr)), expected);
        let count: u32 = stderr.split_once("has ").unwrap().1.split(' ').next().unwrap().parse().unwrap();
        // The harness sets a few, and `dyno` some more.
        assert!((150_001..150_040).contains(&count), "{count}");
    }
}

#[test]
fn s7_2_the_system_name_has_the_foreground_of_the_terminal() {
    let app = App::new("web: read -r _ <never\n").fifo("never");
    let dyno = app.dyno(["start", "--color", "always", "--no-timestamps", "-p", RARE_PORT]).spawn();
    dyno.until_shown("started with pid");
    dyno.signal(Signal::SIGTERM);

    let stdout = "\u{1b}[36mweb.1  | \u{1b}[0mstarted with pid PID\n\
                  \u{1b}[39msystem | \u{1b}[0mSIGTERM received, starting shutdown\n\
                  \u{1b}[39msystem | \u{1b}[0msending SIGTERM to all processes\n\
                  \u{1b}[36mweb.1  | \u{1b}[0mterminated by SIGTERM\n";
    dyno.finish().expect(Ended::Signal(Signal::SIGTERM), stdout, "");
}

const COMPLETIONS: &str = "\
Print the completion script for a shell

Usage: dyno completions <SHELL>

Arguments:
  <SHELL>  The shell to print the script for [possible values: bash, zsh, fish,
           elvish]

Options:
  -h, --help  Print this help

";

const INSTALL_COMPLETIONS: &str = "\
Examples:
  echo '. <(dyno completions bash)' >> ~/.bashrc
  echo 'autoload -U compinit; compinit; . <(dyno completions zsh)' >> ~/.zshrc
  mkdir -p ~/.config/fish/completions ~/.config/elvish
  echo 'dyno completions fish | source' > ~/.config/fish/completions/dyno.fish
  echo 'eval (dyno completions elvish | slurp)' >> ~/.config/elvish/rc.elv

Each takes effect in the next shell and needs no change when `dyno` is updated.
";

#[test]
fn completions_can_be_installed_on_a_fresh_account() {
    let app = App::empty();
    let help = app.dyno(["completions", "--help"]).run();
    help.expect(Ended::Code(0), &format!("{COMPLETIONS}{INSTALL_COMPLETIONS}"), "");

    let lines = INSTALL_COMPLETIONS.lines().filter_map(|line| line.strip_prefix("  ")).collect::<Vec<_>>().join("\n");
    let script = format!("set -e\n{lines}\n");
    let installed = app.dyno([]).under(&["sh", "-c", &script]).run();

    installed.expect(Ended::Code(0), "", "");
    let home = app.top().join("home");
    let read = |name: &str| std::fs::read_to_string(home.join(name)).unwrap();
    assert_eq!(read(".bashrc"), ". <(dyno completions bash)\n");
    assert_eq!(read(".config/fish/completions/dyno.fish"), "dyno completions fish | source\n");
    assert_eq!(read(".config/elvish/rc.elv"), "eval (dyno completions elvish | slurp)\n");
}
