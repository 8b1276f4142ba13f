"""Checks of the packages for npm: npm, npx, pnpm and Yarn, and what the launcher says if something is missing."""

import json
import os
import shutil
import signal
import subprocess
import tarfile
import time
from pathlib import Path

from .harness import (
    NODE_CPU, VERSION, Skipped, Start, environment, files_below, is_dyno_itself, links_as_foreman, needs, node_tool, passes_words, run, temporary,
    version_line,
)  # fmt: skip
from .next_version import NEXT, next_packages
from .registry import Registry

QUIET = ["--no-audit", "--no-fund", "--loglevel", "error"]
PLATFORM = f"@dynorun/linux-{NODE_CPU}"
# How much longer the launcher may take than the binary, and how often both are started.
SLOWER_AT_MOST, ROUNDS = 10, 40


def npm_environment(place, registry):
    return environment(place, npm_config_registry=registry.url, npm_config_cache=str(place / "cache"),
                       npm_config_update_notifier="false", npm_config_userconfig=str(place / "npmrc"))  # fmt: skip


def project(place, env, *options):
    """A project that depends on `dynorun`."""
    app = place / "project"
    app.mkdir(exist_ok=True)
    (app / "package.json").write_text(json.dumps({"name": "app", "version": "1.0.0", "dependencies": {"dynorun": VERSION}}))
    run("npm", "install", *QUIET, *options, cwd=app, env=env)
    return app


def npm_has_no_scripts(packages):
    """6. No package has an install script, versions are exact, and the launcher is valid JavaScript."""
    needs("node")
    for path in packages.place.glob("*.tgz"):
        with tarfile.open(path) as package:
            fields = json.load(package.extractfile("package/package.json"))
            assert "scripts" not in fields, fields["scripts"]
            assert fields["version"] == VERSION, fields["version"]
            if "optionalDependencies" in fields:
                launcher = package.extractfile("package/bin/dyno").read()
                assert set(fields["optionalDependencies"].values()) == {VERSION}
    with temporary() as name:
        path = Path(name) / "dyno.js"
        path.write_bytes(launcher)
        run("node", "--check", path)


def npm_installs_it(packages):
    """6, 10. `npm i -g --ignore-scripts`: man page, version, `dyno` itself; an upgrade and a removal leave nothing."""
    needs("node", "npm")
    other = next_packages(packages, "npm").place
    with temporary() as name, Registry(packages.place, other) as registry:
        place = Path(name)
        env = npm_environment(place, registry)
        prefix = place / "prefix"
        install = ["npm", "install", "-g", "--prefix", prefix, "--ignore-scripts", *QUIET]
        run(*install, f"dynorun@{VERSION}", env=env)
        assert version_line([prefix / "bin/dyno"], env) == f"dyno {VERSION}\n"
        assert (prefix / "share/man/man1/dyno.1").exists()
        is_dyno_itself([prefix / "bin/dyno"], place, env)
        launcher_is_fast(prefix)
        links_as_foreman("npm root", place, env | {"npm_config_prefix": str(prefix)}, prefix / "bin")
        run("npm", "install", "-g", "--prefix", place / "other", *QUIET, f"dynorun@{NEXT}", env=env)
        assert [installed(each) for each in [prefix, place / "other"]] == [VERSION, NEXT], "two versions side by side"
        run(*install, f"dynorun@{NEXT}", env=env)
        assert installed(prefix) == NEXT
        run("npm", "uninstall", "-g", "--prefix", prefix, *QUIET, "dynorun", env=env)
        left = {path for path in files_below(prefix) if not path.endswith(".package-lock.json")}
        assert not left, f"left behind: {left}"
        assert version_line([place / "other/bin/dyno"], env) == f"dyno {VERSION}\n"


def installed(prefix):
    """The version of the package and of its binary in a prefix of npm; they are the same."""
    top = prefix / "lib/node_modules/dynorun"
    files = [top / "package.json", *top.glob(f"node_modules/{PLATFORM}/package.json")]
    (version,) = {json.loads(path.read_text())["version"] for path in files}
    return version


def launcher_is_fast(prefix):
    """11. The launcher starts in less than ten times what the binary needs."""
    native = next(prefix.glob("lib/node_modules/**/@dynorun/*/bin/dyno"))
    best = {}
    for _ in range(ROUNDS):
        for dyno in [native, prefix / "bin/dyno"]:
            began = time.perf_counter()
            subprocess.run([dyno, "--version"], check=True, stdout=subprocess.DEVNULL)
            best[dyno] = min(best.get(dyno, 9), time.perf_counter() - began)
    bare, launched = best.values()
    print(f"   started in {bare * 1000:.1f} ms, by the launcher in {launched * 1000:.1f} ms")
    assert launched < bare * SLOWER_AT_MOST


def npm_files_install_too(packages):
    """`npm i ./FILE ./FILE` without a registry, from the local files."""
    needs("node", "npm")
    with temporary() as name, Registry() as registry:
        place = Path(name)
        env = npm_environment(place, registry)
        files = [packages.one(f"dynorun-{VERSION}.tgz"), packages.one(f"dynorun-linux-{NODE_CPU}-{VERSION}.tgz")]
        run("npm", "install", "-g", "--prefix", place / "prefix", *QUIET, *files, env=env)
        assert version_line([place / "prefix/bin/dyno"], env) == f"dyno {VERSION}\n"


def npx_runs_it(packages):
    """6, 10. `npx dynorun`, and `npx dyno` in a project that has the package."""
    needs("node", "npx")
    with temporary() as name, Registry(packages.place) as registry:
        place = Path(name)
        env = npm_environment(place, registry)
        (place / "empty").mkdir()
        printed = run("npx", "--yes", "dynorun", "--version", cwd=place / "empty", env=env)
        assert printed.endswith(f"dyno {VERSION}\n"), printed
        app = project(place, env)
        assert run("npx", "dyno", "--version", cwd=app, env=env) == f"dyno {VERSION}\n"
        is_dyno_itself([app / "node_modules/.bin/dyno"], place, env)


def a_missing_platform_is_named(packages):
    """6. Status 69 and one line with the missing package: another CPU, a lock file that lost it, an unknown platform."""
    needs("node", "npm")
    if tuple(map(int, run("npm", "--version").split(".")[:2])) < (10, 2):
        raise Skipped("npm is older than 10.2, which does not know `--cpu`")
    with temporary() as name, Registry(packages.place) as registry:
        place = Path(name)
        env = npm_environment(place, registry)
        line = f"error: the package {PLATFORM} is not installed: add it with `npm install {PLATFORM}@{VERSION}`\n"
        app = project(place, env, "--cpu", "arm64" if NODE_CPU == "x64" else "x64")
        dyno = app / "node_modules/.bin/dyno"
        assert run(dyno, "--version", status=69, env=env) == line
        lost = json.loads((app / "package-lock.json").read_text())
        lost["packages"].pop(f"node_modules/{PLATFORM}", None)
        (app / "package-lock.json").write_text(json.dumps(lost))
        # npm has kept such a file for good; now `npm ci` refuses it, and `npm install` mends it.
        shutil.rmtree(app / "node_modules")
        run("npm", "install", *QUIET, cwd=app, env=env)
        if (app / f"node_modules/{PLATFORM}").exists():
            shutil.rmtree(app / f"node_modules/{PLATFORM}")
        assert run(dyno, "--version", status=69, env=env) == line
        run("npm", "install", *QUIET, f"{PLATFORM}@{VERSION}", cwd=app, env=env)
        assert version_line([dyno], env) == f"dyno {VERSION}\n", "the line says how to mend it"
        unknown(app / "node_modules/dynorun/bin/dyno", place, env)


def unknown(launcher, place, env):
    """On a platform without a package, with and without `node`."""
    bins = place / "bins"
    bins.mkdir()
    for program in ["sh", "readlink", "dirname"]:
        (bins / program).symlink_to(shutil.which(program))
    (bins / "uname").write_text("#!/bin/sh\necho riscv64\n")
    (bins / "uname").chmod(0o755)
    # As on a kernel that does not say it in a file.
    text = launcher.read_text().replace("/proc/sys/kernel/arch", "/proc/sys/kernel/none")
    launcher.unlink()
    launcher.write_text(text)
    launcher.chmod(0o755)
    answer = run(launcher, "--version", status=69, env=env | {"PATH": str(bins)})
    assert answer.count("\n") == 1 and "riscv64" in answer, answer
    pretend = place / "pretend.js"
    pretend.write_text("Object.defineProperty(process, 'arch', { value: 'riscv64' });\n")
    (bins / "node").symlink_to(os.path.realpath(shutil.which("node")))
    answer = run(launcher, "--version", status=69, env=env | {"PATH": str(bins), "NODE_OPTIONS": f'--require "{pretend}"'})
    expected = "error: there is no package @dynorun/linux-riscv64: dynorun runs on @dynorun/linux-x64 and @dynorun/linux-arm64\n"
    assert answer == expected, answer


def through_node_it_passes_signals_on(packages):
    """The half for `node`: version, arguments, status, and SIGTERM reaches `dyno`, which a newer `node` becomes."""
    needs("node", "npm")
    with temporary() as name, Registry(packages.place) as registry:
        place = Path(name)
        env = npm_environment(place, registry)
        dyno = ["node", project(place, env) / "node_modules/dynorun/bin/dyno"]
        if run("node", "-p", "typeof process.execve") == "function\n":
            is_dyno_itself(dyno, place, env)
        Start(dyno, place, env).ends_by(signal.SIGTERM)
        passes_words(dyno, place, env)
        run(*dyno, "run", "exit 7", status=7, cwd=place / "app", env=env)


def publint_finds_nothing(packages):
    """6. publint finds no error in the packages."""
    publint = node_tool("publint", "publint@0.3.12")
    for path in sorted(packages.place.glob("*.tgz")):
        found = run(publint, path)
        assert "Errors:" not in found, found


def pnpm_installs_it(packages):
    """7, 10. Under pnpm; `pnpm exec` waits and passes SIGTERM on; a removal leaves nothing."""
    pnpm = node_tool("pnpm", "pnpm@9.15.9")
    with temporary() as name, Registry(packages.place) as registry:
        place = Path(name)
        # Otherwise it keeps what is removed for a week.
        env = npm_environment(place, registry) | {"npm_config_modules_cache_max_age": "0"}
        app = place / "project"
        app.mkdir()
        (app / "package.json").write_text(json.dumps({"name": "app", "dependencies": {"dynorun": VERSION}}))
        run(pnpm, "install", "--ignore-scripts", "--store-dir", place / "store", cwd=app, env=env)
        assert run(pnpm, "exec", "dyno", "--version", cwd=app, env=env) == f"dyno {VERSION}\n"
        is_dyno_itself([app / "node_modules/.bin/dyno"], place, env)
        Start([pnpm, "exec", "dyno"], place, env, app).ends_by(signal.SIGTERM)
        run(pnpm, "remove", "--store-dir", place / "store", "dynorun", cwd=app, env=env)
        # pnpm sometimes leaves a link of its own that leads nowhere.
        left = {path for path in files_below(app) if ("dynorun" in path or "/bin/" in path) and (app / path).exists()}
        assert not left, f"left behind: {left}"


def yarn_installs_it(packages):
    """7. Under Yarn, with Plug'n'Play and with node_modules: Yarn waits and passes SIGTERM on; a removal leaves nothing."""
    if len(packages.binaries) < 2:
        raise Skipped("Yarn asks the registry for the packages of all CPUs")
    yarn = node_tool("yarn", "@yarnpkg/cli-dist@4.9.1")
    for linker in ["pnp", "node-modules"]:
        with temporary() as name, Registry(packages.place) as registry:
            place = Path(name)
            env = environment(place, YARN_ENABLE_TELEMETRY="0", YARN_ENABLE_GLOBAL_CACHE="0")
            app = place / "project"
            app.mkdir()
            (app / "package.json").write_text(json.dumps({"name": "app", "dependencies": {"dynorun": VERSION}}))
            (app / "yarn.lock").touch()
            (app / ".yarnrc.yml").write_text(
                f"nodeLinker: {linker}\nnpmRegistryServer: '{registry.url}'\nunsafeHttpWhitelist: ['127.0.0.1']\n"
                "enableImmutableInstalls: false\n"
            )
            run(yarn, "install", cwd=app, env=env)
            assert run(yarn, "dyno", "--version", cwd=app, env=env) == f"dyno {VERSION}\n"
            passes_words([yarn, "dyno"], place, env, directory=app)
            Start([yarn, "dyno"], place, env, app).ends_by(signal.SIGTERM, 143)
            run(yarn, "remove", "dynorun", cwd=app, env=env)
            # Its cache keeps what it has downloaded.
            left = {path for path in files_below(app) if "dynorun" in path and not path.startswith(".yarn/cache/")}
            assert not left, f"left behind: {left}"


CHECKS = [
    npm_has_no_scripts, npm_installs_it, npm_files_install_too, npx_runs_it, a_missing_platform_is_named,
    through_node_it_passes_signals_on,
]  # fmt: skip
SLOW = [publint_finds_nothing, pnpm_installs_it, yarn_installs_it]
