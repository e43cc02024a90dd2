"""The form for reports asks for commands that work."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import textwrap
from importlib import metadata
from pathlib import Path

import torch

FORM = Path(__file__).parents[2] / ".github" / "ISSUE_TEMPLATE" / "bug_report.yml"
TEXT = FORM.read_text(encoding="utf-8")


def test_the_command_prints_the_versions() -> None:
    """The command that a reporter is asked to run prints this library's version and torch's."""
    (command,) = re.findall(r"`(python -c [^`]*)`", TEXT)
    _, *arguments = shlex.split(" ".join(command.split()))
    printed = subprocess.check_output([sys.executable, *arguments], text=True).split()
    assert printed[:2] == [metadata.version("torch-schedule-anything"), torch.__version__]


def test_the_minimal_run_runs() -> None:
    """The program that a reporter starts from runs as it is."""
    (program,) = re.findall(r"value: \|\n((?: {8}.*\n|\n)+)", TEXT)
    exec(textwrap.dedent(program), {})
