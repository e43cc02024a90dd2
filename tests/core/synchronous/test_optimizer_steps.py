"""``OptimizerSteps`` is a clock that counts the steps that an optimizer has made."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from cases import EXHAUSTIVE, crossed
from helpers import (
    GraphCounter,
    Untouched,
    Wrapper,
    adamw,
    add_group,
    each_copy,
    held,
    put,
    put_curve,
    sgd,
    through_a_file,
)
from torch.nn import Parameter
from torch.optim.lr_scheduler import StepLR
from torch_schedulers import TORCH

from tsa_core import (
    OptimizerSteps,
    SynchronousSchedule,
    extend_optimizer,
)

KEY = "optimizer_steps"  # the entry of each param group that holds the count
scaler_skips = pytest.mark.skipif(TORCH < (2, 3), reason="torch.amp.GradScaler is new in torch 2.3")
fused_on_cpu = pytest.mark.skipif(TORCH < (2, 4), reason="a fused AdamW needs an accelerator")


def clocked(optimizer: Any) -> SynchronousSchedule:
    """A schedule that halves ``lr`` at each step that the optimizer makes."""
    return SynchronousSchedule([put_curve(optimizer)], clock=OptimizerSteps(optimizer))


def step(optimizer: Any, times: int) -> None:
    for _ in range(times):
        optimizer.step()


# -- counting -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [sgd, adamw])
def test_a_clock_says_how_many_steps_were_made(make: Callable[..., Any]) -> None:
    """A clock says how often its optimizer has stepped, however often it is asked."""
    optimizer = make({}, {})
    clock = OptimizerSteps(optimizer)
    for t in range(5):
        assert [clock() for _ in range(3)] == [t] * 3
        assert type(clock()) is int
        assert repr(clock) == f"<OptimizerSteps of {type(optimizer).__name__}: {t}>"
        optimizer.step()
    assert clock.optimizer is optimizer


def test_a_schedule_moves_once_per_step_however_often_it_is_stepped() -> None:
    """A schedule that is stepped once, seven times or never per optimizer step stays on its curve.

    Frameworks step a schedule several times per optimizer step, or in each micro-batch.
    """
    optimizer = sgd()
    sync = clocked(optimizer)
    for t, calls in enumerate((1, 7, 0, 0, 2, 1)):
        assert sync.last_epoch <= t
        optimizer.step()
        for _ in range(calls):
            sync.step()
            assert sync.last_epoch == t + 1
            assert held(optimizer) == [0.5 * 0.5 ** (t + 1)]


def test_several_clocks_of_an_optimizer_count_once() -> None:
    """Several clocks on one optimizer, copies too, say the same number and count each step once."""
    optimizer = sgd(momentum=0.5)
    first = OptimizerSteps(optimizer)
    step(optimizer, 2)
    second, copied = OptimizerSteps(optimizer), copy.copy(first)
    assert first() == second() == copied() == 2
    syncs = [
        SynchronousSchedule([put_curve(optimizer)], clock=second),
        SynchronousSchedule([put_curve(optimizer, "momentum")], clock=OptimizerSteps(optimizer)),
    ]
    step(optimizer, 3)
    for sync in syncs:
        sync.step()
        assert sync.last_epoch == 5
    assert first() == second() == copied() == 5


def test_the_count_begins_with_the_first_clock() -> None:
    """Steps from before the first clock of an optimizer are not counted."""
    optimizer = sgd()
    step(optimizer, 3)
    clock = OptimizerSteps(optimizer)
    assert clock() == 0
    optimizer.step()
    assert clock() == 1


def test_clocks_of_several_optimizers_count_apart() -> None:
    """Each optimizer has its own count, and one of them can be the clock of schedules on both."""
    slow, fast = sgd(lr=0.5), adamw(lr=0.25)
    clocks = OptimizerSteps(slow), OptimizerSteps(fast)
    sync = SynchronousSchedule(
        {"slow": [put_curve(slow)], "fast": [put_curve(fast)]}, clock=clocks[1]
    )
    slow.step()
    step(fast, 3)
    sync.step()
    assert [clock() for clock in clocks] == [1, 3]
    assert sync.get_last_lr() == [0.5 * 0.5**3, 0.25 * 0.5**3]


def test_a_step_with_a_closure_is_one_step() -> None:
    """A step that calls its closure many times counts as one."""
    parameter = Parameter(torch.tensor([3.0, 4.0]))
    optimizer = torch.optim.LBFGS([parameter], max_iter=5)
    clock = OptimizerSteps(optimizer)
    calls = []

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (parameter**4).sum()
        loss.backward()
        calls.append(loss)
        return loss

    optimizer.step(closure)
    assert len(calls) > 1
    assert clock() == 1


@pytest.mark.parametrize("closure", [lambda: torch.tensor(1.0), None])
def test_a_step_with_a_closure_by_name_is_counted_at_a_rate_of_0(closure: Any) -> None:
    """A warmup may begin at 0, and a wrapper may pass the closure on by its name, also if None."""
    optimizer = adamw(lr=0.0)
    clock = OptimizerSteps(optimizer)
    for count in (1, 2):
        optimizer.step(closure=closure)
        assert clock() == count


def test_a_step_that_fails_is_not_counted() -> None:
    """A step that raises has not been made, so it is not counted."""
    optimizer = sgd()
    clock = OptimizerSteps(optimizer)

    def closure() -> Any:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        optimizer.step(closure)
    assert clock() == 0
    optimizer.step()
    assert clock() == 1


@pytest.mark.parametrize("clock_first", [False, True])
def test_a_torch_scheduler_beside_the_clock_does_not_hide_steps(clock_first: bool) -> None:
    """Steps are counted although a torch scheduler, built before or after, wraps the step."""
    optimizer = sgd(momentum=0.5)
    clock = OptimizerSteps(optimizer) if clock_first else None
    schedules = [StepLR(optimizer, 1, 0.5), put(optimizer, "momentum")]
    clock = clock or OptimizerSteps(optimizer)
    for t in range(1, 4):
        optimizer.step()
        for schedule in schedules:
            schedule.step()
        assert clock() == t
        assert held(optimizer) == held(optimizer, "momentum") == [0.5 * 0.5**t]


def test_a_step_that_calls_the_original_one_is_counted() -> None:
    """A step of the user's on the instance, which calls the original, is counted once."""
    optimizer = sgd()
    original = optimizer.step
    optimizer.step = lambda closure=None: original(closure)  # type: ignore[method-assign]
    clock = OptimizerSteps(optimizer)
    step(optimizer, 2)
    assert clock() == 2


class CallsItsBase(torch.optim.SGD):
    """A subclass whose ``step`` calls that of its base class ``times`` times."""

    times = 1

    def step(self, closure: Any = None) -> Any:
        for _ in range(self.times):
            loss = super().step(closure)
        return loss


class CallsItsBaseTwice(CallsItsBase):
    times = 2

    def step(self, closure: Any = None) -> Any:
        return super().step(closure)


class CallsItsClosure(torch.optim.Optimizer):
    def __init__(self, parameters: Any, lr: float) -> None:
        super().__init__(parameters, {"lr": lr})

    def step(self, closure: Any = None) -> Any:
        return closure and closure()


class CallsAnotherClass(torch.optim.Optimizer):
    """An optimizer that borrows the ``step`` of a class that is not among its bases."""

    def __init__(self, parameters: Any, lr: float) -> None:
        super().__init__(parameters, {"lr": lr})

    def step(self, closure: Any = None) -> Any:
        return CallsItsClosure.step(self, closure)  # type: ignore[arg-type]


def one_of_each_base() -> list[Any]:
    """Have torch wrap the steps of the classes that others call."""
    bases = (CallsItsBase, CallsItsClosure, torch.optim.SGD)
    return [base([Parameter(torch.ones(1))], lr=0.5) for base in bases]


NESTED = [CallsItsBase, CallsItsBaseTwice, CallsAnotherClass]


@pytest.mark.parametrize("kind", NESTED)
@pytest.mark.parametrize("base_first", [False, True])
def test_a_step_that_calls_another_class_counts_once(kind: Any, base_first: bool) -> None:
    """A step that calls ``super().step()`` counts once, whatever instances are built and when."""
    if base_first:
        one_of_each_base()
    optimizer = kind([Parameter(torch.ones(1))], lr=0.5)
    clock = OptimizerSteps(optimizer)
    optimizer.step()
    assert clock() == 1
    one_of_each_base()
    step(optimizer, 3)
    assert clock() == 4


@pytest.mark.parametrize("kind", NESTED)
def test_a_nested_step_that_raises_leaves_the_count_right(kind: Any) -> None:
    """A step that raises within another is not counted, and those after it are, once each."""
    one_of_each_base()
    optimizer = kind([Parameter(torch.ones(1))], lr=0.5)
    clock, fails = OptimizerSteps(optimizer), [True]

    def closure() -> float:
        if fails.pop(0):
            raise ZeroDivisionError("mine")
        return 1.0

    for _ in range(3):
        fails[:] = [True]
        with pytest.raises(ZeroDivisionError, match="mine"):
            optimizer.step(closure)
    assert clock() == 0
    for count in (1, 2):
        fails[:] = [False] * 9
        optimizer.step(closure)
        assert clock() == count
    if kind is CallsItsBase:
        fails[:] = [False, True]
        optimizer.times = 2
        with pytest.raises(ZeroDivisionError, match="mine"):
            optimizer.step(closure)  # its first half was made
        assert clock() == 2


def test_groups_that_join_or_get_new_entries_leave_the_count_alone() -> None:
    """The count goes on when a group joins, and when all groups get a new entry."""
    optimizer = sgd()
    clock = OptimizerSteps(optimizer)
    step(optimizer, 2)
    add_group(optimizer)
    extend_optimizer(optimizer, "clip", 1.0)
    optimizer.param_groups[:] = [dict(group) for group in optimizer.param_groups]
    optimizer.step()
    assert clock() == 3
    assert [group.get(KEY) for group in optimizer.param_groups] == [3, 3]


# -- wrappers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2])
def test_a_clock_of_a_wrapper_counts_the_optimizer_inside(depth: int) -> None:
    """A clock of a wrapper, or of a wrapper of a wrapper, shares the count of the optimizer."""
    optimizer = sgd()
    wrapper: Any = optimizer
    for _ in range(depth):
        wrapper = Wrapper(wrapper)
    clock, inner = OptimizerSteps(wrapper), OptimizerSteps(optimizer)
    wrapper.step()
    optimizer.step()
    assert (clock(), inner()) == (2, 2)


def test_a_wrapper_that_wraps_itself_is_refused() -> None:
    """A wrapper that leads back to itself, or on forever, is a ``ValueError`` that names it."""
    alone, first, second = (Wrapper(sgd()) for _ in range(3))
    alone.optimizer = alone
    first.optimizer, second.optimizer = second, first

    class Endless(Wrapper):
        @property
        def optimizer(self) -> Any:
            return Endless(None)

        @optimizer.setter
        def optimizer(self, optimizer: Any) -> None:
            pass

    groups = sgd().param_groups
    for wrapper, kind in ((alone, "Looped"), (first, "Looped"), (Endless(None), "EndlessLoop")):
        wrapper.__class__ = type(kind, (type(wrapper),), {"param_groups": groups})
        with pytest.raises(ValueError, match=f"optimizer: the wrapper {kind} .* never ends"):
            OptimizerSteps(wrapper)


# -- what cannot be counted -----------------------------------------------------------------------


def without_hooks(closure: Any = None) -> None:
    """Stand in for a step that leads to no optimizer."""


def with_the_step(step: Any) -> Any:
    optimizer = sgd()
    optimizer.step = step
    return optimizer


@pytest.mark.parametrize(
    ("optimizer", "kind"),
    [
        (with_the_step(without_hooks), "SGD"),
        (with_the_step(sgd().step), "SGD"),
        (Wrapper(with_the_step(without_hooks)), "Wrapper"),
        (SimpleNamespace(param_groups=[{"lr": 0.5}], step=without_hooks), "SimpleNamespace"),
        (SimpleNamespace(param_groups=[{"lr": 0.5}]), "SimpleNamespace"),
        (None, None),
        (3, None),
        (SimpleNamespace(), None),
    ],
)
def test_an_optimizer_whose_steps_cannot_be_counted_is_refused(
    optimizer: Any, kind: str | None
) -> None:
    """An optimizer whose step runs no hooks, or no optimizer, is a ``TypeError`` with a remedy."""
    before = copy.deepcopy(getattr(optimizer, "param_groups", None))
    says = rf"the steps of {kind} cannot be counted.*clock=lambda: steps"
    with pytest.raises(TypeError, match=says if kind else "^optimizer: expected a torch optimizer"):
        OptimizerSteps(optimizer)
    assert getattr(optimizer, "param_groups", None) == before


def test_a_step_that_is_replaced_later_is_noticed(untouched: Untouched) -> None:
    """A step that was replaced after the clock was built is a ``RuntimeError``; nothing moves."""
    optimizer = sgd()
    sync = clocked(optimizer)
    optimizer.step()
    sync.step()
    optimizer.step = without_hooks  # type: ignore[method-assign]
    optimizer.step()
    with untouched(optimizer), pytest.raises(RuntimeError, match=r"OptimizerSteps: .* hooks"):
        sync.step()
    assert sync.last_epoch == 1
    del optimizer.step
    optimizer.step()
    sync.step()
    assert sync.last_epoch == 2


# -- resume ---------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")  # torch 2.0 warns of its own load
@pytest.mark.parametrize(
    ("order", "store"),
    crossed(
        [
            ["build", "optimizer", "sync"],
            ["build", "sync", "optimizer"],
            ["optimizer", "build", "sync"],
            ["optimizer", "build", "sync", "optimizer"],
        ],
        [copy.deepcopy, through_a_file],
    ),
)
def test_a_run_resumes_where_it_was_saved(order: list[str], store: Any) -> None:
    """A run goes on with the count of its checkpoint, in whatever order it is built and loaded."""
    optimizer = adamw({"lr": 0.5}, {"lr": 0.25})
    sync = clocked(optimizer)
    step(optimizer, 5)
    sync.step()
    saved = store({"optimizer": optimizer.state_dict(), "sync": sync.state_dict()})

    parts: dict[str, Any] = {"optimizer": adamw({"lr": 0.5}, {"lr": 0.25})}
    for each in order:
        if each == "build":
            parts["sync"] = clocked(parts["optimizer"])
        else:
            parts[each].load_state_dict(copy.deepcopy(saved[each]))
    optimizer, sync = parts["optimizer"], parts["sync"]
    sync.step()
    assert sync.last_epoch == 5
    for t in (6, 7):
        optimizer.step()
        for _ in range(3):
            sync.step()
        assert sync.last_epoch == t
        assert held(optimizer) == [0.5 * 0.5**t, 0.25 * 0.5**t]


def test_a_checkpoint_without_the_count_is_noticed(untouched: Untouched) -> None:
    """A checkpoint without the count is a ``RuntimeError`` with both positions, until it is set."""
    optimizer = sgd()
    sync = clocked(optimizer)
    step(optimizer, 5)
    sync.step()
    saved = copy.deepcopy((optimizer.state_dict(), sync.state_dict()))
    del saved[0]["param_groups"][0][KEY]

    optimizer = sgd()
    sync = clocked(optimizer)
    optimizer.load_state_dict(saved[0])
    sync.load_state_dict(saved[1])
    optimizer.step()
    with (
        untouched(optimizer),
        pytest.raises(RuntimeError, match=r"clock says 1\b.* stand at 5\b"),
    ):
        sync.step()
    optimizer.param_groups[0][KEY] = 6
    sync.step()
    assert held(optimizer) == [0.5 * 0.5**6]


# -- copies ---------------------------------------------------------------------------------------


@each_copy
@pytest.mark.parametrize("make", [adamw, lambda: Wrapper(sgd())])
def test_a_copy_of_clock_and_optimizer_counts_its_own_steps(make: Any, duplicate: Any) -> None:
    """A copied clock counts the steps of the copied optimizer from where the original stood."""
    clock = OptimizerSteps(make())
    step(clock.optimizer, 2)
    twin_optimizer, twin = duplicate((clock.optimizer, clock))
    assert twin.optimizer is twin_optimizer
    step(twin_optimizer, 3)
    clock.optimizer.step()
    assert (clock(), twin()) == (3, 5)
    alone = duplicate(clock)
    alone.optimizer.step()
    assert (clock(), alone()) == (3, 4)


def test_a_copy_of_the_optimizer_keeps_the_count() -> None:
    """A new clock on a copied optimizer goes on from the count of the original."""
    optimizer = OptimizerSteps(sgd()).optimizer
    step(optimizer, 4)
    clock = OptimizerSteps(copy.deepcopy(optimizer))
    assert clock() == 4
    clock.optimizer.step()
    assert clock() == 5


# -- mixed precision ------------------------------------------------------------------------------


def counts_with_a_scaler(optimizer: Any) -> list[int]:
    """The count after each of four batches, of which the first and the third overflow."""
    clock = OptimizerSteps(optimizer)
    sync = SynchronousSchedule([put_curve(optimizer, "weight_decay")], clock=clock)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    (parameter,) = optimizer.param_groups[0]["params"]
    counts = []
    for factor in (torch.inf, 1.0, torch.inf, 1.0):
        optimizer.zero_grad()
        scaler.scale((parameter * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        sync.step()
        assert sync.last_epoch == clock()
        counts.append(clock())
    return counts


@scaler_skips
@pytest.mark.parametrize("settings", [{}, pytest.param({"fused": True}, marks=fused_on_cpu)])
def test_a_step_that_a_scaler_skips_is_not_counted(settings: dict[str, Any]) -> None:
    """A step that is skipped does not count, also if a fused optimizer skips it by itself."""
    assert counts_with_a_scaler(adamw(**settings)) == [0, 1, 1, 2]


class SkipsByItself(torch.optim.Optimizer):
    """An optimizer that skips its update if ``found_inf`` is set, and counts its updates."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": 0.5})
        self.updates = 0

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.updates += not getattr(self, "found_inf", 0)


def skipping(optimizer: Any, *flags: Any) -> list[int]:
    """The count after each step, before which ``found_inf`` is set as a ``GradScaler`` does."""
    clock, counts = OptimizerSteps(optimizer), []
    for flag in flags:
        if flag is not None:
            optimizer.found_inf = flag
        optimizer.step()
        if flag is not None:
            del optimizer.found_inf
        counts.append(clock())
    return counts


def test_a_flag_on_the_cpu_is_read_at_once() -> None:
    """A step counts at once if no flag is set, or one on the CPU, or a number, that is 0."""
    optimizer = SkipsByItself([Parameter(torch.ones(1))])
    flags = [torch.tensor(1.0), torch.tensor(0.0), None, 1, 0, torch.tensor(2.0), None]
    assert skipping(optimizer, *flags) == [0, 1, 2, 2, 3, 3, 4]
    assert optimizer.updates == 4


class OnAnAccelerator(torch.Tensor):
    """A flag that says it is on a CUDA device, and lets only one copy to the CPU be made."""

    __torch_function__ = torch._C._disabled_torch_function_impl  # results stay plain tensors

    def __new__(cls, value: float) -> Any:
        made = torch.Tensor._make_wrapper_subclass(cls, (), device="cuda")  # type: ignore[attr-defined]
        made.value = value
        return made

    def __bool__(self) -> bool:
        return bool(self.value)  # the optimizer's own look: its kernels make nobody wait

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert func is torch.ops.aten._to_copy.default, func
        assert kwargs["non_blocking"], "the host waits"
        return torch.tensor(args[0].value)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand in for torch.cuda's streams; lists what is done with the events."""
    log: list[str] = []

    class Event:
        def record(self, stream: object) -> None:
            log.append("record")

        def synchronize(self) -> None:
            log.append("wait")

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: None)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    return log


def on_an_accelerator(*values: float) -> list[Any]:
    return [OnAnAccelerator(value) for value in values]


def test_a_flag_on_an_accelerator_is_read_one_step_later(waits: list[str]) -> None:
    """A flag on an accelerator is waited for only when the next step ends, and by nobody else."""
    optimizer = SkipsByItself([Parameter(torch.ones(1))])
    counts = skipping(optimizer, *on_an_accelerator(0.0, 1.0, 0.0, 0.0), None)
    assert counts == [0, 1, 1, 2, 4]
    assert optimizer.updates == 4
    assert waits == ["record", *["wait", "record"] * 3, "wait"]


def test_a_flag_without_events_is_read_one_step_later_too(
    waits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flag on a device without streams and events is read when the next step ends."""
    monkeypatch.delattr(torch.cuda, "Event")
    optimizer = SkipsByItself([Parameter(torch.ones(1))])
    assert skipping(optimizer, *on_an_accelerator(0.0, 1.0, 0.0), None) == [0, 1, 1, 3]
    assert waits == []


def test_a_step_that_is_captured_counts(waits: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag cannot be copied while a CUDA graph is captured, so the step counts as before."""
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    assert skipping(SkipsByItself([Parameter(torch.ones(1))]), *on_an_accelerator(0.0)) == [1]
    assert waits == []


@pytest.mark.skipif(TORCH < (2, 4), reason="torch 2.0 has no hooks for state dicts")
def test_a_state_has_the_step_whose_flag_is_awaited(waits: list[str]) -> None:
    """A saved state counts the last step too, and the clock itself stays one step late."""
    optimizer = SkipsByItself([Parameter(torch.ones(1))])
    assert skipping(optimizer, *on_an_accelerator(0.0, 0.0)) == [0, 1]
    state = optimizer.state_dict()
    assert state["param_groups"][0][KEY] == 2
    clock = OptimizerSteps(optimizer)
    assert clock() == copy.copy(clock)() == 1
    assert copy.deepcopy(clock)() == 2
    resumed = SkipsByItself([Parameter(torch.ones(1))])
    resumed.load_state_dict(copy.deepcopy(state))
    assert skipping(resumed, None) == skipping(optimizer, None) == [3]


@pytest.mark.skipif(TORCH < (2, 4), reason="torch 2.0 has no hooks for state dicts")
@pytest.mark.parametrize("saved", [0, 1, 7])
def test_a_flag_is_forgotten_if_another_state_is_loaded(waits: list[str], saved: int) -> None:
    """A flag that is awaited tells nothing of the state that was loaded after its step."""
    optimizer = SkipsByItself([Parameter(torch.ones(1))])
    assert skipping(optimizer, *on_an_accelerator(0.0, 0.0)) == [0, 1]
    state = copy.deepcopy(optimizer.state_dict())
    state["param_groups"][0][KEY] = saved
    optimizer.load_state_dict(state)
    assert OptimizerSteps(optimizer)() == saved
    assert skipping(optimizer, None) == [saved + 1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_clock_makes_no_accelerator_wait() -> None:
    """Steps of a fused optimizer under a ``GradScaler`` count one step late, without a wait."""
    parameter = Parameter(torch.ones(1, device="cuda"))
    optimizer = torch.optim.AdamW([parameter], fused=True)
    clock, scaler = OptimizerSteps(optimizer), torch.cuda.amp.GradScaler(init_scale=4.0)
    counts = []
    torch.cuda.set_sync_debug_mode("error")
    try:
        for factor in (torch.inf, 1.0, torch.inf, 1.0, 1.0):
            optimizer.zero_grad()
            scaler.scale((parameter * factor).sum()).backward()
            scaler.step(optimizer)
            scaler.update()
            counts.append(clock())
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert counts == [0, 0, 1, 1, 2]
    assert optimizer.state_dict()["param_groups"][0][KEY] == 3


# -- compiled steps -------------------------------------------------------------------------------


@pytest.mark.skipif(TORCH < (2, 4), reason="torch.compile removes all step hooks")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Guards may run slower")  # the compiler warns of Python 3.13.0
@pytest.mark.parametrize("clock_first", [False, True] if EXHAUSTIVE else [False])
def test_a_compiled_step_is_counted(clock_first: bool) -> None:
    """A compiled step is counted, the first calls too, for at most one more graph."""
    graphs = {}
    for counted in (False, True):
        torch._dynamo.reset()
        optimizer = sgd(lr=torch.tensor(0.5))
        backend = GraphCounter()
        sync = clocked(optimizer) if counted and clock_first else None
        compiled = torch.compile(optimizer.step, backend=backend)
        if counted and not clock_first:
            sync = clocked(optimizer)
        for t in range(1, 13):
            optimizer.param_groups[0]["params"][0].grad = torch.ones(1)
            compiled()
            if sync is not None:
                sync.step()
                assert sync.last_epoch == t
                assert held(optimizer) == [0.5 * 0.5**t]
        graphs[counted] = backend.count
    assert graphs[True] <= graphs[False] + 1


@pytest.mark.skipif(TORCH < (2, 4), reason="torch.compile removes all step hooks")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Guards may run slower")
@pytest.mark.parametrize("kind", NESTED if EXHAUSTIVE else NESTED[1:2])
def test_a_compiled_step_that_calls_another_class_counts_once(kind: Any) -> None:
    """A compiled step that calls ``super().step()`` counts once."""
    one_of_each_base()
    optimizer = kind([Parameter(torch.ones(1))], lr=0.5)
    clock = OptimizerSteps(optimizer)
    torch._dynamo.reset()
    compiled = torch.compile(optimizer.step, backend="eager")
    for t in range(1, 5):
        optimizer.param_groups[0]["params"][0].grad = torch.ones(1)
        compiled()
        assert clock() == t


OF_OLD_TORCH = """
import torch, tsa_core

def optimizer():
    parameter = torch.nn.Parameter(torch.ones(1))
    parameter.grad = torch.ones(1)
    return torch.optim.SGD([parameter], lr=0.5)

clock = tsa_core.OptimizerSteps(optimizer())
sync = tsa_core.SynchronousSchedule(
    [tsa_core.CurveSchedule(clock.optimizer, lambda t: 0.5 ** t)], clock=clock
)
clock.optimizer.step()
sync.step()
torch.compile(clock.optimizer.step, backend="eager")()
for call in (clock, sync.step, lambda: tsa_core.OptimizerSteps(optimizer())):
    try:
        call()
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
print(sync.last_epoch, sync.get_last_lr())
"""


@pytest.mark.skipif(TORCH >= (2, 4), reason="this torch keeps step hooks")
def test_a_clock_is_refused_once_torch_has_removed_hooks() -> None:
    """A clock refuses to count once torch < 2.4 has removed the hooks, at ``torch.compile``.

    The hooks are gone forever, so this test runs in a process of its own.
    """
    run = subprocess.run(
        [sys.executable, "-c", OF_OLD_TORCH], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    *errors, stands = run.stdout.splitlines()
    assert [error.partition(":")[0] for error in errors] == [
        "RuntimeError",
        "RuntimeError",
        "TypeError",
    ]
    assert all("no longer runs step hooks" in error for error in errors[:2])
    assert stands == "1 [0.25]"


# -- what else calls step, and where the count is --------------------------------------------------


def test_a_clock_of_a_proxy_counts_the_optimizer_behind_it() -> None:
    """The optimizer that a factory is given stands for the real one, which makes the steps."""
    optimizer = adamw()
    clocks: list[OptimizerSteps] = []

    def make(proxy: Any) -> StepLR:
        clocks.append(OptimizerSteps(proxy))
        return StepLR(proxy, 5)

    put(optimizer, "weight_decay", make)
    step(optimizer, 3)
    assert clocks[0]() == 3
    assert clocks[0].optimizer is optimizer


def test_the_count_outlives_the_first_group() -> None:
    """A group that takes the place of the first one goes on from its count."""
    optimizer = adamw({}, {"lr": 0.5})
    clock = OptimizerSteps(optimizer)
    step(optimizer, 3)
    optimizer.param_groups.pop(0)
    assert clock() == 3
    step(optimizer, 2)
    assert clock() == 5
    assert optimizer.param_groups[0][KEY] == 5


def without_the_first(optimizer: Any) -> None:
    optimizer.param_groups.pop(0)


def turned_round(optimizer: Any) -> None:
    optimizer.param_groups.reverse()


def with_a_new_first(optimizer: Any) -> None:
    optimizer.param_groups.insert(0, {**optimizer.param_groups[0], "params": []})
    del optimizer.param_groups[0][KEY]


def with_a_second_clock(optimizer: Any) -> None:
    OptimizerSteps(optimizer)


def with_an_old_first(optimizer: Any) -> None:
    """Put back a group that was away while the count went on from 1."""
    optimizer.param_groups.insert(0, {**optimizer.param_groups[0], "params": [], KEY: 1})


CHANGES = [
    without_the_first,
    turned_round,
    with_a_new_first,
    with_a_second_clock,
    with_an_old_first,
]


@pytest.mark.parametrize(("change", "then"), crossed(CHANGES, CHANGES))
def test_the_count_outlives_every_change_of_the_groups(change: Any, then: Any) -> None:
    """A clock, its copies, a new clock and a saved state agree, whatever happens to the groups."""
    optimizer = adamw({}, {"lr": 0.5}, {"lr": 0.25})
    clock = OptimizerSteps(optimizer)
    step(optimizer, 3)
    for count, each in enumerate((change, then, change), 3):
        if len(optimizer.param_groups) > 1:
            each(optimizer)
        resumed = adamw(*({} for _ in optimizer.param_groups))
        for group, one in zip(optimizer.param_groups, resumed.param_groups):
            one["params"] = one["params"][: len(group["params"])]
        resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        assert clock() == copy.deepcopy(clock)() == OptimizerSteps(resumed)() == count
        assert OptimizerSteps(copy.deepcopy(optimizer))() == count
        optimizer.step()
        assert held(optimizer, KEY) == [count + 1] * len(optimizer.param_groups)


def test_the_count_outlives_groups_that_are_replaced_without_it() -> None:
    """A clock that is copied or built anew keeps its count, also if no group holds it anymore."""
    optimizer = sgd()
    clock = OptimizerSteps(optimizer)
    step(optimizer, 3)
    del optimizer.param_groups[0][KEY]
    assert clock() == copy.deepcopy(clock)() == 3
    assert OptimizerSteps(optimizer)() == clock() == 3
    assert held(optimizer, KEY) == [3]


def test_an_earlier_state_takes_the_count_back() -> None:
    """A loaded state brings its count, whether it is smaller or larger than the present one."""
    optimizer = adamw({}, {})
    clock = OptimizerSteps(optimizer)
    step(optimizer, 2)
    saved = copy.deepcopy(optimizer.state_dict())
    step(optimizer, 3)
    later = copy.deepcopy(optimizer.state_dict())
    for state, count in ((saved, 2), (later, 5)):
        optimizer.load_state_dict(copy.deepcopy(state))
        assert clock() == count
        optimizer.step()
        assert clock() == count + 1


class Forwarding(torch.optim.Optimizer):
    """An optimizer that passes each step, with its closure, on to the one inside."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self.param_groups = optimizer.param_groups

    state = property(lambda self: self.optimizer.state)  # type: ignore[assignment]

    def step(self, closure: Any = None) -> Any:
        return self.optimizer.step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.optimizer.zero_grad(set_to_none)


@pytest.mark.parametrize(
    ("make", "steps"),
    [
        (lambda: adamw(lr=0.5), 0),
        (lambda: Forwarding(adamw(lr=0.5)), 0),
        (sgd, 2),  # a plain SGD keeps no state, so a checkpoint makes it anew at any step
    ],
)
def test_the_state_that_a_distributed_checkpoint_makes_first_is_not_a_step(
    make: Any, steps: int
) -> None:
    """``torch.distributed.checkpoint`` steps a fresh optimizer once with lr 0 to make its state."""
    state_dict = pytest.importorskip("torch.distributed.checkpoint.state_dict", reason="torch 2.2")
    optimizer = make()
    clock = OptimizerSteps(optimizer)
    step(optimizer, steps)
    optimizer.zero_grad()
    state_dict._init_optim_state(optimizer)
    assert bool(optimizer.state) is (steps == 0)  # so the state was made
    assert clock() == steps
    optimizer.step(closure=None)
    assert clock() == steps + 1
