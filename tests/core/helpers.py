"""Curves, schedules and runs that many tests of the core use, and what ``small_runs.py`` has."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from cases import crossed
from small_runs import Untouched as Untouched
from small_runs import adamw as adamw
from small_runs import advance, held, sgd
from small_runs import ignore_epoch_deprecation as ignore_epoch_deprecation
from small_runs import optimizers_of as optimizers_of
from small_runs import real_optimizer as real_optimizer
from small_runs import step_optimizers as step_optimizers
from small_runs import through_json as through_json
from small_runs import through_pickle as through_pickle
from torch.nn import Parameter
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR, ReduceLROnPlateau

import tsa_core

# Values that neither a target nor a default for one can have, with the error that they cause.
INVALID_VALUES: dict[str, tuple[Any, type[Exception]]] = {
    "NaN": (math.nan, ValueError),
    "inf": (math.inf, ValueError),
    "-inf": (-math.inf, ValueError),
    "NaN tensor": (torch.tensor(math.nan), ValueError),
    "int beyond every float": (10**400, ValueError),
    "complex": (1j, TypeError),
    "string": ("1.0", TypeError),
    "bool": (True, TypeError),
    "NumPy bool": (np.bool_(True), TypeError),
    "list": ([1.0], TypeError),
    "tuple": ((0.9, 0.999), TypeError),
    "1-dim tensor": (torch.ones(1), TypeError),
    "integer tensor": (torch.tensor(1), TypeError),
    "boolean tensor": (torch.tensor(True), TypeError),
    "complex tensor": (torch.tensor(1j), TypeError),
}


def halving(t: float) -> float:
    return 0.5**t


def same(x: float) -> float:
    return x


class Failing:
    """A curve or a rule that raises ``failure``, or returns it, while ``fails`` is true."""

    def __init__(self, failure: Any, compute: Callable[[float], float] = same) -> None:
        self.failure, self.compute, self.fails = failure, compute, False

    def __call__(self, x: float) -> Any:
        if not self.fails:
            return self.compute(x)
        if isinstance(self.failure, BaseException):
            raise self.failure
        return self.failure


class GraphCounter:
    """A backend of torch.compile that runs graphs eagerly, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, graph: Any, inputs: Any) -> Any:
        self.count += 1
        return graph.forward


def through_a_file(state: Any) -> Any:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


class Wrapper:
    """A wrapper of an optimizer that forwards what a training loop uses, and has no hooks."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer

    @property
    def param_groups(self) -> Any:
        return self.optimizer.param_groups

    def step(self, closure: Any = None) -> Any:
        return self.optimizer.step(closure=closure)


def floats(optimizer: Any, target: str = "lr") -> list[float]:
    """The value of ``target`` in each param group as a float, also where it is a tensor."""
    return [float(value) for value in held(optimizer, target)]


def put_curve(optimizer: Any, target: str = "lr") -> tsa_core.CurveSchedule:
    """A curve that halves ``target`` at each step."""
    return tsa_core.CurveSchedule(optimizer, halving, target)


def put(
    optimizer: Any,
    target: str = "lr",
    make: Callable[[Any], Any] = lambda proxy: ExponentialLR(proxy, 0.5),
) -> Any:
    """A torch scheduler on ``target``: by default one that halves it at each step."""
    return tsa_core.arbitrary_schedule_factory(optimizer, make, schedule_target=target)


def put_lambda(optimizer: Any, target: str = "lr") -> Any:
    """A torch ``LambdaLR`` that halves ``target`` at each step."""
    return put(optimizer, target, lambda proxy: LambdaLR(proxy, halving))


def plateau(optimizer: Any) -> ReduceLROnPlateau:
    """A torch ``ReduceLROnPlateau`` that halves at each metric that is not a new best."""
    return ReduceLROnPlateau(optimizer, factor=0.5, patience=0)


plateau_takes_groups = pytest.mark.skipif(
    not hasattr(plateau(sgd()), "default_min_lr"),
    reason="this torch's ReduceLROnPlateau, on lr too, fails when a group joins",
)


def add_group(optimizer: Any, **entries: Any) -> None:
    """Add a param group of one parameter to ``optimizer``."""
    optimizer.add_param_group({"params": [Parameter(torch.ones(1))], **entries})


def positions(sync: tsa_core.SynchronousSchedule) -> list[Any]:
    """The step at which each member stands."""
    return [member.last_epoch for member in sync.schedules.values()]


def rows_in_a_run(
    sync: tsa_core.SynchronousSchedule, num_rows: int, losses: Sequence[float] = ()
) -> dict[str, list[list[float]]]:
    """By name, the values of each member now and after each of the next steps.

    Each step takes one of ``losses``, or none where they have come to an end.
    """
    rows: dict[str, list[list[float]]] = {name: [] for name in sync.schedule_names}
    for i in range(num_rows):
        if i:
            advance(sync, 1, *losses[i - 1 : i])
        for name, values in sync.get_last_schedules().items():
            # A tensor equals a float that it cannot hold exactly, so floats are compared.
            rows[name].append([float(value) for value in values])
    return rows


def values_in_a_run(schedule: Any, steps: int, *metrics: float) -> list[list[float]]:
    """The value in each group, at each of the next ``steps`` steps of the schedule on ``lr``."""
    values = []
    for _ in range(steps):
        values.append([float(value) for value in held(schedule.optimizer)])
        advance(schedule, 1, *metrics)
    return values


def across(**axes: Iterable[Any]) -> pytest.MarkDecorator:
    """Run a test with the fewest combinations in which each item of each axis stands once."""
    return pytest.mark.parametrize(tuple(axes), crossed(*axes.values()))


class Clock:
    """A clock that says what it is set to, or raises it, and counts how often it is asked."""

    def __init__(self, now: Any = 0) -> None:
        self.now = now
        self.asked = 0

    def __call__(self) -> Any:
        self.asked += 1
        if isinstance(self.now, Exception):
            raise self.now
        return self.now
