"""``OptimizerSteps`` is a clock that counts the steps that an optimizer has made."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from cases import crossed
from helpers import (
    Failing,
    Untouched,
    Wrapper,
    adamw,
    add_group,
    advance,
    held,
    put_curve,
    sgd,
    through_a_file,
    through_pickle,
)
from torch.nn import Parameter
from torch.optim.lr_scheduler import StepLR
from torch_schedulers import TORCH

from tsa_core import OptimizerSteps, ProxyOptimizer, SynchronousSchedule, extend_optimizer

KEY = "optimizer_steps"  # the entry of each param group that holds the count
scaler_skips = pytest.mark.skipif(TORCH < (2, 3), reason="torch.amp.GradScaler is new in torch 2.3")
state_hooks = pytest.mark.skipif(TORCH < (2, 4), reason="torch 2.0 has no hooks for state dicts")
fused_on_cpu = pytest.mark.skipif(TORCH < (2, 4), reason="a fused AdamW needs an accelerator")


def clocked(optimizer: Any) -> SynchronousSchedule:
    """A schedule that halves ``lr`` at each step that the optimizer makes."""
    return SynchronousSchedule([put_curve(optimizer)], clock=OptimizerSteps(optimizer))


def step(optimizer: Any, times: int) -> None:
    for _ in range(times):
        optimizer.step()


# -- counting -------------------------------------------------------------------------------------


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


class Bare(torch.optim.Optimizer):
    def __init__(self, parameters: Any, lr: float = 0.5) -> None:
        super().__init__(parameters, {"lr": lr})


class CallsItsClosure(Bare):
    def step(self, closure: Any = None) -> Any:
        return closure and closure()


class CallsAnotherClass(Bare):
    """An optimizer that borrows the ``step`` of a class that is not among its bases."""

    def step(self, closure: Any = None) -> Any:
        return CallsItsClosure.step(self, closure)  # type: ignore[arg-type]


def made(kind: Any) -> Any:
    return kind([Parameter(torch.ones(1))], lr=0.5)


def wrap_the_steps_of_each_base() -> None:
    """Have torch wrap the steps of the classes that others call: it does so at an instance."""
    for base in (CallsItsBase, CallsItsClosure, torch.optim.SGD):
        made(base)


NESTED = [CallsItsBase, CallsItsBaseTwice, CallsAnotherClass]


def lbfgs() -> Any:
    (parameter,) = parameters = [Parameter(torch.ones(1))]
    parameter.grad = torch.ones(1)
    return torch.optim.LBFGS(parameters, max_iter=5)


def under_a_torch_scheduler(optimizer: Any) -> Any:
    StepLR(optimizer, 1)
    return optimizer


def patched(optimizer: Any) -> Any:
    original = optimizer.step
    optimizer.step = lambda closure=None: original(closure)
    return optimizer


A_CLOSURE = {"closure": lambda: torch.tensor(1.0)}
COUNTED: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    **{kind.__name__: (lambda kind=kind: made(kind), {}) for kind in NESTED[::-1]},
    "SGD": (lambda: sgd({}, {}), {}),
    "AdamW": (lambda: adamw({}, {}), {}),
    "LBFGS, which calls its closure twice": (lbfgs, A_CLOSURE),
    # A warmup may begin at 0, and a wrapper may pass the closure on by its name, also if None.
    "closure by name": (lambda: adamw(lr=0.0), A_CLOSURE),
    "no closure by name": (lambda: adamw(lr=0.0), {"closure": None}),
    "under a torch scheduler": (lambda: under_a_torch_scheduler(sgd()), {}),
    "patched": (lambda: patched(sgd()), {}),
    "wrapper": (lambda: Wrapper(sgd()), {}),
    "wrapper of a wrapper": (lambda: Wrapper(Wrapper(sgd())), {}),
}


@pytest.mark.parametrize("name", COUNTED)
def test_each_step_since_the_first_clock_is_counted_once(name: str) -> None:
    """A step counts once, whatever it calls or wraps it, and whatever instances are built when."""
    make, arguments = COUNTED[name]
    for _ in range(2):  # the second time, torch has wrapped the steps of all classes before
        real = optimizer = make()
        while isinstance(real, Wrapper):
            real = real.optimizer
        optimizer.step(**arguments)
        clock = OptimizerSteps(optimizer)
        for t in range(6):
            assert [clock() for _ in range(3)] == [t] * 3
            assert type(clock()) is int
            assert repr(clock) == f"<OptimizerSteps of {type(optimizer).__name__}: {t}>"
            if t == 2:
                wrap_the_steps_of_each_base()
            if t == 4 and "step" not in vars(real):
                under_a_torch_scheduler(real)
            optimizer.step(**arguments)
        assert clock.optimizer is optimizer
        assert OptimizerSteps(real)() == copy.copy(clock)() == 6


def test_the_clock_of_one_optimizer_can_move_the_schedules_of_another() -> None:
    """Each optimizer has one count, which all of its clocks say, also one that a factory makes."""
    slow, fast = sgd(lr=0.5), adamw(lr=0.25)
    clocks = [OptimizerSteps(each) for each in (slow, fast, ProxyOptimizer(fast, "weight_decay"))]
    assert clocks[2].optimizer is fast
    lists = {"slow": [put_curve(slow)], "fast": [put_curve(fast)]}
    sync = SynchronousSchedule(lists, clock=clocks[1])
    slow.step()
    step(fast, 3)
    sync.step()
    assert [clock() for clock in clocks] == [1, 3, 3]
    assert sync.get_last_lr() == [0.5 * 0.5**3, 0.25 * 0.5**3]


@pytest.mark.parametrize("kind", [torch.optim.SGD, *NESTED])
def test_a_step_that_raises_leaves_the_count_right(kind: Any) -> None:
    """A step that raises, nested or not, is not counted, and those after it are, once each."""
    wrap_the_steps_of_each_base()
    optimizer, closure = made(kind), Failing(ZeroDivisionError("mine"))
    clock, closure.fails = OptimizerSteps(optimizer), True
    for _ in range(3):
        with pytest.raises(ZeroDivisionError, match="mine"):
            optimizer.step(lambda: closure(1.0))
    assert clock() == 0
    closure.fails = False
    for count in (1, 2):
        optimizer.step(lambda: closure(1.0))
        assert clock() == count
    if kind is CallsItsBase:
        optimizer.times = 2
        with pytest.raises(StopIteration):
            optimizer.step(iter([1.0]).__next__)  # its first half is made
        assert clock() == 2


class Endless:
    """A wrapper of a wrapper, and so on forever."""

    param_groups = sgd().param_groups
    optimizer = property(lambda self: Endless())


def test_a_wrapper_that_wraps_itself_is_refused() -> None:
    """A wrapper that leads back to itself, or on forever, is a ``ValueError`` that names it."""
    alone, first, second = (SimpleNamespace(param_groups=sgd().param_groups) for _ in "123")
    alone.optimizer = alone
    first.optimizer, second.optimizer = second, first
    for wrapper in (alone, first, Endless()):
        says = f"optimizer: the wrapper {type(wrapper).__name__} .* never ends"
        with pytest.raises(ValueError, match=says):
            OptimizerSteps(wrapper)


# -- what cannot be counted -----------------------------------------------------------------------


def without_hooks(closure: Any = None) -> None:
    """Stand in for a step that leads to no optimizer."""


def with_the_step(step: Any) -> Any:
    optimizer = sgd()
    optimizer.step = step
    return optimizer


@pytest.mark.parametrize(
    ("optimizer", "says"),
    [
        (with_the_step(without_hooks), "SGD cannot .* its step does not run torch's step hooks"),
        (with_the_step(sgd().step), "SGD cannot .* its step does not run torch's step hooks"),
        (Wrapper(with_the_step(without_hooks)), "Wrapper cannot .* its step does not run"),
        (SimpleNamespace(param_groups=[{}]), "SimpleNamespace cannot .* nothing steps it"),
    ],
)
def test_an_optimizer_whose_steps_cannot_be_counted_is_refused(
    optimizer: Any, says: str, untouched: Untouched
) -> None:
    says = rf"the steps of {says}.*clock=lambda: steps"
    with untouched(optimizer), pytest.raises(TypeError, match=says):
        OptimizerSteps(optimizer)
    with pytest.raises(TypeError, match=r"^optimizer: expected a torch"):
        OptimizerSteps(None)  # type: ignore[arg-type]


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
            *("build optimizer sync", "build sync optimizer"),
            *("optimizer build sync", "optimizer build sync optimizer"),
        ],
        [copy.deepcopy, through_a_file],
    ),
)
def test_a_run_moves_once_per_step_and_resumes_where_it_was_saved(order: str, store: Any) -> None:
    """It stays on its curve, however often it is stepped, and in whatever order it is loaded."""

    def run(optimizer: Any, sync: Any, t: int, calls: int) -> None:
        optimizer.step()
        for _ in range(calls):
            sync.step()
            assert sync.last_epoch == t
            assert held(optimizer) == [0.5 * 0.5**t, 0.25 * 0.5**t]

    optimizer = adamw({"lr": 0.5}, {"lr": 0.25})
    sync = clocked(optimizer)
    for t, calls in enumerate((1, 7, 0, 0, 2), 1):
        run(optimizer, sync, t, calls)
    saved = store({"optimizer": optimizer.state_dict(), "sync": sync.state_dict()})
    parts: dict[str, Any] = {"optimizer": adamw({"lr": 0.5}, {"lr": 0.25})}
    for each in order.split():
        if each == "build":
            parts["sync"] = clocked(parts["optimizer"])
        else:
            parts[each].load_state_dict(copy.deepcopy(saved[each]))
    parts["sync"].step()
    assert parts["sync"].last_epoch == 5
    for t in (6, 7):
        run(**parts, t=t, calls=3)


def test_a_checkpoint_without_the_count_is_noticed(untouched: Untouched) -> None:
    """A checkpoint without the count is a ``RuntimeError`` with both positions, until it is set."""
    saved, optimizer = SynchronousSchedule([put_curve(sgd())]), sgd()
    advance(saved, 5)
    sync = clocked(optimizer)
    optimizer.load_state_dict(saved.optimizer.state_dict())
    sync.load_state_dict(saved.state_dict())
    optimizer.step()
    with untouched(optimizer), pytest.raises(RuntimeError, match=r"clock says 1, .* stand at 5"):
        sync.step()
    optimizer.param_groups[0][KEY] = 6
    sync.step()
    assert held(optimizer) == [0.5 * 0.5**6]


@pytest.mark.parametrize(
    ("make", "duplicate"), [(adamw, copy.deepcopy), (lambda: Wrapper(sgd()), through_pickle)]
)
def test_a_copy_of_clock_and_optimizer_counts_its_own_steps(make: Any, duplicate: Any) -> None:
    clock = OptimizerSteps(make())
    step(clock.optimizer, 2)
    (optimizer, twin), alone = duplicate((clock.optimizer, clock)), duplicate(clock)
    assert twin.optimizer is optimizer
    step(optimizer, 3)
    step(alone.optimizer, 1)
    assert (clock(), twin(), alone()) == (2, 5, 3)


# -- mixed precision ------------------------------------------------------------------------------


def scaled_steps(optimizer: Any, scaler: Any, *factors: float) -> Iterator[int]:
    """The count after each step of a ``GradScaler``, which skips one if its factor is infinite."""
    clock = OptimizerSteps(optimizer)
    (parameter,) = optimizer.param_groups[0]["params"]
    for factor in factors:
        optimizer.zero_grad()
        scaler.scale((parameter * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        yield clock()


@scaler_skips
@pytest.mark.parametrize("settings", [{}, pytest.param({"fused": True}, marks=fused_on_cpu)])
def test_a_step_that_a_scaler_skips_is_not_counted(settings: dict[str, Any]) -> None:
    """A step that is skipped does not count, also if a fused optimizer skips it by itself."""
    optimizer = adamw(**settings)
    sync = clocked(optimizer)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    for count in scaled_steps(optimizer, scaler, torch.inf, 1.0, torch.inf, 1.0):
        sync.step()
        assert sync.last_epoch == count
    assert count == 2


class SkipsByItself(Bare):
    """An optimizer that skips its update if ``found_inf`` is set, and counts its updates."""

    updates = 0

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
    optimizer = made(SkipsByItself)
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
    event = SimpleNamespace(
        record=lambda stream: log.append("record"), synchronize=lambda: log.append("wait")
    )
    monkeypatch.setattr(torch.cuda, "Event", lambda: event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: None)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    return log


def on_an_accelerator(*values: float) -> list[Any]:
    return [OnAnAccelerator(value) for value in values]


@pytest.mark.parametrize("has_events", [True, False])
def test_a_flag_on_an_accelerator_is_read_one_step_later(
    has_events: bool, waits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host waits for a flag when the next step ends, on a device without events for nothing."""
    if not has_events:
        monkeypatch.delattr(torch.cuda, "Event")
    optimizer = made(SkipsByItself)
    counts = skipping(optimizer, *on_an_accelerator(0.0, 1.0, 0.0, 0.0), None)
    assert counts == [0, 1, 1, 2, 4]
    assert optimizer.updates == 4
    assert waits == ["record", *["wait", "record"] * 3, "wait"] * has_events


def test_a_step_that_is_captured_counts(waits: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag cannot be copied while a CUDA graph is captured, so the step counts as before."""
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    assert skipping(made(SkipsByItself), *on_an_accelerator(0.0)) == [1]
    assert waits == []


@state_hooks
def test_a_state_has_the_step_whose_flag_is_awaited(waits: list[str]) -> None:
    """A saved state counts the last step too, and the clock itself stays one step late."""
    optimizer = made(SkipsByItself)
    assert skipping(optimizer, *on_an_accelerator(0.0, 0.0)) == [0, 1]
    state = optimizer.state_dict()
    assert state["param_groups"][0][KEY] == 2
    clock = OptimizerSteps(optimizer)
    assert clock() == copy.copy(clock)() == 1
    assert copy.deepcopy(clock)() == 2
    resumed = made(SkipsByItself)
    resumed.load_state_dict(copy.deepcopy(state))
    assert skipping(resumed, None) == skipping(optimizer, None) == [3]


@pytest.mark.parametrize("saved", [0, 1, 7])
@pytest.mark.parametrize(
    "flags", [[None, None], pytest.param(on_an_accelerator(0.0, 0.0), marks=state_hooks)]
)
def test_a_state_that_is_loaded_brings_its_count(
    waits: list[str], saved: int, flags: list[Any]
) -> None:
    """A flag that is awaited tells nothing of the state that was loaded after its step."""
    optimizer = made(SkipsByItself)
    skipping(optimizer, *flags)
    state = copy.deepcopy(optimizer.state_dict())
    state["param_groups"][0][KEY] = saved
    optimizer.load_state_dict(state)
    assert OptimizerSteps(optimizer)() == saved
    assert skipping(optimizer, None) == [saved + 1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_clock_makes_no_accelerator_wait() -> None:
    """Steps of a fused optimizer under a ``GradScaler`` count one step late, without a wait."""
    optimizer = torch.optim.AdamW([Parameter(torch.ones(1, device="cuda"))], fused=True)
    scaler = torch.cuda.amp.GradScaler(init_scale=4.0)
    torch.cuda.set_sync_debug_mode("error")
    try:
        counts = [*scaled_steps(optimizer, scaler, torch.inf, 1.0, torch.inf, 1.0, 1.0)]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert counts == [0, 0, 1, 1, 2]
    assert optimizer.state_dict()["param_groups"][0][KEY] == 3


OF_OLD_TORCH = """
import torch, tsa_core

optimizer, other = (torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5) for _ in "ab")
clock = tsa_core.OptimizerSteps(optimizer)
curve = tsa_core.CurveSchedule(optimizer, lambda t: 0.5**t)
sync = tsa_core.SynchronousSchedule([curve], clock=clock)
optimizer.step()
sync.step()
torch.compile(optimizer.step, backend="eager")()
for call in (clock, sync.step, lambda: tsa_core.OptimizerSteps(other)):
    try:
        call()
    except Exception as error:
        print(type(error).__name__, "no longer runs step hooks" in str(error))
print(sync.last_epoch, sync.get_last_lr())
"""


@pytest.mark.skipif(TORCH >= (2, 4), reason="this torch keeps step hooks")
def test_a_clock_is_refused_once_torch_has_removed_hooks() -> None:
    """A clock refuses to count once torch < 2.4 has removed the hooks, at ``torch.compile``."""
    # The hooks are gone forever, so this test runs in a process of its own.
    run = subprocess.run(
        [sys.executable, "-c", OF_OLD_TORCH], capture_output=True, text=True, timeout=120
    )
    said = ["RuntimeError True", "RuntimeError True", "TypeError False", "1 [0.25]"]
    assert run.stdout.splitlines() == said, run.stderr


# -- where the count is, and what else calls step --------------------------------------------------


def with_a_new_first(optimizer: Any) -> None:
    optimizer.param_groups.insert(0, {**optimizer.param_groups[0], "params": []})
    del optimizer.param_groups[0][KEY]


def with_an_old_first(optimizer: Any) -> None:
    """Put back a group that was away while the count went on from 1."""
    optimizer.param_groups.insert(0, {**optimizer.param_groups[0], "params": [], KEY: 1})


def with_new_dicts(optimizer: Any) -> None:
    optimizer.param_groups[:] = [dict(group) for group in optimizer.param_groups]


CHANGES: list[Callable[[Any], Any]] = [
    lambda optimizer: optimizer.param_groups.pop(0),
    lambda optimizer: optimizer.param_groups.reverse(),
    lambda optimizer: optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict())),
    with_a_new_first,
    OptimizerSteps,
    with_an_old_first,
    with_new_dicts,
    add_group,
    lambda optimizer: extend_optimizer(optimizer, "clip", 1.0),
]


@pytest.mark.parametrize(("change", "then"), crossed(CHANGES, CHANGES[1:]))
def test_the_count_outlives_every_change_of_the_groups(change: Any, then: Any) -> None:
    """A clock, its copies and a new clock agree, whatever happens to the groups."""
    optimizer = adamw({}, {"lr": 0.5}, {"lr": 0.25})
    clock = OptimizerSteps(optimizer)
    step(optimizer, 3)
    for count, each in enumerate((change, then, change), 3):
        if len(optimizer.param_groups) > 1:
            each(optimizer)
        assert clock() == copy.deepcopy(clock)() == count
        assert OptimizerSteps(copy.deepcopy(optimizer))() == count
        optimizer.step()
        assert held(optimizer, KEY) == [count + 1] * len(optimizer.param_groups)
    for group in optimizer.param_groups:
        del group[KEY]
    assert clock() == copy.deepcopy(clock)() == OptimizerSteps(optimizer)() == 6
    assert held(optimizer, KEY) == [6] * len(optimizer.param_groups)


class Forwarding(Wrapper):
    """A wrapper that passes each step, with its closure, on by position."""

    state = property(lambda self: self.optimizer.state)

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
