"""Run a function in several processes of this machine that communicate over gloo."""

from __future__ import annotations

import faulthandler
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import training_plan as plan

TIME_LIMIT = 120  # seconds


def launch(worker: Callable[..., Any], *args: Any, world_size: int = 2) -> list[Any]:
    """Each rank runs ``worker(*args)``; the list holds the returned values in order of rank."""
    with tempfile.TemporaryDirectory() as folder:
        context = mp.spawn(
            run_worker, (world_size, Path(folder), worker, args), nprocs=world_size, join=False
        )
        deadline = time.monotonic() + TIME_LIMIT
        try:
            while not context.join(timeout=1):
                assert time.monotonic() < deadline, f"{worker.__name__} did not end"
        finally:
            for process in context.processes:
                process.kill()
        return [
            torch.load(Path(folder, f"{rank}.pt"), weights_only=True) for rank in range(world_size)
        ]


def run_worker(
    rank: int, world_size: int, folder: Path, worker: Callable[..., Any], args: Any
) -> None:
    """A process joins the others, calls ``worker`` and leaves its result in ``folder``."""
    faulthandler.enable()  # a process that a signal ends prints its stack first
    warnings.simplefilter("error")
    # Accelerate reads these variables, which a launcher sets.
    os.environ.update(
        RANK=str(rank),
        WORLD_SIZE=str(world_size),
        LOCAL_RANK=str(rank),
        LOCAL_WORLD_SIZE=str(world_size),
        OMP_NUM_THREADS="1",
    )
    torch.set_num_threads(1)
    # The processes find each other through a file, because a port could be in use.
    meeting_point = (folder / "meeting_point").as_uri()
    dist.init_process_group("gloo", init_method=meeting_point, rank=rank, world_size=world_size)
    torch.save(worker(*args), folder / f"{rank}.pt")
    dist.barrier()  # a process that exits early would close its connections to the others
    dist.destroy_process_group()
    # After gloo was used, torch 2.13 sometimes aborts when Python exits, also without this library.
    os._exit(0)


def train(
    model: Any, optimizer: Any, schedule: Any, steps: range, data: int = 0
) -> dict[int, plan.Values]:
    """Train for ``steps``, and return the values that the optimizer held before each of them.

    Ranks that train on the same ``data`` have the same gradients. The mean over them is then
    exactly the same for any number of ranks.
    """
    values = {}
    for t in steps:
        values[t] = plan.values_of(optimizer)
        batch = torch.randn(8, 4, generator=torch.Generator().manual_seed(1000 * data + t))
        optimizer.zero_grad()
        model(batch).square().mean().backward()
        plan.clip_gradients(optimizer)
        optimizer.step()
        schedule.step()
    return values


def assert_ranks_on_plan(ranks: list[Any]) -> None:
    """Both runs of every rank follow the plan and end in the weights of rank 0's first run."""
    for whole, resumed in ranks:
        plan.assert_run_on_plan(whole[0])
        plan.assert_resumed(resumed, whole)
        plan.assert_same_weights(whole[1], ranks[0][0][1])
