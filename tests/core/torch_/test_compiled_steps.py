"""Compiled steps: of the optimizer alone, and training steps, in which the schedule steps too."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
from cases import EXHAUSTIVE, crossed, some
from helpers import (
    GraphCounter,
    floats,
    halving,
    held,
    ignore_epoch_deprecation,
    plateau,
    put,
    put_curve,
    put_lambda,
    sgd,
)
from torch.nn import Parameter
from torch.optim.lr_scheduler import ExponentialLR, SequentialLR, StepLR
from torch_schedulers import COMPILES, TORCH, keeps_hooks

from tsa_core import (
    CurveSchedule,
    DerivedSchedule,
    OptimizerSteps,
    SynchronousSchedule,
    extend_optimizer,
)

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


# -- the step of the optimizer --------------------------------------------------------------------

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


@keeps_hooks
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


@keeps_hooks
@pytest.mark.parametrize("target", ["lr", "betas[0]"])
def test_a_tensor_needs_one_graph(target: str) -> None:
    """The step of an AdamW is compiled once, however often a target that is a tensor moves."""
    if target == "betas[0]" and TORCH < (2, 6):
        pytest.skip("AdamW takes tensor betas since torch 2.6")
    graphs = GraphCounter()
    parameters_in_a_run(torch.optim.AdamW, target, torch.tensor, "before", graphs)
    assert graphs.count == 1


@keeps_hooks
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


@keeps_hooks
def test_a_compiled_step_that_calls_another_class_counts_once() -> None:
    *_, optimizer = (  # torch wraps the steps of the classes that were made
        each([Parameter(torch.ones(1))], lr=0.5)
        for each in (torch.optim.SGD, CallsItsBase, CallsItsBaseTwice)
    )
    clock = OptimizerSteps(optimizer)
    step = torch.compile(optimizer.step, backend="eager")
    for t in range(1, 5):
        optimizer.param_groups[0]["params"][0].grad = torch.ones(1)
        step()
        assert clock() == t


# -- training steps -------------------------------------------------------------------------------

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
    extend_optimizer(optimizer, "lr", torch.tensor(0.25), overwrite_values=True)
    return optimizer


class SubclassWithStep(CurveSchedule):
    def step(self, epoch: float | None = None) -> None:
        super().step(epoch)


def on_both(put_on_decay: Callable[[Any, str], Any]) -> Callable[[Any], Any]:
    return lambda o: SynchronousSchedule([put_curve(o), put_on_decay(o, "weight_decay")])


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
    "plateau": lambda o: SynchronousSchedule([plateau(o)]),
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
    derived = DerivedSchedule(optimizer, float, "weight_decay")
    sync = SynchronousSchedule([put_curve(optimizer), derived])
    compiled(lambda: sync.replan({"lr": lambda t: 0.5}))(INPUT)
    assert sync.get_last_schedules() == {"lr": [0.125], "weight_decay": [0.0625]}


def test_an_error_in_a_step_leaves_the_compiler_on() -> None:
    """An error of a step leaves compiled code as it is, and later code is compiled as before."""

    def invalid(t: float) -> float:
        return 1.0 if t == 0 else float("nan")

    schedule = stepped(lambda o: CurveSchedule(o, invalid))
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
