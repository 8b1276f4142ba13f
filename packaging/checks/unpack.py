"""Unpacks the packages of all kinds, with the programs that this machine has for them."""

import atexit
import functools
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

from .harness import run, temporary

# How each kind is called: the end of the file name, and the programs that unpack it.
KINDS = {
    "wheel": (".whl", []),
    "npm": (".tgz", ["tar"]),
    "gem": (".gem", ["tar"]),
    "deb": (".deb", ["dpkg-deb"]),
    "rpm": (".rpm", ["rpm2cpio", "cpio"]),
    "apk": (".apk", ["tar"]),
    "Arch": (".pkg.tar.zst", ["tar", "zstd"]),
    "tar": (".tar.gz", ["tar"]),
}
# How file names name the CPUs.
CPUS = {"x86_64": "x86_64", "x64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
# The number of each CPU in an ELF file.
MACHINES = {62: "x86_64", 183: "aarch64"}


def kind_of(path):
    return next((kind for kind, (end, _) in KINDS.items() if path.name.endswith(end)), None)


def cpu_of(path):
    """The CPU that the name of a package promises; none for npm's launcher."""
    return next((cpu for name, cpu in CPUS.items() if name in path.name), None)


def machine_of(content):
    return MACHINES[int.from_bytes(content[18:20], "little")]


def can_unpack(path):
    lacking = [program for program in KINDS[kind_of(path)][1] if not shutil.which(program)]
    if lacking:
        print(f"   skipped: `{lacking[0]}` is not installed, which {path.name} needs")
    return not lacking


def unpack(path, place):
    """The files of a package in a new directory."""
    place.mkdir(parents=True)
    kind = kind_of(path)
    if kind == "wheel":
        with zipfile.ZipFile(path) as wheel:
            for entry in wheel.infolist():
                os.chmod(wheel.extract(entry, place), entry.external_attr >> 16)
    elif kind == "gem":
        with tarfile.open(path) as gem:
            (place / "data.tar.gz").write_bytes(gem.extractfile("data.tar.gz").read())
        run("tar", "-xzf", "data.tar.gz", cwd=place)
        (place / "data.tar.gz").unlink()
    elif kind == "deb":
        run("dpkg-deb", "-x", path, place)
    elif kind == "rpm":
        run("sh", "-c", 'rpm2cpio "$1" | cpio --quiet -idm', "sh", path, cwd=place)
    else:
        # An apk is several archives in a row.
        options = {"apk": ["--ignore-zeros", "-xzf"], "Arch": ["--zstd", "-xf"]}.get(kind, ["-xzf"])
        run("tar", *options, path, cwd=place)
    return place


@functools.cache
def unpacked(packages):
    """The directories of all packages that this machine can unpack, by the path of the package; once for all checks."""
    place = temporary()
    atexit.register(place.cleanup)
    paths = [path for path in sorted(packages.place.iterdir()) if kind_of(path) and can_unpack(path)]
    return {path: unpack(path, Path(place.name) / path.name) for path in paths}


def program_in(place):
    """The binary of an unpacked package, or nothing."""
    found = [path for path in place.rglob("dyno") if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"]
    assert len(found) <= 1, f"several programs: {found}"
    return found[0] if found else None
