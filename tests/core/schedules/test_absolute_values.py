"""With ``absolute=True``, the number that a curve gives is the value in every group it drives.

``test_curve_schedule.py`` and ``test_targets.py`` ask both kinds of curve what is asked of both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from cases import crossed, some
from helpers import (
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
from target_helpers import through_torch_save
from torch.optim.lr_scheduler import SequentialLR

from tsa_core import CurveSchedule, DerivedSchedule, SynchronousSchedule, extend_optimizer

STEPS = 8


def dino(t: float) -> float:
    """DINO's weight decay: from 0.04 to 0.4 by half a cosine (arXiv 2104.14294)."""
    return 0.4 + (0.04 - 0.4) * (1 + math.cos(math.pi * min(t / STEPS, 1))) / 2


def rising_beta(t: float) -> float:
    """A line from 0.95 at step 0 to 0.99 at step 8, which goes on as a constant."""
    return 0.95 + 0.04 * min(t / STEPS, 1)


def put_dino(optimizer: Any, target: str = "weight_decay") -> CurveSchedule:
    return CurveSchedule(optimizer, dino, target, absolute=True)


def put_dino_on_a_proxy(optimizer: Any) -> CurveSchedule:
    schedule: CurveSchedule = put(optimizer, "weight_decay", lambda proxy: put_dino(proxy, "lr"))
    return schedule


def two_groups() -> torch.optim.AdamW:
    return adamw({"weight_decay": 0.5, "name": "a"}, {"weight_decay": 0.25, "name": "b"})


# -- the value ----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [put_dino, put_dino_on_a_proxy])
def test_weight_decay_rises_as_in_dino(make: Callable[[Any], CurveSchedule]) -> None:
    """Weight decay goes from 0.04 to 0.4 by half a cosine in both groups, and stays there."""
    optimizer = two_groups()
    schedule = make(optimizer)
    assert schedule.absolute
    for t in range(STEPS + 3):
        assert held(optimizer, "weight_decay") == [dino(t), dino(t)]
        advance(schedule)
    assert dino(0) == pytest.approx(0.04, abs=1e-15)
    assert held(optimizer, "weight_decay") == [0.4, 0.4]


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


def test_negative_values_and_zero_are_values() -> None:
    """A value below 0 and a value of 0 are written as they are."""
    optimizer = sgd({"margin": 0.5}, {"margin": -2.0})
    schedule = CurveSchedule(optimizer, lambda t: 1.0 - t, "margin", absolute=True)
    for value in (1.0, 0.0, -1.0):
        assert held(optimizer, "margin") == [value, value]
        advance(schedule)


def test_the_range_does_not_depend_on_the_initial_value() -> None:
    """A large initial value does not narrow the range of the values."""
    optimizer = sgd({"clip": 1e300}, {"clip": -1e300}, {"clip": 1e-300})
    advance(CurveSchedule(optimizer, lambda t: 1e300, "clip", absolute=True))
    assert held(optimizer, "clip") == [1e300] * 3


# -- the initial value --------------------------------------------------------------------------


def test_the_initial_value_is_recorded_and_not_used() -> None:
    """Neither another initial value nor an assignment changes the values of the next step."""
    optimizer = two_groups()
    schedule = put_dino(optimizer)
    assert held(optimizer, "initial_weight_decay") == [0.5, 0.25]
    assert schedule.base_lrs == [0.5, 0.25]
    extend_optimizer(optimizer, "weight_decay", 7.0, overwrite_values=True)
    advance(schedule)
    assert held(optimizer, "weight_decay") == [dino(1), dino(1)]
    schedule.base_lrs = [3.0, 4.0]
    optimizer.param_groups[0]["weight_decay"] = 99.0
    advance(schedule)
    assert held(optimizer, "weight_decay") == [dino(2), dino(2)]
    assert held(optimizer, "initial_weight_decay") == [3.0, 4.0]


def test_a_schedule_of_multipliers_starts_from_the_value_before_the_absolute_one() -> None:
    """A schedule of multipliers that is built later multiplies the first recorded value."""
    optimizer = two_groups()
    advance(put_dino(optimizer), 3)
    advance(put_curve(optimizer, "weight_decay"))
    assert held(optimizer, "weight_decay") == [0.25, 0.125]


@pytest.mark.parametrize("make", [put_dino, put_dino_on_a_proxy])
def test_an_initial_value_of_0_is_no_obstacle(make: Callable[[Any], CurveSchedule]) -> None:
    """A target that starts at 0 takes the curve's values, without a warning."""
    optimizer = sgd(weight_decay=0.0)
    advance(make(optimizer), 2)
    assert held(optimizer, "weight_decay") == [dino(2)]
    with pytest.warns(UserWarning, match="starts at 0 .* absolute=True"):
        put_curve(sgd(weight_decay=0.0), "weight_decay")


# -- groups that held 0 beside others --------------------------------------------------------------

INTO_ZEROS: dict[str, Callable[[Any], Any]] = {
    "curve": put_dino,
    "on a proxy": put_dino_on_a_proxy,
    "in order": lambda o: CurveSchedule(o, [dino, dino, dino], "weight_decay", absolute=True),
    "by name": lambda o: CurveSchedule(o, {"*": dino}, "weight_decay", absolute=True),
    "derived": lambda o: DerivedSchedule(o, lambda lr: lr, "weight_decay", absolute=True),
}


def decaying(*values: Any) -> torch.optim.AdamW:
    return adamw(*({"weight_decay": value, "name": f"group {i}"} for i, value in enumerate(values)))


@pytest.mark.parametrize(("make", "as_kind"), crossed(INTO_ZEROS, [float, torch.tensor]))
def test_values_for_groups_that_held_0_beside_others_warn(make: str, as_kind: Any) -> None:
    """One warning names the target and the groups that held 0, and says how to leave them alone."""
    with pytest.warns(UserWarning, match="'weight_decay' was 0 in") as caught:
        INTO_ZEROS[make](decaying(*map(as_kind, (0.5, 0.0, 0.0))))
    (warning,) = caught
    message = str(warning.message)
    assert warning.filename == __file__ or make == "on a proxy"
    assert "was 0 in group 1, group 2 and not in other" in message
    assert "{'decay': curve, '*': None}" in message
    assert "[curve, None]" in message


@pytest.mark.parametrize("make", INTO_ZEROS)
def test_values_for_groups_that_all_held_0_or_none_of_them_do_not_warn(make: str) -> None:
    """Nothing is said if no group differs from the others in that."""
    for values in ((0.0, 0.0, 0.0), (0.5, 0.25, 1.0)):
        INTO_ZEROS[make](decaying(*values))


def test_the_groups_are_named() -> None:
    """A group is called by its name, or by its position if it has none."""
    optimizer = adamw(
        {"weight_decay": 0.5, "name": "decay"},
        {"weight_decay": 0.0, "name": "biases"},
        {"weight_decay": 0.0, "name": 3},
    )
    with pytest.warns(UserWarning, match="was 0 in biases, group 2 and not"):
        put_dino(optimizer)


def test_a_group_that_held_0_and_is_left_alone_does_not_warn() -> None:
    """The remedies of the warning are silent, and the group keeps its 0; multiples keep it too."""
    remedies: list[Any] = [{"group 0": dino, "*": None}, [dino, None]]
    for curves in remedies:
        optimizer = decaying(0.5, 0.0)
        CurveSchedule(optimizer, curves, "weight_decay", absolute=True)
        assert held(optimizer, "weight_decay") == [dino(0), 0.0]
    put_curve(optimizer := decaying(0.5, 0.0), "weight_decay")
    assert held(optimizer, "weight_decay") == [0.5, 0.0]


@ignore_epoch_deprecation
def test_a_sequence_warns_once() -> None:
    """The parts of a sequence are one schedule of the target, which warns once."""

    def parts(proxy: Any) -> SequentialLR:
        return SequentialLR(proxy, [CurveSchedule(proxy, dino, absolute=True) for _ in "ab"], [3])

    with pytest.warns(UserWarning, match="'weight_decay' was 0 in group 1") as caught:
        put(decaying(0.5, 0.0), "weight_decay", parts)
    assert len(caught) == 1


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


def test_the_repr_says_that_the_values_are_absolute() -> None:
    """The ``repr`` of a schedule shows if its curve gives values or multipliers."""
    assert "absolute" in repr(put_dino(two_groups()))
    assert "absolute" not in repr(put_curve(two_groups()))


# -- state ----------------------------------------------------------------------------------------


def test_a_schedule_that_is_built_on_a_resumed_optimizer_keeps_the_initial_values() -> None:
    """A schedule that is built after the optimizer was loaded finds its initial values there."""
    optimizer = two_groups()
    schedule = put_dino(optimizer)
    advance(schedule, 3)
    states = through_torch_save((optimizer.state_dict(), schedule.state_dict()))
    optimizer = two_groups()
    optimizer.load_state_dict(states[0])
    schedule = put_dino(optimizer)
    assert held(optimizer, "weight_decay") == [dino(0), dino(0)]
    assert schedule.base_lrs == [0.5, 0.25]
    schedule.load_state_dict(states[1])
    assert held(optimizer, "weight_decay") == [dino(3), dino(3)]


def test_a_state_is_plain_and_says_that_it_is_absolute() -> None:
    """A state consists of plain numbers and strings, and has an entry ``"absolute"``."""
    schedule = put_dino(adamw({"weight_decay": torch.tensor(0.5)}))
    state = schedule.state_dict()
    assert state["absolute"] is True
    assert state["base_lrs"] == [0.5]
    assert [type(value) for value in (*state["base_lrs"], *state["_last_lr"])] == [float, float]
    assert put_curve(sgd()).state_dict()["absolute"] is False


@pytest.mark.parametrize(("missing", "absolute"), crossed(["absolute", "origin"], [True, False]))
def test_a_state_without_the_kind_is_refused(
    missing: str, absolute: bool, untouched: Untouched
) -> None:
    """A state that does not say if its numbers are values is refused, and nothing has moved."""
    old, new = (CurveSchedule(sgd({}, {}), halving, absolute=absolute) for _ in range(2))
    advance(old, 3)
    state = old.state_dict()
    del state[missing]
    sync = SynchronousSchedule([new])
    for load in (
        lambda: new.load_state_dict(state),
        lambda: new.load_state_dict(state, plan="saved"),
        lambda: sync.load_state_dict({"lr": state}),
    ):
        with untouched(new.optimizer), pytest.raises(ValueError, match=f"missing .'{missing}'"):
            load()
    assert new.last_epoch == 0


@pytest.mark.parametrize(("absolute", "in_sync"), crossed([False, True], [True, False]))
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
    advance(new)
    assert held(new.optimizer) == [0.125 if absolute else 0.03125]


@pytest.mark.parametrize("absolute", [1, "yes", None, math.nan])
def test_a_saved_kind_that_is_not_a_bool_is_refused(absolute: Any, untouched: Untouched) -> None:
    """A state whose ``"absolute"`` is not a bool is refused, and nothing has moved."""
    schedule = put_dino(two_groups())
    state = {**schedule.state_dict(), "absolute": absolute, "last_epoch": 5}
    with untouched(schedule.optimizer), pytest.raises(TypeError, match="'absolute'"):
        schedule.load_state_dict(state)
    assert schedule.last_epoch == 0


@pytest.mark.parametrize("absolute", some([1, 0, None, "True", np.bool_(True), 0.04], 4))
def test_the_keyword_takes_a_bool_alone(absolute: Any, untouched: Untouched) -> None:
    """Any ``absolute`` other than True and False is a ``TypeError``, and nothing is touched."""
    optimizer = two_groups()
    with untouched(optimizer), pytest.raises(TypeError, match="absolute: expected True or False"):
        CurveSchedule(optimizer, dino, "weight_decay", absolute=absolute)


def test_the_keyword_is_not_positional() -> None:
    """``absolute`` must be written by its name."""
    with pytest.raises(TypeError, match="positional"):
        CurveSchedule(two_groups(), dino, "weight_decay", True)  # type: ignore[misc]


# -- in a sequence --------------------------------------------------------------------------------


def sequence(proxy: Any) -> SequentialLR:
    """A sequence of two curves of values, of which the second begins at step 3."""
    curves = (rising_beta, lambda t: 0.5 + t / 64)
    return SequentialLR(
        proxy, [CurveSchedule(proxy, curve, absolute=True) for curve in curves], [3]
    )


@ignore_epoch_deprecation
@pytest.mark.parametrize(
    ("stop", "target"), crossed(some(range(6), 4), ["weight_decay", "lr", "betas[0]"])
)
def test_curves_of_values_follow_one_another_in_a_sequence(stop: int, target: str) -> None:
    """A sequence of two curves starts from 0, too, gives the values of both, and resumes."""

    def start() -> tuple[Any, SynchronousSchedule]:
        optimizer = adamw({}, {}, lr=0.0, weight_decay=0.0, betas=(0.0, 0.9))
        return optimizer, SynchronousSchedule([put(optimizer, target, sequence)])

    def run(optimizer: Any, sync: Any, first: int, last: int) -> None:
        for t in range(first, last):
            expected = rising_beta(t) if t < 3 else 0.5 + (t - 3) / 64
            assert held(optimizer, target) == [expected] * 2
            advance(sync)

    optimizer, sync = start()
    run(optimizer, sync, 0, stop)
    states = through_torch_save((optimizer.state_dict(), sync.state_dict()))
    optimizer, sync = start()
    sync.load_state_dict(states[1])
    optimizer.load_state_dict(states[0])
    run(optimizer, sync, stop, 8)
