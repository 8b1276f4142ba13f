"""A gem for each CPU. Its command is a Ruby file that becomes the binary."""

import os
import shutil
import subprocess

from .project import PACKAGING, PackError, needs, write

WARNING = "WARNING:  "


def warnings(text, repository):
    """What `gem build` warns of. `--strict` would also refuse a missing homepage, which Cargo.toml may leave out."""
    found = [line.removeprefix(WARNING) for line in text.splitlines() if line.startswith(WARNING)]
    allowed = [] if repository else ["no homepage specified"]
    return [line for line in found if line not in allowed and not line.startswith("See https://guides.rubygems.org/")]


def make(project):
    needs("gem", "ruby")
    for binary in project.binaries:
        place = project.stage(f"gem-{binary.cpu}")
        files = {"README.md": project.readme, "LICENSE": project.license_text}
        files |= {place_of: text for place_of, text in project.pages().items()}
        for name, content in files.items():
            write(place, name, content)
        write(place, "libexec/dyno", binary.bytes, 0o755)
        write(place, "exe/dyno", (PACKAGING / "gem" / "dyno").read_bytes(), 0o755)
        environment = os.environ | {
            "SOURCE_DATE_EPOCH": str(project.epoch),
            "DYNO_GEM_NAME": project.name,
            "DYNO_GEM_VERSION": project.version,
            "DYNO_GEM_SUMMARY": project.description,
            "DYNO_GEM_LICENSE": project.license,
            "DYNO_GEM_HOMEPAGE": project.repository or "",
            "DYNO_GEM_PLATFORM": f"{binary.cpu}-linux",
        }
        shutil.copy(PACKAGING / "gem" / "dynorun.gemspec", place)
        path = project.out / f"{project.name}-{project.version}-{binary.cpu}-linux.gem"
        command = ["gem", "build", "--output", path, "dynorun.gemspec"]
        answer = subprocess.run(command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if answer.returncode != 0:
            raise PackError(f"`gem build` refused the gem: {answer.stdout.strip()}", f"look at {place}", 70)
        if warnings(answer.stdout, project.repository):
            raise PackError(f"`gem build` has warned: {answer.stdout.strip()}", f"look at {place}", 70)
        yield path
