"""The documentation's scripts for several processes, started as a reader starts them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

DOCS = Path(__file__).parents[2] / "docs"
SCRIPT = re.compile(r'^```python title="(\w+\.py)"\n(.*?)^```$', re.DOTALL | re.MULTILINE)

# After gloo was used, torch 2.13 sometimes aborts when Python exits, also without this library.
EXIT_AT_ONCE = "\n__import__('sys').stdout.flush()\n__import__('os')._exit(0)\n"


def write_script(page: str, file: Path) -> None:
    """The script with the title ``file.name`` on the page is written to ``file``."""
    scripts = dict(SCRIPT.findall((DOCS / page).read_text()))
    file.write_text(scripts[file.name] + EXIT_AT_ONCE)


def torchrun(file: Path) -> str:
    """Two processes run the script; returns the text that they printed."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    completed = subprocess.run(
        [*command, "--nproc-per-node", "2", file.name],
        cwd=file.parent,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


def load(checkpoint: Path) -> Any:
    if checkpoint.is_dir():
        single_file = checkpoint.parent / "single_file.pt"
        dcp_to_torch_save(checkpoint, single_file)
        checkpoint = single_file
    return torch.load(checkpoint, weights_only=True)


def tensors(state: Any) -> list[torch.Tensor]:
    """Every tensor in a nested state."""
    if isinstance(state, torch.Tensor):
        return [state]
    if isinstance(state, dict):
        return [tensor for part in state.values() for tensor in tensors(part)]
    return []


@pytest.mark.parametrize("name", ["train_ddp.py", "train_fsdp2.py", "train_zero.py"])
def test_a_script_that_is_started_again_reaches_the_same_checkpoint(
    tmp_path: Path, name: str
) -> None:
    """A script without its last checkpoint resumes from the previous one and repeats the last."""
    file = tmp_path / name
    write_script("checkpoints.md", file)
    torchrun(file)
    previous, last = sorted(tmp_path.glob("step*"))
    uninterrupted = load(last)
    shutil.rmtree(last) if last.is_dir() else last.unlink()
    time_of_saving = previous.stat().st_mtime_ns

    torchrun(file)

    assert previous.stat().st_mtime_ns == time_of_saving
    resumed = load(last)
    assert resumed.keys() == {"model", "optimizer", "schedule"}
    assert resumed["schedule"] == uninterrupted["schedule"]
    assert resumed["schedule"]["lr"]["last_epoch"] == 20
    for part, least in (("model", 2), ("optimizer", 6)):  # Adam has a count and two moments
        assert len(tensors(resumed[part])) >= least
        for tensor, wanted in zip(
            tensors(resumed[part]), tensors(uninterrupted[part]), strict=True
        ):
            assert torch.equal(tensor, wanted)


def test_the_accelerate_script_runs_in_two_processes(tmp_path: Path) -> None:
    """The Accelerate script, which asserts its plan in every process, succeeds in both."""
    file = tmp_path / "train_accelerate.py"
    write_script("frameworks.md", file)
    printed = torchrun(file)
    assert "process 0 of 2" in printed
    assert "process 1 of 2" in printed
