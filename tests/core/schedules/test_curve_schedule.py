"""``CurveSchedule`` writes initial value × λ(t), from any callable, to the user's optimizer."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from helpers import (
    INVALID_VALUES,
    Untouched,
    across,
    adamw,
    advance,
    floats,
    halving,
    held,
    put,
    put_curve,
    put_lambda,
    same,
    sgd,
    values_in_a_run,
)
from torch.nn import Parameter
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from tsa_core import CurveSchedule, DerivedSchedule, SynchronousSchedule, extend_optimizer


def grow(t: float) -> float:
    return 1.0 + t


class Half:
    """A curve that is an object, with an attribute where Python looks in the class alone."""

    def __init__(self) -> None:
        self.__dict__["__call__"] = None

    def at(self, t: float) -> float:
        return 0.5**t

    def __call__(self, t: float) -> float:
        return self.at(t)


CALLABLES: dict[str, Any] = {
    "function": halving,
    "lambda": lambda t: 0.5**t,
    "built-in method": (0.5).__pow__,
    "partial": functools.partial(halving),
    "bound method": Half().at,
    "object": Half(),
    "static method": type("Static", (), {"__call__": staticmethod(halving)})(),
    "class method": type("OfClass", (), {"__call__": classmethod(lambda cls, t: halving(t))})(),
}


# -- curves -----------------------------------------------------------------------------------


@pytest.mark.parametrize("curve", CALLABLES.values(), ids=CALLABLES)
def test_any_callable_is_a_curve(curve: Any) -> None:
    """A curve is called as Python calls it, whatever its ``__call__`` is."""
    schedule = CurveSchedule(sgd(), curve)
    assert values_in_a_run(schedule, 3) == [[0.5], [0.25], [0.125]]
    assert schedule.curve is curve


def test_a_curve_schedule_equals_torchs_lambda_lr() -> None:
    """A curve schedule is an ``LRScheduler`` that gives exactly what torch's ``LambdaLR`` gives."""

    def wave(t: float) -> float:
        return 1 + math.cos(t)

    ours, theirs = (sgd({"lr": 0.3}, {"lr": 0.07}) for _ in range(2))
    one, other = CurveSchedule(ours, wave), LambdaLR(theirs, wave)
    assert isinstance(one, LRScheduler)
    assert (one.optimizer, one.schedule_target) == (ours, "lr")
    for _ in range(25):
        assert values_in_a_run(one, 2) == values_in_a_run(other, 2)
        assert one.get_last_lr() == other.get_last_lr()
    assert (one.last_epoch, one.base_lrs) == (other.last_epoch, other.base_lrs)


@dataclass
class Times:
    """λ(t) = factor × t, equal to any other."""

    factor: float = field(compare=False)

    def __call__(self, t: float) -> float:
        return self.factor * t


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize(
    "curves",
    [[Times(2.0), None, Times(3.0)], {"a": Times(2.0), "b": None, "*": Times(3.0)}],
    ids=["list", "mapping"],
)
def test_each_group_follows_its_own_curve(curves: Any, absolute: bool) -> None:
    """Curves that compare as equal drive their own groups, and ``None`` leaves a group alone."""
    opt = sgd({"lr": 1.0, "name": "a"}, {"lr": 2.0, "name": "b"}, {"lr": 4.0, "name": "c"})
    schedule = CurveSchedule(opt, curves, absolute=absolute)
    assert "initial_lr" not in opt.param_groups[1]
    first, last = (2.0, 3.0) if absolute else (2.0, 12.0)  # per step
    for t in range(3):
        assert held(opt) == schedule.values_at(t) == [first * t, 2.0, last * t]
        advance(schedule)
    state = schedule.state_dict()
    opt.param_groups[1]["lr"] = 7.0
    advance(schedule)
    assert held(opt) == [first * 4, 7.0, last * 4]
    schedule.load_state_dict(state)
    assert held(opt) == [first * 3, 7.0, last * 3]


@pytest.mark.parametrize(
    ("epoch", "kind"),
    [(7, int), (np.int64(3), int), (3.0, float), (np.float32(2.5), float), (torch.tensor(0), int)],
)
def test_step_goes_to_any_epoch(epoch: Any, kind: type) -> None:
    """It goes there before the optimizer steps, and keeps a Python number; an int stays one."""
    schedule = CurveSchedule(extend_optimizer(sgd(), "clip", 2), grow, "clip")
    for each in (100, epoch):
        schedule.step(each)
        assert schedule.last_epoch == each
        assert held(schedule.optimizer, "clip") == [2 * (1.0 + each)]
    assert type(schedule.last_epoch) is kind
    assert type(schedule.base_lrs[0]) is int
    advance(schedule)
    assert schedule.last_epoch == epoch + 1


@pytest.mark.parametrize(("num_groups", "absolute"), [(1, False), (7, False), (7, True)])
def test_a_curve_is_called_once_per_step(num_groups: int, absolute: bool) -> None:
    called_with = []

    def curve(t: float) -> float:
        called_with.append(t)
        return 1.0

    schedule = CurveSchedule(sgd(*[{}] * num_groups), curve, absolute=absolute)
    advance(schedule, 3)
    schedule.get_last_lr(), repr(schedule), schedule.state_dict()
    schedule.step(10)
    assert called_with == [0, 1, 2, 3, 10]


# -- invalid multipliers, and numeric types -----------------------------------------------------

# An integer tensor is not in a target, and is a number where a curve returns it.
INVALID_NUMBERS: dict[str, tuple[Any, type[Exception]]] = {
    **{name: each for name, each in INVALID_VALUES.items() if name != "integer tensor"},
    "NumPy NaN": (np.float64("nan"), ValueError),
    "None": (None, TypeError),
    "1-dim array": (np.ones(1), TypeError),
}


@across(value=INVALID_NUMBERS, per_group=[False, True], absolute=[False, True, True, False])
def test_an_invalid_number_is_refused_before_any_group_moves(
    value: str, per_group: bool, absolute: bool, untouched: Untouched
) -> None:
    """The error names target, step and number; the schedule goes on when the curve is fixed."""
    invalid, error = INVALID_NUMBERS[value]
    shown = invalid.item() if getattr(invalid, "ndim", None) == 0 else invalid
    broken_at = 0

    def breaks(t: float) -> Any:
        return invalid if t == broken_at else 1.0 + t

    opt = sgd({"momentum": 0.5}, {"momentum": 0.25}, {"momentum": torch.tensor(0.75)})

    def build() -> CurveSchedule:
        curves = [grow, grow, breaks] if per_group else breaks
        return CurveSchedule(opt, curves, "momentum", absolute=absolute)

    def assert_refused(call: Callable[[], Any]) -> None:
        what = f"{'value' if absolute else 'multiple'} of 'momentum' at step {broken_at}"
        with untouched(opt), pytest.raises(error, match=f"{what}.*{re.escape(repr(shown))}"):
            call()

    assert_refused(build)
    broken_at = 3
    schedule = build()
    advance(schedule, 2)
    assert_refused(schedule.step)
    assert_refused(lambda: schedule.values_at(3))
    assert schedule.last_epoch == 2
    broken_at = -1
    schedule.step()
    assert schedule.last_epoch == 3
    assert held(opt, "momentum") == ([4] * 3 if absolute else [0.5 * 4, 0.25 * 4, 0.75 * 4])


@across(
    as_kind=[float, np.float64, np.float32, np.array, torch.tensor, Fraction, np.int64],
    absolute=[False, True],
)
def test_every_real_number_lands_as_a_python_float(as_kind: Any, absolute: bool) -> None:
    # torch.load(weights_only=True) would refuse a checkpoint that holds a NumPy scalar.
    opt = sgd({"lr": 0.5}, {"lr": 3.0})
    schedule = CurveSchedule(opt, lambda t: as_kind(2.0), absolute=absolute)
    advance(schedule)
    assert held(opt) == schedule.get_last_lr() == ([2.0, 2.0] if absolute else [1.0, 6.0])
    assert {type(value) for value in (*held(opt), *schedule.get_last_lr())} == {float}


NOT_CURVES = [None, 0.5, math.nan, 1j, True, "cosine", {0: halving}, {halving}, [halving, 0.5]]
WRONG_NUMBERS_OF_CURVES = [[], [halving], [halving, halving, None]]


@pytest.mark.parametrize("curve", [*NOT_CURVES, *WRONG_NUMBERS_OF_CURVES])
def test_an_invalid_curve_is_refused(curve: Any, untouched: Untouched) -> None:
    opt, error = sgd({}, {}), ValueError if curve in WRONG_NUMBERS_OF_CURVES else TypeError
    with untouched(opt), pytest.raises(error, match=r"^curve: "):
        CurveSchedule(opt, curve)


@pytest.mark.parametrize("epoch", [-1, math.nan, math.inf, 1j, "3", True, [3]], ids=repr)
def test_an_invalid_epoch_is_refused(epoch: Any, untouched: Untouched) -> None:
    error = ValueError if type(epoch) in (int, float) else TypeError
    schedule = put_curve(sgd({}, {}))
    advance(schedule, 2)
    says = f"epoch: .*{re.escape(repr(epoch))}"
    with untouched(schedule.optimizer), pytest.raises(error, match=says):
        schedule.step(epoch)
    assert schedule.last_epoch == 2


def test_a_second_schedule_starts_from_the_initial_value() -> None:
    """The initial value is kept as "initial_<target>", where a second schedule finds it."""
    opt = adamw(betas=(0.9, 0.5))
    advance(CurveSchedule(opt, lambda t: 1 / (1 + t), "betas[1]"), 5)
    assert opt.state_dict()["param_groups"][0]["initial_betas[1]"] == 0.5
    again = put_curve(opt, "betas[1]")
    assert again.get_last_lr() == again.base_lrs == [0.5]


def test_an_initial_value_of_0_in_every_group_warns_at_the_users_line() -> None:
    """No multiple moves it. A curve may be 0, as at the start of a warmup, and so may one group."""
    says = "'momentum' starts at 0 .*overwrite_values=True.* absolute=True"
    for make in (CurveSchedule, DerivedSchedule):
        with pytest.warns(UserWarning, match=says) as caught:
            make(sgd({}, {}), halving, "momentum")
        assert [warning.filename for warning in caught] == [__file__]
    opt = sgd({"lr": 0.0}, {"lr": 0.5})
    CurveSchedule(opt, lambda t: 0.0)
    schedule = CurveSchedule(opt, lambda t: t)
    assert held(opt) == [0.0, 0.0]
    advance(schedule)
    assert held(opt) == [0.0, 0.5]


def test_a_shared_tensor_becomes_one_tensor_per_group() -> None:
    """Groups move and are loaded apart, and tensors that ``get_last_lr()`` reported stay."""
    shared = torch.tensor(0.5)
    opt = sgd({}, {}, {"initial_lr": 4.0}, {}, lr=shared)
    assert held(opt)[3] is shared
    schedule = CurveSchedule(opt, [halving, grow, halving, None])
    assert schedule.base_lrs == [0.5, 0.5, 4.0, 0.5]
    assert held(opt)[0] is shared
    assert len({*map(id, held(opt))}) == 4
    reported = schedule.get_last_lr()
    advance(schedule)
    assert floats(opt) == schedule.get_last_lr() == [0.25, 1.0, 2.0, 0.5]
    assert reported == [0.5, 0.5, 4.0, 0.5]
    assert schedule.base_lrs == [0.5, 0.5, 4.0, 0.5]
    state = schedule.state_dict()
    opt.param_groups[3]["lr"] = opt.param_groups[1]["lr"] = shared
    advance(schedule)
    assert floats(opt) == [0.125, 1.5, 1.0, 0.25]
    opt.param_groups[1]["lr"] = shared
    schedule.load_state_dict(state)
    assert floats(opt) == [0.25, 1.0, 2.0, 0.25]


def test_a_group_without_a_curve_does_not_warn() -> None:
    opt = adamw({"lr": torch.tensor(0.1)}, {"lr": 0.0}, capturable=True)
    CurveSchedule(opt, [halving, None])
    CurveSchedule(opt, [None, None])
    with (
        pytest.warns(UserWarning, match="'lr' is a float in .* capturable=True"),
        pytest.warns(UserWarning, match="'lr' starts at 0"),
    ):
        CurveSchedule(opt, [None, halving])
    # A kernel on an accelerator gets a 0-dim CPU tensor as a number, when the step is captured.
    elsewhere = Parameter(torch.ones(2, device="meta"))
    opt = adamw({"params": [elsewhere]}, lr=torch.tensor(0.1), capturable=True)
    with pytest.warns(UserWarning, match="'lr' is a tensor on the CPU .* capturable=True"):
        put_curve(opt)


@across(
    put_schedule=[
        put_curve,
        put_lambda,
        lambda o, target: put(o, target, put_curve),
        lambda o, target: DerivedSchedule(o, same, target, of="eps"),
    ],
    target=["lr", "betas[0]"],
)
def test_a_float_of_a_capturable_group_warns(target: str, put_schedule: Any) -> None:
    """A float warns, because a captured step keeps it; a tensor or an unread entry does not."""
    opt = adamw(capturable=True)
    says = rf"'{re.escape(target)}' is a float .* capturable=True"
    with pytest.warns(UserWarning, match=says) as caught:
        put_schedule(opt, target)
    remedy = f"extend_optimizer(optimizer, '{target}', torch.tensor(value, device=...), overwrite"
    assert f"{remedy}_values=True)" in str(caught[0].message)
    extend_optimizer(opt, target, torch.tensor(0.5), overwrite_values=True)
    put_schedule(opt, target)
    extend_optimizer(opt, "clip", 1.0)  # the optimizer's step never reads it
    put_schedule(opt, "clip")


# -- copies, the repr, and a lost target ----------------------------------------------------------


@pytest.mark.parametrize(
    ("curves", "key", "saved"),
    [
        (halving, None, "<function halving>"),
        ([halving], 0, ["<function halving>"]),
        ({"*": halving}, "*", {"*": "<function halving>"}),
        (MappingProxyType({"*": halving}), "*", {"*": "<function halving>"}),
    ],
)
def test_the_curves_of_a_schedule_cannot_be_changed(curves: Any, key: Any, saved: Any) -> None:
    """A change of the caller's container has no effect, and neither curve nor item can be set."""
    # A new curve would let the steps differ silently from what repr, state and preview show.
    schedule: Any = CurveSchedule(sgd(), curves)
    if isinstance(curves, (list, dict)):
        curves.clear()
    with pytest.raises(AttributeError):
        schedule.curve = grow
    if key is not None:
        with pytest.raises(TypeError):
            schedule.curve[key] = grow
        assert schedule.curve[key] is halving
    advance(schedule)
    state = schedule.state_dict()
    assert state["curve"] == saved
    schedule.load_state_dict(state)
    assert schedule.get_last_lr() == [0.25]


def test_the_repr_shows_target_optimizer_curve_step_and_values() -> None:
    """There is a repr also without the target, which a read or a load names; old states too."""
    schedule = put_curve(extend_optimizer(sgd(), "clip", 0.5), "clip")
    sync = SynchronousSchedule([schedule])
    advance(sync, 2)
    for said in ("CurveSchedule", "'clip'", "SGD", "halving", "step 2", "[0.125]"):
        assert said in repr(schedule)
    assert "absolute" not in repr(schedule)
    state = schedule.state_dict()
    assert state["absolute"] is False
    old = {key: state[key] for key in ("last_epoch", "_step_count", "base_lrs", "_last_lr")}
    del schedule.optimizer.param_groups[0]["clip"]
    assert "'clip'" in repr(schedule)
    assert "{'clip': [None]}" in repr(sync)
    for call in (
        schedule.get_last_lr,
        lambda: schedule.load_state_dict(state),
        lambda: schedule.load_state_dict({**old, "lr_lambdas": [None]}),
    ):
        with pytest.raises(KeyError, match="'clip' is not in param group 0"):
            call()


# -- loading and reading -------------------------------------------------------------------------


@across(
    value=[math.inf, math.nan, torch.tensor(-math.inf), "0.1", None],
    target=["weight_decay", "betas[1]"],
)
def test_a_value_that_cannot_be_saved_names_target_and_group(value: Any, target: str) -> None:
    optimizer = adamw({}, {})
    schedule = put_curve(optimizer, target)
    sync = SynchronousSchedule([put_curve(optimizer), schedule])
    error = TypeError if value is None or isinstance(value, str) else ValueError
    entry = (0.9, value) if target == "betas[1]" else value
    optimizer.param_groups[1][target.partition("[")[0]] = entry
    for each in (schedule, sync):
        with pytest.raises(error, match=rf"{re.escape(repr(target))} in param group 1: "):
            each.state_dict()


def test_loaded_tensors_and_numpy_numbers_become_python_numbers() -> None:
    # Some checkpoint formats turn every number into a tensor.
    schedule = put_curve(sgd())
    changed = {
        "base_lrs": [np.float64(0.25)],
        "_last_lr": [np.float64(0.125)],
        "last_epoch": torch.tensor(3),
        "_step_count": np.int64(4),
    }
    schedule.load_state_dict({**schedule.state_dict(), **changed}, initial="saved")
    (group,) = schedule.optimizer.param_groups
    assert (group["initial_lr"], group["lr"]) == (0.25, 0.125)
    assert (type(group["initial_lr"]), type(group["lr"])) == (float, float)
    saved = schedule.state_dict()
    assert (saved["last_epoch"], saved["_step_count"]) == (3, 4)
    assert json.loads(json.dumps(saved)) == saved
    schedule.step()  # no warning: the optimizer of the saved run had stepped


def test_the_initial_value_of_a_1x_checkpoint_is_found() -> None:
    """A schedule finds the initial value of its own target where version 1.2.3 kept it."""
    legacy = {"clip": {"initial_lr": 2.0}, "other": {}}
    opt = sgd({"clip": 1.0, "other": 3.0, "schedule_namespaces": legacy})
    assert put_curve(opt, "clip").base_lrs == [2.0]
    assert put_curve(opt, "other").base_lrs == [3.0]


# -- what other code sets --------------------------------------------------------------------------


def test_other_code_can_assign_last_values_and_initial_values() -> None:
    """The first has no effect; the second are what the next step counts from, and are checked."""
    # torchtitan's container of schedulers assigns _last_lr when it loads.
    schedule: Any = put_curve(sgd({"lr": 0.5}, {"lr": 3.0}))
    advance(schedule)
    state = schedule.state_dict()
    for values in ([3.0, 3.0], [], None):
        schedule._last_lr = values
        assert schedule._last_lr == schedule.get_lr() == schedule.get_last_lr() == [0.25, 1.5]
    assert schedule.state_dict() == state
    schedule.base_lrs = [1.0, 4.0]
    for wrong in ([1.0], [1.0, "x"], [1.0, math.inf]):
        error = TypeError if "x" in wrong else ValueError
        with pytest.raises(error, match="base_lrs: "):
            schedule.base_lrs = wrong
    assert schedule.base_lrs == [1.0, 4.0]
    advance(schedule)
    assert schedule._last_lr == held(schedule.optimizer) == [0.25, 1.0]
    partly: Any = CurveSchedule(sgd({}, {"lr": 3.0}), [None, halving])
    partly.base_lrs = [1.0, 4.0]
    assert "initial_lr" not in partly.optimizer.param_groups[0]


def test_get_lr_follows_a_last_epoch_that_other_code_set() -> None:
    """It moves nothing, and gives the present value of a group without a curve."""
    opt = sgd({}, {"lr": 3.0}, {"lr": 7.0})
    schedule = CurveSchedule(opt, [halving, halving, None])
    schedule.last_epoch += 3
    assert schedule.get_lr() == [0.0625, 0.375, 7.0]
    assert held(opt) == [0.5, 3.0, 7.0]
    # Code that calls get_lr() writes the result to lr, so another target has none.
    extend_optimizer(opt, "clip", 8.0)
    says = r"'clip'.* get_last_lr\(\).* arbitrary_schedule_factory"
    with pytest.raises(RuntimeError, match=says):
        put_curve(opt, "clip").get_lr()
    assert put(opt, "clip", put_curve).get_lr() == [8.0] * 3


@pytest.mark.parametrize("put_schedule", [put_curve, put_lambda])
def test_a_number_in_place_of_a_tuple_is_not_written_over(put_schedule: Any) -> None:
    opt = adamw(betas=(0.5, 0.75))
    schedule = put_schedule(opt, "betas[0]")
    opt.step()
    opt.param_groups[0]["betas"] = 0.5
    with pytest.raises(KeyError, match=r"'betas\[0\]' is not in param group 0: 'betas' is 0.5"):
        schedule.step()
    assert opt.param_groups[0]["betas"] == 0.5
