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
