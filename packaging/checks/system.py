"""Checks of the packages of distributions. Nothing is installed on this machine."""

import gzip
from pathlib import Path

from .contents import HELD
from .harness import (
    VERSION, Skipped, environment, files_below, is_dyno_itself, needs, run, temporary, until, version_line,
)  # fmt: skip
from .next_version import NEXT, next_packages


def dpkg_installs_it(packages):
    """9, 10. `dpkg` into a directory of its own: version, files, `dyno` itself; an upgrade and a removal leave nothing."""
    needs("dpkg")
    with temporary() as name:
        place = Path(name)
        root, database = place / "root", place / "root/var/lib/dpkg"
        database.mkdir(parents=True)
        for file in ["status", "available"]:
            (database / file).touch()
        before = files_below(root)
        dpkg = ["dpkg", f"--root={root}", "--force-not-root", "--force-script-chrootless", f"--log={place}/dpkg.log"]
        run(*dpkg, "--install", packages.deb())
        assert version_line([root / "usr/bin/dyno"]) == f"dyno {VERSION}\n"
        files = files_below(root)
        wanted = HELD | {"usr/share/zsh/vendor-completions/_dyno", "usr/share/doc/dynorun/copyright"}
        assert wanted <= files, wanted - files
        page = gzip.decompress((root / "usr/share/man/man1/dyno.1.gz").read_bytes())
        assert page == run(root / "usr/bin/dyno", "man").encode()
        is_dyno_itself([root / "usr/bin/dyno"], place)
        run(*dpkg, "--install", next_packages(packages, "deb").deb())
        shown = run("dpkg-query", f"--admindir={database}", "-W", "-f", "${Version} ${Depends}", "dynorun")
        assert shown == f"{NEXT} ", shown
        run(*dpkg, "--remove", "dynorun")
        left = {path for path in files_below(root) - before if not path.startswith("var/lib/dpkg/")}
        assert not left, f"left behind: {left}"


def lintian_finds_nothing(packages):
    """9. lintian has no error, and no warning but that a first upload closes no bug."""
    needs("lintian")
    if "INTERP" in run("readelf", "-lW", packages.binaries[0]):
        raise Skipped("the package is for release, with the static binary")
    for deb in sorted(packages.place.glob("*.deb")):
        found = run("lintian", "--fail-on", "error", "--allow-root", deb)
        rest = [line for line in found.splitlines() if line.startswith(("E:", "W:"))]
        assert all("initial-upload-closes-no-bugs" in line for line in rest), found


def zsh_completes_at_the_first_tab(packages):
    """An interactive zsh that finds the completions of the package completes `dyno resta` at the first Tab."""
    needs("dpkg-deb", "zsh", "tmux")
    with temporary() as name:
        place = Path(name)
        run("dpkg-deb", "-x", packages.deb(), place / "root")
        env = environment(place, PATH=f"{place}/root/usr/bin:/usr/bin:/bin", ZDOTDIR=str(place / "home"), TERM="screen")
        (place / "home/.zshrc").write_text(
            f"fpath=('{place}/root/usr/share/zsh/vendor-completions' $fpath)\n"
            f"PS1='ready '\nautoload -U compinit\ncompinit -u -d '{place}/dump'\n"
        )
        tmux = ["tmux", "-f", "/dev/null", "-S", place / "socket"]
        run(*tmux, "new-session", "-d", "-x", "80", "-y", "24", "zsh", env=env)
        try:
            shown = lambda: run(*tmux, "capture-pane", "-p")  # noqa: E731
            until("zsh shows its prompt", lambda: "ready" in shown())
            run(*tmux, "send-keys", "dyno resta", "Tab")
            until("Tab completes the word", lambda: "ready dyno restart" in shown())
        finally:
            run(*tmux, "kill-server")


CHECKS = [dpkg_installs_it, zsh_completes_at_the_first_tab]
SLOW = [lintian_finds_nothing]
