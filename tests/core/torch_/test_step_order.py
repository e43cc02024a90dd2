"""A schedule that steps before its optimizer warns as torch does; a correct loop never warns."""

from __future__ import annotations

import functools
import inspect
import subprocess
import sys
import types
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from cases import crossed
from helpers import put, put_curve, same
from torch.nn import Parameter
from torch.optim.lr_scheduler import ExponentialLR, SequentialLR, StepLR
from torch_schedulers import TORCH

from tsa_core import DerivedSchedule, SynchronousSchedule

TORCHS_WARNING = "Detected call of `lr_scheduler.step()` before `optimizer.step()`"
LINK = "https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"


def adamw_with_gradient(kind: Any = torch.optim.AdamW) -> Any:
    parameter = Parameter(torch.ones(2))
    parameter.grad = torch.ones(2)
    return kind([parameter], lr=0.1)


def curve(optimizer: Any) -> Any:
    return put_curve(optimizer, "weight_decay")


def factory(optimizer: Any) -> Any:
    return put(optimizer, "weight_decay", lambda proxy: StepLR(proxy, 1))


def plain(optimizer: Any) -> Any:
    return StepLR(optimizer, 1)


KINDS: list[Callable[[Any], Any]] = [
    curve,
    factory,
    lambda optimizer: SynchronousSchedule([put_curve(optimizer)]),
    lambda optimizer: DerivedSchedule(optimizer, same, "weight_decay"),
]


def order_warnings(run: Callable[[], Any]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run()
    texts = [str(warning.message) for warning in caught]
    return [text for text in texts if TORCHS_WARNING in text]  # the compiler warns too


def warnings_of_a_loop(optimizer: Any, schedule: Any, *, correct: bool) -> list[str]:
    def train() -> None:
        for _ in range(4):
            if correct:
                optimizer.step()
            schedule.step()

    return order_warnings(train)


class StepsItsSchedule(torch.optim.AdamW):
    """A subclass whose ``step`` calls the one of its base class, and then steps a schedule."""

    schedule: Any = None

    def step(self, closure: Any = None) -> Any:
        loss = super().step(closure)
        if self.schedule is not None:
            self.schedule.step()
        return loss


class WithAStepOfItsOwn(torch.optim.AdamW):
    """A subclass whose ``step``, which torch wraps, never calls the one of its base class."""

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.zero_grad()


class Holder:
    """A wrapper that forwards everything but ``step`` to the optimizer in one of its attributes."""

    def __init__(self, optimizer: Any) -> None:
        self.inside = optimizer

    def step(self, *args: Any) -> None:
        self.inside.step(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inside, name)


class CallableObject:
    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


def with_step(optimizer: Any, step: Any) -> Any:
    optimizer.step = step
    return optimizer


def patched(optimizer: Any) -> Any:
    original = optimizer.step
    return with_step(optimizer, lambda *args, **kwargs: original(*args, **kwargs))


def compiled(optimizer: Any) -> Any:
    torch._dynamo.reset()
    return with_step(optimizer, torch.compile(optimizer.step, backend="eager"))


def under_a_torch_scheduler(optimizer: Any) -> Any:
    plain(optimizer)  # which wraps optimizer.step
    return optimizer


CHANGED_STEPS: dict[str, Any] = {
    "plain": same,
    "patched": patched,
    "patched five times": lambda o: patched(patched(patched(patched(patched(o))))),
    "patched by a default argument": lambda o: with_step(
        o, lambda closure=None, original=o.step: original(closure)
    ),
    "patched by a keyword-only default": lambda o: with_step(
        o, lambda closure=None, *, original=o.step: original(closure)
    ),
    "patched by an object": lambda o: with_step(o, CallableObject(o.step)),
    "patched by a partial": lambda o: with_step(o, functools.partial(o.step)),
    "holder": Holder,
    "two holders": lambda o: Holder(Holder(o)),
    "patched in a holder": lambda o: Holder(patched(o)),
    "under a torch scheduler": under_a_torch_scheduler,
    "patched under a torch scheduler": lambda o: patched(under_a_torch_scheduler(o)),
    "compiled": compiled,
    "a subclass that calls its base": StepsItsSchedule,
    "a subclass with a step of its own": WithAStepOfItsOwn,
}
if TORCH < (2, 4):  # compiling removes the hooks of every optimizer
    del CHANGED_STEPS["compiled"]


def update(optimizer: Any, closure: Any = None) -> None:
    """Update the parameters in a way of its own."""


class TrainerOfTwo:
    def __init__(self, optimizer: Any) -> None:
        self.first, self.second = optimizer, adamw_with_gradient()

    def step_first(self, closure: Any = None) -> None:
        update(self.first)


def with_another_optimizer(optimizer: Any) -> Any:
    other = adamw_with_gradient()
    return with_step(optimizer, lambda closure=None: other.step())


def with_an_optimizer_inside(optimizer: Any) -> Any:
    def step_inner(self: Any, closure: Any = None) -> None:
        self.inner.step()

    optimizer.inner = adamw_with_gradient()
    return with_step(optimizer, types.MethodType(step_inner, optimizer))


class Unwrapped(WithAStepOfItsOwn):
    """An optimizer whose ``step`` torch does not wrap, as after a compilation on torch < 2.4."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        type(self).step = inspect.unwrap(type(self).step)  # type: ignore[method-assign]


STEPS_WITHOUT_HOOKS: dict[str, Any] = {
    "a function of its own": lambda o: with_step(o, lambda closure=None: None),
    "a method of its own": lambda o: with_step(o, types.MethodType(update, o)),
    "closes over another optimizer": with_another_optimizer,
    "the method of a trainer of two": lambda o: with_step(o, TrainerOfTwo(o).step_first),
    "with an optimizer inside": with_an_optimizer_inside,
    "not wrapped": Unwrapped,
}


@pytest.mark.parametrize(
    ("name", "make", "when"),
    crossed([*CHANGED_STEPS, *STEPS_WITHOUT_HOOKS], [*KINDS, curve], ["before", "after"]),
)
def test_a_wrong_order_warns_once_and_a_correct_one_never(name: str, make: Any, when: str) -> None:
    """Whatever replaced ``optimizer.step``, before or after the schedule was built.

    A step that runs no hooks, or those of a different optimizer, never warns.
    """
    change = {**CHANGED_STEPS, **STEPS_WITHOUT_HOOKS}[name]
    kind = torch.optim.AdamW
    if inspect.isclass(change) and issubclass(change, torch.optim.Optimizer):
        change, kind = same, change
    for correct in (True, False):
        optimizer = adamw_with_gradient(kind)
        if when == "before":
            optimizer = change(optimizer)
        schedule = make(optimizer)
        if when == "after":
            optimizer = change(optimizer)
        num_warnings = 0 if correct or name in STEPS_WITHOUT_HOOKS else 1
        assert len(warnings_of_a_loop(optimizer, schedule, correct=correct)) == num_warnings


CORRECT_LOOP_IN_ONE_COMPILED_FUNCTION = """
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


def test_a_correct_loop_in_one_compiled_function_does_not_warn() -> None:
    # On torch < 2.4, compiling removes the hooks of every optimizer in the process.
    done = subprocess.run(
        [sys.executable, "-c", CORRECT_LOOP_IN_ONE_COMPILED_FUNCTION],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout == "0.005\n", done.stderr


@pytest.mark.skipif(TORCH < (2, 3), reason="torch.amp.GradScaler came with torch 2.3")
@pytest.mark.parametrize("make", [curve, factory])
def test_a_grad_scaler_that_skips_the_first_step_warns(make: Any) -> None:
    """A schedule warns, as in torch, if a ``GradScaler`` skipped the first optimizer step."""
    for gradient, num_warnings in ((float("inf"), 1), (1.0, 0)):
        optimizer = adamw_with_gradient()
        schedule = make(optimizer)
        scaler = torch.amp.GradScaler("cpu")
        optimizer.zero_grad()
        scaler.scale((optimizer.param_groups[0]["params"][0] * gradient).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        assert len(order_warnings(schedule.step)) == num_warnings


def test_the_first_part_of_a_sequence_warns_at_its_first_step() -> None:
    """A ``SequentialLR`` of curve schedules warns at the same steps as one of torch schedulers."""
    # SequentialLR resets its parts when it is built, which does not count as a step of the loop.
    ours, theirs = (
        put(
            adamw_with_gradient(),
            make=lambda o, part=part: SequentialLR(o, [part(o), part(o)], [9]),
        )
        for part in (put_curve, lambda o: ExponentialLR(o, 0.5))
    )
    for _ in range(3):
        assert len(order_warnings(ours.step)) == len(order_warnings(theirs.step))


def test_the_order_is_known_where_no_sgd_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    # torch adds the hooks to the step of an optimizer class when its first instance is made.
    monkeypatch.setattr(torch.optim.SGD, "step", inspect.unwrap(torch.optim.SGD.step))
    assert len(order_warnings(curve(adamw_with_gradient()).step)) == 1


def test_optimizer_step_is_never_patched() -> None:
    """``optimizer.step`` is not patched, and one hook serves any number of schedules."""
    optimizer = adamw_with_gradient()
    for make in (curve, factory, curve, factory):
        make(optimizer)
    assert "step" not in vars(optimizer)
    assert len(optimizer._optimizer_step_pre_hooks) == 1


@pytest.mark.parametrize("make", [plain, *KINDS])
def test_the_warning_is_worded_as_torchs_and_points_at_the_users_line(make: Any) -> None:
    """The warning opens as torch's does, has its link, and points at the call of ``step``."""
    schedule = make(adamw_with_gradient())
    with pytest.warns(UserWarning, match="before `optimizer.step") as caught:
        schedule.step()
    (text,) = [str(warning.message) for warning in caught]
    assert text.startswith(TORCHS_WARNING)
    assert LINK in text
    if make not in (plain, factory):  # torch's own points at its own file in some versions
        assert caught[0].filename == __file__


def test_an_order_warning_that_is_an_error_moves_nothing() -> None:
    optimizer = adamw_with_gradient()
    schedule = curve(optimizer)
    for _ in range(2):  # nor is it forgotten
        with pytest.raises(UserWarning, match="before"):
            schedule.step()
        assert (schedule.last_epoch, optimizer.param_groups[0]["weight_decay"]) == (0, 0.01)


@pytest.mark.skipif(TORCH < (2, 4), reason="torch < 2.4 does not record that an optimizer stepped")
def test_a_step_under_an_earlier_torch_scheduler_counts() -> None:
    optimizer = under_a_torch_scheduler(adamw_with_gradient())
    optimizer.step()
    assert order_warnings(curve(optimizer).step) == []


def test_a_step_to_an_epoch_does_not_warn() -> None:
    """``step(epoch)`` does not warn, and the first step after it still does, once."""
    schedule = put_curve(adamw_with_gradient())
    assert order_warnings(lambda: schedule.step(3)) == []
    assert len(order_warnings(schedule.step)) == 1
    assert order_warnings(schedule.step) == []


def test_an_optimizer_without_hooks_never_warns() -> None:
    """An object that does not show whether it stepped is assumed to have stepped."""
    groups = types.SimpleNamespace(param_groups=[{"params": [], "lr": 0.1, "weight_decay": 0.1}])
    assert warnings_of_a_loop(groups, curve(groups), correct=False) == []


@pytest.mark.parametrize(
    ("how", "make"), crossed(["hook before", "hook after", "subclass", "patched"], KINDS)
)
def test_a_schedule_that_its_optimizer_steps_never_warns(how: str, make: Any) -> None:
    """A schedule that is stepped within ``optimizer.step``, after the update, is in order."""
    optimizer = adamw_with_gradient(StepsItsSchedule if how == "subclass" else torch.optim.AdamW)
    if how == "hook before":
        optimizer.register_step_post_hook(lambda *_: schedule.step())
    schedule = make(optimizer)
    original = optimizer.step
    if how == "hook after":
        optimizer.register_step_post_hook(lambda *_: schedule.step())
    elif how == "subclass":
        optimizer.schedule = schedule
    elif how == "patched":
        optimizer.step = lambda: (original(), schedule.step())
    for t in range(1, 4):
        assert order_warnings(optimizer.step) == []
        assert schedule.last_epoch == t
