"""A schedule steps inside a compiled training step, wherever the function of that step stands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
from cases import crossed, some
from helpers import (
    floats,
    halving,
    ignore_epoch_deprecation,
    plateau,
    put,
    put_curve,
    put_lambda,
)
from torch.nn import Parameter
from torch.optim.lr_scheduler import ExponentialLR, SequentialLR, StepLR
from torch_schedulers import COMPILES, TORCH

import tsa_core

pytestmark = [
    *COMPILES,
    # After a graph break, the compiler looks at the gradient of the loss.
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning"),
]

INPUT = torch.linspace(0, 1, 6).reshape(2, 3)
STEPS = 3


@pytest.fixture(scope="module", autouse=True)
def compiler() -> Iterator[None]:
    """Skip where torch has no compiler for this Python, and keep the step hooks for other tests."""
    # On torch < 2.4, the first compilation takes the hooks off the step of every optimizer class.
    optimizers = [each for each in vars(torch.optim).values() if isinstance(each, type)]
    steps: Any = {each: vars(each)["step"] for each in optimizers if "step" in vars(each)}
    hooked = {each: getattr(step, "hooked", False) for each, step in steps.items()}
    try:
        torch.compile(lambda x: x + 1, backend="eager")(INPUT)
    except RuntimeError as error:
        if "supported" not in str(error):
            raise
        pytest.skip(f"torch compiles nothing here: {error}")
    yield
    if TORCH < (2, 4):
        for each, step in steps.items():
            step.hooked = hooked[each]
            each.step = step


@pytest.fixture(autouse=True)
def nothing_compiled_yet(compiler: None) -> Iterator[None]:
    """Have each test start and end without compiled code, with counters at 0."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    yield
    torch._dynamo.reset()


# Each form of a training step returns the loss. Without a tensor to return, the compiler does not
# compile what comes after a graph break, which is the schedule.


class Trainer:
    def __init__(self, optimizer: Any, schedule: Any) -> None:
        self.optimizer = optimizer
        self.schedule = schedule
        self.parameter = optimizer.param_groups[0]["params"][0]

    def train(self, x: torch.Tensor, *, with_metrics: bool = False) -> Any:
        self.optimizer.zero_grad()
        loss = ((x @ self.parameter) ** 2).sum()
        loss.backward()
        self.optimizer.step()
        if with_metrics:
            self.schedule.step(loss.detach())
        else:
            self.schedule.step()
        return loss


OPTIMIZER: Any = None
SCHEDULE: Any = None
PARAMETER: Any = None


def train(x: torch.Tensor) -> Any:
    OPTIMIZER.zero_grad()
    loss = ((x @ PARAMETER) ** 2).sum()
    loss.backward()
    OPTIMIZER.step()
    SCHEDULE.step()
    return loss


def function_of_the_module(trainer: Trainer) -> Any:
    globals().update(
        OPTIMIZER=trainer.optimizer, SCHEDULE=trainer.schedule, PARAMETER=trainer.parameter
    )
    return train


def closure(trainer: Trainer) -> Any:
    parameter, optimizer, schedule = trainer.parameter, trainer.optimizer, trainer.schedule

    def train(x: torch.Tensor) -> Any:
        optimizer.zero_grad()
        loss = ((x @ parameter) ** 2).sum()
        loss.backward()
        optimizer.step()
        schedule.step()
        return loss

    return train


FORMS: dict[str, Callable[[Trainer], Any]] = {
    "function of the module": function_of_the_module,
    "method": lambda trainer: trainer.train,
    "method with metrics": lambda trainer: lambda x: trainer.train(x, with_metrics=True),
    "closure": closure,
}


def sgd_with_floats() -> Any:
    return torch.optim.SGD([Parameter(torch.ones(3))], lr=0.25, weight_decay=0.125)


def adamw_with_a_tensor() -> Any:
    optimizer = torch.optim.AdamW([Parameter(torch.ones(3))], weight_decay=0.125)
    tsa_core.extend_optimizer(optimizer, "lr", torch.tensor(0.25), overwrite_values=True)
    return optimizer


class SubclassWithStep(tsa_core.CurveSchedule):
    def step(self, epoch: float | None = None) -> None:
        super().step(epoch)


def on_both(put_on_decay: Callable[[Any, str], Any]) -> Callable[[Any], Any]:
    return lambda o: tsa_core.SynchronousSchedule([put_curve(o), put_on_decay(o, "weight_decay")])


SCHEDULES: dict[str, Callable[[Any], Any]] = {
    "torch's ExponentialLR": lambda o: ExponentialLR(o, 0.5),
    "curve": put_curve,
    "subclass": lambda o: SubclassWithStep(o, halving),
    "ExponentialLR": put,
    "LambdaLR": put_lambda,
    "curve in a SequentialLR": lambda o: SequentialLR(
        o, [put_curve(o), ExponentialLR(o, 0.5)], [2]
    ),
    "curve and StepLR": on_both(partial(put, make=lambda proxy: StepLR(proxy, 2, 0.5))),
    "two curves": on_both(put_curve),
    "plateau": lambda o: tsa_core.SynchronousSchedule([plateau(o)]),
}
FORMS_AND_OPTIMIZERS = [
    ("function of the module", sgd_with_floats),
    ("method", sgd_with_floats),
    ("closure", sgd_with_floats),
    ("closure", adamw_with_a_tensor),
]


@pytest.mark.parametrize(
    ("name", "form_and_optimizer"),
    [
        *crossed([*SCHEDULES][:-1], FORMS_AND_OPTIMIZERS),
        ("plateau", ("method with metrics", sgd_with_floats)),
    ],
)
@ignore_epoch_deprecation
def test_a_compiled_training_step_gives_the_values_of_an_uncompiled_one(
    name: str, form_and_optimizer: tuple[str, Any]
) -> None:
    """A schedule gives the same values, and so the same parameters, in a compiled training step."""
    form, make_optimizer = form_and_optimizer
    runs: list[list[list[float]]] = []
    for compiled in (True, False):
        optimizer, rows = make_optimizer(), []
        trainer = Trainer(optimizer, SCHEDULES[name](optimizer))
        train = FORMS[form](trainer)
        if compiled:
            train = torch.compile(train, backend="eager")
        for _ in range(STEPS):
            train(INPUT)
            values = floats(optimizer) + floats(optimizer, "weight_decay")
            rows.append([*values, *trainer.parameter.tolist()])
        runs.append(rows)
    # Compiled, AdamW takes its capturable path, which rounds differently in float32.
    torch.testing.assert_close(*map(torch.tensor, runs), rtol=1e-4, atol=1e-4)


def compiled(call: Callable[[], None]) -> Any:
    """A compiled function that makes a call in its middle."""

    def function(x: torch.Tensor) -> torch.Tensor:
        call()
        return x + 1

    return torch.compile(function, backend="eager")


def stepped(make: Callable[[Any], Any]) -> Any:
    """A schedule on an optimizer that has stepped, so that no warning of the order is due."""
    optimizer = sgd_with_floats()
    schedule = make(optimizer)
    optimizer.step()
    return schedule


@pytest.mark.parametrize(
    "name", some(["curve", "ExponentialLR", "two curves", "curve and StepLR"], 2)
)
def test_a_step_breaks_the_graph_once(name: str) -> None:
    """A step breaks the graph once, as one of torch, and compiles no more frames in any number."""
    frames = []
    for each in (name, "torch's ExponentialLR"):
        torch._dynamo.reset()
        counters = torch._dynamo.utils.counters
        counters.clear()
        function = compiled(stepped(SCHEDULES[each]).step)
        for _ in range(12):
            function(INPUT)
        assert sum(counters["graph_break"].values()) == 1
        frames.append(counters["frames"]["total"])
    if TORCH >= (2, 7):  # before, torch compiles what a skipped function calls
        assert frames[0] <= frames[1]


def test_a_step_that_is_compiled_itself_runs_as_it_is() -> None:
    """``torch.compile(schedule.step)`` is allowed, and compiles nothing."""
    schedule = stepped(put_curve)
    step = torch.compile(schedule.step, backend="eager")
    for _ in range(12):
        step()
    assert schedule.get_last_lr() == [0.25 * 0.5**12]
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 0


def test_a_replan_is_not_compiled() -> None:
    """A replan in a compiled function gives what it gives outside of one."""
    optimizer = sgd_with_floats()
    derived = tsa_core.DerivedSchedule(optimizer, float, "weight_decay")
    sync = tsa_core.SynchronousSchedule([put_curve(optimizer), derived])
    compiled(lambda: sync.replan({"lr": lambda t: 0.5}))(INPUT)
    assert sync.get_last_schedules() == {"lr": [0.125], "weight_decay": [0.0625]}


def test_an_error_in_a_step_leaves_the_compiler_on() -> None:
    """An error of a step leaves compiled code as it is, and later code is compiled as before."""

    def invalid(t: float) -> float:
        return 1.0 if t == 0 else float("nan")

    schedule = stepped(lambda o: tsa_core.CurveSchedule(o, invalid))
    with pytest.raises(ValueError, match="the multiple of 'lr' at step 1: nan"):
        compiled(schedule.step)(INPUT)
    assert schedule.last_epoch == 0
    graphs = torch._dynamo.utils.counters["stats"]
    before = graphs["unique_graphs"]
    torch.compile(lambda x: x + 2, backend="eager")(INPUT)
    assert graphs["unique_graphs"] == before + 1


def test_the_compiler_is_not_imported() -> None:
    """An import of ``tsa_core`` does not import the compiler, which takes seconds."""
    code = (
        "import sys, torch; before = 'torch._dynamo' in sys.modules; "
        "import tsa_core; assert ('torch._dynamo' in sys.modules) == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
