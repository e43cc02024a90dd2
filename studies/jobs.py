"""Jobs of a study: each is one line of settings, and runs in a process of its own with one thread.

A finished job is saved at once, so a study that was interrupted goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeAlias

import torch

HERE = Path(__file__).resolve().parent
FINISHED = HERE / ".finished"

# The settings of one run. Together with its results, the same dict describes a finished run.
Job: TypeAlias = dict[str, Any]
# Called at every step with the position of the schedules and the param groups.
Watch: TypeAlias = Callable[[int, list[dict[str, Any]]], None]


@dataclass(frozen=True)
class Settings:
    """The size of a study."""

    steps: int
    seeds: int


def watch_nothing(position: int, groups: list[dict[str, Any]]) -> None:
    """Let a step pass."""


def fingerprint(study: str) -> str:
    """Changes with the code of the study, the versions and the text: finished jobs then differ."""
    digest = hashlib.sha256(f"{torch.__version__} {sys.version}".encode())
    for module in (study, "corpus", "network", "training"):
        digest.update((HERE / f"{module}.py").read_bytes())
    return digest.hexdigest()[:16]


def path_of(folder: Path, job: Job) -> Path:
    """The file of a finished job."""
    key = json.dumps(job, sort_keys=True)
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"


def prepare_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the workers
    torch.set_num_threads(1)


def execute(study: str, job: Job, path: Path) -> None:
    """Run one job, and save its settings, results and seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    results = import_module(study).run(job)
    seconds = {
        "wall_s": round(time.perf_counter() - wall, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
    }
    save(path, {**job, **results, **seconds})


def run_all(study: str, jobs: list[Job], workers: int, folder: Path = FINISHED) -> list[Job]:
    """The finished runs of all jobs in order; a job that was finished before is read."""
    from tqdm import tqdm  # type: ignore[import-untyped]  # to read results needs no bar

    module = import_module(study)
    folder = folder / f"{study}-{fingerprint(study)}"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [path_of(folder, job) for job in jobs]
    waiting = [(job, path) for job, path in zip(jobs, paths) if not path.exists()]
    total = sum(map(module.cost, jobs))
    started = total - sum(module.cost(job) for job, _ in waiting)
    pool = ProcessPoolExecutor(workers, get_context("spawn"), prepare_worker)
    bar_format = "{desc} {percentage:3.0f}% |{bar}| {elapsed}, {remaining} left{postfix}"
    with tqdm(
        total=total, initial=started, desc=f"{study:<12}", bar_format=bar_format, disable=None
    ) as bar:
        try:
            futures = {pool.submit(execute, study, job, path): job for job, path in waiting}
            for future in as_completed(futures):
                future.result()
                bar.update(module.cost(futures[future]))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return [json.loads(path.read_text()) for path in paths]


def save(path: Path, run: Job) -> None:
    """Write the file whole or not at all."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(run))
    draft.replace(path)


def described(settings: Settings) -> dict[str, int]:
    return asdict(settings)
