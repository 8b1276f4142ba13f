"""Checks of what the packages contain, without installing them."""

import hashlib
import json
from pathlib import Path

from .harness import CPU, OTHER_CPU, VERSION, files_below, is_dyno_itself, run, temporary, version_line
from .unpack import KINDS, cpu_of, kind_of, machine_of, program_in, unpacked

HELD = {"usr/bin/dyno", "usr/share/man/man1/dyno.1.gz", "usr/share/man/man1/dyno-start.1.gz",
        "usr/share/bash-completion/completions/dyno", "usr/share/fish/vendor_completions.d/dyno.fish"}  # fmt: skip


def same_binary_everywhere(packages):
    """3. Each package contains the built binary for its CPU; every kind is there for each CPU; SHA256SUMS is right."""
    built = {machine_of(path.read_bytes()): path for path in packages.binaries}
    for cpu in built:
        kinds = {kind_of(path) for path in packages.place.iterdir() if cpu_of(path) == cpu}
        assert kinds == KINDS.keys(), f"for {cpu} there are only {kinds}"
    for path, place in unpacked(packages).items():
        has_the_binary_of_its_cpu(path, place, built)
    run("sha256sum", "--check", "--quiet", "SHA256SUMS", cwd=packages.place)


def has_the_binary_of_its_cpu(path, place, built):
    program, cpu = program_in(place), cpu_of(path)
    if not cpu:
        assert not program, f"{path.name} contains a binary, though its name has no CPU"
        return
    assert program, f"{path.name} contains no binary"
    assert program.stat().st_mode & 0o777 == 0o755, f"the mode in {path.name} is {program.stat().st_mode:o}"
    packed, wanted = (hashlib.sha256(file.read_bytes()).hexdigest() for file in [program, built[cpu]])
    assert packed == wanted, f"{path.name} contains {packed}, and the binary for {cpu} is {wanted}"


def a_swapped_binary_is_found(packages):
    """3. The check before this one refuses the binary of the other CPU, and a binary in the launcher of npm."""
    path, place = next((path, place) for path, place in unpacked(packages).items() if cpu_of(path) == CPU)
    binary = next(path for path in packages.binaries if machine_of(path.read_bytes()) == CPU)
    with temporary() as name:
        other = Path(name) / "dyno"
        other.write_bytes(b"\x7fELF of the other CPU")
        built = {CPU: binary, OTHER_CPU: other}
        has_the_binary_of_its_cpu(path, place, built)
        swapped = path.with_name(f"dynorun-{VERSION}-{OTHER_CPU}-linux.tar.gz")
        launcher = path.with_name(f"dynorun-{VERSION}.tgz")
        for wrong, wanted in [(swapped, built), (launcher, built), (path, built | {CPU: other})]:
            try:
                has_the_binary_of_its_cpu(wrong, place, wanted)
            except AssertionError:
                continue
            raise AssertionError(f"the binary for {CPU} passes in {wrong.name}")


def no_package_takes_other_names(packages):
    """No package contains a file or names a command `foreman` or `honcho`; the commands are `dyno` and `dynorun`."""
    for path, place in unpacked(packages).items():
        names = files_below(place)
        assert names, path.name
        taken = {name for name in names if "foreman" in name or "honcho" in name}
        assert not taken, f"{path.name} contains {taken}"
        if kind_of(path) == "npm":
            commands = json.loads((place / "package/package.json").read_text()).get("bin", {})
            assert commands.keys() <= {"dyno"}, f"{path.name} installs {commands}"
        if kind_of(path) == "gem":
            commands = run("gem", "spec", path, "executables").split()
            assert commands == ["---", "-", "dyno"], f"{path.name} installs {commands}"
        if kind_of(path) == "wheel":
            # Scripts come from files only.
            assert not {name for name in names if name.endswith("entry_points.txt")}, path.name


def other_packages_have_the_same_files(packages):
    """The packages for rpm, apk and Arch contain the command, the man pages and the completions."""
    wanted = HELD | {"usr/share/zsh/site-functions/_dyno", "usr/share/licenses/dynorun/LICENSE"}
    for path, place in unpacked(packages).items():
        if kind_of(path) in ["rpm", "apk", "Arch"]:
            names = files_below(place)
            assert wanted <= names, f"{path.name} lacks {wanted - names}"


def unpacked_packages_are_dyno_itself(packages):
    """10. `dyno` from rpm, apk, Arch and tar.gz: the version, its own process, signals, and every argument."""
    for path, place in unpacked(packages).items():
        if kind_of(path) in ["rpm", "apk", "Arch", "tar"] and cpu_of(path) == CPU:
            program = program_in(place)
            assert version_line([program]) == f"dyno {VERSION}\n"
            with temporary() as name:
                is_dyno_itself([program], Path(name))


CHECKS = [
    same_binary_everywhere, a_swapped_binary_is_found, no_package_takes_other_names, other_packages_have_the_same_files,
    unpacked_packages_are_dyno_itself,
]  # fmt: skip
