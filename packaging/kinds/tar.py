"""Archives: that of a release, and those of npm, which are the same with other paths."""

import gzip
import io
import tarfile


def archive(project, path, files):
    """Writes a `.tar.gz` of `(name, bytes, mode)`, with nothing in it that differs from one machine to another."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content, mode in files:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(content), mode, project.epoch
            entry.uname = entry.gname = "root"
            tar.addfile(entry, io.BytesIO(content))
    with path.open("wb") as file, gzip.GzipFile("", "wb", project.level, file, mtime=0) as compressed:
        compressed.write(plain.getvalue())
    return path


def make(project):
    for binary in project.binaries:
        top = f"{project.name}-{project.version}-{binary.cpu}-linux"
        files = [(f"{top}/dyno", binary.bytes, 0o755)]
        files.append((f"{top}/LICENSE", project.license_text, 0o644))
        files.append((f"{top}/README.md", project.readme.encode(), 0o644))
        files += [(f"{top}/share/{place}", text, 0o644) for place, text in sorted(project.texts.items())]
        yield archive(project, project.out / f"{top}.tar.gz", files)
