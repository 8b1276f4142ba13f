//! Odd Procfiles and `.env` files that people have really written: how they are read, and which problems are reported.

use dynorun::app::{EnvFile, EnvScope, Problem, Procfile, Severity, line_for_shell};
use dynorun::model::{Environment, Shell};

/// The entries as `NAME = COMMAND`, then the problems as `LABEL:LINE: MESSAGE`.
fn procfile(text: &str) -> Vec<String> {
    let (entries, problems) = match Procfile::parse(text.as_bytes()) {
        Ok(procfile) => {
            let shown =
                |entry: &dynorun::app::ProcfileEntry| format!("{} = {}", entry.process_type, entry.command_line());
            (procfile.entries().iter().map(shown).collect(), procfile.problems().to_vec())
        }
        Err(problems) => (Vec::new(), problems),
    };
    with_problems(entries, &problems)
}

/// The variables as `KEY = VALUE`, then the problems.
fn env(text: &str) -> Vec<String> {
    let inherited = Environment::default();
    let scope = EnvScope { earlier: &[], inherited: &inherited, inherited_first: false };
    let (entries, problems) = match EnvFile::parse(text.as_bytes(), &scope) {
        Ok(file) => {
            let shown = |entry: &dynorun::app::EnvEntry| {
                format!("{} = {}", entry.key, String::from_utf8_lossy(entry.value.reveal()))
            };
            (file.entries().iter().map(shown).collect(), file.problems().to_vec())
        }
        Err(problems) => (Vec::new(), problems),
    };
    with_problems(entries, &problems)
}

fn with_problems(mut lines: Vec<String>, problems: &[Problem]) -> Vec<String> {
    let label = |problem: &Problem| if problem.severity == Severity::Error { "error" } else { "warning" };
    let shown = |problem: &Problem| format!("{}:{}: {}", label(problem), problem.line, problem.message);
    lines.extend(problems.iter().map(shown));
    lines
}

/// The line that `/bin/sh -c` gets for a command.
fn shell_line(command: &str) -> String {
    let parsed = Procfile::parse(format!("web: {command}").as_bytes());
    let entry = parsed.iter().flat_map(Procfile::entries).next();
    let line = entry.map(|entry| line_for_shell(&entry.command, Shell::Sh));
    String::from_utf8_lossy(&line.unwrap_or_default()).into_owned()
}

#[test]
fn a_windows_file_with_a_blank_line_is_read_without_carriage_returns() {
    assert_eq!(procfile("web: python3 bot.py\r\n\r\n"), ["web = python3 bot.py"]);
}

#[test]
fn a_heroku_command_in_a_procfile_is_an_entry_with_a_warning() {
    assert_eq!(
        procfile("worker: python bot.py\nps:scale worker=1\n"),
        [
            "worker = python bot.py",
            "ps = scale worker=1",
            "warning:2: `ps:scale` looks like a Heroku command, but it defines the process type `ps`",
        ]
    );
}

#[test]
fn no_blank_is_needed_after_the_colon() {
    assert_eq!(procfile("web:flask --app site run\n"), ["web = flask --app site run"]);
}

#[test]
fn each_marker_of_a_merge_conflict_is_reported() {
    let text = "<<<<<<< HEAD\nweb: one\n=======\nweb: two\n>>>>>>> 1a2b3c4\n";

    assert_eq!(
        procfile(text),
        [
            "web = two",
            "warning:1: `<<<<<<< HEAD` is a merge conflict marker",
            "warning:3: `=======` is a merge conflict marker",
            "warning:4: `web` is defined on line 2 and again here; this command is used",
            "warning:5: `>>>>>>> 1a2b3c4` is a merge conflict marker",
        ]
    );
}

#[test]
fn the_second_line_of_a_wrapped_comment_is_not_an_entry() {
    assert_eq!(
        procfile("# two workers, because one is not\n     quick enough.\nweb: rails s\n"),
        ["web = rails s", "warning:2: `quick enough.` has no process type"]
    );
}

#[test]
fn types_that_are_defined_twice_are_reported_with_both_lines() {
    let text = "web: unicorn\njobs: threaded.rb\n\n# production\nweb: unicorn -E production\njobs: delayed_job\n";

    assert_eq!(
        procfile(text),
        [
            "web = unicorn -E production",
            "jobs = delayed_job",
            "warning:5: `web` is defined on line 1 and again here; this command is used",
            "warning:6: `jobs` is defined on line 2 and again here; this command is used",
        ]
    );
}

#[test]
fn a_duplicate_name_gets_a_hint_to_rename_it() {
    let procfile = Procfile::parse(b"css: yarn build:css\ncss: yarn build:admin-css\n").unwrap();

    assert_eq!(procfile.problems()[0].hint, "remove one of them, or rename one, for example to `css_2`, to run both");
}

#[test]
fn a_name_with_a_colon_does_not_define_a_process_type() {
    let text = "generate:api: pnpm generate\ngenerate:css: pnpm css\nweb: pnpm dev\n";

    assert_eq!(
        procfile(text),
        [
            "web = pnpm dev",
            "warning:1: `generate:api` is not a valid process type: the name contains a colon",
            "warning:2: `generate:css` is not a valid process type: the name contains a colon",
        ]
    );
    assert_eq!(Procfile::parse(text.as_bytes()).unwrap().problems()[0].hint, "write `generate-api: COMMAND`");
}

#[test]
fn a_command_that_ends_in_a_backslash_is_not_started() {
    assert_eq!(
        procfile("web: gunicorn site.wsgi \\\n  --log-file -\nworker: celery\n"),
        [
            "worker = celery",
            "warning:1: the command of `web` ends in a backslash, but lines are not joined",
            "warning:2: `--log-file -` continues line 1, but lines are not joined",
        ]
    );
}

#[test]
fn a_missing_colon_after_a_common_name_is_reported_as_such() {
    assert_eq!(
        procfile("web: puma\nrelease bundle exec rake db:migrate\n"),
        ["web = puma", "warning:2: the colon after `release` is missing"]
    );
}

#[test]
fn stray_commands_and_yaml_document_markers_are_reported() {
    assert_eq!(
        procfile("web: rails s\nmailcatcher -f\nbash startup script\n---\n"),
        [
            "web = rails s",
            "warning:2: `mailcatcher -f` has no process type",
            "warning:3: `bash startup script` has no process type",
            "warning:4: `---` looks like YAML",
        ]
    );
}

#[test]
fn the_keys_of_a_yaml_file_are_not_entries() {
    let text = "root: /opt/app\nuser: app\nprocesses:\n  web:\n    quantity: 2\n    restart: on-exit\n  cron:\n    quantity: 1\n";

    assert_eq!(procfile(text), ["error:3: the file looks like YAML: 6 of 8 lines are not Procfile entries"]);
}

#[test]
fn long_names_and_long_lines_are_kept_whole() {
    let name = "notify-experiment-server-started";
    let command = format!("stripe listen --events {}", "a.b.c,".repeat(90));

    assert_eq!(procfile(&format!("{name}: {command}\n")), [format!("{name} = {command}")]);
}

#[test]
fn a_background_process_inside_quotes_is_left_to_the_inner_shell() {
    let command = "sh -c \"uvicorn app & python main.py\"";

    assert_eq!(shell_line(command), format!("exec {command}"));
}

#[test]
fn quotes_with_semicolons_reach_the_shell_untouched() {
    let command = "ssh host 'killall play; sudo nice -n -20 play -'";

    assert_eq!(shell_line(command), format!("exec {command}"));
}

#[test]
fn an_ampersand_inside_quotes_does_not_start_a_background_process() {
    let command = "puma -b \"ssl://0.0.0.0:$PORT?key=k.pem&cert=c.pem\"";

    assert_eq!(shell_line(command), format!("exec {command}"));
}

#[test]
fn default_values_of_variables_are_left_to_the_shell() {
    for command in ["rails s -b ${BIND:=127.0.0.1}", "rails s -p ${PORT:=\"3000\"}"] {
        assert_eq!(shell_line(command), format!("exec {command}"));
    }
}

#[test]
fn windows_syntax_in_a_procfile_gets_warnings() {
    assert_eq!(
        procfile("web: python manage.py runserver %PORT%\njob: bin\\job.bat\n"),
        [
            "web = python manage.py runserver %PORT%",
            "job = bin\\job.bat",
            "warning:1: `%PORT%` is a variable on Windows only",
            "warning:2: the shell drops the backslashes of `bin\\job.bat`",
        ]
    );
}

#[test]
fn a_nested_foreman_is_a_simple_command() {
    assert_eq!(
        shell_line("bundle exec foreman start -f Procfile.heroku"),
        "exec bundle exec foreman start -f Procfile.heroku"
    );
}

#[test]
fn a_comment_after_a_command_is_left_to_the_shell() {
    let command = "./release.sh # whatever it's for; really";

    assert_eq!(procfile(&format!("release: {command}\n")), [format!("release = {command}")]);
    assert_eq!(shell_line(command), format!("exec {command}"));
}

#[test]
fn json_over_many_lines_in_single_quotes_is_one_variable() {
    let json = "{\n  \"type\": \"service_account\",\n  \"private_key\": \"a\\nb\"\n}";

    assert_eq!(env(&format!("GOOGLE='{json}'\nNEXT=1\n")), [format!("GOOGLE = {json}"), "NEXT = 1".to_owned()]);
}

#[test]
fn colons_and_blanks_between_key_and_value_are_accepted() {
    assert_eq!(
        env("DB_URL:\t\t\tredis://localhost\nK = \"v\"\nE= \"\"\n"),
        ["DB_URL = redis://localhost", "K = v", "E = "]
    );
}

#[test]
fn exports_of_a_shell_script_are_read_and_its_other_lines_reported() {
    let text = "#!/bin/sh\ncase $1 in\n  a) export MODE=a;;\nesac\nexport NAME=\"x\"\n<% if true %>\n";

    assert_eq!(
        env(text),
        [
            "NAME = x",
            "warning:2: this line is not an assignment",
            "warning:3: the text before `=` is not a valid variable name",
            "warning:4: this line is not an assignment",
            "warning:6: this line is not an assignment",
        ]
    );
}

#[test]
fn a_hash_begins_a_comment_only_after_a_blank() {
    assert_eq!(env("A=#see readme\nB=5432     # Port\nC=ab#cd\n"), ["A = ", "B = 5432", "C = ab#cd"]);
}

#[test]
fn inner_quotes_defaults_backslashes_and_pem_keys_are_read() {
    let text = "TLS={certs=\"/c.pem\",key=\"/k.pem\"}\nDEBUG=${DEBUG:-false}\nCLASS=\"Symfony\\Component\\Cache\"\n\
                KEY=\"-----BEGIN KEY-----\\nabc\\n-----END KEY-----\\n\"\n";

    assert_eq!(
        env(text),
        [
            "TLS = {certs=\"/c.pem\",key=\"/k.pem\"}",
            "DEBUG = false",
            "CLASS = Symfony\\Component\\Cache",
            "KEY = -----BEGIN KEY-----\nabc\n-----END KEY-----\n",
        ]
    );
}
