"""What all packages share: the version and texts of the crate, the binaries, the man pages and the completions."""

import os
import re
import shutil
import struct
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "target" / "packaging"
PACKAGING = ROOT / "packaging"

# The number that an ELF file has for its CPU, and the name of the CPU in the target of Rust.
CPUS = {62: "x86_64", 183: "aarch64"}

# zsh reads the file as the body of a function at the first Tab, and expects completions from it.
ZSH_FIRST_TAB = b'[[ $funcstack[1] != _dyno ]] || _clap_dynamic_completer_dyno "$@"\n'


class PackError(Exception):
    """A fact, a hint with what to type, and the exit status: 69 if something is missing."""

    def __init__(self, fact, hint, status=69):
        super().__init__(fact)
        self.fact, self.hint, self.status = fact, hint, status


class Binary:
    """A built `dyno`."""

    def __init__(self, path):
        self.path = path
        try:
            self.bytes = path.read_bytes()
        except OSError as error:
            raise PackError(f"{path} cannot be read: {error.strerror}", "run `packaging/build`") from None
        head = self.bytes[:20]
        if head[:4] != b"\x7fELF" or head[4:6] != b"\x02\x01":
            raise PackError(f"{path} is not a program for Linux", "pass the path of a built `dyno`", 65)
        (machine,) = struct.unpack_from("<H", head, 18)
        if machine not in CPUS:
            known = " and ".join(CPUS.values())
            raise PackError(f"{path} is for a CPU without a package", f"there are packages for {known}")
        self.cpu = CPUS[machine]
        # A program header of type 3 names the loader of shared libraries.
        offset, size, count = struct.unpack_from("<Q", self.bytes, 32)[0], *struct.unpack_from("<HH", self.bytes, 54)
        kinds = [struct.unpack_from("<I", self.bytes, offset + size * number)[0] for number in range(count)]
        self.is_static = 3 not in kinds


class Project:
    """The crate and its built binaries."""

    def __init__(self, binaries, out, fast):
        self.manifest = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]
        self.name, self.version = self.manifest["name"], self.manifest["version"]
        self.description, self.license = self.manifest["description"], self.manifest["license"]
        self.repository = self.manifest.get("repository")
        self.license_text = (ROOT / "LICENSE").read_bytes()
        self.readme = (PACKAGING / "README.md").read_text()
        self.level = 1 if fast else 9
        self.out = out.resolve() if out else ROOT / "dist" / "packages"
        paths = binaries or sorted((ROOT / "dist" / "bin").glob("*-linux/dyno"))
        if not paths:
            raise PackError("there is no built binary in dist/bin", "run `packaging/build`, or use `--binary PATH`")
        self.binaries = [Binary(path) for path in paths]
        cpus = [binary.cpu for binary in self.binaries]
        if len(set(cpus)) < len(cpus):
            raise PackError(f"two binaries are for {cpus[0]}", "pass one for each CPU", 64)
        for binary in self.binaries:
            if not binary.is_static:
                print(f"note: {binary.path} needs the C library of a machine like this one: do not publish its packages")
        self.epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or commit_time())
        self.texts = self.written_texts()

    def stage(self, name):
        """An empty directory for the files of a package."""
        place = TOOLS / "stage" / name
        empty_directory(place)
        return place

    def run_dyno(self, *words):
        """What a binary prints that runs on this machine."""
        for binary in self.binaries:
            if binary.cpu == os.uname().machine:
                return subprocess.run([binary.path.resolve(), *words], check=True, stdout=subprocess.PIPE).stdout
        machine = os.uname().machine
        raise PackError(f"no binary for {machine} prints the man pages", f"run `packaging/build {machine}`")

    def written_texts(self):
        """The man pages and completions, by their place below `share`. zsh's depends on the package."""
        page = self.run_dyno("man")
        texts = {"man/man1/dyno.1": page}
        for command in re.findall(rb"^dyno\\-(\S+)\(1\)$", page, re.MULTILINE):
            name = command.replace(b"\\", b"").decode()
            texts[f"man/man1/dyno-{name}.1"] = self.run_dyno("man", name)
        texts["bash-completion/completions/dyno"] = self.run_dyno("completions", "bash")
        texts["fish/vendor_completions.d/dyno.fish"] = self.run_dyno("completions", "fish")
        texts["zsh/site-functions/_dyno"] = self.run_dyno("completions", "zsh") + ZSH_FIRST_TAB
        return texts

    def pages(self):
        return {place: text for place, text in self.texts.items() if place.startswith("man/")}


def commit_time():
    """When the packed commit was made; outside of a clone the earliest date that a zip file can have."""
    command = ["git", "-C", ROOT, "log", "-1", "--format=%ct"]
    try:
        answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        return 315532800
    return int(answer.stdout) if answer.returncode == 0 else 315532800


def empty_directory(place):
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)


def write(place, name, content, mode=0o644):
    """Writes a file of a package, with its directories."""
    path = place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


def needs(program, package):
    if not shutil.which(program):
        raise PackError(f"`{program}` is not installed", f"install the package `{package}`")
