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
from helpers import (
    Untouched,
    across,
    adamw,
    advance,
    held,
    ignore_epoch_deprecation,
    put,
    put_curve,
    sgd,
)
from target_helpers import adamw_with
from torch.optim.lr_scheduler import SequentialLR

from tsa_core import CurveSchedule, DerivedSchedule, extend_optimizer

STEPS = 8


def dino(t: float) -> float:
    """DINO's weight decay: from 0.04 to 0.4 by half a cosine (arXiv 2104.14294)."""
    return 0.4 + (0.04 - 0.4) * (1 + math.cos(math.pi * min(t / STEPS, 1))) / 2


def put_dino(optimizer: Any, target: str = "weight_decay") -> CurveSchedule:
    return CurveSchedule(optimizer, dino, target, absolute=True)


PUT: dict[str, Callable[[Any], Any]] = {
    "curve": put_dino,
    "on a proxy": lambda o: put(o, "weight_decay", lambda proxy: put_dino(proxy, "lr")),
    "in order": lambda o: CurveSchedule(o, [dino, dino, dino], "weight_decay", absolute=True),
    "by name": lambda o: CurveSchedule(o, {"*": dino}, "weight_decay", absolute=True),
    "derived": lambda o: DerivedSchedule(o, lambda lr: lr, "weight_decay", absolute=True),
    "in a sequence": lambda o: put(
        o,
        "weight_decay",
        lambda p: SequentialLR(p, [CurveSchedule(p, dino, absolute=True) for _ in "ab"], [3]),
    ),
}


# -- the value ----------------------------------------------------------------------------------


@across(
    dtype=[None, torch.float64, torch.float32, torch.float16, torch.bfloat16],
    make=["curve", "on a proxy"],
)
def test_weight_decay_rises_as_in_dino(dtype: Any, make: str) -> None:
    """Weight decay goes from 0.04 to 0.4 by half a cosine in both groups, and stays there.

    A tensor holds the value as torch rounds it, and stays the same object. The state is plain.
    """

    def rounded(value: float) -> Any:
        return value if dtype is None else torch.zeros((), dtype=dtype).fill_(value)

    optimizer = adamw_with("weight_decay", rounded(0.5), rounded(0.25))
    before = held(optimizer, "weight_decay")
    schedule = PUT[make](optimizer)
    assert dino(0) == pytest.approx(0.04, abs=1e-15)
    for t in range(STEPS + 3):
        for value, tensor in zip(held(optimizer, "weight_decay"), before):
            assert value == rounded(dino(t))
            assert dtype is None or (value is tensor and value.dtype == dtype)
        advance(schedule)
    assert held(optimizer, "weight_decay") == [rounded(0.4)] * 2
    state = schedule.state_dict()
    assert schedule.absolute is state["absolute"] is True
    assert "absolute" in repr(schedule)
    assert state["base_lrs"] == [0.5, 0.25]
    assert {type(value) for value in (*state["base_lrs"], *state["_last_lr"])} == {float}


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
    optimizer = sgd({"lr": 0.5}, {"lr": 0.25})
    schedule = put_dino(optimizer, "lr")
    assert held(optimizer, "initial_lr") == schedule.base_lrs == [0.5, 0.25]
    extend_optimizer(optimizer, "lr", 7.0, overwrite_values=True)
    advance(schedule)
    assert held(optimizer) == schedule.get_lr() == [dino(1), dino(1)]
    schedule.base_lrs = [3.0, 4.0]
    optimizer.param_groups[0]["lr"] = 99.0
    assert schedule.get_lr() == [dino(1), dino(1)]
    assert schedule.get_last_lr() == [99.0, dino(1)]
    advance(schedule)
    assert held(optimizer) == [dino(2), dino(2)]
    assert held(optimizer, "initial_lr") == [3.0, 4.0]
    advance(put_curve(optimizer))
    assert held(optimizer) == [1.5, 2.0]


# -- groups that held 0 beside others --------------------------------------------------------------


def decaying(*values: Any) -> torch.optim.AdamW:
    names = ("decay", "biases", 3)
    return adamw(*({"weight_decay": value, "name": each} for value, each in zip(values, names)))


@ignore_epoch_deprecation
@across(make=PUT, as_kind=[float, torch.tensor])
def test_values_for_groups_that_held_0_beside_others_warn(make: str, as_kind: Any) -> None:
    """One warning names the target and the groups that held 0, and says how to leave them alone.

    Nothing is said if no group differs from the others in that.
    """
    with pytest.warns(UserWarning, match="'weight_decay' was 0 in") as caught:
        PUT[make](decaying(*map(as_kind, (0.5, 0.0, 0.0))))
    (warning,) = caught
    message = str(warning.message)
    assert warning.filename == __file__ or make in ("on a proxy", "in a sequence")
    assert "was 0 in biases, group 2 and not in other" in message
    assert "{'decay': curve, '*': None}" in message
    assert "[curve, None]" in message
    for values in ((0.0, 0.0, 0.0), (0.5, 0.25, 1.0)):
        optimizer = decaying(*values)
        PUT[make](optimizer)
        assert held(optimizer, "weight_decay") == [0.001 if make == "derived" else dino(0)] * 3


def test_a_group_that_held_0_and_is_left_alone_does_not_warn() -> None:
    """The remedies of the warning are silent, and the group keeps its 0; multiples keep it too."""
    remedies: list[tuple[Any, Any]] = [
        ({"decay": dino, "*": None}, None),
        ([dino, None], None),
        (dino, lambda group: group["name"] == "decay"),
    ]
    for curve, where in remedies:
        optimizer = decaying(0.5, 0.0)
        CurveSchedule(optimizer, curve, "weight_decay", absolute=True, where=where)
        assert held(optimizer, "weight_decay") == [dino(0), 0.0]
    put_curve(optimizer := decaying(0.5, 0.0), "weight_decay")
    assert held(optimizer, "weight_decay") == [0.5, 0.0]


@pytest.mark.parametrize("absolute", [1, 0, None, "True", 0.04, math.nan, np.bool_(True)])
def test_a_bool_alone_says_the_kind(absolute: Any, untouched: Untouched) -> None:
    """Anything else is a ``TypeError``, as an argument, which has to be named, and in a state."""
    optimizer, saved = adamw(), put_dino(adamw())
    with untouched(optimizer), pytest.raises(TypeError, match="absolute: expected True or False"):
        CurveSchedule(optimizer, dino, "weight_decay", absolute=absolute)
    with pytest.raises(TypeError, match="positional"):
        CurveSchedule(optimizer, dino, "weight_decay", True)  # type: ignore[misc]
    advance(saved, 3)
    state, schedule = {**saved.state_dict(), "absolute": absolute}, put_dino(optimizer)
    for plan in ("code", "saved"):
        with untouched(optimizer), pytest.raises(TypeError, match="'absolute'"):
            schedule.load_state_dict(state, plan=plan)  # type: ignore[arg-type]
    assert schedule.last_epoch == 0
