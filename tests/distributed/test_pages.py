"""The scripts that the documentation shows for several processes, as a reader would start them."""

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


# torch 2.13 over gloo, with or without us, now and then aborts as Python exits.
LEAVE = "\n__import__('sys').stdout.flush()\n__import__('os')._exit(0)\n"


def script(page: str, name: str) -> str:
    return dict(SCRIPT.findall((DOCS / page).read_text()))[name] + LEAVE


def torchrun(file: Path) -> str:
    """What two processes of it printed."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [*command, "--nproc-per-node", "2", file.name],
        cwd=file.parent,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def load(checkpoint: Path) -> Any:
    if checkpoint.is_dir():
        in_one_file = checkpoint.parent / "in_one_file.pt"
        dcp_to_torch_save(checkpoint, in_one_file)
        checkpoint = in_one_file
    return torch.load(checkpoint, weights_only=True)


def tensors(state: Any) -> list[torch.Tensor]:
    """Every tensor in a nested state."""
    if isinstance(state, torch.Tensor):
        return [state]
    if isinstance(state, dict):
        return [tensor for part in state.values() for tensor in tensors(part)]
    return []


@pytest.mark.parametrize("name", ["train_ddp.py", "train_fsdp2.py", "train_zero.py"])
def test_started_again_it_comes_to_the_same_checkpoint(tmp_path: Path, name: str) -> None:
    """Without its last checkpoint it goes on from the one before, and makes the same again."""
    file = tmp_path / name
    file.write_text(script("checkpoints.md", name))
    torchrun(file)
    before, last = sorted(tmp_path.glob("step*"))
    whole = load(last)
    shutil.rmtree(last) if last.is_dir() else last.unlink()
    made = before.stat().st_mtime_ns

    torchrun(file)

    assert before.stat().st_mtime_ns == made
    again = load(last)
    assert again.keys() == {"model", "optimizer", "schedule"}
    assert again["schedule"] == whole["schedule"]
    assert again["schedule"]["lr"]["last_epoch"] == 20
    for part, least in (("model", 2), ("optimizer", 6)):  # Adam has a count and two moments
        assert len(tensors(again[part])) >= least
        for tensor, wanted in zip(tensors(again[part]), tensors(whole[part]), strict=True):
            assert torch.equal(tensor, wanted)


def test_accelerate_in_two_processes(tmp_path: Path) -> None:
    """Both are on the plan that is counted for two."""
    file = tmp_path / "train_accelerate.py"
    file.write_text(script("frameworks.md", file.name))
    printed = torchrun(file)
    assert "process 0 of 2" in printed
    assert "process 1 of 2" in printed
