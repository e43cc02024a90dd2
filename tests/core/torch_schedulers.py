"""Every scheduler of torch, in set-ups that move, as makers that take an optimizer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from cases import crossed
from torch.optim import lr_scheduler as torch_lr
from torch.optim.swa_utils import SWALR

TORCH = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])


def factor(t: int) -> float:
    return 0.95**t


def sequential(optimizer: Any) -> Any:
    return torch_lr.SequentialLR(
        optimizer,
        [torch_lr.LinearLR(optimizer, 0.1, total_iters=4), torch_lr.ExponentialLR(optimizer, 0.9)],
        milestones=[5],
    )


def chained(optimizer: Any) -> Any:
    return torch_lr.ChainedScheduler(
        [
            torch_lr.ConstantLR(optimizer, factor=0.3, total_iters=4),
            torch_lr.ExponentialLR(optimizer, 0.9),
        ]
    )


def nested(optimizer: Any) -> Any:
    inner = torch_lr.SequentialLR(
        optimizer,
        [torch_lr.ConstantLR(optimizer, 0.5, 2), torch_lr.StepLR(optimizer, 2, 0.7)],
        milestones=[3],
    )
    return torch_lr.SequentialLR(
        optimizer, [inner, torch_lr.CosineAnnealingLR(optimizer, 8)], milestones=[7]
    )


SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    "LambdaLR": lambda o: torch_lr.LambdaLR(o, factor),
    "LambdaLR, one per group": lambda o: torch_lr.LambdaLR(
        o, [lambda t, i=i: 1 / (1 + i + t) for i in range(len(o.param_groups))]
    ),
    "MultiplicativeLR": lambda o: torch_lr.MultiplicativeLR(o, lambda t: 0.9 if t % 2 else 0.99),
    "StepLR": lambda o: torch_lr.StepLR(o, 3, 0.5),
    "MultiStepLR": lambda o: torch_lr.MultiStepLR(o, [2, 5, 5], 0.3),
    "ConstantLR": lambda o: torch_lr.ConstantLR(o, 0.25, 4),
    "LinearLR": lambda o: torch_lr.LinearLR(o, 0.1, 0.8, 6),
    "ExponentialLR": lambda o: torch_lr.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda o: torch_lr.PolynomialLR(o, 8, 2.0),
    "CosineAnnealingLR": lambda o: torch_lr.CosineAnnealingLR(o, 5, 1e-4),
    "CosineAnnealingWarmRestarts": lambda o: torch_lr.CosineAnnealingWarmRestarts(o, 3, 2),
    "SequentialLR": sequential,
    "ChainedScheduler": chained,
    "SequentialLR in SequentialLR": nested,
    "CyclicLR": lambda o: torch_lr.CyclicLR(
        o, [0.01 * (i + 1) for i in range(len(o.param_groups))], 0.2, 3, cycle_momentum=False
    ),
    "OneCycleLR": lambda o: torch_lr.OneCycleLR(
        o,
        [0.2 * (i + 1) for i in range(len(o.param_groups))],
        total_steps=70,
        cycle_momentum=False,
    ),
    "OneCycleLR in three phases": lambda o: torch_lr.OneCycleLR(
        o, 0.2, total_steps=70, cycle_momentum=False, three_phase=True, anneal_strategy="linear"
    ),
    "ReduceLROnPlateau": lambda o: torch_lr.ReduceLROnPlateau(o, factor=0.5, patience=1),
    "SWALR": lambda o: SWALR(o, 0.3, 5),
}
if TORCH < (2, 3):  # SequentialLR undoes the first steps of one level only, so it cannot be nested
    del SCHEDULERS["SequentialLR in SequentialLR"]

# Set-ups that cycle the momentum too, as torch's do by default.
MOMENTUM_CYCLES: dict[str, Callable[[Any], Any]] = {
    "CyclicLR": lambda o: torch_lr.CyclicLR(o, 0.01, 0.2, 3),
    "OneCycleLR": lambda o: torch_lr.OneCycleLR(o, 0.2, total_steps=20),
}

# On torch < 2.4, the first compilation removes the step hooks of every optimizer in the process.
keeps_hooks = pytest.mark.skipif(TORCH < (2, 4), reason="torch.compile removes all step hooks")
# The compiler imports torch.jit, of which torch warns; and it warns of the slow Python 3.13.0.
COMPILES = [
    pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Guards may run slower"),
]

# The constructor of an outer SequentialLR steps the inner one, and torch warns of the order then.
ignore_order_when_nested = pytest.mark.filterwarnings(
    "ignore:Detected call of `lr_scheduler.step:UserWarning"
)


def each_scheduler(
    names: Iterable[str] = SCHEDULERS, **axes: Iterable[Any]
) -> pytest.MarkDecorator:
    """Run a test per torch scheduler, whose key it gets as ``name``, crossed with the axes."""
    return pytest.mark.parametrize(
        ("name", *axes),
        [
            pytest.param(
                *case, marks=[ignore_order_when_nested] if "in SequentialLR" in case[0] else []
            )
            for case in crossed(names, *axes.values())
        ],
    )


def step(scheduler: Any, loss: float = 1.0) -> None:
    """Step ``scheduler``, with a metric where it takes one."""
    if "metrics" in inspect.signature(scheduler.step).parameters:
        scheduler.step(loss)
    else:
        scheduler.step()
