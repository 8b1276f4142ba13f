//! What is read of a whole file and what is told of it, and that no line of any file is passed over.

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

fn told(text: &str) -> Vec<String> {
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
fn entries_come_in_the_order_of_the_file_with_lines_and_spans() {
    let text = "\u{feff}# web\r\nweb:\tnpm start  \r\n\r\nrelease:./migrate # now\r\n";

    assert_eq!(entries(text), [entry("web", "npm start", 2), entry("release", "./migrate # now", 4)]);
    let procfile = Procfile::parse(text.as_bytes()).unwrap();
    assert_eq!(&text[procfile.entries()[0].span.clone()], "web:\tnpm start  ");
    assert_eq!(procfile.release().unwrap().line, 4);
    assert_eq!(procfile.formation_types().len(), 1);
}

#[test]
fn the_last_command_of_a_name_wins_at_the_first_one_s_place() {
    let text = "css: a\nweb: b\ncss: c\ncss: d\n";

    assert_eq!(entries(text), [entry("css", "d", 4), entry("web", "b", 2)]);
    assert_eq!(
        told(text),
        [
            "warning:3: `css` is defined on line 1 and again here; this command counts",
            "warning:4: `css` is defined on line 3 and again here; this command counts",
        ]
    );
}

#[test]
fn bytes_that_are_not_utf_8_reach_the_shell_unchanged() {
    let procfile = Procfile::parse(b"web: echo \xFF").unwrap();

    assert_eq!(procfile.entries()[0].command, b"echo \xFF");
}

#[test]
fn a_few_lines_that_are_no_entries_are_told_one_by_one() {
    assert_eq!(
        told("web: a\nnpm start\nmy.worker: x\n"),
        [
            "warning:2: `npm start` has no process type",
            "warning:3: `my.worker` is no process type: the name has a character other than A-Z a-z 0-9 _ -",
        ]
    );
}

#[test]
fn a_file_of_another_kind_is_refused_in_one_sentence() {
    let compose = "version: '3'\nservices:\n  web:\n    image: x\n    ports:\n      - '80:80'\n";
    assert_eq!(
        told(compose),
        ["error:2: the file looks like a docker-compose file: 5 of 6 lines are no entries of a Procfile"]
    );
    let yaml = "root: /srv\nprocesses:\n  web:\n    command: x\n  worker:\n    command: y\n";
    assert_eq!(told(yaml).len(), 1);
    assert!(told(yaml)[0].contains("looks like YAML"), "{:?}", told(yaml));
    let script = "#!/bin/sh\nset -e\nif true; then\n  npm start\nfi\n";
    assert!(told(script)[0].contains("looks like a script"), "{:?}", told(script));
    let json = "{\n  \"web\": \"x\",\n  \"a\": \"b\",\n  \"c\": 1\n}\n";
    assert!(told(json)[0].contains("looks like JSON"), "{:?}", told(json));
    assert_eq!(
        told("{\"web\": \"x\"}")[0],
        "error:1: the file looks like JSON: 1 of 1 lines are no entries of a Procfile"
    );
    let env = "A=1\nB=2\nexport C=3\nD=4\n";
    assert_eq!(told(env), ["error:1: the file looks like a `.env` file: 4 of 4 lines are no entries of a Procfile"]);
}

#[test]
fn a_short_file_of_another_kind_is_refused_in_one_sentence_too() {
    let compose = "version: '3'\nservices:\n  web:\n    image: nginx\n";
    assert_eq!(
        told(compose),
        ["error:2: the file looks like a docker-compose file: 3 of 4 lines are no entries of a Procfile"]
    );
    let workflow = "name: test\non: push\njobs:\n  test:\n    runs-on: ubuntu\n";
    assert_eq!(told(workflow), ["error:3: the file looks like YAML: 3 of 5 lines are no entries of a Procfile"]);
    let script = "set -e\nnpm install\nnpm start\n";
    assert_eq!(
        told(script),
        ["error:1: the file looks like a shell script: 3 of 3 lines are no entries of a Procfile"]
    );
    let script = "#!/bin/sh\nset -e\nnpm run build\nhttp: no\n";
    assert_eq!(told(script), ["error:2: the file looks like a script: 2 of 3 lines are no entries of a Procfile"]);
}

#[test]
fn a_short_procfile_with_slips_in_most_of_its_lines_is_used_as_far_as_it_can_be() {
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
fn s1_4_lines_that_are_the_only_ones_are_the_reason_why_nothing_is_defined() {
    assert_eq!(told("web:\n"), ["error:1: `web` has no command"]);
    assert_eq!(told("web:\nworker:\n"), ["error:1: `web` has no command", "error:2: `worker` has no command"]);
    assert_eq!(told("npm start\n"), ["error:1: `npm start` has no process type"]);
    let lines = "p1 true\n".repeat(1000);
    assert_eq!(told(&lines), ["error:1: 1000 of 1000 lines are no entries of a Procfile"]);
    assert_eq!(told("# nothing\n"), ["error:1: no process type is defined"]);
    let conflicts = told(&"=======\n".repeat(1200));
    assert_eq!(conflicts.last().unwrap(), "error:101: 1100 more problems from here on");
}

#[test]
fn a_file_of_nothing_known_is_told_in_one_sentence_too_but_its_entries_are_used() {
    let text = "web: a\nlorem ipsum dolor\nsit amet\nconsectetur elit\nsed do\n";

    assert_eq!(told(text), ["warning:2: 4 of 5 lines are no entries of a Procfile"]);
    assert_eq!(entries(text), [entry("web", "a", 1)]);
}

#[test]
fn lines_below_a_key_without_a_command_invent_no_process_type() {
    let text = "web:\n  command: npm start\n# c\n\n  env: x\nworker: y\n";

    assert_eq!(entries(text), [entry("worker", "y", 6)]);
}

#[test]
fn a_continued_command_is_left_out_with_all_of_its_lines() {
    let text = "web: gunicorn \\\n  --bind: x \\\n  app:app\nworker: y\n";

    assert_eq!(entries(text), [entry("worker", "y", 4)]);
    assert_eq!(
        told(text),
        [
            "warning:1: the command of `web` ends in a backslash, and lines are not joined",
            "warning:2: `--bind: x \\` continues line 1, and lines are not joined",
            "warning:3: `app:app` continues line 1, and lines are not joined",
        ]
    );
}

#[test]
fn a_file_without_entries_is_an_error() {
    for text in ["", "\n", "# web: x\n"] {
        assert_eq!(told(text), ["error:1: no process type is defined"]);
    }
}

#[test]
fn hundred_thousands_of_bad_lines_give_a_page_of_problems() {
    let problems = told(&"x\nweb: y\nweb: z\n".repeat(100_000));

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
    fn any_bytes_are_read_or_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Procfile::parse(&bytes);
    }

    #[test]
    fn every_line_is_an_entry_blank_a_comment_or_a_problem(lines in proptest::collection::vec(line(), 0..7)) {
        let text = lines.join("\n");
        let Ok(procfile) = Procfile::parse(text.as_bytes()) else { return Ok(()) };
        if procfile.problems.iter().any(|problem| problem.message.contains("lines are no entries")) {
            return Ok(());
        }

        for (index, line) in text.trim_start_matches('\u{feff}').split('\n').enumerate() {
            let line = line.trim_matches([' ', '\t', '\r']);
            let ignored = line.is_empty() || line.starts_with('#');
            let read = procfile.entries().iter().any(|entry| entry.line == index + 1);
            // The first of two definitions is named in the problem of the second.
            let named = |problem: &Problem| problem.message.contains(&format!("on line {} ", index + 1));
            let told = procfile.problems.iter().any(|problem| problem.line == index + 1 || named(problem));
            prop_assert!(ignored || read || told, "{:?} is passed over", line);
        }
    }

    #[test]
    fn entries_written_out_are_read_as_the_same(lines in proptest::collection::vec(line(), 0..7)) {
        let Ok(procfile) = Procfile::parse(lines.join("\n").as_bytes()) else { return Ok(()) };

        let line = |entry: &ProcfileEntry| [entry.process_type.as_str().as_bytes(), b": ", &entry.command, b"\n"].concat();
        let written: Vec<u8> = procfile.entries().iter().flat_map(line).collect();

        let shown = |procfile: &Procfile| -> Vec<_> {
            procfile.entries.iter().map(|entry| (entry.process_type.clone(), entry.command.clone())).collect()
        };
        prop_assert_eq!(shown(&Procfile::parse(&written).unwrap()), shown(&procfile));
    }
}
