"""The scripts of the page of plans, with their config files."""

from __future__ import annotations

import re
from pathlib import Path

from page_scripts import files_of, printed


def command_in(script: Path) -> list[str]:
    """The arguments of the command in the docstring of the script."""
    found = re.match(rf'"""python {script.name} (.*)"""', script.read_text())
    assert found
    return found[1].split()


def test_a_plan_in_the_config_of_hydra_is_built(tmp_path: Path) -> None:
    """Hydra passes the plan on, with interpolations and the overrides of the command line."""
    script = files_of("plans.md", tmp_path)["train_hydra.py"]
    as_it_is = printed(script)
    assert "steps=20)" in as_it_is
    assert "at step 200: [0.0001]" in as_it_is
    overridden = printed(script, *command_in(script))
    assert "steps=50)" in overridden
    assert "at step 400: [0.0001]" in overridden


def test_a_plan_in_the_config_of_lightning_cli_is_built(tmp_path: Path) -> None:
    """LightningCLI passes the plan to the module, and the run ends where the plan ends."""
    script = files_of("plans.md", tmp_path)["train_cli.py"]
    text = printed(script, *command_in(script))
    assert "at step 40" in text
    assert "'weight_decay': [0.4]" in text
