"""A compiled optimizer step follows the scheduled values, with no more graphs than torch needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from cases import crossed
from helpers import put
from torch.nn import Parameter
from torch.optim.lr_scheduler import LambdaLR
from torch_schedulers import TORCH

import tsa_core

pytestmark = [
    pytest.mark.skipif(TORCH < (2, 4), reason="torch.compile removes all step hooks"),
    # The compiler imports torch.jit, of which torch warns; and it warns of the slow Python 3.13.0.
    pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Guards may run slower"),
]
INITIAL = {"lr": 0.5, "weight_decay": 0.25, "betas[0]": 0.875, "momentum": 0.875}
CELLS = [
    *((torch.optim.AdamW, target) for target in ("lr", "weight_decay", "betas[0]")),
    *((torch.optim.SGD, target) for target in ("lr", "weight_decay", "momentum")),
]


def decay(t: float) -> float:
    return 0.75**t


def scheduled_curve(optimizer: Any, target: str) -> Any:
    return tsa_core.CurveSchedule(optimizer, decay, target)


def scheduled_lambda(optimizer: Any, target: str) -> Any:
    return put(optimizer, target, lambda proxy: LambdaLR(proxy, decay))


def optimizer_and_parameter(cls: Any, target: str, kind: str) -> tuple[Any, Parameter]:
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
    value = INITIAL[target] * decay(t)
    tsa_core.extend_optimizer(optimizer, target, value, overwrite_values=True)


class GraphCounter:
    """A backend of torch.compile that runs graphs eagerly, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, graph: Any, inputs: Any) -> Any:
        self.count += 1
        return graph.forward


def parameters_in_a_run(
    cls: Any,
    target: str,
    kind: str = "float",
    schedule_it: Callable[[Any, str], Any] | None = None,
    *,
    when: str = "before",
    backend: GraphCounter | None = None,
) -> list[list[float]]:
    """The parameters after each of six steps, which are compiled if a backend is given.

    ``schedule_it`` schedules the target before or after compilation. Without it, the target is set
    by hand.
    """
    torch._dynamo.reset()
    optimizer, parameter = optimizer_and_parameter(cls, target, kind)
    schedule = schedule_it(optimizer, target) if schedule_it and when == "before" else None
    step = torch.compile(optimizer.step, backend=backend) if backend else optimizer.step
    if schedule_it and when == "after":
        schedule = schedule_it(optimizer, target)
    parameters = []
    for t in range(6):
        parameter.grad = torch.full((3,), 1.0 + t)
        step()
        if schedule is None:
            set_by_hand(optimizer, target, t + 1)
        else:
            schedule.step()
        parameters.append(parameter.tolist())
    return parameters


@pytest.mark.parametrize(
    ("cell", "kind", "when"),
    crossed(CELLS, ["tensor", "float", "float", "tensor"], ["before", "after"]),
)
def test_a_compiled_step_follows_every_scheduled_value(
    cell: tuple[Any, str], kind: str, when: str
) -> None:
    """A compiled step takes every scheduled value, in as few graphs as for values set by hand."""
    cls, target = cell
    schedule_it = scheduled_curve if when == "before" else scheduled_lambda
    graphs, by_hand = GraphCounter(), GraphCounter()
    parameters = parameters_in_a_run(cls, target, kind, schedule_it, when=when, backend=graphs)
    # Compiled, AdamW takes its capturable path, which rounds differently in float32.
    torch.testing.assert_close(
        torch.tensor(parameters),
        torch.tensor(parameters_in_a_run(cls, target)),
        rtol=1e-4,
        atol=1e-4,
    )
    parameters_in_a_run(cls, target, kind, backend=by_hand)
    assert graphs.count <= by_hand.count


TENSOR_BETAS = "AdamW takes tensor betas since torch 2.6"


@pytest.mark.parametrize(
    "target",
    ["lr", pytest.param("betas[0]", marks=pytest.mark.skipif(TORCH < (2, 6), reason=TENSOR_BETAS))],
)
def test_a_tensor_needs_one_graph(target: str) -> None:
    """The step of an AdamW is compiled once, however often a target that is a tensor moves."""
    graphs = GraphCounter()
    parameters_in_a_run(
        torch.optim.AdamW, target, "tensor", scheduled_curve, when="after", backend=graphs
    )
    assert graphs.count == 1
