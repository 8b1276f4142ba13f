"""Checks of the gem."""

import os
from pathlib import Path

from kinds.gem import warnings

from .harness import (
    CPU, VERSION, environment, files_below, is_dyno_itself, links_as_foreman, needs, passes_words, run, temporary, version_line,
)  # fmt: skip
from .next_version import NEXT, next_packages

# What RubyGems keeps for itself when a gem is removed.
OF_RUBYGEMS = ("cache", "plugins", "extensions", "doc", "build_info", "specifications/.")


def install(gem, place, env):
    run("gem", "install", "--local", "--no-document", "-i", place, "-n", place / "bin", gem, env=env)


def gem_installs_it(packages):
    """8, 10. `gem install`: the platform, the version, `dyno` itself; two versions side by side; a removal leaves nothing."""
    needs("gem")
    platform = run("gem", "spec", packages.gem(), "platform")
    assert f"cpu: {CPU}\nos: linux\nversion:" in platform, platform
    with temporary() as name:
        place = Path(name)
        gems = place / "the gems"
        env = environment(place, GEM_HOME=str(gems), GEM_PATH=str(gems))
        install(packages.gem(), gems, env)
        dyno = [gems / "bin" / "dyno"]
        assert version_line(dyno, env) == f"dyno {VERSION}\n"
        is_dyno_itself(dyno, place, env)
        links_as_foreman("gem contents", place, env, gems / "bin")
        install(next_packages(packages, "gem").gem(), gems, env)
        assert f"dynorun ({NEXT} {CPU}-linux, {VERSION} {CPU}-linux)" in run("gem", "list", "dynorun", env=env)
        for version in [VERSION, NEXT]:
            dyno_of = [*dyno, f"_{version}_"]
            passes_words(dyno_of, place, env)
        run("gem", "uninstall", "--all", "--executables", "-n", gems / "bin", "dynorun", env=env)
        left = {path for path in files_below(gems) if not path.startswith(OF_RUBYGEMS)}
        assert not left, f"left behind: {left}"


def warnings_of_gem_build_are_refused(packages):
    """8. `packaging/pack` refuses every warning of `gem build`, except for a homepage that Cargo.toml lacks."""
    del packages
    needs("gem")
    fields = "s.name = s.summary = 'x'; s.description = s.name * 2; s.files = ['x.gemspec']; s.version = '1'; s.authors = ['x']; s.license = '%s'"
    with temporary() as name:
        for license_name, warned in [("MIT", []), ("None such", ["license value"])]:
            (Path(name) / "x.gemspec").write_text(f"Gem::Specification.new {{ |s| {fields % license_name} }}\n")
            printed = run("gem", "build", "x.gemspec", cwd=name)
            found = warnings(printed, None)
            assert [line[:13] for line in found] == warned, printed
            assert set(warnings(printed, "https://example.com")) == {"no homepage specified", *found}, printed


def gem_in_a_read_only_directory_runs(packages):
    """The directory of the gems cannot be written, by a user who owns nothing in it."""
    needs("gem", "setpriv")
    with temporary() as name:
        place = Path(name)
        place.chmod(0o755)
        gems = place / "gems"
        env = environment(place, GEM_HOME=str(gems), GEM_PATH=str(gems))
        install(packages.gem(), gems, env)
        run("chmod", "-R", "a-w,a+rX", gems)
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []
        (place / "app").mkdir()
        (place / "home").chmod(0o777)
        (place / "run").chmod(0o777)
        try:
            assert version_line([*user, gems / "bin/dyno"], env) == f"dyno {VERSION}\n"
            passes_words([*user, gems / "bin/dyno"], place, env)
        finally:
            run("chmod", "-R", "u+w", gems)


CHECKS = [gem_installs_it, warnings_of_gem_build_are_refused, gem_in_a_read_only_directory_runs]
