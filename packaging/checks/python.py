"""Checks of the wheel: pip, pipx and uv."""

import shutil
import signal
import sys
from pathlib import Path

from .harness import (
    TOOLS, VERSION, Skipped, Start, environment, files_below, is_dyno_itself, links_as_foreman, needs_network,
    python_tool, run, temporary, version_line,
)  # fmt: skip
from .next_version import NEXT, next_packages

OFFLINE = ["--no-index", "--no-deps", "--quiet", "--disable-pip-version-check"]
# What uv and pipx keep for themselves.
LOCKS = "."


def venv(place):
    """A new venv. pip stays outside: installing it takes longer than everything else here."""
    run(sys.executable, "-m", "venv", "--without-pip", place)
    return [sys.executable, "-m", "pip", "--python", place / "bin" / "python"]


def wheel_is_right_by_its_checkers(packages):
    """4. twine and auditwheel find nothing wrong."""
    twine, env = python_tool("twine")
    assert "PASSED" in run(*twine, "check", "--strict", packages.wheel(), env=env)
    if "manylinux" not in packages.wheel().name:
        raise Skipped("auditwheel: the binary needs the C library of this machine")
    auditwheel, env = python_tool("auditwheel")
    shown = run(*auditwheel, "show", packages.wheel(), env=env)
    assert "manylinux_2_17" in shown or "manylinux2014" in shown, shown
    assert "requires no external shared libraries" in " ".join(shown.split()), shown


def pip_installs_it(packages):
    """4, 10. In a venv with a blank in its path: man page, `dyno` itself; an upgrade and a removal leave nothing."""
    with temporary() as name:
        place = Path(name)
        pip, bin_place = venv(place / "a venv"), place / "a venv" / "bin"
        before = files_below(place / "a venv")
        run(*pip, "install", *OFFLINE, packages.wheel())
        assert version_line([bin_place / "dyno"]) == f"dyno {VERSION}\n"
        assert version_line([bin_place / "dynorun"]) == f"dyno {VERSION}\n"
        (place / "linked").symlink_to(bin_place / "dynorun")
        assert version_line([place / "linked"]) == f"dyno {VERSION}\n"
        for page in ["bash-completion/completions/dyno", "zsh/site-functions/_dyno", "fish/vendor_completions.d/dyno.fish"]:
            assert (place / "a venv" / "share" / page).stat().st_size > 100
        if shutil.which("man"):
            found = run("man", "-w", "dyno", env=environment(place, PATH=f"{bin_place}:/usr/bin:/bin")).strip()
            assert found.endswith("a venv/share/man/man1/dyno.1"), found
        for command in ["dyno", "dynorun"]:
            is_dyno_itself([bin_place / command], place)
        links_as_foreman("command -v dyno", place, environment(place), bin_place)
        other = venv(place / "other")
        newer = next_packages(packages, "wheel").wheel()
        run(*other, "install", *OFFLINE, newer)
        assert [installed(place / each) for each in ["a venv", "other"]] == [VERSION, NEXT], "two versions side by side"
        run(*pip, "install", *OFFLINE, newer)
        assert installed(place / "a venv") == NEXT
        run(*pip, "uninstall", "--yes", "--quiet", "--disable-pip-version-check", "dynorun")
        left = files_below(place / "a venv") - before
        assert not left, f"left behind: {left}"
        assert version_line([place / "other/bin/dyno"]) == f"dyno {VERSION}\n"


def installed(place):
    """The version of the package in a venv; exactly one."""
    (found,) = place.glob("lib/python*/site-packages/dynorun-*.dist-info")
    return found.name.removeprefix("dynorun-").removesuffix(".dist-info")


def uvx_runs_it(packages):
    """5. `uvx dynorun` and `uvx --from FILE dyno`; `uv tool install`, an upgrade, and a removal that leaves nothing."""
    uv, env = python_tool("uv")
    with temporary() as name:
        place = Path(name)
        env = environment(place) | {"PYTHONPATH": env["PYTHONPATH"], "UV_OFFLINE": "1", "UV_PYTHON": sys.executable}
        for word in ["dyno", "dynorun"]:
            printed = run(*uv, "tool", "run", "--quiet", "--from", packages.wheel(), word, "--version", env=env)
            assert printed == f"dyno {VERSION}\n", printed
        # It waits, and passes the signal on.
        Start([*uv, "tool", "run", "--quiet", "--from", packages.wheel(), "dynorun"], place, env).ends_by(signal.SIGTERM, 143)
        bin_place, tools = place / "home/.local/bin", place / "home/.local/share/uv/tools"
        run(*uv, "tool", "install", "--quiet", packages.wheel(), env=env)
        is_dyno_itself([bin_place / "dyno"], place, env)
        run(*uv, "tool", "install", "--quiet", next_packages(packages, "wheel").wheel(), env=env)
        assert f"dynorun v{NEXT}" in run(*uv, "tool", "list", env=env)
        assert version_line([bin_place / "dyno"]) == f"dyno {VERSION}\n"
        run(*uv, "tool", "uninstall", "--quiet", "dynorun", env=env)
        left = {path for at in [bin_place, tools] for path in files_below(at) if not path.startswith(LOCKS)}
        assert not left, f"left behind: {left}"


def pipx_runs_it(packages):
    """5. `pipx run --spec FILE dyno`; `pipx install` links the man page, too; an upgrade and a removal leave nothing."""
    pipx, env = python_tool("pipx")
    # Its own environment gets a newer pip.
    needs_network()
    with temporary() as name:
        place = Path(name)
        # pipx warns about a blank in the path of its own directory.
        home = TOOLS / "pipx-home"
        shutil.rmtree(home, ignore_errors=True)
        env = environment(place) | {
            "PYTHONPATH": env["PYTHONPATH"], "PIPX_HOME": str(home), "PIPX_BIN_DIR": str(home / "bin"),
            "PIPX_MAN_DIR": str(home / "man"), "PIPX_DEFAULT_PYTHON": sys.executable,
        }  # fmt: skip
        printed = run(*pipx, "run", "--spec", packages.wheel(), "dyno", "--version", env=env)
        assert printed.endswith(f"dyno {VERSION}\n"), printed
        is_dyno_itself([*pipx, "run", "--spec", packages.wheel(), "dyno"], place, env)
        run(*pipx, "install", packages.wheel(), env=env)
        assert (home / "man/man1/dyno.1").exists()
        is_dyno_itself([home / "bin/dyno"], place, env)
        run(*pipx, "install", "--force", next_packages(packages, "wheel").wheel(), env=env)
        assert f"dynorun {NEXT}" in run(*pipx, "list", "--short", env=env)
        run(*pipx, "uninstall", "dynorun", env=env)
        left = {path for at in ["bin", "man", "venvs"] for path in files_below(home / at) if not path.startswith(LOCKS)}
        assert not left, f"left behind: {left}"


CHECKS = [pip_installs_it]
SLOW = [wheel_is_right_by_its_checkers, uvx_runs_it, pipx_runs_it]
