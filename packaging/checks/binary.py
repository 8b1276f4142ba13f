"""Checks of the binaries and of what the packages contain."""

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
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
    needs("debootstrap", "chroot", "mount")
    if os.getuid() != 0:
        raise Skipped("only root can use `debootstrap`")
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


def payloads(packages):
    """The binaries in the packages: the bytes by the name of the package."""
    found = {}
    for path in sorted(packages.place.iterdir()):
        content = payload(path)
        if content is not None:
            found[path.name] = content
    return found


def payload(path):
    name = path.name
    if name.endswith(".whl"):
        with zipfile.ZipFile(path) as wheel:
            return wheel.read(next(name for name in wheel.namelist() if name.endswith("scripts/dyno")))
    if name.endswith((".tgz", ".tar.gz", ".apk")):
        return member(path.read_bytes(), {"package/bin/dyno", "usr/bin/dyno", name.removesuffix(".tar.gz") + "/dyno"})
    if name.endswith(".gem"):
        with tarfile.open(path) as gem:
            return member(gem.extractfile("data.tar.gz").read(), {"libexec/dyno"})
    if name.endswith(".deb"):
        tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", path], check=True, stdout=subprocess.PIPE).stdout
        return member(tar, {"./usr/bin/dyno"})
    if name.endswith(".pkg.tar.zst") and shutil.which("zstd"):
        return member(subprocess.run(["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout, {"usr/bin/dyno"})
    if name.endswith(".rpm") and shutil.which("rpm2cpio") and shutil.which("cpio"):
        command = 'rpm2cpio "$1" | cpio --quiet --to-stdout --extract ./usr/bin/dyno'
        return subprocess.run(["sh", "-c", command, "sh", path], check=True, stdout=subprocess.PIPE).stdout
    if name != "SHA256SUMS":
        print(f"   skipped: nothing here can unpack {name}")
    return None


def member(tar, names):
    # An apk is several archives in a row.
    with tarfile.open(fileobj=io.BytesIO(tar), ignore_zeros=True) as archive:
        for entry in archive:
            if entry.name in names:
                assert entry.mode & 0o777 == 0o755, f"{entry.name} has the mode {entry.mode:o}"
                return archive.extractfile(entry).read()
    return None


def same_binary_everywhere(packages):
    """3. One checksum for each CPU in all packages, which is that of the built binary; SHA256SUMS is right."""
    built = {hashlib.sha256(path.read_bytes()).hexdigest() for path in packages.binaries}
    found = payloads(packages)
    assert len(found) >= 6 * len(built), f"only {sorted(found)} contain a binary"
    launcher = f"dynorun-{VERSION}.tgz"
    digests = {hashlib.sha256(content).hexdigest() for name, content in found.items() if name != launcher}
    assert digests == built, f"{digests} are packed, {built} were built"
    run("sha256sum", "--check", "--quiet", "SHA256SUMS", cwd=packages.place)


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


CHECKS = [needs_no_library, same_binary_everywhere, packs_the_same_twice, refuses_what_it_cannot_pack]
SLOW = [runs_on_debian_11]
