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
from cases import some
from helpers import (
    Untouched,
    across,
    adamw,
    advance,
    halving,
    held,
    ignore_epoch_deprecation,
    put,
    put_curve,
    sgd,
)
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


def two_groups(first: Any = 0.5, second: Any = 0.25) -> torch.optim.AdamW:
    return adamw({"weight_decay": first, "name": "a"}, {"weight_decay": second, "name": "b"})


# -- the value ----------------------------------------------------------------------------------


@across(
    dtype=[None, torch.float64, torch.float32, torch.float16, torch.bfloat16],
    make=[put_dino, put_dino_on_a_proxy],
)
def test_weight_decay_rises_as_in_dino(dtype: Any, make: Callable[[Any], CurveSchedule]) -> None:
    """Weight decay goes from 0.04 to 0.4 by half a cosine in both groups, and stays there.

    A tensor holds the value as torch rounds it, and stays the same object.
    """

    def rounded(value: float) -> Any:
        return value if dtype is None else torch.zeros((), dtype=dtype).fill_(value)

    optimizer = two_groups(*map(rounded, (0.5, 0.25)))
    before = held(optimizer, "weight_decay")
    schedule = make(optimizer)
    assert schedule.absolute
    for t in range(STEPS + 3):
        for value, tensor in zip(held(optimizer, "weight_decay"), before):
            assert value == rounded(dino(t))
            assert dtype is None or (value is tensor and value.dtype == dtype)
        advance(schedule)
    assert dino(0) == pytest.approx(0.04, abs=1e-15)
    assert held(optimizer, "weight_decay") == [rounded(0.4)] * 2


def test_negative_values_and_zero_are_values() -> None:
    """They are written as they are, and a large initial value does not narrow the range."""
    optimizer = sgd({"margin": 0.5}, {"margin": -1e300}, {"margin": 1e300}, {"margin": 1e-300})
    values = [1.0, 0.0, -1.0, 1e300]
    schedule = CurveSchedule(optimizer, lambda t: values[int(t)], "margin", absolute=True)
    for t, value in enumerate(values):
        schedule.step(t)
        assert held(optimizer, "margin") == [value] * 4


def test_the_initial_value_is_recorded_and_not_used() -> None:
    """Nothing changes the values of the next step; multipliers that are built later start there."""
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
    advance(put_curve(optimizer, "weight_decay"))
    assert held(optimizer, "weight_decay") == [1.5, 2.0]


# -- groups that held 0 beside others --------------------------------------------------------------

INTO_ZEROS: dict[str, Callable[[Any], Any]] = {
    "curve": put_dino,
    "on a proxy": put_dino_on_a_proxy,
    "in order": lambda o: CurveSchedule(o, [dino, dino, dino], "weight_decay", absolute=True),
    "by name": lambda o: CurveSchedule(o, {"*": dino}, "weight_decay", absolute=True),
    "derived": lambda o: DerivedSchedule(o, lambda lr: lr, "weight_decay", absolute=True),
    "in a sequence": lambda o: put(
        o,
        "weight_decay",
        lambda p: SequentialLR(p, [CurveSchedule(p, dino, absolute=True) for _ in "ab"], [3]),
    ),
}


def decaying(*values: Any) -> torch.optim.AdamW:
    names = ("decay", "biases", 3)
    return adamw(*({"weight_decay": value, "name": each} for value, each in zip(values, names)))


@ignore_epoch_deprecation
@across(make=INTO_ZEROS, as_kind=[float, torch.tensor])
def test_values_for_groups_that_held_0_beside_others_warn(make: str, as_kind: Any) -> None:
    """One warning names the target and the groups that held 0, and says how to leave them alone.

    Nothing is said if no group differs from the others in that.
    """
    with pytest.warns(UserWarning, match="'weight_decay' was 0 in") as caught:
        INTO_ZEROS[make](decaying(*map(as_kind, (0.5, 0.0, 0.0))))
    (warning,) = caught
    message = str(warning.message)
    assert warning.filename == __file__ or make in ("on a proxy", "in a sequence")
    assert "was 0 in biases, group 2 and not in other" in message
    assert "{'decay': curve, '*': None}" in message
    assert "[curve, None]" in message
    for values in ((0.0, 0.0, 0.0), (0.5, 0.25, 1.0)):
        optimizer = decaying(*values)
        INTO_ZEROS[make](optimizer)
        assert held(optimizer, "weight_decay") == [0.001 if make == "derived" else dino(0)] * 3


def test_a_group_that_held_0_and_is_left_alone_does_not_warn() -> None:
    """The remedies of the warning are silent, and the group keeps its 0; multiples keep it too."""
    remedies: list[dict[str, Any]] = [
        {"curve": {"decay": dino, "*": None}},
        {"curve": [dino, None]},
        {"curve": dino, "where": lambda group: group["name"] == "decay"},
    ]
    for arguments in remedies:
        optimizer = decaying(0.5, 0.0)
        CurveSchedule(optimizer, schedule_target="weight_decay", absolute=True, **arguments)
        assert held(optimizer, "weight_decay") == [dino(0), 0.0]
    put_curve(optimizer := decaying(0.5, 0.0), "weight_decay")
    assert held(optimizer, "weight_decay") == [0.5, 0.0]


@pytest.mark.parametrize(
    "curves",
    [[dino, None, rising_beta], {"a": dino, "b": None, "*": rising_beta}],
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


def test_get_lr_gives_the_curves_value() -> None:
    """``get_lr`` on the learning rate gives the curve's value, and so does ``get_last_lr``."""
    schedule = CurveSchedule(sgd({"lr": 0.5}, {"lr": 0.25}), rising_beta, absolute=True)
    advance(schedule, 3)
    assert schedule.get_lr() == [rising_beta(3)] * 2
    assert schedule.get_last_lr() == [rising_beta(3)] * 2
    schedule.optimizer.param_groups[0]["lr"] = 9.0
    assert schedule.get_lr() == [rising_beta(3)] * 2
    assert schedule.get_last_lr() == [9.0, rising_beta(3)]


def test_repr_and_state_say_that_the_values_are_absolute() -> None:
    """Both tell if a curve gives values or multipliers, and the state is plain."""
    values, multiples = put_dino(two_groups(torch.tensor(0.5))), put_curve(two_groups())
    assert "absolute" in repr(values)
    assert "absolute" not in repr(multiples)
    state = values.state_dict()
    assert state["absolute"] is True
    assert multiples.state_dict()["absolute"] is False
    assert state["base_lrs"] == [0.5, 0.25]
    assert {type(value) for value in (*state["base_lrs"], *state["_last_lr"])} == {float}


# -- state ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("absolute", "missing", ValueError),
        ("origin", "missing", ValueError),
        *(("absolute", value, TypeError) for value in (1, "yes", None, math.nan)),
    ],
)
def test_a_state_without_the_kind_is_refused(
    key: str, value: Any, error: Any, untouched: Untouched
) -> None:
    """A state that does not say if its numbers are values is refused, and nothing has moved."""
    old, new = (CurveSchedule(sgd({}, {}), halving, absolute=key == "absolute") for _ in range(2))
    advance(old, 3)
    state = {**old.state_dict(), key: value}
    if value == "missing":
        del state[key]
    sync = SynchronousSchedule([new])
    for load in (
        lambda: new.load_state_dict(state),
        lambda: new.load_state_dict(state, plan="saved"),
        lambda: sync.load_state_dict({"lr": state}),
    ):
        says = f"missing .'{key}'" if value == "missing" else f"'{key}'"
        with untouched(new.optimizer), pytest.raises(error, match=says):
            load()
    assert new.last_epoch == 0


@across(absolute=[False, True], in_sync=[True, False])
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


@pytest.mark.parametrize("absolute", some([1, 0, None, "True", np.bool_(True), 0.04], 4))
def test_the_keyword_takes_a_bool_alone(absolute: Any, untouched: Untouched) -> None:
    """Any ``absolute`` but True and False, and one without its name, is a ``TypeError``."""
    optimizer = two_groups()
    with untouched(optimizer), pytest.raises(TypeError, match="absolute: expected True or False"):
        CurveSchedule(optimizer, dino, "weight_decay", absolute=absolute)
    with pytest.raises(TypeError, match="positional"):
        CurveSchedule(optimizer, dino, "weight_decay", True)  # type: ignore[misc]
