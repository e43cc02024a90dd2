"""Study C: one run, every length.

A run with a constant learning rate leaves checkpoints. From each of them a short cooldown is
forked, and ends in a network of that length (arXiv:2405.18392). A cosine needs a run per length.
"""

from __future__ import annotations

import io
from typing import Any

import torch
from jobs import Job, Settings, Watch, watch_nothing
from measures import Claim, best_cell, median, spread
from torch import Tensor
from training import (
    COSINE_PLAN,
    WARMUP,
    build,
    compute_gradients,
    training_positions,
    validation_loss,
)

import torch_schedule_anything as tsa

NAME = "one_run"
ARMS = ("cosine", "one run")
FULL = Settings(steps=2400, seeds=5)  # steps of the longest run
SHORT = Settings(steps=80, seeds=1)
BATCH_SIZE = 64
RATES = (2e-3, 4e-3, 8e-3, 16e-3, 32e-3)
WEIGHT_DECAY = 0.1
LENGTHS = (0.25, 0.5, 1.0)  # of the longest run
COOLDOWN = 0.2  # of each length

# Written before the full run, after a pilot with one seed.
TOLERANCE = 0.01  # nats per character
CRITERION = (
    "The one run has one rate for all lengths, its best. The cosine runs have the best rate of "
    "each length. At every length, the validation loss after the cooldown is at most "
    f"{TOLERANCE} nats above the cosine's. That is the median of the differences per seed. The one "
    "run takes fewer steps in total."
)


def lengths(steps: int) -> list[int]:
    return [round(fraction * steps) for fraction in LENGTHS]


def cooldown_steps(length: int) -> int:
    return round(COOLDOWN * length)


def warmup_steps(steps: int) -> int:
    """The one run is warmed up for as many steps as the shortest cosine run."""
    return round(WARMUP * lengths(steps)[0])


class Training:
    """A network, its optimizer and the schedule of lr, which can be saved and restored."""

    def __init__(self, job: Job, curve: tsa.curves.Curve) -> None:
        self.network, self.optimizer = build(job["seed"], job["rate"], WEIGHT_DECAY)
        self.schedule = tsa.SynchronousSchedule([tsa.CurveSchedule(self.optimizer, curve)])

    def train(self, positions: Tensor, until: int, watch: Watch) -> None:
        """Train up to step ``until``; the samples of a step depend on its number alone."""
        for t in range(self.schedule.last_epoch, until):
            watch(t, self.optimizer.param_groups)
            compute_gradients(self.network, positions[t * BATCH_SIZE : (t + 1) * BATCH_SIZE])
            self.optimizer.step()
            self.schedule.step()

    def checkpoint(self) -> bytes:
        file = io.BytesIO()
        states = [part.state_dict() for part in (self.network, self.optimizer, self.schedule)]
        torch.save(states, file)
        return file.getvalue()

    def restore(self, checkpoint: bytes) -> None:
        network, optimizer, schedule = torch.load(io.BytesIO(checkpoint), weights_only=True)
        self.network.load_state_dict(network)
        self.optimizer.load_state_dict(optimizer)
        self.schedule.load_state_dict(schedule)


def run(job: Job, watch: Watch = watch_nothing) -> dict[str, Any]:
    positions = training_positions(job["steps"] * BATCH_SIZE, job["seed"])
    if job["arm"] == "cosine":
        training = Training(job, tsa.curves.stretch(COSINE_PLAN, job["length"]))
        training.train(positions, job["length"], watch)
        watch(job["length"], training.optimizer.param_groups)
        return {"loss": validation_loss(training.network), "steps_taken": job["length"]}
    return run_of_every_length(job, positions, watch)


def run_of_every_length(job: Job, positions: Tensor, watch: Watch) -> dict[str, Any]:
    """Train once, and fork a cooldown for each length from a checkpoint."""
    stable = tsa.curves.Linear(0.0, 1.0, warmup_steps(job["steps"]))
    training = Training(job, stable)
    before, after, steps_taken = [], [], 0
    for length in lengths(job["steps"]):
        fork = length - cooldown_steps(length)
        steps_taken += fork - training.schedule.last_epoch + cooldown_steps(length)
        training.train(positions, fork, watch)
        before.append(validation_loss(training.network))

        branch = Training(job, stable)
        branch.restore(training.checkpoint())
        cooldown = tsa.curves.OneMinusSqrt(1.0, 0.0, cooldown_steps(length))
        branch.schedule.schedules["lr"].replan(cooldown)
        branch.train(positions, length, watch)
        watch(length, branch.optimizer.param_groups)
        after.append(validation_loss(branch.network))
    return {
        "loss": sum(after) / len(after),  # chooses the one rate
        "loss_before_cooldown": before,
        "loss_by_length": after,
        "steps_taken": steps_taken,
    }


def jobs(settings: Settings) -> list[Job]:
    found: list[Job] = []
    for seed in range(settings.seeds):
        for rate in RATES:
            job = {"rate": rate, "seed": seed, "steps": settings.steps}
            found.append({"arm": "one run", **job})
            found += [
                {"arm": "cosine", **job, "length": length} for length in lengths(settings.steps)
            ]
    return found


def cost(job: Job) -> int:
    if job["arm"] == "cosine":
        return int(job["length"])
    cooldowns = sum(map(cooldown_steps, lengths(job["steps"])))
    return int(job["steps"]) - cooldown_steps(job["steps"]) + cooldowns


# -- what the runs say -------------------------------------------------------------------------


def cosine_runs(runs: list[Job], length: int) -> list[Job]:
    """The cosine runs of a length at the best rate of that length, by seed."""
    return best_cell([run for run in runs if run.get("length") == length], by=("rate",))


def forked_runs(runs: list[Job]) -> list[Job]:
    """The runs of every length, at the one rate with the lowest mean loss over the lengths."""
    return best_cell([run for run in runs if run["arm"] == "one run"], by=("rate",))


def forked_runs_of_length(runs: list[Job], i: int) -> list[Job]:
    """The runs of every length at the rate that is the best for one length; not in the criterion.

    Each of these runs has the loss after the cooldown of that length as its ``"loss"``.
    """
    mine = [run for run in runs if run["arm"] == "one run"]
    return best_cell([{**run, "loss": run["loss_by_length"][i]} for run in mine], by=("rate",))


def differences(runs: list[Job]) -> dict[int, list[float]]:
    """By length: the loss after the cooldown minus that of the cosine run, by seed."""
    forked = forked_runs(runs)
    return {
        length: [
            fork["loss_by_length"][i] - cosine["loss"]
            for fork, cosine in zip(forked, cosine_runs(runs, length))
        ]
        for i, length in enumerate(lengths(forked[0]["steps"]))
    }


def total_steps(runs: list[Job]) -> tuple[int, int]:
    """The steps of the one run with its cooldowns, and of a cosine run for each length."""
    forked = forked_runs(runs)[0]
    return forked["steps_taken"], sum(lengths(forked["steps"]))


def claims(runs: list[Job]) -> list[Claim]:
    found = []
    for length, difference in differences(runs).items():
        found.append(
            Claim(
                f"{length} steps: a validation loss of at most {TOLERANCE} nats above the cosine's",
                median(difference) <= TOLERANCE,
                f"difference {spread(difference, 4)}",
            )
        )
    taken, of_cosines = total_steps(runs)
    found.append(
        Claim(
            "fewer steps in total",
            taken < of_cosines,
            f"{taken} instead of {of_cosines}",
        )
    )
    for length, difference in differences(runs).items():
        found.append(
            Claim(
                f"{length} steps: a lower validation loss than the cosine's in every seed",
                max(difference) < 0,
                f"difference {spread(difference, 4)}",
                decisive=False,
            )
        )
    return found
