"""With ``absolute=True``, the number that a curve gives is the value in every group it drives."""

from __future__ import annotations

import copy
import io
import math
import pickle
import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from helpers import (
    INVALID_VALUES,
    Untouched,
    adamw,
    add_group,
    advance,
    halving,
    held,
    ignore_epoch_deprecation,
    put,
    put_curve,
    sgd,
)
from torch.optim.lr_scheduler import SequentialLR

from tsa_core import CurveSchedule, SynchronousSchedule, extend_optimizer, preview

STEPS = 8


def dino(t: float) -> float:
    """DINO's weight decay: from 0.04 to 0.4 by half a cosine (arXiv 2104.14294)."""
    return 0.4 + (0.04 - 0.4) * (1 + math.cos(math.pi * min(t / STEPS, 1))) / 2


def rising_beta(t: float) -> float:
    """A line from 0.95 at step 0 to 0.99 at step 8, which goes on as a constant."""
    return 0.95 + 0.04 * min(t / STEPS, 1)


def put_dino(optimizer: Any, target: str = "weight_decay") -> CurveSchedule:
    return CurveSchedule(optimizer, dino, target, absolute=True)


def two_groups() -> torch.optim.AdamW:
    return adamw({"weight_decay": 0.5, "name": "a"}, {"weight_decay": 0.25, "name": "b"})


# -- the value ----------------------------------------------------------------------------------


def test_weight_decay_rises_as_in_dino() -> None:
    """Weight decay goes from 0.04 to 0.4 by half a cosine in both groups, and stays there."""
    optimizer = two_groups()
    schedule = put_dino(optimizer)
    assert schedule.absolute
    for t in range(STEPS + 3):
        assert held(optimizer, "weight_decay") == [dino(t), dino(t)]
        advance(schedule)
    assert dino(0) == pytest.approx(0.04, abs=1e-15)
    assert held(optimizer, "weight_decay") == [0.4, 0.4]


def test_an_element_of_betas_takes_the_curves_value() -> None:
    """``betas[1]`` goes linearly from 0.95 to 0.99, and ``betas`` stays a tuple."""
    optimizer = adamw({"betas": (0.9, 0.999)}, {"betas": (0.8, 0.5)})
    schedule = CurveSchedule(optimizer, rising_beta, "betas[1]", absolute=True)
    for t in range(STEPS + 1):
        beta = rising_beta(t)
        assert [group["betas"] for group in optimizer.param_groups] == [(0.9, beta), (0.8, beta)]
        advance(schedule)
    assert held(optimizer, "betas[1]") == [0.99, 0.99]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_a_tensor_is_filled_in_place(dtype: torch.dtype) -> None:
    """A tensor holds the curve's value, rounded as torch rounds it, and stays the same object."""
    tensors = [torch.tensor(0.5, dtype=dtype), torch.tensor(0.25, dtype=dtype)]
    optimizer = adamw(*({"weight_decay": tensor} for tensor in tensors))
    schedule = put_dino(optimizer)
    for t in range(STEPS):
        for group, tensor in zip(optimizer.param_groups, tensors):
            assert group["weight_decay"] is tensor
            assert tensor.dtype == dtype
            assert torch.equal(tensor, torch.zeros((), dtype=dtype).fill_(dino(t)))
        advance(schedule)


def test_a_tensor_that_two_groups_share_is_parted() -> None:
    """Two groups that share a tensor get one each if their curves differ."""
    shared = torch.tensor(0.5)
    optimizer = sgd({"clip": shared}, {"clip": shared})
    schedule = CurveSchedule(
        optimizer, [lambda t: 1.0 + t, lambda t: 2.0 + t], "clip", absolute=True
    )
    advance(schedule)
    assert [float(value) for value in held(optimizer, "clip")] == [2.0, 3.0]


def test_tensors_and_floats_stand_side_by_side() -> None:
    """A float and a tensor of one target both take the curve's value, each in its own kind."""
    optimizer = sgd({"weight_decay": torch.tensor(0.5)}, {"weight_decay": 0.5})
    schedule = CurveSchedule(optimizer, lambda t: 1.0 + t, "weight_decay", absolute=True)
    advance(schedule)
    first, second = held(optimizer, "weight_decay")
    assert isinstance(first, torch.Tensor)
    assert first.item() == 2.0
    assert type(second) is float
    assert second == 2.0


class Window(NamedTuple):
    low: float
    high: float


@pytest.mark.parametrize("window", [(0.1, 0.9), [0.1, 0.9], Window(0.1, 0.9)])
def test_an_entry_keeps_its_kind(window: Any) -> None:
    """A tuple, a list and a named tuple keep their type and their other elements."""
    optimizer = sgd({"window": window})
    advance(CurveSchedule(optimizer, lambda t: 3.0 * t, "window[1]", absolute=True))
    (entry,) = held(optimizer, "window")
    assert type(entry) is type(window)
    assert list(entry) == [0.1, 3.0]


@pytest.mark.parametrize(
    "number",
    [np.float64(2), np.float32(2), torch.tensor(2.0), Fraction(2), np.array(2.0), 2],
    ids=lambda number: type(number).__name__,
)
def test_a_number_of_any_type_is_held_as_a_float(number: Any) -> None:
    """An integer, a NumPy number, a tensor or a fraction of the curve is held as a float."""
    optimizer = sgd()
    advance(CurveSchedule(optimizer, lambda t: number, absolute=True))
    assert held(optimizer) == [2.0]
    assert type(held(optimizer)[0]) is float


def test_a_schedule_goes_to_any_step_in_any_order() -> None:
    """A step number can be a fraction and can go back, and gives the curve's value there."""
    optimizer = two_groups()
    schedule = put_dino(optimizer)
    for t in (5, 0.5, 7.25, 0, 1000, 3):
        schedule.step(t)
        assert held(optimizer, "weight_decay") == [dino(t), dino(t)]
        assert schedule.last_epoch == t


def test_a_curve_is_called_once_per_step_with_the_step() -> None:
    """A curve of absolute values is called once per step for all groups."""
    calls = []

    def curve(t: float) -> float:
        calls.append(t)
        return 0.5

    schedule = CurveSchedule(two_groups(), curve, "weight_decay", absolute=True)
    advance(schedule, 2)
    assert calls == [0, 1, 2]


def test_negative_values_and_zero_are_values() -> None:
    """A value below 0 and a value of 0 are written as they are."""
    optimizer = sgd({"margin": 0.5}, {"margin": -2.0})
    schedule = CurveSchedule(optimizer, lambda t: 1.0 - t, "margin", absolute=True)
    seen = []
    for _ in range(3):
        seen.append(held(optimizer, "margin"))
        advance(schedule)
    assert seen == [[1.0, 1.0], [0.0, 0.0], [-1.0, -1.0]]


def test_a_value_that_was_set_by_hand_is_replaced_at_the_next_step() -> None:
    """An assignment from outside lasts until the next step."""
    optimizer = two_groups()
    schedule = put_dino(optimizer)
    optimizer.param_groups[0]["weight_decay"] = 99.0
    advance(schedule)
    assert held(optimizer, "weight_decay") == [dino(1), dino(1)]


# -- the initial value --------------------------------------------------------------------------


def test_the_initial_value_is_recorded_and_not_used() -> None:
    """Each group records its initial value, which the curve's values do not depend on."""
    optimizer = two_groups()
    schedule = put_dino(optimizer)
    assert held(optimizer, "initial_weight_decay") == [0.5, 0.25]
    assert schedule.base_lrs == [0.5, 0.25]
    extend_optimizer(optimizer, "weight_decay", 7.0, overwrite_values=True)
    advance(schedule)
    assert held(optimizer, "weight_decay") == [dino(1), dino(1)]
    schedule.base_lrs = [3.0, 4.0]
    advance(schedule)
    assert held(optimizer, "weight_decay") == [dino(2), dino(2)]
    assert held(optimizer, "initial_weight_decay") == [3.0, 4.0]


def test_a_schedule_of_multipliers_starts_from_the_value_before_the_absolute_one() -> None:
    """A schedule of multipliers that is built later multiplies the first recorded value."""
    optimizer = two_groups()
    advance(put_dino(optimizer), 3)
    advance(put_curve(optimizer, "weight_decay"))
    assert held(optimizer, "weight_decay") == [0.25, 0.125]


def test_an_initial_value_of_0_is_no_obstacle() -> None:
    """A target that starts at 0 takes the curve's values, without a warning."""
    optimizer = sgd(weight_decay=0.0)
    schedule = put_dino(optimizer)
    advance(schedule, 2)
    assert held(optimizer, "weight_decay") == [dino(2)]
    with pytest.warns(UserWarning, match="starts at 0 .* absolute=True"):
        put_curve(sgd(weight_decay=0.0), "weight_decay")


def test_an_initial_value_of_0_is_no_obstacle_on_a_proxy() -> None:
    """The factory does not warn of a target that starts at 0 if the curve gives values."""
    optimizer = sgd(weight_decay=0.0)
    schedule = put(optimizer, "weight_decay", lambda proxy: put_dino(proxy, "lr"))
    advance(schedule, 2)
    assert held(optimizer, "weight_decay") == [dino(2)]


# -- one curve per group --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "curves",
    [
        [dino, None, rising_beta],
        {"a": dino, "b": None, "*": rising_beta},
    ],
    ids=["list", "mapping"],
)
def test_each_group_takes_the_values_of_its_own_curve(curves: Any) -> None:
    """Each group takes its own curve's values, and ``None`` leaves a group alone."""
    optimizer = adamw({"name": "a"}, {"name": "b", "weight_decay": 7.0}, {"name": "c"})
    schedule = CurveSchedule(optimizer, curves, "weight_decay", absolute=True)
    assert "initial_weight_decay" not in optimizer.param_groups[1]
    for t in range(4):
        assert held(optimizer, "weight_decay") == [dino(t), 7.0, rising_beta(t)]
        assert schedule.values_at(t) == [dino(t), 7.0, rising_beta(t)]
        advance(schedule)
    state = schedule.state_dict()
    optimizer.param_groups[1]["weight_decay"] = 8.0
    advance(schedule)
    schedule.load_state_dict(state)
    assert held(optimizer, "weight_decay") == [dino(4), 8.0, rising_beta(4)]


def test_a_group_that_joins_takes_the_curves_value_at_the_next_step() -> None:
    """A group that joins later keeps its own value until the next step, then takes the curve's."""
    optimizer = two_groups()
    schedule = put_dino(optimizer)
    advance(schedule)
    add_group(optimizer, weight_decay=torch.tensor(0.125))
    assert held(optimizer, "weight_decay") == [dino(1), dino(1), 0.125]
    advance(schedule)
    *floats, tensor = held(optimizer, "weight_decay")
    assert floats == [dino(2), dino(2)]
    assert torch.equal(tensor, torch.tensor(dino(2)))
    assert schedule.base_lrs == [0.5, 0.25, 0.125]


def test_a_group_that_joins_finds_its_curve_by_name() -> None:
    """A group that joins later takes the values of the curve that the mapping has for it."""
    optimizer = adamw({"name": "a"})
    curves = {"a": dino, "*": rising_beta}
    schedule = CurveSchedule(optimizer, curves, "weight_decay", absolute=True)
    add_group(optimizer, name="z", weight_decay=0.0)
    advance(schedule)
    assert held(optimizer, "weight_decay") == [dino(1), rising_beta(1)]


# -- what it answers -------------------------------------------------------------------------------


def test_get_lr_gives_the_curves_value() -> None:
    """``get_lr`` on the learning rate gives the curve's value, and so does ``get_last_lr``."""
    schedule = CurveSchedule(sgd({"lr": 0.5}, {"lr": 0.25}), rising_beta, absolute=True)
    advance(schedule, 3)
    assert schedule.get_lr() == [rising_beta(3)] * 2
    assert schedule.get_last_lr() == [rising_beta(3)] * 2
    schedule.optimizer.param_groups[0]["lr"] = 9.0
    assert schedule.get_lr() == [rising_beta(3)] * 2
    assert schedule.get_last_lr() == [9.0, rising_beta(3)]


@pytest.mark.parametrize("kind", [float, torch.tensor], ids=["float", "tensor"])
def test_a_preview_is_the_run(kind: Callable[[float], Any]) -> None:
    """A preview shows exactly the values of the run, also where a tensor rounds them."""
    optimizer = adamw({"weight_decay": kind(0.5)}, {"weight_decay": kind(0.25)})
    schedule = put_dino(optimizer)
    advance(schedule)
    seen = preview(schedule, STEPS)
    run = []
    for _ in range(STEPS):
        run.append([float(value) for value in held(optimizer, "weight_decay")])
        advance(schedule)
    assert seen.values["weight_decay"] == run
    expected = [dino(t) if kind is float else float(torch.tensor(dino(t))) for t in range(1, 9)]
    assert run == [[value, value] for value in expected]


def test_the_repr_says_that_the_values_are_absolute() -> None:
    """The ``repr`` of a schedule shows if its curve gives values or multipliers."""
    assert "absolute" in repr(put_dino(two_groups()))
    assert "absolute" not in repr(put_curve(two_groups()))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_a_copy_goes_on_with_absolute_values(duplicate: Callable[[Any], Any]) -> None:
    """A copy is on its own optimizer, gives values and leaves the original alone."""
    schedule = put_dino(two_groups())
    advance(schedule, 2)
    twin = duplicate(schedule)
    twin.optimizer.step()
    twin.step()
    assert twin.absolute
    assert held(twin.optimizer, "weight_decay") == [dino(3), dino(3)]
    assert held(schedule.optimizer, "weight_decay") == [dino(2), dino(2)]


def test_values_and_multipliers_go_together() -> None:
    """A ``SynchronousSchedule`` takes schedules of values beside schedules of multipliers."""
    optimizer = adamw({"lr": 0.5, "weight_decay": 0.25}, {"lr": 2.0, "weight_decay": 0.0})
    sync = SynchronousSchedule(
        [
            put_curve(optimizer),
            put_dino(optimizer),
            CurveSchedule(optimizer, rising_beta, "betas[1]", absolute=True),
        ]
    )
    for t in range(5):
        assert held(optimizer) == [0.5 * 0.5**t, 2.0 * 0.5**t]
        assert held(optimizer, "weight_decay") == [dino(t), dino(t)]
        assert held(optimizer, "betas[1]") == [rising_beta(t), rising_beta(t)]
        advance(sync)


# -- state ----------------------------------------------------------------------------------------

LOADS = {
    "optimizer, schedule": lambda o, s, saved: (
        o.load_state_dict(saved["optimizer"]),
        s.load_state_dict(saved["schedule"]),
    ),
    "schedule, optimizer": lambda o, s, saved: (
        s.load_state_dict(saved["schedule"]),
        o.load_state_dict(saved["optimizer"]),
    ),
    "schedule": lambda o, s, saved: s.load_state_dict(saved["schedule"]),
}


def saved_and_read(**states: Any) -> Any:
    """What ``torch.save`` writes, as ``torch.load(weights_only=True)`` reads it."""
    file = io.BytesIO()
    torch.save(states, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


# torch < 2.1 warns of a deprecation of its own where it loads a tensor with weights_only.
@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning")
@pytest.mark.parametrize("kind", [float, torch.tensor], ids=["float", "tensor"])
@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS.keys())
def test_a_run_resumes(load: Any, kind: Any) -> None:
    """A resumed run holds the saved values at once, in any order of loading, and goes on."""

    def start() -> tuple[Any, CurveSchedule]:
        optimizer = adamw({"weight_decay": kind(0.5)}, {"weight_decay": kind(0.25)})
        return optimizer, put_dino(optimizer)

    optimizer, schedule = start()
    advance(schedule, 3)
    saved = saved_and_read(optimizer=optimizer.state_dict(), schedule=schedule.state_dict())
    optimizer, schedule = start()
    load(optimizer, schedule, saved)
    for t in range(3, STEPS):
        assert schedule.last_epoch == t
        expected = dino(t) if kind is float else float(torch.tensor(dino(t)))
        assert [float(value) for value in held(optimizer, "weight_decay")] == [expected] * 2
        assert schedule.base_lrs == [0.5, 0.25]
        advance(schedule)


def test_a_schedule_that_is_built_on_a_resumed_optimizer_keeps_the_initial_values() -> None:
    """A schedule that is built after the optimizer was loaded finds its initial values there."""
    optimizer = two_groups()
    schedule = put_dino(optimizer)
    advance(schedule, 3)
    saved = saved_and_read(optimizer=optimizer.state_dict(), schedule=schedule.state_dict())
    optimizer = two_groups()
    optimizer.load_state_dict(saved["optimizer"])
    schedule = put_dino(optimizer)
    assert held(optimizer, "weight_decay") == [dino(0), dino(0)]
    assert schedule.base_lrs == [0.5, 0.25]
    schedule.load_state_dict(saved["schedule"])
    assert held(optimizer, "weight_decay") == [dino(3), dino(3)]


def test_a_state_is_plain_and_says_that_it_is_absolute() -> None:
    """A state consists of plain numbers and strings, and has an entry ``"absolute"``."""
    schedule = put_dino(adamw({"weight_decay": torch.tensor(0.5)}))
    state = schedule.state_dict()
    assert state["absolute"] is True
    assert state["base_lrs"] == [0.5]
    assert [type(value) for value in (*state["base_lrs"], *state["_last_lr"])] == [float, float]
    assert put_curve(sgd()).state_dict()["absolute"] is False


def test_a_state_from_before_the_keyword_loads_as_multipliers() -> None:
    """A state without ``"absolute"`` was saved of multipliers, and loads without a warning."""
    optimizer = sgd({"lr": 0.5}, {"lr": 0.25})
    schedule = put_curve(optimizer)
    advance(schedule, 3)
    state = schedule.state_dict()
    del state["absolute"]
    schedule = put_curve(sgd({"lr": 0.5}, {"lr": 0.25}))
    schedule.load_state_dict(state)
    assert held(schedule.optimizer) == [0.0625, 0.03125]
    advance(schedule)
    assert held(schedule.optimizer) == [0.03125, 0.015625]


def test_a_state_from_before_the_keyword_warns_on_a_schedule_of_values() -> None:
    """A state without ``"absolute"`` warns that the plan changed if the code has values."""
    state = put_curve(sgd()).state_dict()
    del state["absolute"]
    schedule = CurveSchedule(sgd(), halving, absolute=True)
    with pytest.warns(UserWarning, match="goes on under .* as absolute values"):
        schedule.load_state_dict(state)


@pytest.mark.parametrize("in_sync", [False, True], ids=["alone", "member"])
@pytest.mark.parametrize("absolute", [False, True], ids=["to multipliers", "to values"])
def test_a_state_of_the_other_kind_warns(absolute: bool, in_sync: bool) -> None:
    """A state saved of values and loaded as multipliers warns, also the other way round."""

    def start(absolute: bool) -> Any:
        schedule = CurveSchedule(sgd(lr=0.25), halving, absolute=absolute)
        return SynchronousSchedule([schedule]) if in_sync else schedule

    old, new = start(not absolute), start(absolute)
    advance(old, 2)
    with pytest.warns(UserWarning, match="was saved under .* absolute values"):
        new.load_state_dict(old.state_dict())
    # The saved value stands until the next step, and from there on the code's plan counts.
    assert held(new.optimizer) == [0.0625 if absolute else 0.25]
    new.optimizer.step()
    new.step()
    assert held(new.optimizer) == [0.125 if absolute else 0.03125]


@pytest.mark.parametrize("absolute", [1, "yes", None, math.nan])
def test_a_saved_kind_that_is_not_a_bool_is_refused(absolute: Any, untouched: Untouched) -> None:
    """A state whose ``"absolute"`` is not a bool is refused, and nothing has moved."""
    schedule = put_dino(two_groups())
    state = {**schedule.state_dict(), "absolute": absolute, "last_epoch": 5}
    with untouched(schedule.optimizer), pytest.raises(TypeError, match="'absolute'"):
        schedule.load_state_dict(state)
    assert schedule.last_epoch == 0


# -- refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize("absolute", [1, 0, None, "True", np.bool_(True), 0.04, torch.tensor(True)])
def test_the_keyword_takes_a_bool_alone(absolute: Any, untouched: Untouched) -> None:
    """Any ``absolute`` other than True and False is a ``TypeError``, and nothing is touched."""
    optimizer = two_groups()
    with untouched(optimizer), pytest.raises(TypeError, match="absolute: expected True or False"):
        CurveSchedule(optimizer, dino, "weight_decay", absolute=absolute)


def test_the_keyword_is_not_positional() -> None:
    """``absolute`` must be written by its name."""
    with pytest.raises(TypeError, match="positional"):
        CurveSchedule(two_groups(), dino, "weight_decay", True)  # type: ignore[misc]


# An integer tensor is not in a target, and is a number where a curve returns it.
@pytest.mark.parametrize("value", sorted(INVALID_VALUES.keys() - {"integer tensor"}))
def test_a_value_that_is_not_a_finite_number_is_refused(value: str, untouched: Untouched) -> None:
    """A curve that gives an invalid value is refused at that step, and nothing has moved."""
    invalid, error = INVALID_VALUES[value]
    optimizer = two_groups()
    curve: Any = lambda t: invalid if t == 2 else 0.5  # noqa: E731
    schedule = CurveSchedule(optimizer, curve, "weight_decay", absolute=True)
    advance(schedule)
    with untouched(optimizer), pytest.raises(error, match="the value of 'weight_decay' at step 2"):
        schedule.step()
    assert schedule.last_epoch == 1
    schedule.step(3)
    assert held(optimizer, "weight_decay") == [0.5, 0.5]
    with untouched(optimizer), pytest.raises(error, match="at step 2"):
        schedule.values_at(2)


@pytest.mark.parametrize("beta", [1.0, 1.5, -1e-9, 2])
def test_a_beta_out_of_range_is_refused(beta: float, untouched: Untouched) -> None:
    """A value of ``betas[1]`` outside [0, 1) is refused with its value, and nothing has moved."""
    optimizer = adamw({}, {})
    schedule = CurveSchedule(
        optimizer, lambda t: beta if t == 2 else 0.95, "betas[1]", absolute=True
    )
    advance(schedule)
    with untouched(optimizer), pytest.raises(ValueError, match=r"'betas\[1\]' at step 2"):
        schedule.step()
    assert schedule.last_epoch == 1
    with untouched(optimizer), pytest.raises(ValueError, match=r"'betas\[1\]' at step 0"):
        CurveSchedule(optimizer, lambda t: beta, "betas[1]", absolute=True)


@pytest.mark.parametrize("beta", [0.0, 1 - 2**-53])
def test_a_beta_at_the_end_of_its_range_is_taken(beta: float) -> None:
    """0 and the largest float below 1 are values that an element of ``betas`` can hold."""
    optimizer = adamw()
    CurveSchedule(optimizer, lambda t: beta, "betas[1]", absolute=True)
    assert held(optimizer, "betas[1]") == [beta]


def test_a_value_that_one_group_cannot_hold_moves_no_group(untouched: Untouched) -> None:
    """A value too large for one group's float16 tensor is refused, and no group has moved."""
    optimizer = sgd({"clip": 1.0}, {"clip": torch.tensor(1.0, dtype=torch.float16)})
    schedule = CurveSchedule(optimizer, lambda t: 1e5 * t, "clip", absolute=True)
    optimizer.step()
    with untouched(optimizer), pytest.raises(ValueError, match=r"'clip' at step 1.*65504"):
        schedule.step()
    assert schedule.last_epoch == 0
    schedule.step(0.5)
    assert [float(value) for value in held(optimizer, "clip")] == [5e4, 49984.0]


def test_the_range_does_not_depend_on_the_initial_value() -> None:
    """A large initial value does not narrow the range of the values."""
    optimizer = sgd({"clip": 1e300}, {"clip": -1e300}, {"clip": 1e-300})
    advance(CurveSchedule(optimizer, lambda t: 1e300, "clip", absolute=True))
    assert held(optimizer, "clip") == [1e300] * 3


# -- on a proxy -----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["lr", "weight_decay", "betas[1]"])
def test_a_curve_on_a_proxy_gives_values(target: str) -> None:
    """A curve that is built inside a factory gives the value of the factory's target."""
    optimizer = two_groups()
    schedule = put(
        optimizer, target, lambda proxy: CurveSchedule(proxy, rising_beta, absolute=True)
    )
    for t in range(4):
        assert held(optimizer, target) == [rising_beta(t)] * 2
        assert schedule.get_lr() == schedule.get_last_lr() == [rising_beta(t)] * 2
        advance(schedule)


@ignore_epoch_deprecation
@pytest.mark.parametrize("target", ["lr", "weight_decay", "betas[1]"])
def test_curves_of_values_follow_one_another_in_a_sequence(target: str) -> None:
    """A ``SequentialLR`` of two curves gives the values of the one and then of the other."""

    def sequence(proxy: Any) -> SequentialLR:
        curves = (rising_beta, lambda t: 0.5 + t / 64)
        parts = [CurveSchedule(proxy, curve, absolute=True) for curve in curves]
        return SequentialLR(proxy, parts, [3])

    optimizer = two_groups()
    schedule = put(optimizer, target, sequence)
    for t in range(8):
        expected = rising_beta(t) if t < 3 else 0.5 + (t - 3) / 64
        assert held(optimizer, target) == [expected] * 2
        advance(schedule)


@ignore_epoch_deprecation
def test_a_sequence_of_curves_of_values_may_start_at_0() -> None:
    """An initial value of 0 matters to multipliers alone: there is not a warning."""

    def sequence(proxy: Any) -> SequentialLR:
        parts = [CurveSchedule(proxy, rising_beta, absolute=True) for _ in range(2)]
        return SequentialLR(proxy, parts, [3])

    optimizer = adamw({"weight_decay": 0.0})
    put(optimizer, "weight_decay", sequence)
    assert held(optimizer, "weight_decay") == [rising_beta(0)]


@ignore_epoch_deprecation
def test_a_sequence_of_curves_of_values_resumes() -> None:
    """A ``SequentialLR`` of curves of values resumes with the values of the run."""

    def start() -> tuple[Any, Any]:
        def sequence(proxy: Any) -> SequentialLR:
            curves = (rising_beta, lambda t: 0.5 + t / 64)
            parts = [CurveSchedule(proxy, curve, absolute=True) for curve in curves]
            return SequentialLR(proxy, parts, [3])

        optimizer = two_groups()
        return optimizer, SynchronousSchedule([put(optimizer, "weight_decay", sequence)])

    for stop in range(6):
        optimizer, sync = start()
        advance(sync, stop)
        saved = saved_and_read(optimizer=optimizer.state_dict(), sync=sync.state_dict())
        optimizer, sync = start()
        sync.load_state_dict(saved["sync"])
        optimizer.load_state_dict(saved["optimizer"])
        for t in range(stop, 8):
            expected = rising_beta(t) if t < 3 else 0.5 + (t - 3) / 64
            assert held(optimizer, "weight_decay") == [expected] * 2
            advance(sync)


def test_the_same_values_come_with_and_without_a_proxy() -> None:
    """A curve of values needs no proxy: on one, it gives the same numbers and the same warnings."""
    direct, through = two_groups(), two_groups()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = put_dino(direct)
        other = put(through, "weight_decay", lambda proxy: put_dino(proxy, "lr"))
    for _ in range(4):
        assert held(direct, "weight_decay") == held(through, "weight_decay")
        assert one.state_dict() == other.state_dict()
        advance(one)
        advance(other)
