//! Tests which entries and problems a whole file produces, and that no line of any file is ignored silently.

use proptest::prelude::*;

use super::*;

fn entries(text: &str) -> Vec<(String, String, usize)> {
    let procfile = Procfile::parse(text.as_bytes()).unwrap();
    let shown = |entry: &ProcfileEntry| (entry.process_type.to_string(), entry.command_line().into_owned(), entry.line);
    procfile.entries().iter().map(shown).collect()
}

fn entry(name: &str, command: &str, line: usize) -> (String, String, usize) {
    (name.to_owned(), command.to_owned(), line)
}

fn problems(text: &str) -> Vec<String> {
    let problems = Procfile::parse(text.as_bytes()).map_or_else(|problems| problems, |procfile| procfile.problems);
    problems
        .iter()
        .map(|problem| {
            let label = if problem.severity == Severity::Error { "error" } else { "warning" };
            format!("{label}:{}: {}", problem.line, problem.message)
        })
        .collect()
}

#[test]
fn entries_are_in_the_order_of_the_file_with_lines_and_spans() {
    let text = "\u{feff}# web\r\nweb:\tnpm start  \r\n\r\nrelease:./migrate # now\r\n";

    assert_eq!(entries(text), [entry("web", "npm start", 2), entry("release", "./migrate # now", 4)]);
    let procfile = Procfile::parse(text.as_bytes()).unwrap();
    assert_eq!(&text[procfile.entries()[0].span.clone()], "web:\tnpm start  ");
    assert_eq!(procfile.release().unwrap().line, 4);
    assert_eq!(procfile.formation_types().len(), 1);
}

#[test]
fn the_last_command_of_a_name_is_used_in_the_place_of_the_first() {
    let text = "css: a\nweb: b\ncss: c\ncss: d\n";

    assert_eq!(entries(text), [entry("css", "d", 4), entry("web", "b", 2)]);
    assert_eq!(
        problems(text),
        [
            "warning:3: `css` is defined on line 1 and again here; this command is used",
            "warning:4: `css` is defined on line 3 and again here; this command is used",
        ]
    );
}

#[test]
fn bytes_that_are_not_utf_8_reach_the_shell_unchanged() {
    let procfile = Procfile::parse(b"web: echo \xFF").unwrap();

    assert_eq!(procfile.entries()[0].command, b"echo \xFF");
}

#[test]
fn a_few_lines_that_are_not_entries_are_reported_one_by_one() {
    assert_eq!(
        problems("web: a\nnpm start\nmy.worker: x\n"),
        [
            "warning:2: `npm start` has no process type",
            "warning:3: `my.worker` is not a valid process type: use only A-Z a-z 0-9 _ -",
        ]
    );
}

#[test]
fn a_file_of_another_kind_is_refused_with_one_problem() {
    let compose = "version: '3'\nservices:\n  web:\n    image: x\n    ports:\n      - '80:80'\n";
    assert_eq!(
        problems(compose),
        ["error:2: the file looks like a docker-compose file: 5 of 6 lines are not Procfile entries"]
    );
    let yaml = "root: /srv\nprocesses:\n  web:\n    command: x\n  worker:\n    command: y\n";
    assert_eq!(problems(yaml).len(), 1);
    assert!(problems(yaml)[0].contains("looks like YAML"), "{:?}", problems(yaml));
    let script = "#!/bin/sh\nset -e\nif true; then\n  npm start\nfi\n";
    assert!(problems(script)[0].contains("looks like a script"), "{:?}", problems(script));
    let json = "{\n  \"web\": \"x\",\n  \"a\": \"b\",\n  \"c\": 1\n}\n";
    assert!(problems(json)[0].contains("looks like JSON"), "{:?}", problems(json));
    assert_eq!(
        problems("{\"web\": \"x\"}")[0],
        "error:1: the file looks like JSON: 1 of 1 lines are not Procfile entries"
    );
    let env = "A=1\nB=2\nexport C=3\nD=4\n";
    assert_eq!(problems(env), ["error:1: the file looks like a `.env` file: 4 of 4 lines are not Procfile entries"]);
}

#[test]
fn a_short_file_of_another_kind_is_refused_with_one_problem() {
    let compose = "version: '3'\nservices:\n  web:\n    image: nginx\n";
    assert_eq!(
        problems(compose),
        ["error:2: the file looks like a docker-compose file: 3 of 4 lines are not Procfile entries"]
    );
    let workflow = "name: test\non: push\njobs:\n  test:\n    runs-on: ubuntu\n";
    assert_eq!(problems(workflow), ["error:3: the file looks like YAML: 3 of 5 lines are not Procfile entries"]);
    let script = "set -e\nnpm install\nnpm start\n";
    assert_eq!(
        problems(script),
        ["error:1: the file looks like a shell script: 3 of 3 lines are not Procfile entries"]
    );
    let script = "#!/bin/sh\nset -e\nnpm run build\nhttp: no\n";
    assert_eq!(problems(script), ["error:2: the file looks like a script: 2 of 3 lines are not Procfile entries"]);
}

#[test]
fn a_short_procfile_with_mistakes_in_most_lines_is_still_used() {
    for text in [
        "A=1\nB=2\nserver: x\n",
        "api:\n  npm start\nserver: y\n",
        "web:\n  command: a\nworker: y\n",
        "{{ a }}\n{{ b }}\nserver: y\n",
        "set -e\nnpm install\nserver: y\n",
    ] {
        assert!(Procfile::parse(text.as_bytes()).is_ok(), "{text}");
    }
}

#[test]
fn s1_4_without_entries_the_invalid_lines_are_errors() {
    assert_eq!(problems("web:\n"), ["error:1: `web` has no command"]);
    assert_eq!(problems("web:\nworker:\n"), ["error:1: `web` has no command", "error:2: `worker` has no command"]);
    assert_eq!(problems("npm start\n"), ["error:1: `npm start` has no process type"]);
    let lines = problems(&"p1 true\n".repeat(1000));
    assert_eq!((lines.len(), lines[9].as_str()), (11, "error:10: `p1 true` has no process type"));
    assert_eq!(lines[10], "error:11: and 990 more: 1000 of 1000 lines are not Procfile entries");
    assert_eq!(problems("# nothing\n"), ["error:1: no process type is defined"]);
    let conflicts = problems(&"=======\n".repeat(1200));
    assert_eq!(conflicts.last().unwrap(), "error:101: and 1100 more problems");
}

#[test]
fn s1_4_a_file_of_unknown_kind_lists_its_bad_lines_and_uses_its_entries() {
    let text = "web: a\nlorem ipsum dolor\nsit amet\nconsectetur elit\nsed do\n";

    assert_eq!(
        problems(text),
        [
            "warning:2: `lorem ipsum dolor` has no process type",
            "warning:3: `sit amet` has no process type",
            "warning:4: `consectetur elit` has no process type",
            "warning:5: `sed do` has no process type",
        ]
    );
    assert_eq!(entries(text), [entry("web", "a", 1)]);
}

#[test]
fn lines_below_a_key_without_a_command_do_not_define_process_types() {
    let text = "web:\n  command: npm start\n# c\n\n  env: x\nworker: y\n";

    assert_eq!(entries(text), [entry("worker", "y", 6)]);
}

#[test]
fn a_continued_command_is_ignored_with_all_of_its_lines() {
    let text = "web: gunicorn \\\n  --bind: x \\\n  app:app\nworker: y\n";

    assert_eq!(entries(text), [entry("worker", "y", 4)]);
    assert_eq!(
        problems(text),
        [
            "warning:1: the command of `web` ends in a backslash, but lines are not joined",
            "warning:2: `--bind: x \\` continues line 1, but lines are not joined",
            "warning:3: `app:app` continues line 1, but lines are not joined",
        ]
    );
}

#[test]
fn a_file_without_entries_is_an_error() {
    for text in ["", "\n", "# web: x\n"] {
        assert_eq!(problems(text), ["error:1: no process type is defined"]);
    }
}

#[test]
fn the_number_of_problems_is_limited_for_a_file_with_many_bad_lines() {
    let problems = problems(&"x\nweb: y\nweb: z\n".repeat(100_000));

    assert_eq!(problems.len(), 101);
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ \t]{0,2}[a-z.:-]{0,5}[ \t]?:?[ \t]{0,2}[a-z$%#=\\\\'\"{}<>|-]{0,8}[ \t\r]{0,2}",
        "(web|worker|release|css): [a-z ./$-]{1,12}",
        "(#|=======|<<<<<<<|---|- |heroku |\\{%).{0,6}",
        ".{0,12}",
    ]
}

proptest! {
    #[test]
    fn parsing_any_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Procfile::parse(&bytes);
    }

    #[test]
    fn every_line_is_an_entry_blank_a_comment_or_a_problem(lines in proptest::collection::vec(line(), 0..7)) {
        let text = lines.join("\n");
        let Ok(procfile) = Procfile::parse(text.as_bytes()) else { return Ok(()) };

        for (index, line) in text.trim_start_matches('\u{feff}').split('\n').enumerate() {
            let line = line.trim_matches([' ', '\t', '\r']);
            let ignored = line.is_empty() || line.starts_with('#');
            let read = procfile.entries().iter().any(|entry| entry.line == index + 1);
            // The first of two definitions is named in the problem of the second.
            let named = |problem: &Problem| problem.message.contains(&format!("on line {} ", index + 1));
            let reported = procfile.problems.iter().any(|problem| problem.line == index + 1 || named(problem));
            prop_assert!(ignored || read || reported, "{:?} is neither read nor reported", line);
        }
    }

    #[test]
    fn written_entries_parse_to_the_same_entries(lines in proptest::collection::vec(line(), 0..7)) {
        let Ok(procfile) = Procfile::parse(lines.join("\n").as_bytes()) else { return Ok(()) };

        let line = |entry: &ProcfileEntry| [entry.process_type.as_str().as_bytes(), b": ", &entry.command, b"\n"].concat();
        let written: Vec<u8> = procfile.entries().iter().flat_map(line).collect();

        let shown = |procfile: &Procfile| -> Vec<_> {
            procfile.entries.iter().map(|entry| (entry.process_type.clone(), entry.command.clone())).collect()
        };
        prop_assert_eq!(shown(&Procfile::parse(&written).unwrap()), shown(&procfile));
    }
}
