"""The short form of the studies: every value follows the plan at every step.

    python studies/check.py

Each job runs for a few steps, and the values of the param groups are compared with closed forms.
The closed forms are written here without the library's curves. Then the jobs run again in other
processes: the same seed gives the same numbers, and a finished job is not run twice. The short form
says nothing about the effects.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import batch_size
import one_run
import torch
import weight_decay
from jobs import Job, run_all, watch_nothing
from training import compute_gradients, training_positions

import torch_schedule_anything as tsa

# A position, and by the name of a group the values that it holds there.
Row: TypeAlias = tuple[int, dict[str, dict[str, float]]]


def cosine(rate: float, t: float, total: float) -> float:
    """A linear warmup over the first twentieth, then half a cosine wave down to 0."""
    warmup = total / 20
    if t < warmup:
        return rate * t / warmup
    return rate * (1 + math.cos(math.pi * (t - warmup) / (total - warmup))) / 2


def weight_decay_rows(job: Job) -> Iterator[Row]:
    steps, rate, decay = job["steps"], job["rate"], job["weight_decay"]
    for t in range(steps + 1):
        lr = cosine(rate, t, steps)
        value = {
            "constant": decay,
            "in proportion to lr": decay * lr / rate,
            "with 1/t": decay / (1 + 10 * t / steps),
        }[job["arm"]]
        matrices = {"lr": lr, "weight_decay": value}
        yield t, {"matrices": matrices, "others": {"lr": lr, "weight_decay": 0.0}}


def batch_size_rows(job: Job) -> Iterator[Row]:
    total, samples, rate = 32 * job["steps"], 0, job["rate"]
    while True:
        falls = cosine(1.0, samples, total) if samples > total / 20 else 1.0
        halved = sum(falls <= 0.5**k for k in (1, 2, 3, 4))
        warm = min(1.0, samples / (total / 20))
        lr = {
            "cosine": cosine(rate, samples, total),
            "staircase": rate * warm / 2**halved,
            "Seesaw": rate * warm / math.sqrt(2) ** halved,
            "batch alone": rate * warm,
        }[job["arm"]]
        batch = 32 * 2**halved if job["arm"] in ("Seesaw", "batch alone") else 32
        yield samples, {name: {"lr": lr, "batch_size": batch} for name in ("matrices", "others")}
        if samples == total:
            return
        samples = min(samples + batch, total)


def one_run_rows(job: Job) -> Iterator[Row]:
    rate, longest, reached = job["rate"], job["steps"], 0
    groups = ("matrices", "others")
    if job["arm"] == "cosine":
        for t in range(job["length"] + 1):
            yield t, {name: {"lr": cosine(rate, t, job["length"])} for name in groups}
        return
    for length in (longest // 4, longest // 2, longest):
        cooldown = length // 5
        fork = length - cooldown
        for t in range(reached, fork):
            lr = rate * min(1.0, t / (longest // 80))
            yield t, {name: {"lr": lr} for name in groups}
        for t in range(fork, length + 1):
            lr = rate * (1 - math.sqrt((t - fork) / cooldown))
            yield t, {name: {"lr": lr} for name in groups}
        reached = fork


EXPECTED: dict[ModuleType, Callable[[Job], Iterator[Row]]] = {
    weight_decay: weight_decay_rows,
    batch_size: batch_size_rows,
    one_run: one_run_rows,
}


def check_values(study: ModuleType, job: Job) -> Job:
    """Run a job, and compare the values at each of its steps with the closed form."""
    expected = EXPECTED[study](job)

    def watch(position: int, groups: list[dict[str, Any]]) -> None:
        planned, values = next(expected)
        assert position == planned, f"{job}: at {position} instead of {planned}"
        for group in groups:
            for key, value in values[group["name"]].items():
                assert math.isclose(group[key], value, rel_tol=1e-9, abs_tol=1e-12), (
                    f"{job}: at {position}, {key} of {group['name']!r} is {group[key]}; the plan "
                    f"says {value}"
                )

    results: Job = study.run(job, watch)
    assert next(expected, None) is None, f"{job}: the run ended before its plan"
    return {**job, **results}


def check_repeats(study: ModuleType, jobs: list[Job], runs: list[Job]) -> None:
    """Other processes find the same numbers, and what they finished is not run again."""
    with tempfile.TemporaryDirectory() as folder:
        first = run_all(study.NAME, jobs, 2, Path(folder))
        again = run_all(study.NAME, jobs, 2, Path(folder))
    assert first == again, f"{study.NAME}: a finished job ran again"
    for run, other in zip(runs, first):
        numbers = {key: other[key] for key in run}
        assert run == numbers, f"the same seed gave {numbers}, and before {run}"


def check_resume() -> None:
    """A run that is restored from a checkpoint goes on to the same weights."""
    job = {"arm": "one run", "rate": 8e-3, "seed": 0, "steps": 40}
    positions = training_positions(40 * one_run.BATCH_SIZE, 0)
    curve = tsa.curves.Linear(0.0, 1.0, 5)
    whole, resumed = one_run.Training(job, curve), one_run.Training({**job, "seed": 1}, curve)
    whole.train(positions, 20, watch_nothing)
    resumed.restore(whole.checkpoint())
    for training in (whole, resumed):
        training.train(positions, 40, watch_nothing)
    pairs = zip(whole.network.parameters(), resumed.network.parameters())
    assert all(torch.equal(a, b) for a, b in pairs), "a restored run ended in other weights"


def check_gradients_are_fresh() -> None:
    """A step sees the gradients of its own batch alone."""
    training = one_run.Training(one_run.jobs(one_run.SHORT)[0], tsa.curves.Constant(1.0))
    positions = training_positions(64, 0)
    gradients = []
    for _ in range(2):
        compute_gradients(training.network, positions)
        gradients.append(
            [p.grad.clone() for p in training.network.parameters() if p.grad is not None]
        )
    assert all(map(torch.equal, *gradients)), "gradients of an earlier batch were kept"


def main() -> None:
    torch.set_num_threads(1)
    started = time.perf_counter()
    check_resume()
    check_gradients_are_fresh()
    for study in EXPECTED:
        # The plan does not depend on the rate, so one rate is enough.
        jobs = [job for job in study.jobs(study.SHORT) if job["rate"] == study.RATES[1]]
        runs = [check_values(study, job) for job in jobs]
        check_repeats(study, jobs, runs)
        study.claims(runs)  # the verdict of so short runs says nothing
        print(f"{study.NAME}: {len(jobs)} runs follow their plans, and repeat")
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
