"""A small training framework that schedules any hyperparameter. It needs torch and tsa-core alone.

    python examples/small_framework.py

The first half is the framework: a trainer that clips gradients, and an average of the weights. Both
have a hyperparameter that no optimizer knows. Its users schedule these like any entry of the
optimizer, by a curve, by a torch scheduler, or by another value. The second half is a user of the
framework. It compares the values of each step with formulas, and resumes a run from a file.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, StepLR

import tsa_core

# -- the framework -----------------------------------------------------------------------------

# Makes the schedule of one target of one component.
Maker = Callable[[Any, str], LRScheduler]


def along(curve: Callable[[float], float], *, absolute: bool = False) -> Maker:
    """Schedule by a function of the step: multiples of the initial value, or the values."""
    return lambda component, target: tsa_core.CurveSchedule(
        component, curve, target, absolute=absolute
    )


def by(make_scheduler: Callable[[Any], LRScheduler]) -> Maker:
    """Schedule by any scheduler that was written for the learning rate."""
    return lambda component, target: tsa_core.arbitrary_schedule_factory(
        component, make_scheduler, schedule_target=target
    )


def following(rule: Callable[[float], float], *, of: str = "lr") -> Maker:
    """Schedule by another target of the same component, whatever moves that one."""
    return lambda component, target: tsa_core.DerivedSchedule(component, rule, target, of=of)


class WeightAverage:
    """An exponential average of the weights. It is not an optimizer, and can be scheduled.

    A schedule needs ``param_groups``, and nothing else: this class is a ``tsa_core.OptimizerLike``.
    """

    def __init__(self, model: nn.Module, decay: float = 0.99) -> None:
        self.params = list(model.parameters())
        self.averages = [parameter.detach().clone() for parameter in self.params]
        self.param_groups = [{"params": self.params, "ema_decay": decay}]

    @torch.no_grad()
    def update(self) -> None:
        decay = self.param_groups[0]["ema_decay"]  # a scheduled value is read where it is used
        for average, parameter in zip(self.averages, self.params):
            average.lerp_(parameter, 1 - decay)

    def state_dict(self) -> dict[str, Any]:
        (group,) = self.param_groups
        # Without the parameters. The rest includes the initial value, which schedules record here.
        return {
            "averages": self.averages,
            "group": {key: value for key, value in group.items() if key != "params"},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.averages = [average.clone() for average in state["averages"]]
        self.param_groups[0].update(state["group"])


class Trainer:
    """Trains a model under schedules: ``{"optimizer": {"lr": …}, "average": {"ema_decay": …}}``."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        schedules: Mapping[str, Mapping[str, Maker]],
        *,
        clip: float = 1.0,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.average = WeightAverage(model)
        # A hyperparameter of this framework becomes an entry of the param groups. It can then be
        # scheduled, differ from group to group, and be saved by the optimizer. A group in which
        # the user has set it keeps that value.
        tsa_core.extend_optimizer(optimizer, "clip", clip)
        components = {"optimizer": optimizer, "average": self.average}
        self.schedule = tsa_core.SynchronousSchedule(
            {
                name: [make(components[name], target) for target, make in makers.items()]
                for name, makers in schedules.items()
            }
        )

    def fit(self, batches: list[tuple[Tensor, Tensor]], log: list[dict[str, float]]) -> None:
        for inputs, targets in batches:
            log.append(self.schedule.get_last_scalars())  # before step(): the values of this step
            loss = nn.functional.mse_loss(self.model(inputs), targets)
            self.optimizer.zero_grad()
            loss.backward()
            for clip, params, _ in tsa_core.get_param_groups_regrouped_by_key(
                self.optimizer, "clip"
            ):
                nn.utils.clip_grad_norm_(params, clip)
            self.optimizer.step()
            self.average.update()
            self.schedule.step()

    def save(self, path: Path) -> None:
        parts = {"model": self.model, "optimizer": self.optimizer, "average": self.average}
        states = {name: part.state_dict() for name, part in parts.items()}
        torch.save({**states, "schedule": self.schedule.state_dict()}, path)

    def load(self, path: Path, *, plan: str = "code") -> None:
        """Go on from a file, under the plan in the code, the saved one, or one that is the same."""
        states = torch.load(path, weights_only=True)
        self.model.load_state_dict(states["model"])
        self.optimizer.load_state_dict(states["optimizer"])
        self.average.load_state_dict(states["average"])
        self.schedule.load_state_dict(states["schedule"], plan=plan)


# -- a user of the framework -------------------------------------------------------------------

NUM_STEPS = 120
WARMUP = 20


def warmup_then_cosine(t: float) -> float:
    if t < WARMUP:
        return t / WARMUP
    return 0.5 + 0.5 * math.cos(math.pi * min(1, (t - WARMUP) / (NUM_STEPS - WARMUP)))


def decay_of_average(t: float) -> float:
    return min(0.99, (1 + t) / (10 + t))


def build_trainer() -> Trainer:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
    return Trainer(
        model,
        optimizer,
        {
            "optimizer": {
                "lr": along(warmup_then_cosine),
                "weight_decay": following(lambda multiple_of_lr: multiple_of_lr),
                "clip": by(lambda optimizer: StepLR(optimizer, step_size=40, gamma=0.5)),
            },
            "average": {"ema_decay": along(decay_of_average, absolute=True)},
        },
        clip=2.0,
    )


def expected(t: int) -> dict[str, float]:
    """The values at step t, by formulas of their own."""
    return {
        "optimizer/lr/0": 0.01 * warmup_then_cosine(t),
        "optimizer/weight_decay/0": 0.1 * warmup_then_cosine(t),
        "optimizer/clip/0": 2.0 * 0.5 ** (t // 40),
        "average/ema_decay/0": decay_of_average(t),
    }


def make_batches() -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(NUM_STEPS, 32, 8, generator=generator)
    return [(batch, batch.sin().sum(dim=1, keepdim=True)) for batch in inputs]


def follows_formulas(log: list[dict[str, float]]) -> bool:
    return all(
        values.keys() == expected(t).keys()
        and all(math.isclose(values[key], value) for key, value in expected(t).items())
        for t, values in enumerate(log)
    )


def same_weights(one: Trainer, other: Trainer) -> bool:
    pairs = [
        *zip(one.model.parameters(), other.model.parameters()),
        *zip(one.average.averages, other.average.averages),
    ]
    return all(torch.equal(a, b) for a, b in pairs)


def main() -> int:
    batches = make_batches()
    half = NUM_STEPS // 2
    log: list[dict[str, float]] = []
    whole, resumed = build_trainer(), build_trainer()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "half.pt"
        whole.fit(batches[:half], log)
        whole.save(path)
        whole.fit(batches[half:], log)
        resumed.load(path, plan="same")
        resumed.fit(batches[half:], [])

    print(f"{'step':>5}" + "".join(f"{key:>26}" for key in log[0]))
    for t in range(0, NUM_STEPS, 20):
        print(f"{t:>5}" + "".join(f"{value:>26.5f}" for value in log[t].values()))

    try:
        Trainer(whole.model, whole.optimizer, {"optimizer": {"weight_dekay": along(math.cos)}})
    except KeyError as error:
        message = error.args[0]
    else:
        message = ""

    claims = {
        f"at each of {NUM_STEPS} steps, the values that the formulas say": follows_formulas(log),
        "the resumed run ended in the same weights and averages": same_weights(whole, resumed),
        "a misspelt target is an error that names the right one": "'weight_decay'" in message,
    }
    print()
    for claim, holds in claims.items():
        print(f"{claim}: {'yes' if holds else 'NO'}")
    return 0 if all(claims.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
