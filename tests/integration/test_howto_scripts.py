"""The scripts of the page of plans, with their config files, started as a reader starts them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PLANS = Path(__file__).parents[2] / "docs" / "plans.md"
TITLED = re.compile(r'^```\w+ title="([\w./]+)"\n(.*?)^```$', re.DOTALL | re.MULTILINE)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Every block of the page that has the name of a file, written to that file."""
    page = PLANS.read_text()
    written = {}
    for name, text in TITLED.findall(page):
        written[name] = tmp_path / name
        written[name].parent.mkdir(exist_ok=True)
        written[name].write_text(text)
    return written


def printed(script: Path, *arguments: str) -> str:
    completed = subprocess.run(
        [sys.executable, script.name, *arguments],
        cwd=script.parent,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


def command_in(script: Path) -> list[str]:
    """The arguments of the command in the docstring of the script."""
    found = re.match(rf'"""python {script.name} (.*)"""', script.read_text())
    assert found
    return found[1].split()


def test_a_plan_in_the_config_of_hydra_is_built(files: dict[str, Path]) -> None:
    """Hydra passes the plan on, with interpolations and the overrides of the command line."""
    script = files["train_hydra.py"]
    as_it_is = printed(script)
    assert "steps=20)" in as_it_is
    assert "at step 200: [0.0001]" in as_it_is
    overridden = printed(script, *command_in(script))
    assert "steps=50)" in overridden
    assert "at step 400: [0.0001]" in overridden


def test_a_plan_in_the_config_of_lightning_cli_is_built(files: dict[str, Path]) -> None:
    """LightningCLI passes the plan to the module, and the run ends where the plan ends."""
    script = files["train_cli.py"]
    text = printed(script, *command_in(script))
    assert "at step 40" in text
    assert "'weight_decay': [0.4]" in text
