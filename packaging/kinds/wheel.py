"""A wheel for PyPI. `pip` puts the binary itself on the PATH, so that no Python starts."""

import base64
import hashlib
import time
import zipfile

from .project import PACKAGING


def tags(binary):
    """A static binary runs everywhere. PyPI refuses the tag of the others."""
    if not binary.is_static:
        return [f"linux_{binary.cpu}"]
    return [f"manylinux2014_{binary.cpu}", f"manylinux_2_17_{binary.cpu}", f"musllinux_1_1_{binary.cpu}"]


def metadata(project):
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {project.name}",
        f"Version: {project.version}",
        f"Summary: {project.description}",
        f"Keywords: {','.join(project.manifest['keywords'])}",
        f"License-Expression: {project.license}",
        "License-File: LICENSE",
        "Classifier: Environment :: Console",
        "Classifier: Operating System :: POSIX :: Linux",
        "Classifier: Topic :: Software Development",
        "Requires-Python: >=3.7",
        "Description-Content-Type: text/markdown",
    ]
    if project.repository:
        lines.append(f"Project-URL: Repository, {project.repository}")
    return "\n".join(lines) + "\n\n" + project.readme


def record_line(name, content):
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}\n"


def make(project):
    for binary in project.binaries:
        top = f"{project.name}-{project.version}"
        platforms = tags(binary)
        about = "Wheel-Version: 1.0\nGenerator: dynorun\nRoot-Is-Purelib: false\n"
        about += "".join(f"Tag: py3-none-{platform}\n" for platform in platforms)
        files = [
            (f"{top}.data/scripts/dyno", binary.bytes, 0o755),
            (f"{top}.data/scripts/dynorun", (PACKAGING / "pypi" / "dynorun").read_bytes(), 0o755),
        ]
        files += [(f"{top}.data/data/share/{place}", text, 0o644) for place, text in sorted(project.texts.items())]
        files += [
            (f"{top}.dist-info/licenses/LICENSE", project.license_text, 0o644),
            (f"{top}.dist-info/METADATA", metadata(project).encode(), 0o644),
            (f"{top}.dist-info/WHEEL", about.encode(), 0o644),
        ]
        record = f"{top}.dist-info/RECORD"
        lines = "".join(record_line(name, content) for name, content, _ in files) + f"{record},,\n"
        files.append((record, lines.encode(), 0o644))
        path = project.out / f"{top}-py3-none-{'.'.join(platforms)}.whl"
        write_zip(project, path, files)
        yield path


def write_zip(project, path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, mode in files:
            entry = zipfile.ZipInfo(name, time.gmtime(project.epoch)[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            # A regular file with this mode: `pip` sets the mode of scripts itself, other installers keep this one.
            entry.external_attr = (0o100000 | mode) << 16
            archive.writestr(entry, content, compresslevel=project.level)
