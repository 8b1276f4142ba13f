"""Packages for npm: `dynorun` with the launcher, and one with the binary for each CPU. None has an install script."""

import json

from .project import PACKAGING
from .tar import archive

CPUS = {"x86_64": "x64", "aarch64": "arm64"}


def platform_package(cpu):
    return f"@dynorun/linux-{CPUS[cpu]}"


def common(project, name, description):
    fields = {"name": name, "version": project.version, "description": description, "license": project.license}
    if project.repository:
        fields["repository"] = {"type": "git", "url": project.repository}
    return fields | {"type": "commonjs"}


def pack(project, file_name, fields, files):
    about = [("package/package.json", (json.dumps(fields, indent=2) + "\n").encode(), 0o644)]
    about.append(("package/LICENSE", project.license_text, 0o644))
    return archive(project, project.out / f"{file_name}-{project.version}.tgz", about + files)


def make(project):
    launcher = (PACKAGING / "npm" / "dyno").read_bytes()
    pages = sorted(project.pages().items())
    fields = common(project, project.name, project.description)
    fields |= {
        "keywords": project.manifest["keywords"],
        "bin": {"dyno": "bin/dyno"},
        "man": [f"./{place}" for place, _ in pages],
        "files": ["bin", "man"],
        # Exact: the launcher and the binary belong together. Both CPUs are named even if only one is packed here.
        "optionalDependencies": {platform_package(cpu): project.version for cpu in CPUS},
    }
    files = [("package/bin/dyno", launcher, 0o755), ("package/README.md", project.readme.encode(), 0o644)]
    files += [(f"package/{place}", text, 0o644) for place, text in pages]
    yield pack(project, project.name, fields, files)
    for binary in project.binaries:
        name = platform_package(binary.cpu)
        text = f"The binary of `{project.name}` for Linux on {binary.cpu}. Install `{project.name}`, which depends on it."
        fields = common(project, name, text) | {
            "os": ["linux"],
            "cpu": [CPUS[binary.cpu]],
            # Yarn keeps other packages zipped, and a program in a zip file cannot be executed.
            "preferUnplugged": True,
            "files": ["bin"],
        }
        files = [("package/bin/dyno", binary.bytes, 0o755), ("package/README.md", f"{text}\n".encode(), 0o644)]
        yield pack(project, name.removeprefix("@").replace("/", "-"), fields, files)
