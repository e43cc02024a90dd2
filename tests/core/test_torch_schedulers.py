"""Every torch scheduler gives on any target the numbers that it gives on a plain optimizer's lr."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch.nn import Parameter
from torch_schedulers import SCHEDULERS, TORCH, step

import tsa_core

INITIAL = (0.1, 0.03, 0.5)
TARGETS = ("lr", "weight_decay", "clip", "betas[0]")

# torch < 2.9 warns of its own SequentialLR, which passes itself a deprecated epoch.
pytestmark = pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step:UserWarning")


def value_of(number: float, kind: str) -> Any:
    return torch.tensor(number) if kind == "tensor" else number


def plain_optimizer(kind: str) -> torch.optim.Optimizer:
    """One whose lr has the initial values: what torch itself schedules."""
    return torch.optim.SGD(
        [{"params": [Parameter(torch.ones(1))], "lr": value_of(v, kind)} for v in INITIAL], lr=1.0
    )


def adamw(target: str, kind: str) -> torch.optim.Optimizer:
    """One whose ``target`` has them."""
    groups: list[dict[str, Any]] = []
    for number in INITIAL:
        value = value_of(number, kind)
        entry = {"betas": (value, 0.999)} if target == "betas[0]" else {target: value}
        groups.append({"params": [Parameter(torch.ones(1))], **entry})
    return torch.optim.AdamW(groups, lr=0.007, weight_decay=0.013)


def read(group: dict[str, Any], target: str) -> Any:
    return group["betas"][0] if target == "betas[0]" else group[target]


def others(optimizer: torch.optim.Optimizer, target: str) -> list[dict[str, Any]]:
    """All that the schedule must leave alone."""
    key = target.partition("[")[0]
    rest = [
        {k: v for k, v in group.items() if k not in (key, f"initial_{target}")}
        for group in optimizer.param_groups
    ]
    if target == "betas[0]":
        for entries, group in zip(rest, optimizer.param_groups):
            entries["neighbours"] = group["betas"][1:]
            entries["container"] = type(group["betas"])
    return rest


@pytest.mark.parametrize("kind", ["float", "tensor"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", SCHEDULERS)
def test_same_numbers_as_on_lr(name: str, target: str, kind: str) -> None:
    """Step by step the target holds what torch gives a plain lr, and nothing else changes."""
    if "in SequentialLR" in name:  # torch warns of the order in its own constructor here
        warnings.filterwarnings("ignore", "Detected call of `lr_scheduler", UserWarning)
    # torch before 2.13 makes lr and initial_lr one tensor in SequentialLR, and from 2.4 on fills
    # it: its own numbers go wrong. Ours are those of a float lr there, up to float32.
    torch_is_wrong = kind == "tensor" and "SequentialLR" in name and TORCH < (2, 13)
    reference = plain_optimizer("float" if torch_is_wrong else kind)
    expected = SCHEDULERS[name](reference)
    optimizer = adamw(target, kind)
    objects = [read(group, target) for group in optimizer.param_groups]
    before = others(optimizer, target)

    schedule = tsa_core.arbitrary_schedule_factory(
        optimizer, SCHEDULERS[name], schedule_target=target
    )
    for _ in range(18):
        values = [read(group, target) for group in optimizer.param_groups]
        numbers = [group["lr"] for group in reference.param_groups]
        assert values == (pytest.approx(numbers, rel=1e-6) if torch_is_wrong else numbers)
        assert others(optimizer, target) == before
        if kind == "tensor":
            assert all(value is object_ for value, object_ in zip(values, objects))
        reference.step()
        step(expected)
        optimizer.step()
        step(schedule)


@pytest.mark.parametrize("right_order", [True, False])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", SCHEDULERS)
def test_same_warnings_as_on_lr(name: str, target: str, right_order: bool) -> None:
    """It warns when, and only when, torch warns on the real optimizer, in the same words."""
    reference, optimizer = plain_optimizer("float"), adamw(target, "float")

    def put_on(optimizer: torch.optim.Optimizer) -> Any:
        if optimizer is reference:
            return SCHEDULERS[name](optimizer)
        return tsa_core.arbitrary_schedule_factory(
            optimizer, SCHEDULERS[name], schedule_target=target
        )

    said = {}
    for one in (reference, optimizer):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            schedule = put_on(one)
            for _ in range(9):
                if right_order:
                    one.step()
                step(schedule)
        said[one] = [str(warning.message) for warning in caught]
    assert said[optimizer] == said[reference]


@pytest.mark.parametrize("cls", ["CyclicLR", "OneCycleLR"])
def test_cycle_momentum_on_lr_is_torchs(cls: str) -> None:
    """On lr the momentum cycles as it does without the proxy."""
    make = {
        "CyclicLR": lambda o: torch.optim.lr_scheduler.CyclicLR(o, 0.01, 0.2, 3),
        "OneCycleLR": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.2, total_steps=20),
    }[cls]
    expected, optimizer = (
        torch.optim.SGD([Parameter(torch.ones(1))], lr=0.1, momentum=0.9) for _ in range(2)
    )
    reference = make(expected)
    schedule = tsa_core.arbitrary_schedule_factory(optimizer, make)
    for _ in range(15):
        for key in ("lr", "momentum"):
            assert optimizer.param_groups[0][key] == expected.param_groups[0][key]
        expected.step(), reference.step(), optimizer.step(), schedule.step()
