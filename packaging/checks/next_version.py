"""The packages of another version, for upgrades and for two versions side by side. Only their version differs."""

import functools
import re
import shutil
import sys

from .harness import ROOT, TOOLS, Packages, run

NEXT = "9.9.9"


@functools.cache
def next_packages(packages, kind):
    """Packs one kind again, from a copy of the files that packages are made of."""
    place = TOOLS / "next"
    out = place / "out" / kind
    shutil.rmtree(out, ignore_errors=True)
    shutil.rmtree(place / "packaging", ignore_errors=True)
    shutil.copytree(ROOT / "packaging", place / "packaging")
    shutil.copy(ROOT / "LICENSE", place)
    manifest = (ROOT / "Cargo.toml").read_text()
    (place / "Cargo.toml").write_text(re.sub(r'^version = ".*"$', f'version = "{NEXT}"', manifest, count=1, flags=re.M))
    # What `packaging/pack` has installed.
    (place / "target").mkdir(exist_ok=True)
    if not (place / "target/packaging").is_symlink():
        (place / "target/packaging").symlink_to(TOOLS)
    binaries = [word for path in packages.binaries for word in ("--binary", path)]
    run(sys.executable, place / "packaging/pack", "--fast", *binaries, "--out", out, kind)
    return Packages(out, packages.binaries, is_fast=True)
