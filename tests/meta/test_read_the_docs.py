"""Read the Docs builds the site with the commands of ``nox -s site``."""

from __future__ import annotations

import ast
import shlex
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def commands_of_nox() -> list[list[str]]:
    """The commands of the session ``site``, without the folder of the site."""
    tree = ast.parse((ROOT / "noxfile.py").read_text())
    (session,) = (
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "site"
    )
    calls = [
        node
        for node in ast.walk(session)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "run_in_environment"
    ]
    calls.sort(key=lambda call: call.lineno)
    return [[word.value for word in call.args if isinstance(word, ast.Constant)] for call in calls]


def test_both_build_the_site_with_the_same_commands() -> None:
    """The pictures are drawn and the pages are built by the same commands, in the same order."""
    jobs = yaml.safe_load((ROOT / ".readthedocs.yaml").read_text())["build"]["jobs"]
    commands = [shlex.split(command) for command in jobs["build"]["html"]]
    assert commands[-1].pop() == "$READTHEDOCS_OUTPUT/html"
    assert commands == commands_of_nox()
