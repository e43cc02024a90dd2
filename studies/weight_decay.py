"""Study A: weight decay that follows the learning rate.

Does the norm of the gradients rise near the end of training, where weight decay is constant and the
learning rate is annealed? Two other arms lower weight decay: in proportion to the learning rate
(AdamC, arXiv:2506.02285), or with 1/t (arXiv:2602.05298).
"""

from __future__ import annotations

from typing import Any

import torch
from jobs import Job, Settings, Watch, watch_nothing
from measures import Claim, best_cell, every_below, spread
from training import (
    COSINE_PLAN,
    batches,
    build,
    compute_gradients,
    gradient_norm,
    means,
    training_positions,
    validation_loss,
)

import torch_schedule_anything as tsa

NAME = "weight_decay"
ARMS = ("constant", "in proportion to lr", "with 1/t")
FULL = Settings(steps=1500, seeds=5)
SHORT = Settings(steps=40, seeds=1)
BATCH_SIZE = 64
WEIGHT_DECAYS = (0.1, 0.3, 1.0)
RATES = (2e-3, 4e-3, 8e-3, 16e-3)
TIMESCALE = 0.1  # of the run, after which 1/t has halved weight decay
CURVE_POINTS = 30

# Written before the full run, after a pilot with one seed.
RISES = 1.2  # the gradient norm rises if its growth is above this in every seed
CRITERION = (
    "The arms are compared at the largest weight decay, each at its own best rate. The growth of "
    f"the constant arm is above {RISES} in every seed. Every seed of the other arms is below every "
    "seed of the constant arm."
)


def jobs(settings: Settings) -> list[Job]:
    return [
        {"arm": arm, "weight_decay": decay, "rate": rate, "seed": seed, "steps": settings.steps}
        for seed in range(settings.seeds)
        for rate in RATES
        for decay in WEIGHT_DECAYS
        for arm in ARMS
    ]


def cost(job: Job) -> int:
    return int(job["steps"])


def schedule_of(optimizer: torch.optim.Optimizer, job: Job) -> tsa.SynchronousSchedule:
    """The schedules of one arm: lr always, and weight decay where it is not constant."""
    steps, decay = job["steps"], job["weight_decay"]
    schedules: list[Any] = [tsa.CurveSchedule(optimizer, tsa.curves.stretch(COSINE_PLAN, steps))]
    if job["arm"] == "in proportion to lr":
        schedules.append(tsa.DerivedSchedule(optimizer, lambda multiple: multiple, "weight_decay"))
    elif job["arm"] == "with 1/t":
        curve = tsa.curves.InversePower(decay, TIMESCALE * steps, exponent=1)
        schedules.append(
            tsa.CurveSchedule(
                optimizer, {"matrices": curve, "*": None}, "weight_decay", absolute=True
            )
        )
    return tsa.SynchronousSchedule(schedules)


def run(job: Job, watch: Watch = watch_nothing) -> dict[str, Any]:
    network, optimizer = build(job["seed"], job["rate"], job["weight_decay"])
    schedule = schedule_of(optimizer, job)
    positions = training_positions(job["steps"] * BATCH_SIZE, job["seed"])
    norms = []
    for t, batch in enumerate(batches(positions, BATCH_SIZE)):
        watch(t, optimizer.param_groups)
        compute_gradients(network, batch)
        norms.append(gradient_norm(network))
        optimizer.step()
        schedule.step()
    watch(job["steps"], optimizer.param_groups)
    tenths = means(norms, 10)
    return {
        "loss": validation_loss(network),
        "growth": tenths[9] / tenths[1],
        "gradient_norm": means(norms, min(CURVE_POINTS, len(norms))),
    }


# -- what the runs say -------------------------------------------------------------------------


def best_runs(runs: list[Job], arm: str, decays: tuple[float, ...] = WEIGHT_DECAYS) -> list[Job]:
    """The runs of an arm at its best rate, and at its best of the given weight decays, by seed."""
    mine = [run for run in runs if run["arm"] == arm and run["weight_decay"] in decays]
    return best_cell(mine, by=("weight_decay", "rate"))


def claims(runs: list[Job]) -> list[Claim]:
    """The criterion, at the largest weight decay, and where every arm takes its own best."""
    found = []
    largest = (max(WEIGHT_DECAYS),)
    for decays, where in (
        (largest, f"at weight decay {largest[0]}, own best rate"),
        (WEIGHT_DECAYS, "at own best weight decay and rate"),
    ):
        best = {arm: best_runs(runs, arm, decays) for arm in ARMS}
        growth = {arm: [run["growth"] for run in best[arm]] for arm in ARMS}
        constant = growth["constant"]
        found.append(
            Claim(
                f"constant weight decay: the gradient norm rises, {where}",
                min(constant) > RISES,
                f"growth {spread(constant)}",
                decisive=decays == largest,
            )
        )
        for arm in ARMS[1:]:
            found.append(
                Claim(
                    f"weight decay {arm}: the gradient norm grows less, {where}",
                    every_below(growth[arm], constant),
                    f"growth {spread(growth[arm])}",
                    decisive=decays == largest,
                )
            )
    best = {arm: best_runs(runs, arm) for arm in ARMS}
    for arm in ARMS[1:]:
        differences = [a["loss"] - b["loss"] for a, b in zip(best[arm], best["constant"])]
        found.append(
            Claim(
                f"weight decay {arm}: a lower validation loss in every seed, at own best weight "
                "decay and rate",
                max(differences) < 0,
                f"difference {spread(differences, 4)}",
                decisive=False,
            )
        )
    return found
