//! What is known about servers that many apps run: their options for the port, and whether they read `PORT` by themselves.

use super::addresses::{local_address, loopback_host};
use super::shell_line::ShellCommand;

/// A server that a command starts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Server<'a> {
    pub(super) known: &'static KnownServer,
    /// The words after its name.
    arguments: &'a [String],
}

/// A server that many apps run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct KnownServer {
    /// Its name, and the first argument that makes it a server, such as `flask run`.
    words: &'static [&'static [&'static str]],
    /// Its options for a port or an address.
    ports: &'static [&'static str],
    /// Whether its first argument without a dash is a port or an address.
    pub(super) is_argument: bool,
    /// Whether it listens on `PORT` without an option for that. None: its configuration decides.
    reads_port: Option<bool>,
    /// What to append so that it does.
    pub(super) fix: &'static str,
    /// Its options for an address without a port.
    hosts: &'static [&'static str],
    /// What to append so that it does not listen on the loopback interface alone. Empty: it does not do that by itself.
    pub(super) public: &'static str,
}

const fn server(words: &'static [&'static [&'static str]], ports: &'static [&'static str]) -> KnownServer {
    KnownServer { words, ports, is_argument: false, reads_port: None, fix: "", hosts: &[], public: "" }
}

impl KnownServer {
    const fn reads_port(self) -> Self {
        Self { reads_port: Some(true), ..self }
    }

    /// It listens on another port. `fix`: the option with which it does not.
    const fn ignores_port(self, fix: &'static str) -> Self {
        Self { reads_port: Some(false), fix, ..self }
    }

    const fn with_hosts(self, hosts: &'static [&'static str]) -> Self {
        Self { hosts, ..self }
    }

    /// It listens on the loopback interface alone. `public`: the option with which it does not.
    const fn local(self, public: &'static str) -> Self {
        Self { public, ..self }
    }

    const fn with_argument(self) -> Self {
        Self { is_argument: true, ..self }
    }
}

static SERVERS: [KnownServer; 21] = [
    server(&[&["gunicorn"]], &["-b", "--bind"]).reads_port(),
    server(&[&["uvicorn"]], &["--port"])
        .ignores_port("--host 0.0.0.0 --port $PORT")
        .with_hosts(&["--host"])
        .local("--host 0.0.0.0"),
    server(&[&["hypercorn"]], &["-b", "--bind"])
        .ignores_port("--bind 0.0.0.0:$PORT")
        .local("--bind 0.0.0.0:$PORT")
        .with_hosts(&["-b", "--bind"]),
    server(&[&["daphne"]], &["-p", "--port"])
        .ignores_port("-b 0.0.0.0 -p $PORT")
        .with_hosts(&["-b", "--bind"])
        .local("-b 0.0.0.0"),
    server(&[&["waitress-serve"]], &["--port", "--listen"]).ignores_port("--port=$PORT").with_hosts(&["--host"]),
    server(&[&["flask"], &["run"]], &["-p", "--port"])
        .ignores_port("--host 0.0.0.0 --port $PORT")
        .with_hosts(&["-h", "--host"])
        .local("--host 0.0.0.0"),
    server(&[&["http.server"]], &[]).with_argument().with_hosts(&["-b", "--bind"]).ignores_port("$PORT"),
    server(&[&["manage.py", "django-admin"], &["runserver"]], &[])
        .with_argument()
        .ignores_port("0.0.0.0:$PORT")
        .local("0.0.0.0:$PORT"),
    server(&[&["rails"], &["server", "s"]], &["-p", "--port"]).reads_port().with_hosts(&["-b", "--binding"]),
    server(&[&["puma"]], &["-p", "--port", "-b", "--bind"]),
    server(&[&["unicorn", "unicorn_rails"]], &["-p", "--port", "-l", "--listen"]).with_hosts(&["-o", "--host"]),
    server(&[&["thin"], &["start"]], &["-p", "--port"]).with_hosts(&["-a", "--address"]),
    server(&[&["rackup"]], &["-p", "--port"]).with_hosts(&["-o", "--host"]),
    server(&[&["artisan"], &["serve"]], &["--port"])
        .ignores_port("--host 0.0.0.0 --port $PORT")
        .with_hosts(&["--host"])
        .local("--host 0.0.0.0"),
    server(&[&["php"], &["-S"]], &["-S"]),
    server(&[&["next"], &["start", "dev"]], &["-p", "--port"]).reads_port().with_hosts(&["-H", "--hostname"]),
    server(&[&["vite"], &["preview", "dev", "serve", ""]], &["--port"])
        .ignores_port("--host 0.0.0.0 --port $PORT")
        .with_hosts(&["--host"])
        .local("--host 0.0.0.0"),
    server(&[&["ng"], &["serve"]], &["--port"])
        .ignores_port("--host 0.0.0.0 --port $PORT")
        .with_hosts(&["--host"])
        .local("--host 0.0.0.0"),
    server(&[&["hugo"], &["server", "serve"]], &["-p", "--port"])
        .ignores_port("--bind 0.0.0.0 --port $PORT")
        .with_hosts(&["--bind"])
        .local("--bind 0.0.0.0"),
    server(&[&["jekyll"], &["serve", "server"]], &["-P", "--port"])
        .ignores_port("--host 0.0.0.0 --port $PORT")
        .with_hosts(&["-H", "--host"])
        .local("--host 0.0.0.0"),
    server(&[&["streamlit"], &["run"]], &["--server.port"])
        .ignores_port("--server.port $PORT")
        .with_hosts(&["--server.address"]),
];

/// Options with which a server gets its socket in another way.
const OTHER_SOCKETS: [&str; 5] = ["--uds", "--fd", "--unix-socket", "-u", "--endpoint"];

/// Programs that run the program after them, with how many words of their own.
const RUNNERS: [(&str, usize); 21] = [
    ("exec", 0),
    ("nohup", 0),
    ("bundle", 1),
    ("poetry", 1),
    ("pipenv", 1),
    ("pdm", 1),
    ("uv", 1),
    ("npx", 0),
    ("bunx", 0),
    ("yarn", 0),
    ("pnpm", 1),
    ("python", 0),
    ("python3", 0),
    ("python2", 0),
    ("ruby", 0),
    ("newrelic-admin", 1),
    ("ddtrace-run", 0),
    ("opentelemetry-instrument", 0),
    ("start-pgbouncer", 0),
    ("start-nginx", 0),
    ("qgtunnel", 0),
];

/// The last part of a path.
fn base_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// The words of the program itself, without those that only run it, such as `bundle exec` and `python -m`.
pub(super) fn program(command: &ShellCommand) -> &[String] {
    let mut words = command.words.as_slice();
    while let [first, rest @ ..] = words {
        let name = base_name(first);
        let next = if name == "env" {
            rest.iter().position(|word| !word.contains('=') && !word.starts_with('-')).and_then(|at| rest.get(at..))
        } else if name == "php" && rest.first().is_some_and(|word| base_name(word) == "artisan") {
            Some(rest)
        } else {
            let own = RUNNERS.iter().find(|(runner, _)| *runner == name).map(|(_, own)| *own);
            own.and_then(|own| rest.get(own..)).map(without_options)
        };
        match next {
            Some(next) if !next.is_empty() => words = next,
            Some(_) | None => break,
        }
    }
    words
}

/// Without the options of a runner, such as `-m` and `-u`.
fn without_options(words: &[String]) -> &[String] {
    let options = words.iter().take_while(|word| word.starts_with('-')).count();
    words.get(options..).unwrap_or_default()
}

impl<'a> Server<'a> {
    /// The server that a command starts. None: it starts another program.
    pub(super) fn of(command: &'a ShellCommand) -> Option<Self> {
        let (name, arguments) = program(command).split_first()?;
        let first = arguments.first().map_or("", String::as_str);
        let is_option = |word: &str| if word.starts_with('-') && word != "-S" { "" } else { word }.to_owned();
        let known = SERVERS.iter().find(|known| match known.words {
            [names] => names.contains(&base_name(name)),
            [names, verbs] => names.contains(&base_name(name)) && verbs.contains(&is_option(first).as_str()),
            _ => false,
        })?;
        Some(Self { known, arguments })
    }

    /// The port that it gets as a number, and the words to write instead: ``` ("3000", "-p $PORT") ```.
    pub(super) fn fixed_port(&self) -> Option<(u16, String)> {
        let argument = || self.arguments.iter().find(|word| port_of(word).is_some()).filter(|_| self.known.is_argument);
        fixed_port(self.arguments, self.known.ports)
            .or_else(|| argument().and_then(|word| Some((port_of(word)?, with_port_variable(word)))))
    }

    /// Whether it surely listens on a port other than `PORT`, if nothing in its command names that.
    pub(super) fn ignores_port(&self) -> bool {
        self.known.reads_port == Some(false) && !self.has_other_socket()
    }

    /// The loopback address that it gets, and the words to write instead.
    pub(super) fn local_address(&self) -> Option<(String, String)> {
        let argument = || self.arguments.iter().find(|word| loopback_host(word).is_some() && port_of(word).is_none());
        local_address(self.arguments, self.known.ports)
            .or_else(|| local_address(self.arguments, self.known.hosts))
            .or_else(|| {
                argument().filter(|_| self.known.is_argument).and_then(|word| {
                    let host = loopback_host(word)?;
                    Some((host.to_owned(), word.replacen(host, "0.0.0.0", 1)))
                })
            })
    }

    /// Whether it listens on the loopback interface alone, because no option names an address.
    pub(super) fn is_local_by_default(&self) -> bool {
        let names_host = |word: &&String| self.known.is_argument && word.contains(':');
        let has_address = given_values(self.arguments, self.known.hosts).next().is_some()
            // Without a value, `--host` of vite means every interface.
            || self.arguments.iter().any(|word| self.known.hosts.contains(&word.as_str()))
            || self.arguments.iter().any(|word| names_host(&word));
        !self.known.public.is_empty() && !has_address && !self.has_other_socket()
    }

    /// Whether an option gives it a socket without a port.
    fn has_other_socket(&self) -> bool {
        self.arguments.iter().any(|word| {
            let name = word.split('=').next().unwrap_or(word);
            OTHER_SOCKETS.contains(&name) || word.contains("unix:")
        })
    }

    /// Its name.
    pub(super) fn name(&self) -> String {
        let names: Vec<&str> = self.known.words.iter().filter_map(|names| names.first().copied()).collect();
        names.join(" ")
    }
}

/// A value that an option gets.
pub(super) struct GivenValue<'a> {
    pub(super) option: &'a str,
    /// What is between the option and the value, as it should be written.
    pub(super) between: char,
    pub(super) value: &'a str,
}

/// The values of these options: `--port=3000`, `-p 3000` and `-p3000`.
pub(super) fn given_values<'a>(words: &'a [String], options: &'a [&'a str]) -> impl Iterator<Item = GivenValue<'a>> {
    words.iter().enumerate().filter_map(move |(at, word)| {
        let given = |option, between, value| Some(GivenValue { option, between, value });
        if let Some((option, value)) = word.split_once('=').filter(|(name, _)| options.contains(name)) {
            return given(option, '=', value);
        }
        if options.contains(&word.as_str()) {
            return given(word, ' ', words.get(at + 1)?);
        }
        let short = options.iter().find(|option| option.len() == 2 && word.len() > 2 && word.starts_with(**option))?;
        given(short, ' ', word.get(2..)?)
    })
}

/// The port that one of these options names as a number, and the words to write instead.
pub(super) fn fixed_port(words: &[String], options: &[&str]) -> Option<(u16, String)> {
    given_values(words, options).find_map(|given| {
        let value = with_port_variable(given.value);
        Some((port_of(given.value)?, format!("{}{}{value}", given.option, given.between)))
    })
}

/// The port of `3000`, `0.0.0.0:3000`, `:3000` or `tcp://0.0.0.0:3000?x=y`. None: the text has no port, or a variable.
pub(super) fn port_of(text: &str) -> Option<u16> {
    split_port(text).map(|(_, port, _)| port)
}

/// The same with `$PORT` in the place of the number.
fn with_port_variable(text: &str) -> String {
    split_port(text).map_or_else(|| text.to_owned(), |(before, _, after)| format!("{before}$PORT{after}"))
}

fn split_port(text: &str) -> Option<(&str, u16, &str)> {
    let begin = text.find("://").map_or(0, |at| at + "://".len());
    let (_, rest) = text.split_at_checked(begin)?;
    let address = rest.split(['/', '?']).next()?;
    let digits = address.rsplit(':').next()?;
    let (before, after) = text.split_at_checked(begin + address.len() - digits.len())?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let port = digits.parse().ok().filter(|port| *port > 0 && is_number)?;
    Some((before, port, after.strip_prefix(digits)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::moving::shell_line::ReadCommandLine;

    /// A port, and what to write instead.
    type Fixed = Option<(u16, String)>;

    fn found(line: &str) -> Option<(String, Fixed, bool)> {
        let read = ReadCommandLine::read(line);
        let server = read.commands.iter().find_map(Server::of)?;
        Some((server.name(), server.fixed_port(), server.ignores_port()))
    }

    #[test]
    fn a_server_is_found_behind_the_programs_that_run_it() {
        for (line, name) in [
            ("bundle exec puma -C config/puma.rb", "puma"),
            ("env A=1 bundle exec rails s", "rails server"),
            ("bin/rails server", "rails server"),
            ("poetry run gunicorn app:app", "gunicorn"),
            ("python3 -m http.server", "http.server"),
            ("python -u manage.py runserver", "manage.py runserver"),
            ("newrelic-admin run-program uvicorn app:app", "uvicorn"),
            ("cd app && exec npx vite", "vite preview"),
            ("bash -c 'flask run'", "flask run"),
            ("php artisan serve", "artisan serve"),
            ("bin/start-nginx bundle exec unicorn", "unicorn"),
        ] {
            assert_eq!(found(line).map(|(name, ..)| name).as_deref(), Some(name), "{line}");
        }
        for line in ["npm start", "rails console", "vite build", "node server.js", "flask db upgrade", ""] {
            assert_eq!(found(line), None, "{line}");
        }
    }

    #[test]
    fn a_port_that_is_a_number_is_found_with_what_to_write_instead() {
        for (line, expected) in [
            ("rails s -p 3000", Some((3000, "-p $PORT"))),
            ("puma -p3000", Some((3000, "-p $PORT"))),
            ("puma -b 'tcp://0.0.0.0:9292?x=1'", Some((9292, "-b tcp://0.0.0.0:$PORT?x=1"))),
            ("gunicorn app --bind=0.0.0.0:8000", Some((8000, "--bind=0.0.0.0:$PORT"))),
            ("python -m http.server 8000", Some((8000, "$PORT"))),
            ("python manage.py runserver 0.0.0.0:8000", Some((8000, "0.0.0.0:$PORT"))),
            ("php -S localhost:8000 -t public", Some((8000, "-S localhost:$PORT"))),
            ("rails s -p $PORT", None),
            ("rails s -p ${PORT:-3000}", None),
            ("gunicorn app --workers 4 -b unix:/tmp/x", None),
        ] {
            let port = found(line).and_then(|(_, port, _)| port);
            assert_eq!(port, expected.map(|(port, text): (u16, &str)| (port, text.to_owned())), "{line}");
        }
    }

    #[test]
    fn some_servers_do_not_read_the_variable_by_themselves() {
        let ignores = |line: &str| found(line).is_some_and(|(_, _, ignores)| ignores);

        assert!(
            ignores("uvicorn app:app") && ignores("vite") && ignores("flask run") && ignores("python -m http.server")
        );
        assert!(!ignores("gunicorn app:app") && !ignores("rails s") && !ignores("puma"));
        assert!(!ignores("uvicorn app:app --uds /tmp/x") && !ignores("hypercorn -b unix:/tmp/x app"));
    }
}
