"""Study B: a batch that grows instead of a learning rate that falls.

Where a cosine has halved the learning rate, Seesaw (arXiv:2510.14717) divides it by √2 and doubles
the batch. All arms see the same samples in the same order. An arm with larger batches takes fewer
optimizer steps.
"""

from __future__ import annotations

import math
from typing import Any

from jobs import Job, Settings, Watch, watch_nothing
from measures import Claim, best_cell, median, spread
from training import (
    COSINE_PLAN,
    WARMUP,
    build,
    compute_gradients,
    training_positions,
    validation_loss,
)

import torch_schedule_anything as tsa

NAME = "batch_size"
ARMS = ("cosine", "staircase", "Seesaw", "batch alone")
FULL = Settings(steps=2000, seeds=5)  # steps of the smallest batch
SHORT = Settings(steps=90, seeds=1)
BATCH_SIZE = 32
RATES = (4e-3, 8e-3, 16e-3, 32e-3)
WEIGHT_DECAY = 0.1
NUM_HALVINGS = 4
KEY = "batch_size"
CURVE_POINTS = 10
NUM_CURVE_SAMPLES = 2048

# Written before the full run, after a pilot with one seed.
TOLERANCE = 0.01  # nats per character
STEPS = 0.7  # of the steps of the cosine
CRITERION = (
    f"Seesaw takes at most {STEPS:.0%} of the steps of the cosine. Each arm is at its own best "
    f"rate. The validation loss of Seesaw is at most {TOLERANCE} nats above that of the cosine, in "
    "the median of the differences per seed."
)


def halvings() -> list[float]:
    """The fractions of a run at which the cosine has fallen to 1/2, 1/4, … of its peak."""
    angles = [math.acos(2 * 0.5**k - 1) for k in range(1, NUM_HALVINGS + 1)]
    return [WARMUP + (1 - WARMUP) * angle / math.pi for angle in angles]


def stairs(start: float, factor: float) -> tsa.curves.Curve:
    """A plan in fractions of a run: at each halving, ``factor`` times the value before."""
    boundaries = [0.0, *halvings()]
    return tsa.curves.PiecewiseConstant(
        {boundary: start * factor**k for k, boundary in enumerate(boundaries)}
    )


def lr_plan(arm: str) -> tsa.curves.Curve:
    """The learning rate in fractions of a run, as multiples of its peak."""
    if arm == "cosine":
        return COSINE_PLAN
    factor = {"staircase": 0.5, "Seesaw": math.sqrt(0.5), "batch alone": 1.0}[arm]
    warmup = tsa.curves.Piecewise({0.0: 0.0, WARMUP: 1.0})
    return warmup * stairs(1.0, factor)


def run(job: Job, watch: Watch = watch_nothing) -> dict[str, Any]:
    network, optimizer = build(job["seed"], job["rate"], WEIGHT_DECAY)
    tsa.extend_optimizer(optimizer, KEY, float(BATCH_SIZE))
    total, samples, steps = job["steps"] * BATCH_SIZE, 0, 0
    factor = 2.0 if job["arm"] in ("Seesaw", "batch alone") else 1.0
    batch_plan = stairs(float(BATCH_SIZE), factor)
    schedule = tsa.SynchronousSchedule(
        [
            tsa.CurveSchedule(optimizer, tsa.curves.stretch(lr_plan(job["arm"]), total)),
            tsa.CurveSchedule(optimizer, tsa.curves.stretch(batch_plan, total), KEY, absolute=True),
        ],
        clock=lambda: samples,
    )
    positions = training_positions(total, job["seed"])
    marks = [total * i // CURVE_POINTS for i in range(1, CURVE_POINTS)]
    curve = []
    while samples < total:
        watch(samples, optimizer.param_groups)
        size = round(optimizer.param_groups[0][KEY])
        batch = positions[samples : samples + size]
        compute_gradients(network, batch)
        optimizer.step()
        samples += len(batch)
        steps += 1
        schedule.step()
        if marks and samples >= marks[0]:
            marks.pop(0)
            curve.append([samples, steps, validation_loss(network, NUM_CURVE_SAMPLES)])
    watch(samples, optimizer.param_groups)
    curve.append([samples, steps, validation_loss(network, NUM_CURVE_SAMPLES)])
    return {"loss": validation_loss(network), "optimizer_steps": steps, "curve": curve}


def jobs(settings: Settings) -> list[Job]:
    return [
        {"arm": arm, "rate": rate, "seed": seed, "steps": settings.steps}
        for seed in range(settings.seeds)
        for rate in RATES
        for arm in ARMS
    ]


def cost(job: Job) -> int:
    return int(job["steps"])


# -- what the runs say -------------------------------------------------------------------------


def best_runs(runs: list[Job], arm: str) -> list[Job]:
    """The runs of an arm at its best rate, by seed."""
    return best_cell([run for run in runs if run["arm"] == arm], by=("rate",))


def share_of_steps(runs: list[Job], arm: str) -> float:
    """The optimizer steps of an arm, divided by those of the cosine."""
    steps = {run["arm"]: run["optimizer_steps"] for run in runs}
    return float(steps[arm] / steps["cosine"])


def differences(runs: list[Job], arm: str) -> list[float]:
    """The validation loss of an arm minus that of the cosine, by seed, each at its best rate."""
    pairs = zip(best_runs(runs, arm), best_runs(runs, "cosine"))
    return [run["loss"] - cosine["loss"] for run, cosine in pairs]


def claims(runs: list[Job]) -> list[Claim]:
    share = share_of_steps(runs, "Seesaw")
    found = [
        Claim(
            f"Seesaw: at most {STEPS:.0%} of the steps of the cosine",
            share <= STEPS,
            f"{share:.1%} of the steps",
        )
    ]
    for arm in ("Seesaw", "staircase", "batch alone"):
        difference = differences(runs, arm)
        found.append(
            Claim(
                f"{arm}: a validation loss of at most {TOLERANCE} nats above the cosine's",
                median(difference) <= TOLERANCE,
                f"difference {spread(difference, 4)}",
                decisive=arm == "Seesaw",
            )
        )
    for arm in ("Seesaw", "staircase", "batch alone"):
        difference = differences(runs, arm)
        found.append(
            Claim(
                f"{arm}: a lower validation loss than the cosine's in every seed",
                max(difference) < 0,
                f"difference {spread(difference, 4)}",
                decisive=False,
            )
        )
    return found
