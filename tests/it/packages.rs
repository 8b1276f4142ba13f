//! What the packages add to the binary: the launcher of npm, and the lines of docs/packages.md that link `dyno` as `foreman`.
//! `packaging/check` installs the packages; here their layout is enough, so that `sh` is all that it takes.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;

use crate::app::{App, Call};
use crate::binary;
use crate::docs_examples::{PAGES, blocks};
use crate::harness::Ended;

/// The two scripts that generators for Rails write.
const BIN_DEVS: [&str; 2] = [
    "if ! gem list foreman -i --silent; then\n\
     echo 'Installing foreman...'\n\
     gem install foreman\n\
     fi\n\
     export PORT=\"${PORT:-3000}\"\n\
     exec foreman start -f Procfile.dev --env /dev/null \"$@\"\n",
    "if gem list --no-installed --exact --silent foreman; then\n\
     echo \"Installing foreman...\"\n\
     gem install foreman\n\
     fi\n\
     export PORT=\"${PORT:-3000}\"\n\
     exec foreman start -f Procfile.dev \"$@\"\n",
];

/// A `gem` that has no foreman until it installs one, in the directory that the app calls `gems`. Its other words are the
/// lines of docs/packages.md.
const GEM: &str = "case \"$1 $2\" in\n\
     'list foreman') [ -e \"$GEMS/foreman\" ] ;;\n\
     'list --no-installed') [ ! -e \"$GEMS/foreman\" ] ;;\n\
     'install foreman') printf '#!/bin/sh\\necho the other foreman\\n' >\"$GEMS/foreman\"; chmod +x \"$GEMS/foreman\" ;;\n\
     'contents dynorun') echo \"$GEMS/dynorun/exe/dyno\"; echo \"$GEMS/dynorun/libexec/dyno\" ;;\n\
     esac\n";

/// An app with the layout of all packages: `bin/dyno`, a gem, and the packages of npm.
fn app() -> App {
    let app = App::empty()
        .file("Procfile.dev", "web: echo web on $PORT\n")
        .file("gems/dynorun/exe/dyno", "")
        .file("gems/dynorun/libexec/.keep", "")
        .file("node/dynorun/package.json", "{}")
        .file("node/dynorun/node_modules/@dynorun/linux-x64/bin/.keep", "")
        .file("home/.keep", "")
        .file("bin/.keep", "")
        .script("tools/gem", GEM)
        .script("tools/npm", "echo \"$NODE\"\n");
    for place in ["bin", "gems/dynorun/libexec", "node/dynorun/node_modules/@dynorun/linux-x64/bin"] {
        symlink(binary::dyno(), app.path(place).join("dyno")).unwrap();
    }
    app
}

/// A program in the app. The gems are on the `PATH` behind the directory with the link.
fn call(app: &App, program: &Path) -> Call {
    let home = app.path("home");
    let places = ["home/.local/bin", "gems", "bin", "tools"].map(|place| app.path(place).display().to_string());
    let path = format!("{}:{}", places.join(":"), std::env::var("PATH").unwrap());
    let call = app.dyno([]).program(program).env("PATH", path).env("HOME", home);
    call.env("GEMS", app.path("gems")).env("NODE", app.path("node"))
}

/// The commands of the page that link `dyno` as `foreman`.
fn link_commands() -> Vec<&'static str> {
    let (_, page) = PAGES.iter().find(|(name, _)| *name == "packages").unwrap();
    blocks(page, "sh").into_iter().filter(|block| block.contains("ln -s ")).collect()
}

#[test]
fn s13_2_each_line_of_the_docs_makes_bin_dev_of_rails_run_dyno() {
    let commands = link_commands();
    assert_eq!(commands.len(), 3);
    for commands in commands {
        for bin_dev in BIN_DEVS {
            let app = app().script("dev", bin_dev);
            call(&app, Path::new("/bin/sh")).args(&["-c", commands]).run().expect(Ended::Code(0), "", "");

            let finished = call(&app, &app.path("dev")).run();

            assert!(app.has("gems/foreman"), "the script installs the gem foreman");
            finished.expect_end(Ended::Code(0));
            assert_eq!(finished.lines_of("web.1")[1], "web on 3000", "{commands}");
            let version = call(&app, Path::new("foreman")).args(&["version"]).run();
            assert!(version.stderr().contains(", called as `foreman`\n"), "{}", version.stderr());
        }
    }
}

/// The launcher of npm, with the package of a platform below it or beside it. Its command is a link, as npm makes it.
struct Npm {
    app: App,
    command: PathBuf,
}

fn npm(platform_below: &str, cpu: &str) -> Npm {
    let launcher = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/npm/dyno");
    let text = fs::read_to_string(launcher).unwrap();
    let app = App::empty().file(&format!("{platform_below}/@dynorun/linux-{cpu}/bin/.keep"), "").file("bin/.keep", "");
    // A shell reads it, so that no other test can hold it open for writing when it is executed.
    let app = app.file("lib/dynorun/bin/dyno", text);
    fs::set_permissions(app.path("lib/dynorun/bin/dyno"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink(binary::dyno(), app.path(platform_below).join(format!("@dynorun/linux-{cpu}/bin/dyno"))).unwrap();
    symlink("../lib/dynorun/bin/dyno", app.path("bin/dyno")).unwrap();
    let command = app.path("bin/dyno");
    Npm { app, command }
}

const CPU: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };

#[test]
fn the_launcher_of_npm_becomes_dyno_and_keeps_every_argument() {
    let words = ["it's", "a \"quote\"", "$HOME", "a b", "two\nlines", "", "*", "--", "é"];
    for below in ["lib/dynorun/node_modules", "lib"] {
        let npm = npm(below, CPU);
        let launched = |args: &[&str]| {
            npm.app.dyno([]).program(Path::new("/bin/sh")).args(&[npm.command.to_str().unwrap()]).args(args)
        };

        let printed = launched(&["run", "printf", "<%s>"]).args(&words).run();
        let expected: String = words.map(|word| ["<", word, ">"].concat()).concat();
        printed.expect(Ended::Code(0), &expected, "");
        launched(&["run", "exit 7"]).run().expect(Ended::Code(7), "", "");

        npm.app.write("Procfile", "web: exec sleep 1000\n");
        let start = launched(&["start"]).spawn();
        start.until_shown("| started with pid ");
        let name = fs::read_to_string(format!("/proc/{}/comm", start.main())).unwrap();
        start.signal(Signal::SIGTERM);
        start.finish().expect_end(Ended::Signal(Signal::SIGTERM));
        assert_eq!(name, "dyno\n");
    }
}

#[test]
fn s11_1_without_the_package_of_the_platform_the_launcher_of_npm_names_it() {
    let npm = npm("lib", "other");
    let tools = npm.app.path("tools");
    fs::create_dir(&tools).unwrap();
    for (name, at) in [("uname", "/usr/bin/uname"), ("readlink", "/usr/bin/readlink")] {
        symlink(at, tools.join(name)).unwrap();
    }

    let call = npm.app.dyno([]).program(Path::new("/bin/sh")).args(&[npm.command.to_str().unwrap(), "start"]);
    let finished = call.env("PATH", &tools).run();

    let machine = std::env::consts::ARCH;
    let stderr =
        format!("error: the npm package for Linux on this CPU ({machine}), which contains `dyno`, is not installed\n");
    finished.expect(Ended::Code(69), "", &stderr);
}
