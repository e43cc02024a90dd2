"""``CurveSchedule``: initial value × λ(t), from any callable, on the user's own optimizer."""

from __future__ import annotations

import copy
import math
import pickle
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import ChainedScheduler, ExponentialLR, LambdaLR, LRScheduler

from tsa_core import (
    CurveSchedule,
    SynchronousSchedule,
    arbitrary_schedule_factory,
    extend_optimizer,
)

Untouched = Callable[[Any], AbstractContextManager[None]]


def halve(t: float) -> float:
    return 0.5**t


def grow(t: float) -> float:
    return 1.0 + t


class Power:
    """A curve that is an object, equal to its equal."""

    def __init__(self, base: float) -> None:
        self.base = base

    def __call__(self, t: float) -> float:
        return self.base**t


def parameter() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.ones(2))


def sgd(*groups: dict[str, Any], lr: Any = 0.5) -> Any:
    return torch.optim.SGD([{"params": [parameter()], **group} for group in groups or ({},)], lr=lr)


def advance(schedule: Any, steps: int = 1) -> None:
    for _ in range(steps):
        schedule.optimizer.step()
        schedule.step()


def held(optimizer: Any, key: str = "lr") -> list[Any]:
    return [group[key] for group in optimizer.param_groups]


# -- curves -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "curve", [halve, lambda t: 0.5**t, Power(0.5), (0.5).__pow__], ids=["def", "λ", "object", "C"]
)
def test_any_callable_is_a_curve(curve: Any) -> None:
    """A function, a lambda, an object with ``__call__`` and a built-in method all drive it."""
    schedule = CurveSchedule(sgd(), curve)
    advance(schedule, 3)
    assert held(schedule.optimizer) == [0.5 * 0.5**3]
    assert schedule.curve is curve


def test_it_starts_at_step_0() -> None:
    """Building it writes initial value × λ(0) at once."""
    opt = sgd({"lr": 0.5}, {"lr": 3.0})
    schedule = CurveSchedule(opt, lambda t: 0.1 + t)
    assert schedule.last_epoch == 0
    assert held(opt) == [0.5 * 0.1, 3.0 * 0.1]


def test_it_equals_torchs_lambda_lr() -> None:
    """On ``lr``, the numbers are those of torch's ``LambdaLR``, to the bit."""
    ours, theirs = sgd({"lr": 0.3}, {"lr": 0.07}), sgd({"lr": 0.3}, {"lr": 0.07})
    one, other = CurveSchedule(ours, math.cos), LambdaLR(theirs, math.cos)
    for _ in range(50):
        assert held(ours) == held(theirs)
        assert one.get_last_lr() == other.get_last_lr()
        assert one.last_epoch == other.last_epoch
        advance(one)
        advance(other)
    assert one.base_lrs == other.base_lrs


def test_one_curve_a_group_and_none_for_a_group_left_alone() -> None:
    """Each group follows its own curve; where it is ``None``, the entry stays what it was."""
    opt = sgd({"lr": 1.0}, {"lr": 2.0}, {"lr": 4.0})
    schedule = CurveSchedule(opt, [halve, None, grow])
    advance(schedule, 2)
    assert held(opt) == [1.0 * 0.25, 2.0, 4.0 * 3.0]
    opt.param_groups[1]["lr"] = 7.0
    advance(schedule)
    assert held(opt) == [1.0 * 0.125, 7.0, 4.0 * 4.0]


def test_a_curve_need_not_be_hashable() -> None:
    """Nor is one taken for another that it calls its equal: each group follows its own."""

    @dataclass
    class Times:
        factor: float = field(compare=False)

        def __call__(self, t: float) -> float:
            return self.factor * t

    opt = sgd({}, {})
    schedule = CurveSchedule(opt, [Times(2.0), Times(3.0)])
    advance(schedule)
    assert held(opt) == [0.5 * 2.0, 0.5 * 3.0]


@pytest.mark.parametrize("num_groups", [1, 3])
def test_a_curve_is_asked_exactly_once_a_step(num_groups: int) -> None:
    """However many groups it drives: at 0 when it is built, then once at each step."""
    asked = []

    def curve(t: float) -> float:
        asked.append(t)
        return 1.0

    schedule = CurveSchedule(sgd(*[{}] * num_groups), curve)
    advance(schedule, 3)
    schedule.get_last_lr(), repr(schedule), schedule.state_dict()
    schedule.step(10)
    assert asked == [0, 1, 2, 3, 10]


def test_step_goes_to_any_epoch() -> None:
    """``step(epoch)`` goes there, in any order, between whole steps too, and on from there."""
    schedule = CurveSchedule(sgd(lr=1.0), grow)
    schedule.optimizer.step()
    for epoch in [7, 3, 2.5, 0, 100]:
        schedule.step(epoch)
        assert schedule.last_epoch == epoch
        assert held(schedule.optimizer) == [1.0 + epoch]
    schedule.step()
    assert schedule.last_epoch == 101


def test_it_is_a_torch_scheduler_on_the_users_own_optimizer() -> None:
    """An ``LRScheduler`` whose ``optimizer`` is the one passed, with its ``step`` unpatched."""
    opt = sgd()
    schedule = CurveSchedule(opt, halve)
    assert isinstance(schedule, LRScheduler)
    assert schedule.optimizer is opt
    assert "step" not in vars(opt)
    assert schedule.schedule_target == "lr"


def test_a_step_before_the_optimizers_warns() -> None:
    """As torch's schedulers do, and once."""
    schedule = CurveSchedule(sgd(), halve)
    with pytest.warns(UserWarning, match=r"lr_scheduler.step\(\)` before `optimizer.step\(\)"):
        schedule.step()
    schedule.step()


# -- what a curve may return --------------------------------------------------------------------

NO_MULTIPLIERS: dict[str, tuple[Any, type[Exception]]] = {
    "NaN": (math.nan, ValueError),
    "inf": (math.inf, ValueError),
    "-inf": (-math.inf, ValueError),
    "NumPy NaN": (np.float64("nan"), ValueError),
    "NaN tensor": (torch.tensor(math.nan), ValueError),
    "int beyond every float": (10**400, ValueError),
    "complex": (1 + 0j, TypeError),
    "string": ("1.0", TypeError),
    "bool": (True, TypeError),
    "NumPy bool": (np.bool_(True), TypeError),
    "None": (None, TypeError),
    "list": ([1.0], TypeError),
    "1-dim array": (np.ones(1), TypeError),
    "1-dim tensor": (torch.ones(1), TypeError),
}
no_multiplier = pytest.mark.parametrize(
    ("value", "error"), NO_MULTIPLIERS.values(), ids=NO_MULTIPLIERS.keys()
)


def says_where(error: BaseException, value: Any, step: int) -> bool:
    shown = value.item() if getattr(value, "ndim", None) == 0 else value
    message = str(error)
    return all(said in message for said in ("'momentum'", f"step {step}", repr(shown)))


@no_multiplier
def test_a_multiplier_that_cannot_be_is_refused_at_the_start(
    value: Any, error: type[Exception], untouched: Untouched
) -> None:
    """The error names target, step and value, and the groups stay as they were."""
    opt = sgd({"momentum": 0.5}, {"momentum": 0.9})
    with untouched(opt), pytest.raises(error) as raised:
        CurveSchedule(opt, lambda t: value, "momentum")
    assert says_where(raised.value, value, 0)


@no_multiplier
@pytest.mark.parametrize("each", [False, True], ids=["one curve", "one a group"])
def test_a_multiplier_that_cannot_be_is_refused_before_any_group_moves(
    value: Any, error: type[Exception], each: bool, untouched: Untouched
) -> None:
    """Nothing has moved, ``last_epoch`` neither, and the schedule goes on once it is mended."""
    bad = True

    def breaks_at_3(t: float) -> Any:
        return value if t == 3 and bad else 1.0 + t

    opt = sgd({"momentum": 0.5}, {"momentum": 0.25}, {"momentum": torch.tensor(0.75)})
    schedule = CurveSchedule(opt, [grow, grow, breaks_at_3] if each else breaks_at_3, "momentum")
    advance(schedule, 2)
    with untouched(opt), pytest.raises(error) as raised:
        schedule.step()
    assert says_where(raised.value, value, 3)
    assert schedule.last_epoch == 2
    bad = False
    schedule.step()
    assert schedule.last_epoch == 3
    assert held(opt, "momentum") == [0.5 * 4, 0.25 * 4, 0.75 * 4]


def test_a_curve_that_raises_moves_nothing(untouched: Untouched) -> None:
    """Its own error comes through as it is."""

    def curve(t: float) -> float:
        return [1.0, 0.5][int(t)]

    schedule = CurveSchedule(sgd({}, {}), curve)
    advance(schedule)
    with untouched(schedule.optimizer), pytest.raises(IndexError):
        schedule.step()
    assert schedule.last_epoch == 1


@pytest.mark.parametrize(
    "as_kind",
    [float, np.float64, np.float32, np.array, torch.tensor, Fraction, lambda x: np.int64(2 * x)],
    ids=["float", "float64", "float32", "0-d array", "0-d tensor", "Fraction", "int64"],
)
def test_every_real_number_lands_as_a_python_float(as_kind: Callable[[float], Any]) -> None:
    """A NumPy scalar left in a group would make ``torch.load`` refuse the checkpoint."""
    opt = sgd({"lr": 0.5}, {"lr": 3.0})
    schedule = CurveSchedule(opt, lambda t: as_kind(0.5))
    advance(schedule)
    expected = float(as_kind(0.5))
    assert held(opt) == [0.5 * expected, 3.0 * expected]
    assert [type(value) for value in held(opt)] == [float, float]
    assert [type(value) for value in schedule.get_last_lr()] == [float, float]


def test_a_numpy_initial_value_is_kept_as_pythons_own() -> None:
    """So is the initial value, wherever the entry came from."""
    opt = sgd({"clip": np.float64(2.0)})
    CurveSchedule(opt, halve, "clip")
    assert type(opt.param_groups[0]["initial_clip"]) is float
    assert type(opt.param_groups[0]["clip"]) is float


# -- what cannot be a curve, or an epoch ----------------------------------------------------------

NO_CURVES: dict[str, tuple[Any, type[Exception]]] = {
    "None": (None, TypeError),
    "a number": (0.5, TypeError),
    "a negative number": (-1, TypeError),
    "NaN": (math.nan, TypeError),
    "complex": (1j, TypeError),
    "a bool": (True, TypeError),
    "a string": ("cosine", TypeError),
    "a dict": ({0: halve}, TypeError),
    "a set": ({halve}, TypeError),
    "a list with a number": ([halve, 0.5], TypeError),
    "a list with a string": ([halve, "cosine"], TypeError),
    "no curves": ([], ValueError),
    "too few curves": ([halve], ValueError),
    "too many curves": ([halve, halve, None], ValueError),
}


@pytest.mark.parametrize(("curve", "error"), NO_CURVES.values(), ids=NO_CURVES.keys())
def test_something_that_is_no_curve_is_refused(
    curve: Any, error: type[Exception], untouched: Untouched
) -> None:
    """The error begins with the parameter's name, and the groups stay as they were."""
    opt = sgd({}, {})
    with untouched(opt), pytest.raises(error, match=r"^curve: "):
        CurveSchedule(opt, curve)


@pytest.mark.parametrize(
    ("epoch", "error"),
    [
        (-1, ValueError),
        (math.nan, ValueError),
        (math.inf, ValueError),
        (1j, TypeError),
        ("3", TypeError),
        (True, TypeError),
        ([3], TypeError),
    ],
    ids=repr,
)
def test_an_epoch_that_cannot_be_is_refused(
    epoch: Any, error: type[Exception], untouched: Untouched
) -> None:
    """The error names it and what it got, and nothing has moved."""
    schedule = CurveSchedule(sgd({}, {}), halve)
    advance(schedule, 2)
    with untouched(schedule.optimizer), pytest.raises(error, match="epoch: ") as raised:
        schedule.step(epoch)
    assert repr(epoch) in str(raised.value)
    assert schedule.last_epoch == 2


def test_a_target_that_is_lost_is_refused_at_the_next_look(untouched: Untouched) -> None:
    """A group joins without the entry: a ``KeyError`` names both, before any group moves."""
    opt = sgd({"clip": 1.0})
    schedule = CurveSchedule(opt, halve, "clip")
    advance(schedule)
    opt.add_param_group({"params": [parameter()]})
    with untouched(opt), pytest.raises(KeyError, match="'clip' is not in param group 1"):
        schedule.step()
    assert schedule.last_epoch == 1


# -- groups that join later -----------------------------------------------------------------------


def test_a_group_added_later_joins_with_its_own_value() -> None:
    """What it brings is its initial value; the others go on as before."""
    opt = sgd(lr=1.0)
    schedule = CurveSchedule(opt, grow)
    advance(schedule)
    opt.add_param_group({"params": [parameter()], "lr": 10.0})
    advance(schedule)
    assert held(opt) == [1.0 * 3, 10.0 * 3]
    assert schedule.base_lrs == [1.0, 10.0]


def test_a_group_that_joins_with_the_default_tensor_starts_where_the_others_did() -> None:
    """Torch hands it the very tensor that the schedule fills; it gets one of its own."""
    opt = sgd(lr=torch.tensor(0.5))
    schedule = CurveSchedule(opt, grow)
    advance(schedule)
    opt.add_param_group({"params": [parameter()]})
    advance(schedule)
    first, second = held(opt)
    assert first is not second
    assert [first.item(), second.item()] == [0.5 * 3, 0.5 * 3]


def test_a_group_for_which_there_is_no_curve_is_refused(untouched: Untouched) -> None:
    """With one curve a group, a group that joins has none: a ``ValueError``, and nothing moves."""
    schedule = CurveSchedule(sgd({}, {}), [halve, grow])
    schedule.optimizer.add_param_group({"params": [parameter()]})
    with untouched(schedule.optimizer), pytest.raises(ValueError, match="2 curves for 3 param"):
        advance(schedule)


# -- the initial value ----------------------------------------------------------------------------


@pytest.mark.parametrize(("target", "value"), [("lr", 0.5), ("momentum", 0.9), ("betas[1]", 0.999)])
def test_the_initial_value_is_kept_in_the_group(target: str, value: float) -> None:
    """Under "initial_<target>", so that it is saved with the optimizer."""
    opt = sgd({"momentum": 0.9, "betas": (0.9, 0.999)})
    schedule = CurveSchedule(opt, halve, target)
    advance(schedule, 3)
    assert opt.param_groups[0][f"initial_{target}"] == value
    assert opt.state_dict()["param_groups"][0][f"initial_{target}"] == value
    assert schedule.base_lrs == [value]


@pytest.mark.parametrize("target", ["lr", "momentum", "betas[1]"])
def test_building_again_starts_from_the_same_value(target: str) -> None:
    """As in a notebook cell that is run twice: the first run's steps are not compounded."""
    opt = sgd({"momentum": 0.9, "betas": (0.9, 0.999)})
    advance(CurveSchedule(opt, grow, target), 5)
    again = CurveSchedule(opt, halve, target)
    assert again.get_last_lr() == again.base_lrs
    advance(again)
    assert again.get_last_lr() == [{"lr": 0.5, "momentum": 0.9, "betas[1]": 0.999}[target] * 0.5]


def test_a_factorys_schedule_and_a_curve_share_the_initial_value() -> None:
    """One rule: whichever kind is put on the target second starts where the first one did."""
    opt = sgd({"momentum": 0.9})
    proxied = arbitrary_schedule_factory(
        opt, lambda proxy: ExponentialLR(proxy, 0.5), schedule_target="momentum"
    )
    opt.step()
    proxied.step()
    assert held(opt, "momentum") == [0.9 * 0.5]
    CurveSchedule(opt, lambda t: 1.0, "momentum")
    assert held(opt, "momentum") == [0.9]


def test_another_targets_initial_value_is_never_taken() -> None:
    """A plain torch scheduler leaves the learning rate's ``initial_lr``, which is of ``lr``."""
    opt = sgd({"momentum": 0.9}, lr=0.5)
    plain = ExponentialLR(opt, 0.5)
    opt.step()
    plain.step()
    momentum = CurveSchedule(opt, lambda t: 1.0, "momentum")
    assert momentum.base_lrs == [0.9]
    assert held(opt, "momentum") == [0.9]
    lr = CurveSchedule(opt, lambda t: 1.0, "lr")
    assert lr.base_lrs == [0.5]


def test_overwriting_sets_a_new_initial_value() -> None:
    """``extend_optimizer(..., overwrite_values=True)`` is how to start from somewhere else."""
    opt = sgd({"momentum": 0.9}, {"momentum": 0.8})
    schedule = CurveSchedule(opt, halve, "momentum")
    advance(schedule)
    extend_optimizer(opt, "momentum", 0.4, overwrite_values=True)
    assert held(opt, "momentum") == [0.4, 0.4]
    advance(schedule)
    assert held(opt, "momentum") == [0.4 * 0.25, 0.4 * 0.25]
    assert schedule.base_lrs == [0.4, 0.4]


def test_an_initial_value_of_0_everywhere_warns() -> None:
    """No multiplier moves it, so a ``UserWarning`` names the target."""
    with pytest.warns(UserWarning, match="'momentum' starts at 0 in every param group"):
        CurveSchedule(sgd({}, {}), halve, "momentum")


def test_the_warning_points_at_the_users_line() -> None:
    """Its file is the one that called."""
    with pytest.warns(UserWarning, match="starts at 0") as caught:
        CurveSchedule(sgd(), halve, "momentum")
    assert [warning.filename for warning in caught] == [__file__]


def test_an_initial_value_of_0_in_one_group_does_not_warn() -> None:
    """As where biases have no weight decay: the other groups move."""
    opt = sgd({"weight_decay": 0.0}, {"weight_decay": 0.5})
    schedule = CurveSchedule(opt, halve, "weight_decay")
    advance(schedule)
    assert held(opt, "weight_decay") == [0.0, 0.25]


def test_a_curve_that_is_0_does_not_warn() -> None:
    """λ = 0 is where a warm-up starts; the initial value is not 0."""
    opt = sgd()
    CurveSchedule(opt, lambda t: 0.0)
    schedule = CurveSchedule(opt, lambda t: t)
    assert held(opt) == [0.0]
    advance(schedule)
    assert held(opt) == [0.5]


# -- tensors --------------------------------------------------------------------------------------


def test_a_tensor_is_filled_in_place() -> None:
    """It is the same object after any number of steps, and keeps its dtype."""
    lr = torch.tensor(0.5, dtype=torch.float64)
    opt = sgd(lr=lr)
    schedule = CurveSchedule(opt, halve)
    advance(schedule, 3)
    assert opt.param_groups[0]["lr"] is lr
    assert lr.dtype is torch.float64
    assert lr.item() == 0.5 * 0.5**3


def test_a_value_that_was_reported_does_not_change_after_the_fact() -> None:
    """``get_last_lr`` hands out copies of tensors, and the initial value is no alias either."""
    schedule = CurveSchedule(sgd(lr=torch.tensor(0.5)), halve)
    (before,) = schedule.get_last_lr()
    advance(schedule)
    assert before.item() == 0.5
    assert schedule.get_last_lr()[0].item() == 0.25
    assert schedule.base_lrs == [0.5]


def test_a_shared_tensor_becomes_one_clone_a_group() -> None:
    """``lr=torch.tensor(…)`` is one object in all groups, and would be moved once for each."""
    shared = torch.tensor(0.5)
    opt = sgd({}, {}, {}, lr=shared)
    assert held(opt)[2] is shared
    schedule = CurveSchedule(opt, [halve, grow, None])
    first, second, third = held(opt)
    assert first is shared
    assert len({id(first), id(second), id(third)}) == 3
    advance(schedule)
    assert [value.item() for value in held(opt)] == [0.25, 1.0, 0.5]


def test_a_float_of_a_capturable_group_warns() -> None:
    """A captured step keeps the float that it was captured with; a ``UserWarning`` says so."""
    opt = torch.optim.Adam([parameter()], lr=0.1, weight_decay=0.1, capturable=True)
    with pytest.warns(UserWarning, match="'weight_decay' is a float .* capturable=True"):
        CurveSchedule(opt, halve, "weight_decay")


def test_a_group_left_alone_is_not_warned_of() -> None:
    """Whether a schedule is dead depends on the groups that it drives."""
    opt = torch.optim.Adam(
        [{"params": [parameter()], "lr": torch.tensor(0.1)}, {"params": [parameter()], "lr": 0.0}],
        capturable=True,
    )
    CurveSchedule(opt, [halve, None])
    CurveSchedule(opt, [None, None])
    with (
        pytest.warns(UserWarning, match="'lr' is a float on .* capturable=True"),
        pytest.warns(UserWarning, match="'lr' starts at 0"),
    ):
        CurveSchedule(opt, [None, halve])


def test_a_cpu_tensor_of_a_capturable_group_elsewhere_warns() -> None:
    """Kernels on an accelerator get a 0-dim CPU tensor as a number, at capture."""
    elsewhere = torch.nn.Parameter(torch.ones(2, device="meta"))
    opt = torch.optim.Adam([elsewhere], lr=torch.tensor(0.1), capturable=True)
    with pytest.warns(UserWarning, match="'lr' is a tensor on the CPU .* capturable=True"):
        CurveSchedule(opt, halve)


def test_a_tensor_of_a_capturable_group_does_not_warn() -> None:
    """Nor does an entry that the optimizer's own step never reads."""
    opt = torch.optim.Adam([parameter()], weight_decay=0.1, capturable=True)
    with pytest.warns(UserWarning, match="capturable=True") as caught:
        CurveSchedule(opt, halve, "lr")
    assert (
        "extend_optimizer(optimizer, 'lr', torch.tensor(value, device=...), overwrite_values=True)"
    ) in str(caught[0].message)
    extend_optimizer(opt, "lr", torch.tensor(0.1), overwrite_values=True)
    extend_optimizer(opt, "clip", 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CurveSchedule(opt, halve, "lr")
        CurveSchedule(opt, halve, "clip")


# -- copies, and what it says of itself -----------------------------------------------------------


@pytest.mark.parametrize("target", ["lr", "momentum", "betas[1]"])
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))], ids=["copy", "pickle"]
)
def test_a_copy_goes_on_from_where_it_was_taken(copied: Callable[[Any], Any], target: str) -> None:
    """A deep copy or a pickle of optimizer and schedule moves as they do, and apart from them."""
    opt = sgd({"momentum": 0.9, "betas": (0.9, 0.999)}, {"momentum": 0.8, "betas": (0.5, 0.25)})
    schedule = CurveSchedule(opt, [Power(0.5), halve], target)
    advance(schedule, 2)
    other_opt, other = copied((opt, schedule))
    assert other.optimizer is other_opt
    advance(other, 3)
    assert schedule.last_epoch == 2
    assert other.last_epoch == 5
    advance(schedule, 3)
    assert other.get_last_lr() == schedule.get_last_lr()
    assert other.get_last_lr() == [initial * 0.5**5 for initial in schedule.base_lrs]


def test_a_copy_still_knows_whether_its_optimizer_stepped() -> None:
    """The warning about the order of steps comes on a copy, and goes once its optimizer steps."""
    forgot = copy.deepcopy(CurveSchedule(sgd(), halve))
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        forgot.step()
    advance(copy.deepcopy(CurveSchedule(sgd(), halve)))


def test_repr_says_what_it_drives_and_where_it_stands() -> None:
    """Target, optimizer, curve, step and present values."""
    schedule = CurveSchedule(sgd({"momentum": 0.5}), halve, "momentum")
    advance(schedule, 2)
    text = repr(schedule)
    for said in ("CurveSchedule", "'momentum'", "SGD", "halve", "step 2", "[0.125]"):
        assert said in text


@pytest.mark.parametrize(
    ("curves", "change"),
    [([halve], lambda curves: curves.append(grow)), ({"*": halve}, lambda curves: curves.clear())],
    ids=["list", "dict"],
)
def test_the_curves_that_the_caller_gave_may_change(curves: Any, change: Any) -> None:
    """The schedule goes on along those that it was given."""
    opt = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)
    schedule = CurveSchedule(opt, curves)
    change(curves)
    opt.step()
    schedule.step()
    schedule.load_state_dict(schedule.state_dict())
    assert schedule.get_last_lr() == [0.25]


def test_what_has_lost_its_target_still_says_what_it_is() -> None:
    """A repr that raises would hide the error that says why; asked for values, it is named."""
    opt = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)
    schedule = CurveSchedule(extend_optimizer(opt, "clip", 1.0), lambda t: 1.0, "clip")
    sync = SynchronousSchedule([schedule])
    del opt.param_groups[0]["clip"]
    assert "'clip'" in repr(schedule)
    assert "{'clip': [None]}" in repr(sync)
    with pytest.raises(KeyError, match="'clip' is not in param group 0"):
        schedule.get_last_lr()


def test_a_tuple_that_became_a_number_is_named() -> None:
    """Asked for the values, as where the whole entry is lost."""
    schedule = CurveSchedule(sgd({"betas": (0.9, 0.999)}), halve, "betas[0]")
    schedule.optimizer.param_groups[0]["betas"] = 0.9
    with pytest.raises(KeyError, match=r"'betas\[0\]' is not in param group 0: 'betas' is 0.9"):
        schedule.get_last_lr()


# -- what is loaded, and what is read ------------------------------------------------------------


def test_frameworks_read_the_last_lr() -> None:
    """``_last_lr`` is what ``get_last_lr()`` is, and ``get_lr()`` computes the same anew."""
    schedule: Any = CurveSchedule(sgd({"lr": 0.5}, {"lr": 3.0}), halve)
    advance(schedule)
    assert schedule._last_lr == schedule.get_lr() == schedule.get_last_lr() == [0.25, 1.5]


@pytest.mark.parametrize("old", [True, False])
def test_loading_where_the_target_is_lost_says_so(old: bool) -> None:
    """In the words of a step, whichever version wrote the state."""
    opt = sgd({"clip": 1.0})
    schedule = CurveSchedule(opt, halve, "clip")
    state = schedule.state_dict()
    del opt.param_groups[0]["clip"]
    if old:
        state = {key: state[key] for key in ("last_epoch", "_step_count", "base_lrs", "_last_lr")}
        state["lr_lambdas"] = [None]
    with pytest.raises(KeyError, match="'clip' is not in param group 0"):
        schedule.load_state_dict(state)


def test_a_group_that_joined_before_loading_is_filled_alone() -> None:
    """It came with the optimizer's default tensor, which is the first group's."""

    def build(**entries: Any) -> Any:
        opt = sgd(lr=torch.tensor(0.5))
        schedule = CurveSchedule(opt, halve)
        opt.add_param_group({"params": [parameter()], **entries})
        return schedule

    saved, loaded = build(lr=torch.tensor(4.0)), build()
    advance(saved)
    loaded.load_state_dict(saved.state_dict())
    assert [value.item() for value in loaded.get_last_lr()] == [0.25, 2.0]


def test_a_group_left_alone_is_not_loaded() -> None:
    """What it holds by now is not the schedule's to put back."""
    opt = sgd({"lr": 0.5}, {"lr": 3.0})
    schedule = CurveSchedule(opt, [halve, None])
    state = schedule.state_dict()
    opt.param_groups[1]["lr"] = 7.0
    schedule.load_state_dict(state)
    assert held(opt) == [0.5, 7.0]
    assert "initial_lr" not in opt.param_groups[1]


def test_what_is_loaded_lands_as_pythons_own() -> None:
    """Whatever scalars the state came to hold on its way."""
    schedule = CurveSchedule(sgd(), halve)
    changed = {"base_lrs": [np.float64(0.25)], "_last_lr": [np.float64(0.125)]}
    schedule.load_state_dict({**schedule.state_dict(), **changed})
    (group,) = schedule.optimizer.param_groups
    assert (group["initial_lr"], group["lr"]) == (0.25, 0.125)
    assert (type(group["initial_lr"]), type(group["lr"])) == (float, float)


def test_a_schedule_loaded_alone_goes_on_from_the_saved_initial_value() -> None:
    """Not from that of the optimizer it is loaded beside."""
    saved, loaded = (CurveSchedule(sgd(lr=lr), halve) for lr in (0.5, 3.0))
    advance(saved)
    loaded.load_state_dict(saved.state_dict())
    advance(loaded)
    assert (loaded.base_lrs, held(loaded.optimizer)) == ([0.5], [0.125])


def test_what_was_loaded_is_what_is_saved() -> None:
    """The count of steps too: a run under way is not warned of its first step."""
    saved, loaded = CurveSchedule(sgd(), halve), CurveSchedule(sgd(), halve)
    advance(saved, 3)
    loaded.load_state_dict(saved.state_dict())
    assert loaded.state_dict() == saved.state_dict()
    loaded.step()  # before its own optimizer's: the saved run's had stepped


@pytest.mark.parametrize(
    ("each", "plan"),
    [
        ([halve, None], ["<function halve>", None]),
        ({"*": halve, "a": None}, {"*": "<function halve>", "a": None}),
    ],
    ids=["list", "dict"],
)
def test_several_curves_are_named_in_the_saved_plan(each: Any, plan: Any) -> None:
    """As text; a group left alone is None, and not the word for it."""
    assert CurveSchedule(sgd({}, {"name": "a"}), each).state_dict()["curve"] == plan


@pytest.mark.parametrize(
    ("old", "new"),
    [([halve, None], [grow, None]), ({"*": halve}, {"*": grow})],
    ids=["list", "dict"],
)
def test_another_one_of_several_curves_is_warned_of(old: Any, new: Any) -> None:
    """By both names, as where there is but one."""
    state = CurveSchedule(sgd({}, {}), old).state_dict()
    with pytest.warns(UserWarning, match="under .*halve.* and goes on under .*grow"):
        CurveSchedule(sgd({}, {}), new).load_state_dict(state)


@pytest.mark.parametrize(
    ("epoch", "kind"),
    [(3, int), (np.int64(3), int), (3.0, float), (np.float32(2.5), float), (torch.tensor(3), int)],
)
def test_an_epoch_is_kept_as_pythons_own(epoch: Any, kind: type) -> None:
    """An int stays one; so does an initial value."""
    schedule = CurveSchedule(extend_optimizer(sgd(), "clip", 2), halve, "clip")
    schedule.optimizer.step()
    schedule.step(epoch)
    assert (schedule.last_epoch, type(schedule.last_epoch)) == (epoch, kind)
    assert type(schedule.base_lrs[0]) is int


def test_the_initial_value_of_a_1x_checkpoint() -> None:
    """It was kept under another name, beside those of other targets."""
    legacy = {"clip": {"initial_lr": 2.0}, "other": {}}
    opt = sgd({"clip": 1.0, "other": 3.0, "schedule_namespaces": legacy})
    assert CurveSchedule(opt, halve, "clip").base_lrs == [2.0]
    assert CurveSchedule(opt, halve, "other").base_lrs == [3.0]


def test_groups_that_share_a_tensor_keep_their_own_initial_values() -> None:
    """One is given only where there is none."""
    opt = sgd({"initial_lr": 0.5}, {"initial_lr": 4.0}, lr=torch.tensor(0.5))
    assert CurveSchedule(opt, lambda t: 1.0).base_lrs == [0.5, 4.0]


def test_the_warning_points_at_the_users_line_through_torchs_frames() -> None:
    """A compound scheduler of torch's that steps ours is not the user."""
    schedule = ChainedScheduler([CurveSchedule(sgd(), halve)])
    with pytest.warns(UserWarning, match="first value of this schedule") as caught:
        schedule.step()
    assert [w.filename for w in caught if "first value" in str(w.message)] == [__file__]


def test_any_mapping_gives_the_curves_by_name() -> None:
    """One that cannot be copied, too."""
    opt = sgd({"name": "a", "lr": 0.5})
    schedule = CurveSchedule(opt, MappingProxyType({"a": halve}))
    advance(schedule)
    assert schedule.get_last_lr() == [0.25]


def test_its_plan_stays() -> None:
    """A step that went another way than ``repr``, state and preview say would be a silent fault."""
    for curve in (halve, [halve], {"*": halve}):
        schedule: Any = CurveSchedule(sgd(), curve)
        with pytest.raises(AttributeError):
            schedule.curve = grow
    several: Any = CurveSchedule(sgd({}, {}), [halve, None])
    with pytest.raises(TypeError):
        several.curve[1] = grow
    named: Any = CurveSchedule(sgd({"name": "a"}, {"name": "b"}), {"a": halve, "b": None})
    with pytest.raises(TypeError):
        named.curve["b"] = grow
    assert several.curve == (halve, None)
    assert named.curve == {"a": halve, "b": None}


def test_sent_to_a_step_before_the_optimizer_has_stepped() -> None:
    """As one does to begin there: it is silent, and the next step counts from it."""
    schedule = CurveSchedule(sgd(), halve)
    schedule.step(3)
    assert schedule.get_last_lr() == [0.0625]
    advance(schedule)
    assert schedule.get_last_lr() == [0.03125]


def test_code_that_counts_and_sets_by_itself() -> None:
    """It asks for the values at the step that it has counted to, as of torch's ``LambdaLR``."""
    ours, torchs = sgd({}, {"lr": 3.0}), sgd({}, {"lr": 3.0})
    schedule, reference = CurveSchedule(ours, halve), LambdaLR(torchs, halve)
    for each in (schedule, reference):
        each.last_epoch += 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own warns whoever asks outside of a step
        assert schedule.get_lr() == reference.get_lr() == [0.0625, 0.375]
    assert held(ours) == [0.5, 3.0]


def test_a_group_left_alone_is_given_as_it_is() -> None:
    """As in ``get_last_lr()``."""
    schedule = CurveSchedule(sgd({}, {"lr": 3.0}), [None, halve])
    schedule.last_epoch += 1
    assert schedule.get_lr() == [0.5, 1.5]


def test_code_that_sets_learning_rates_and_another_target() -> None:
    """It would write the one into the other; the error says what to build instead."""
    opt = extend_optimizer(sgd(), "clip", 8.0)
    with pytest.raises(
        RuntimeError, match=r"'clip'.* get_last_lr\(\).* arbitrary_schedule_factory"
    ):
        CurveSchedule(opt, halve, "clip").get_lr()
    proxied = arbitrary_schedule_factory(
        opt, lambda proxy: CurveSchedule(proxy, halve), schedule_target="clip"
    )
    assert proxied.get_lr() == [8.0]


def test_initial_values_that_a_wrapper_sets() -> None:
    """As those do that have warmed the learning rate up to a multiple."""
    schedule: Any = CurveSchedule(sgd({}, {"lr": 3.0}), halve)
    schedule.base_lrs = [1.0, 4.0]
    advance(schedule)
    assert schedule.get_last_lr() == [0.5, 2.0]
    partly: Any = CurveSchedule(sgd({}, {"lr": 3.0}), [None, halve])
    partly.base_lrs = [1.0, 4.0]
    assert "initial_lr" not in partly.optimizer.param_groups[0]
    for wrong, error in (
        ([1.0], ValueError),
        ([1.0, "x"], TypeError),
        ([1.0, math.inf], ValueError),
    ):
        with pytest.raises(error, match="base_lrs: "):
            schedule.base_lrs = wrong
    assert schedule.base_lrs == [1.0, 4.0]


@pytest.mark.parametrize("proxied", [False, True])
def test_an_element_whose_tuple_was_lost(proxied: bool) -> None:
    """A number in its place is no target, and is not written over."""
    opt = torch.optim.Adam([parameter()], betas=(0.5, 0.75))
    schedule: Any = CurveSchedule(opt, halve, "betas[0]")
    if proxied:
        schedule = arbitrary_schedule_factory(
            opt, lambda proxy: LambdaLR(proxy, halve), schedule_target="betas[0]"
        )
    opt.step()
    opt.param_groups[0]["betas"] = 0.5
    with pytest.raises(KeyError, match=r"'betas\[0\]' is not in param group 0: 'betas' is 0.5"):
        schedule.step()
    assert opt.param_groups[0]["betas"] == 0.5
    if proxied:
        view = schedule.optimizer.param_groups[0]
        for reach in (lambda: view["lr"], lambda: view.__setitem__("lr", 0.25)):
            with pytest.raises(KeyError, match=r"'betas\[0\]' is not in param group 0"):
                reach()
