"""A compiled optimizer step follows the scheduled values and is counted, in as few graphs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from cases import EXHAUSTIVE, crossed
from helpers import GraphCounter, halving, held, put_curve, put_lambda, sgd
from torch.nn import Parameter
from torch_schedulers import COMPILES, TORCH, keeps_hooks

from tsa_core import OptimizerSteps, SynchronousSchedule, extend_optimizer

pytestmark = [keeps_hooks, *COMPILES]

INITIAL = {"lr": 0.5, "weight_decay": 0.25, "betas[0]": 0.875, "momentum": 0.875}
SETTINGS: dict[Any, dict[str, Any]] = {
    torch.optim.AdamW: {"lr": 0.5, "weight_decay": 0.25, "betas": (0.875, 0.999)},
    torch.optim.SGD: {"lr": 0.5, "weight_decay": 0.25, "momentum": 0.875},
}
CELLS = [
    *((torch.optim.AdamW, target) for target in ("lr", "weight_decay", "betas[0]")),
    *((torch.optim.SGD, target) for target in ("lr", "weight_decay", "momentum")),
]


def parameters_in_a_run(
    cls: Any,
    target: str,
    kind: Any = float,
    scheduled: str = "by hand",
    backend: GraphCounter | None = None,
) -> list[list[float]]:
    """The parameters after each of six steps, which are compiled if a backend is given.

    The target is scheduled before or after compilation, or set by hand.
    """
    torch._dynamo.reset()
    parameter, parameters = Parameter(torch.ones(3)), []
    optimizer = cls([parameter], **SETTINGS[cls])
    extend_optimizer(optimizer, target, kind(INITIAL[target]), overwrite_values=True)
    schedule = put_curve(optimizer, target) if scheduled == "before" else None
    step = torch.compile(optimizer.step, backend=backend) if backend else optimizer.step
    if scheduled == "after":
        schedule = put_lambda(optimizer, target)
    for t in range(6):
        parameter.grad = torch.full((3,), 1.0 + t)
        step()
        if schedule is None:
            by_hand = INITIAL[target] * halving(t + 1)
            extend_optimizer(optimizer, target, by_hand, overwrite_values=True)
        else:
            schedule.step()
        parameters.append(parameter.tolist())
    return parameters


@pytest.mark.parametrize(
    ("cell", "kind", "scheduled"),
    crossed(CELLS, [torch.tensor, float, float, torch.tensor], ["before", "after"]),
)
def test_a_compiled_step_follows_every_scheduled_value(
    cell: tuple[Any, str], kind: Any, scheduled: str
) -> None:
    """A compiled step takes every scheduled value, in as few graphs as for values set by hand."""
    graphs, by_hand = GraphCounter(), GraphCounter()
    parameters = parameters_in_a_run(*cell, kind, scheduled, graphs)
    # Compiled, AdamW takes its capturable path, which rounds differently in float32.
    expected = torch.tensor(parameters_in_a_run(*cell))
    torch.testing.assert_close(torch.tensor(parameters), expected, rtol=1e-4, atol=1e-4)
    parameters_in_a_run(*cell, kind, backend=by_hand)
    assert graphs.count <= by_hand.count


@pytest.mark.parametrize("target", ["lr", "betas[0]"])
def test_a_tensor_needs_one_graph(target: str) -> None:
    """The step of an AdamW is compiled once, however often a target that is a tensor moves."""
    if target == "betas[0]" and TORCH < (2, 6):
        pytest.skip("AdamW takes tensor betas since torch 2.6")
    graphs = GraphCounter()
    parameters_in_a_run(torch.optim.AdamW, target, torch.tensor, "before", graphs)
    assert graphs.count == 1


@pytest.mark.parametrize("clock_first", [False, True] if EXHAUSTIVE else [False])
def test_a_compiled_step_is_counted(clock_first: bool) -> None:
    """A compiled step is counted, the first calls too, for at most one more graph."""
    graphs = {}
    for counted in (False, True):
        torch._dynamo.reset()
        optimizer, backend = sgd(lr=torch.tensor(0.5)), GraphCounter()
        clock = OptimizerSteps(optimizer) if counted and clock_first else None
        compiled = torch.compile(optimizer.step, backend=backend)
        if counted:
            clock = clock or OptimizerSteps(optimizer)
            sync = SynchronousSchedule([put_curve(optimizer)], clock=clock)
        for t in range(1, 13):
            optimizer.param_groups[0]["params"][0].grad = torch.ones(1)
            compiled()
            if counted:
                sync.step()
                assert sync.last_epoch == t
                assert held(optimizer) == [0.5 * 0.5**t]
        graphs[counted] = backend.count
    assert graphs[True] <= graphs[False] + 1


class CallsItsBase(torch.optim.SGD):
    def step(self, closure: Any = None) -> Any:
        return super().step(closure)


class CallsItsBaseTwice(CallsItsBase):
    def step(self, closure: Any = None) -> Any:
        return super().step(closure)


def test_a_compiled_step_that_calls_another_class_counts_once() -> None:
    *_, optimizer = (  # torch wraps the steps of the classes that were made
        each([Parameter(torch.ones(1))], lr=0.5)
        for each in (torch.optim.SGD, CallsItsBase, CallsItsBaseTwice)
    )
    clock = OptimizerSteps(optimizer)
    torch._dynamo.reset()
    compiled = torch.compile(optimizer.step, backend="eager")
    for t in range(1, 5):
        optimizer.param_groups[0]["params"][0].grad = torch.ones(1)
        compiled()
        assert clock() == t
