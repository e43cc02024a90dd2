"""The documentation's scripts for several processes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from page_scripts import files_of, printed
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save
from torch.utils._pytree import tree_leaves

# After gloo was used, torch 2.13 sometimes aborts when Python exits, also without this library.
EXIT_AT_ONCE = "\n__import__('sys').stdout.flush()\n__import__('os')._exit(0)\n"


def torchrun(file: Path) -> str:
    """Two processes run the script; returns the text that they printed."""
    command = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    return printed(file, launcher=command)


def script_of(page: str, name: str, folder: Path) -> Path:
    file = files_of(page, folder)[name]
    file.write_text(file.read_text() + EXIT_AT_ONCE)
    return file


def load(checkpoint: Path) -> Any:
    if checkpoint.is_dir():
        single_file = checkpoint.parent / "single_file.pt"
        dcp_to_torch_save(checkpoint, single_file)
        checkpoint = single_file
    return torch.load(checkpoint, weights_only=True)


def tensors(state: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(state) if isinstance(leaf, torch.Tensor)]


@pytest.mark.parametrize("name", ["train_ddp.py", "train_fsdp2.py", "train_zero.py"])
def test_a_script_that_is_started_again_reaches_the_same_checkpoint(
    tmp_path: Path, name: str
) -> None:
    """A script without its last checkpoint resumes from the previous one and repeats the last."""
    file = script_of("checkpoints.md", name, tmp_path)
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
        found, expected = tensors(resumed[part]), tensors(uninterrupted[part])
        assert len(found) >= least
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_the_accelerate_script_runs_in_two_processes(tmp_path: Path) -> None:
    """The Accelerate script, which asserts its plan in every process, succeeds in both."""
    text = torchrun(script_of("frameworks.md", "train_accelerate.py", tmp_path))
    assert "process 0 of 2" in text
    assert "process 1 of 2" in text
