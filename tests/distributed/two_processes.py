"""Run a function in several processes of this machine that talk over gloo."""

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


def launch(worker: Callable[..., Any], *args: Any, world: int = 2) -> list[Any]:
    """What ``worker(*args)`` returned on each rank, in order; all end within two minutes."""
    with tempfile.TemporaryDirectory() as folder:
        context = mp.spawn(_enter, (world, Path(folder), worker, args), nprocs=world, join=False)
        deadline = time.monotonic() + 120
        try:
            while not context.join(timeout=1):
                assert time.monotonic() < deadline, f"{worker.__name__} did not end"
        finally:
            for process in context.processes:
                process.kill()
        return [torch.load(Path(folder, f"{rank}.pt"), weights_only=True) for rank in range(world)]


def _enter(rank: int, world: int, folder: Path, worker: Callable[..., Any], args: Any) -> None:
    faulthandler.enable()  # who is ended by a signal says where it was
    warnings.simplefilter("error")
    # What a launcher sets, for Accelerate. The processes meet in a file, which needs no free port.
    os.environ.update(
        RANK=str(rank),
        WORLD_SIZE=str(world),
        LOCAL_RANK=str(rank),
        LOCAL_WORLD_SIZE=str(world),
        OMP_NUM_THREADS="1",
    )
    torch.set_num_threads(1)
    meeting = (folder / "meeting").as_uri()
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=world)
    torch.save(worker(*args), folder / f"{rank}.pt")
    dist.barrier()  # who leaves early takes its connections away from the others
    dist.destroy_process_group()
    os._exit(0)  # torch 2.13 over gloo, with or without us, now and then aborts as Python exits
