"""Checks of the binaries and of what the packages contain."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from .harness import CPU, ROOT, TOOLS, VERSION, Skipped, needs, needs_network, run, temporary


def needs_no_library(packages):
    """1. Each binary is static, and the one for this CPU runs in an empty directory."""
    needs("readelf")
    for binary in packages.binaries:
        if "INTERP" in run("readelf", "-lW", binary):
            needed = re.findall(r"GLIBC_([0-9.]+)", run("readelf", "-VW", binary))
            newest = max(needed, key=lambda version: [int(part) for part in version.split(".")])
            raise Skipped(f"{binary} is not static: it needs glibc {newest}")
        assert "There is no dynamic section" in run("readelf", "-dW", binary) or "NEEDED" not in run("readelf", "-dW", binary)
        if binary.parent.name != f"{CPU}-linux":
            emulated(binary)
            continue
        if os.getuid() != 0:
            raise Skipped("only root can use `chroot`")
        with temporary() as place:
            shutil.copy(binary, Path(place) / "dyno")
            assert run("chroot", place, "/dyno", "--version") == f"dyno {VERSION}\n"


def emulated(binary):
    """As far as qemu-user goes: it cannot start the guardian, so nothing that runs a dyno."""
    name = binary.parent.name.removesuffix("-linux")
    emulator = shutil.which(f"qemu-{name}") or shutil.which(f"qemu-{name}-static")
    if not emulator:
        print(f"   skipped: {name} is only read, because `qemu-{name}` is not installed")
        return
    assert run(emulator, binary, "--version") == f"dyno {VERSION}\n"
    with temporary() as place:
        (Path(place) / "Procfile").write_text("web: true\n")
        assert run(emulator, binary, "check", cwd=place) == "valid procfile detected (web)\n"


def runs_on_debian_11(packages):
    """2. In Debian 11, with glibc 2.31, `dyno start` ends with the status of its first dyno."""
    if not all(binary.parent.name.endswith("-linux") for binary in packages.binaries):
        raise Skipped("the binary needs the C library of this machine")
    needs("debootstrap", "chroot", "mount", "unshare")
    if os.getuid() != 0:
        raise Skipped("only root can use `debootstrap`")
    if subprocess.run(["unshare", "--mount", "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
        raise Skipped("`unshare --mount` is not permitted, as in a container without `--privileged`")
    place = TOOLS / "debian-11"
    if not (place / "usr/bin/env").exists():
        needs_network()
        shutil.rmtree(place, ignore_errors=True)
        run("debootstrap", "--variant=minbase", "bullseye", place, "http://deb.debian.org/debian")
    shutil.copy(packages.deb(), place / "dynorun.deb")
    (place / "app").mkdir(exist_ok=True)
    (place / "app" / "Procfile").write_text("web: exit 3\n")
    # In a mount namespace of its own, so that nothing stays mounted.
    script = f"""
        mount --bind /dev '{place}/dev' && mount --bind /dev/pts '{place}/dev/pts' && mount -t proc proc '{place}/proc' || exit
        chroot '{place}' dpkg -i /dynorun.deb >/dev/null || exit
        chroot '{place}' sh -c 'cd /app && dyno start; status=$?; dpkg -r dynorun >/dev/null; exit $status'
    """
    printed = run("unshare", "--mount", "--fork", "--pid", "sh", "-c", script, status=3)
    assert "exited with code 3" in printed, printed


def packs_the_same_twice(packages):
    """12. Packing again gives the same bytes."""
    with temporary() as place:
        again = [word for path in packages.binaries for word in ("--binary", path)]
        # A big binary, so the kinds that take longest are left to the check of the release.
        fast = ["--fast", "wheel", "npm", "tar"] if packages.is_fast else []
        run(sys.executable, ROOT / "packaging" / "pack", *again, "--out", Path(place) / "again", *fast)
        first, second = ((at / "SHA256SUMS").read_text().splitlines() for at in [packages.place, Path(place) / "again"])
        assert second and set(second) <= set(first), f"{first}\nare now\n{second}"
        assert packages.is_fast or first == second


def refuses_what_it_cannot_pack(packages):
    """A platform without a package: one clear line, status 69, and the name of what is missing."""
    del packages
    pack = [sys.executable, ROOT / "packaging" / "pack", "--out"]
    with temporary() as place:
        out, foreign, text = Path(place) / "out", Path(place) / "riscv", Path(place) / "text"
        head = bytearray(b"\x7fELF\x02\x01" + bytes(60))
        head[18] = 243
        foreign.write_bytes(head)
        text.write_text("#!/bin/sh\n")
        assert "for a CPU without a package" in run(*pack, out, "--binary", foreign, status=69)
        assert "is not a program for Linux" in run(*pack, out, "--binary", text, status=65)
        assert "cannot be read: No such file" in run(*pack, out, "--binary", Path(place) / "none", status=69)
        assert "is not a kind of package" in run(*pack, out, "msi", status=2)
        assert not out.exists()


CHECKS = [needs_no_library, packs_the_same_twice, refuses_what_it_cannot_pack]
SLOW = [runs_on_debian_11]
