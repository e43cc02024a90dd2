"""A compiled optimizer step follows what is scheduled, at no more graphs than torch needs."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import Parameter
from torch.optim.lr_scheduler import LambdaLR
from torch_schedulers import TORCH

import tsa_core

pytestmark = [
    pytest.mark.skipif(TORCH < (2, 4), reason="there, compiling takes hooks off"),
    # The compiler's own, about itself: deprecated parts it imports, and a slow Python 3.13.0.
    pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Guards may run slower"),
]
INITIAL = {"lr": 0.5, "weight_decay": 0.25, "betas[0]": 0.875, "momentum": 0.875}
CELLS = [
    *((torch.optim.AdamW, target) for target in ("lr", "weight_decay", "betas[0]")),
    *((torch.optim.SGD, target) for target in ("lr", "weight_decay", "momentum")),
]


def value(target: str, t: int) -> float:
    return INITIAL[target] * 0.75**t


def build(cls: Any, target: str, kind: str) -> tuple[Any, Parameter]:
    parameter = Parameter(torch.ones(3))
    given = {
        key: INITIAL[key]
        for key in ("lr", "weight_decay", "momentum")
        if key != "momentum" or cls is torch.optim.SGD
    }
    optimizer = cls([parameter], **given)
    if "betas" in optimizer.defaults:
        optimizer.param_groups[0]["betas"] = (INITIAL["betas[0]"], 0.999)
    if kind == "tensor":
        start = torch.tensor(INITIAL[target])
        tsa_core.extend_optimizer(optimizer, target, start, overwrite_values=True)
    return optimizer, parameter


def set_by_hand(optimizer: Any, target: str, t: int) -> None:
    group = optimizer.param_groups[0]
    held = group["betas"][0] if target == "betas[0]" else group[target]
    if isinstance(held, torch.Tensor):
        held.fill_(value(target, t))
    elif target == "betas[0]":
        group["betas"] = (value(target, t), *group["betas"][1:])
    else:
        group[target] = value(target, t)


class Graphs:
    """The eager backend of torch.compile, counting the graphs it is given."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, graph: Any, inputs: Any) -> Any:
        self.count += 1
        return graph.forward


def train(
    cls: Any, target: str, kind: str, put: Callable[[Any], Any] | None, when: str
) -> tuple[list[list[float]], int]:
    """The parameters after each of six compiled steps, and the graphs that took."""
    torch._dynamo.reset()
    optimizer, parameter = build(cls, target, kind)
    graphs = Graphs()
    schedule = put(optimizer) if put and when == "before" else None
    step = torch.compile(optimizer.step, backend=graphs)
    if put and when == "after":
        schedule = put(optimizer)
    seen = []
    for t in range(6):
        parameter.grad = torch.full((3,), 1.0 + t)
        step()
        if schedule is None:
            set_by_hand(optimizer, target, t + 1)
        else:
            schedule.step()
        seen.append(parameter.tolist())
    return seen, graphs.count


def uncompiled(cls: Any, target: str) -> list[list[float]]:
    """What an eager step gives that is handed the formula's values."""
    optimizer, parameter = build(cls, target, "float")
    seen = []
    for t in range(6):
        parameter.grad = torch.full((3,), 1.0 + t)
        optimizer.step()
        set_by_hand(optimizer, target, t + 1)
        seen.append(parameter.tolist())
    return seen


@functools.lru_cache
def graphs_by_hand(cls: Any, target: str, kind: str) -> int:
    return train(cls, target, kind, None, "before")[1]


@pytest.mark.parametrize(("through", "when"), [("curve", "before"), ("factory", "after")])
@pytest.mark.parametrize("kind", ["float", "tensor"])
@pytest.mark.parametrize(("cls", "target"), CELLS)
def test_it_follows(cls: Any, target: str, kind: str, through: str, when: str) -> None:
    """Every scheduled value, float or tensor, scheduled before compiling or after.

    With as many graphs as torch compiles where the same values are set by hand.
    """

    def put(optimizer: Any) -> Any:
        if through == "curve":
            return tsa_core.CurveSchedule(optimizer, lambda t: 0.75**t, target)
        return tsa_core.arbitrary_schedule_factory(
            optimizer,
            lambda proxy: LambdaLR(proxy, lambda t: 0.75**t),
            schedule_target=target,
        )

    seen, graphs = train(cls, target, kind, put, when)
    # Compiled, AdamW takes its capturable path, which rounds differently in float32.
    torch.testing.assert_close(
        torch.tensor(seen), torch.tensor(uncompiled(cls, target)), rtol=1e-4, atol=1e-4
    )
    assert graphs <= graphs_by_hand(cls, target, kind)


TENSOR_BETAS = "AdamW takes tensor betas since torch 2.6"


@pytest.mark.skipif(TORCH < (2, 4), reason="there, compiling takes hooks off")
@pytest.mark.parametrize(
    "target",
    ["lr", pytest.param("betas[0]", marks=pytest.mark.skipif(TORCH < (2, 6), reason=TENSOR_BETAS))],
)
def test_a_tensor_costs_one_graph(target: str) -> None:
    """AdamW with the target as a tensor is compiled once, however often it moves."""

    def put(optimizer: Any) -> Any:
        return tsa_core.CurveSchedule(optimizer, lambda t: 0.75**t, target)

    assert train(torch.optim.AdamW, target, "tensor", put, "after")[1] == 1


def test_a_value_made_a_tensor() -> None:
    """extend_optimizer makes it one, a clone a group, an element of a tuple included."""
    groups = [{"params": [Parameter(torch.ones(1))]} for _ in range(2)]
    optimizer = torch.optim.AdamW(groups, lr=0.5)
    start = torch.tensor(0.75)
    for target in ("lr", "betas[0]"):
        tsa_core.extend_optimizer(optimizer, target, start, overwrite_values=True)
    for key in (lambda g: g["lr"], lambda g: g["betas"][0]):
        first, second = map(key, optimizer.param_groups)
        assert first is not second
        assert first is not start
        assert (float(first), float(second)) == (0.75, 0.75)
    assert optimizer.param_groups[0]["betas"][1] == 0.999


@pytest.mark.parametrize("through", ["curve", "factory"])
@pytest.mark.parametrize("target", ["lr", "betas[0]"])
def test_a_float_on_a_capturable_group_is_warned_of(target: str, through: str) -> None:
    """A captured step keeps the float it was captured with; a tensor it reads anew."""
    make = {
        "curve": lambda o, t: tsa_core.CurveSchedule(o, lambda t: 1.0, t),
        "factory": lambda o, t: tsa_core.arbitrary_schedule_factory(
            o, lambda p: LambdaLR(p, lambda t: 1.0), schedule_target=t
        ),
    }[through]
    optimizer = torch.optim.AdamW([Parameter(torch.ones(1))], capturable=True)
    with pytest.warns(UserWarning, match=rf"{re.escape(target)}.*capturable=True"):
        make(optimizer, target)
    tsa_core.extend_optimizer(optimizer, target, torch.tensor(0.5), overwrite_values=True)
    make(optimizer, target)
    tsa_core.extend_optimizer(optimizer, "clip", 1.0)  # which the optimizer's step never reads
    make(optimizer, "clip")
