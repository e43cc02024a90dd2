"""A schedule stepped before its optimizer is warned of, in torch's words; a right loop never is."""

from __future__ import annotations

import inspect
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import Parameter
from torch.optim.lr_scheduler import ExponentialLR, SequentialLR, StepLR
from torch_schedulers import TORCH

import tsa_core

TORCHS_WORDS = "Detected call of `lr_scheduler.step()` before `optimizer.step()`"


def curve(optimizer: Any) -> Any:
    return tsa_core.CurveSchedule(optimizer, lambda t: 0.5**t, "weight_decay")


def factory(optimizer: Any) -> Any:
    return tsa_core.arbitrary_schedule_factory(
        optimizer, lambda proxy: StepLR(proxy, 1), schedule_target="weight_decay"
    )


def synchronous(optimizer: Any) -> Any:
    return tsa_core.SynchronousSchedule([tsa_core.CurveSchedule(optimizer, lambda t: 0.5**t)])


class Wrapper:
    """An accumulating wrapper as people write it: it holds an optimizer and forwards the rest."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.wrapped = optimizer

    def step(self) -> None:
        self.wrapped.step()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)


def adamw() -> torch.optim.AdamW:
    parameter = Parameter(torch.ones(2))
    parameter.grad = torch.ones(2)
    return torch.optim.AdamW([parameter], lr=0.1)


def patched(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    original = optimizer.step
    optimizer.step = lambda *args, **kwargs: original(*args, **kwargs)  # type: ignore[method-assign]
    return optimizer


def compiled(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    optimizer.step = torch.compile(optimizer.step, backend="eager")  # type: ignore[method-assign]
    return optimizer


def messages(run: Callable[[], Any]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run()
    return [
        str(warning.message) for warning in caught if TORCHS_WORDS in str(warning.message)
    ]  # the compiler has warnings of its own


def loop(optimizer: Any, schedule: Any, *, right: bool) -> None:
    for _ in range(4):
        if right:
            optimizer.step()
        schedule.step()


MAKERS = pytest.mark.parametrize("make", [curve, factory, synchronous])
DRESSED = {"plain": lambda o: o, "patched": patched, "wrapper": Wrapper}


@MAKERS
@pytest.mark.parametrize("dress", DRESSED)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("right", [True, False])
def test_order(make: Any, dress: str, when: str, right: bool) -> None:
    """One warning in the wrong order and none in the right one, however the step is dressed."""
    optimizer: Any = adamw()
    if when == "before":
        optimizer = DRESSED[dress](optimizer)
        schedule = make(optimizer)
    else:
        schedule = make(optimizer)
        optimizer = DRESSED[dress](optimizer)
    assert len(messages(lambda: loop(optimizer, schedule, right=right))) == (0 if right else 1)


@MAKERS
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("right", [True, False])
@pytest.mark.skipif(TORCH < (2, 4), reason="there, compiling takes the hooks off every optimizer")
def test_order_of_a_compiled_step(make: Any, when: str, right: bool) -> None:
    """The same where ``optimizer.step`` was compiled, before the schedule was built or after."""
    torch._dynamo.reset()
    optimizer = adamw()
    if when == "before":
        compiled(optimizer)
    schedule = make(optimizer)
    if when == "after":
        compiled(optimizer)
    assert len(messages(lambda: loop(optimizer, schedule, right=right))) == (0 if right else 1)


RIGHT_LOOP_IN_ONE_COMPILED_FUNCTION = """
import warnings, torch, tsa_core
parameter = torch.nn.Parameter(torch.ones(2))
parameter.grad = torch.ones(2)
optimizer = torch.optim.AdamW([parameter], lr=0.1)
schedule = tsa_core.CurveSchedule(optimizer, lambda t: 0.5**t, "weight_decay")
train_step = torch.compile(lambda: optimizer.step(), backend="eager")
train_step()
warnings.simplefilter("error")
schedule.step()
print(optimizer.param_groups[0]["weight_decay"])
"""


def test_compiling_never_makes_a_right_loop_warn() -> None:
    """Nor where the training step is one compiled function, on any torch; on its own, since
    torch < 2.4 takes the hooks off every optimizer in the process.
    """
    done = subprocess.run(
        [sys.executable, "-c", RIGHT_LOOP_IN_ONE_COMPILED_FUNCTION],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout == "0.005\n", done.stderr


@MAKERS
@pytest.mark.skipif(TORCH < (2, 3), reason="torch.amp.GradScaler came with torch 2.3")
def test_grad_scaler_that_skips(make: Any) -> None:
    """A scaler that skips the first step is warned of as torch warns: nothing stepped."""
    optimizer = adamw()
    schedule = make(optimizer)
    scaler = torch.amp.GradScaler("cpu")
    parameter = optimizer.param_groups[0]["params"][0]

    def step_with(gradient: float) -> None:
        optimizer.zero_grad()
        scaler.scale((parameter * gradient).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        schedule.step()

    assert len(messages(lambda: step_with(float("inf")))) == 1
    optimizer = adamw()
    schedule = make(optimizer)
    parameter = optimizer.param_groups[0]["params"][0]
    assert messages(lambda: step_with(1.0)) == []


def test_the_first_part_of_a_sequence_warns_at_its_first_step() -> None:
    """As torch's own do there: it has been started over, which is no step of the loop."""

    def sequence(part: Callable[[Any], Any]) -> Any:
        return tsa_core.arbitrary_schedule_factory(
            adamw(), lambda proxy: SequentialLR(proxy, [part(proxy), part(proxy)], [9])
        )

    ours = sequence(lambda proxy: tsa_core.CurveSchedule(proxy, lambda t: 0.5**t))
    theirs = sequence(lambda proxy: ExponentialLR(proxy, 0.5))
    for _ in range(3):
        assert len(messages(ours.step)) == len(messages(theirs.step))


def test_the_order_is_known_where_no_sgd_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch gives a class its hooks with the first optimizer of it; others have theirs."""
    monkeypatch.setattr(torch.optim.SGD, "step", inspect.unwrap(torch.optim.SGD.step))
    assert len(messages(curve(adamw()).step)) == 1


def test_no_hooks_no_guess() -> None:
    """An object that cannot tell whether it stepped is taken to have stepped."""

    class Groups:
        def __init__(self) -> None:
            self.param_groups = [{"params": [], "lr": 0.1, "weight_decay": 0.1}]

    groups = Groups()
    assert messages(lambda: loop(groups, curve(groups), right=False)) == []


def test_step_is_never_patched() -> None:
    """``optimizer.step`` stays the class's own, and one hook serves any number of schedules."""
    optimizer = adamw()
    for make in (curve, factory, curve, factory):
        make(optimizer)
    assert "step" not in vars(optimizer)
    assert len(optimizer._optimizer_step_post_hooks) == 1


def test_the_warning_points_at_the_users_line() -> None:
    """Through however many of our frames it came."""
    optimizer = adamw()
    schedule = synchronous(optimizer)
    with pytest.warns(UserWarning, match="before `optimizer.step") as caught:
        schedule.step()
    assert caught[0].filename == __file__


def test_a_warning_made_an_error_moves_nothing() -> None:
    """Warnings are errors here: the step that is warned of did not happen."""
    optimizer = adamw()
    schedule = curve(optimizer)
    with pytest.raises(UserWarning, match="before"):
        schedule.step()
    assert schedule.last_epoch == 0
    assert optimizer.param_groups[0]["weight_decay"] == 0.01


@pytest.mark.skipif(TORCH < (2, 4), reason="there, torch does not note it")
def test_a_step_that_torch_noted_before_counts() -> None:
    """A scheduler of torch's was there first, and the optimizer stepped under it."""
    optimizer = adamw()
    StepLR(optimizer, 1)
    optimizer.step()
    assert messages(curve(optimizer).step) == []


def test_being_sent_to_a_step_is_no_step() -> None:
    """It is silent itself, and the first real step is still looked at, once."""
    schedule = tsa_core.CurveSchedule(adamw(), lambda t: 0.5**t)
    assert messages(lambda: schedule.step(3)) == []
    assert len(messages(schedule.step)) == 1
    assert messages(schedule.step) == []
