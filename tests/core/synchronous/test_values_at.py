"""``SynchronousSchedule.values_at`` gives the values of all members at a position, by name."""

from __future__ import annotations

import copy
import math
import threading
from typing import Any

import pytest
import torch
from helpers import (
    Untouched,
    adamw,
    add_group,
    advance,
    halving,
    held,
    plateau,
    put,
    put_curve,
    same,
    sgd,
)
from torch.optim.lr_scheduler import LambdaLR

from tsa_core import CurveSchedule, DerivedSchedule, SynchronousSchedule


def square(x: float) -> float:
    return x * x


def two_optimizers() -> SynchronousSchedule:
    """A chain whose last link stands first, on two groups; and the same names on another one."""
    a = adamw({"lr": 0.5, "eps": 0.125}, {"lr": 0.25, "eps": 0.25, "weight_decay": 0.5})
    b = adamw({"lr": 2.0, "weight_decay": 0.25})
    return SynchronousSchedule(
        {
            "a": [
                DerivedSchedule(a, square, "eps", of="weight_decay"),
                DerivedSchedule(a, square, "weight_decay"),
                put_curve(a),
            ],
            "b": [put_curve(b), DerivedSchedule(b, same, "weight_decay", absolute=True)],
        }
    )


@pytest.mark.parametrize("t", [0, 3, 0.5, 10**11])
def test_derived_members_are_computed_from_what_their_sources_will_have(
    t: float, untouched: Untouched
) -> None:
    """A chain follows its source to any position, in each optimizer; nothing moves."""
    sync = two_optimizers()
    advance(sync, 2)
    state = copy.deepcopy(sync.state_dict())
    with untouched(sync.optimizers["a"]), untouched(sync.optimizers["b"]):
        values = sync.values_at(t)
    assert sync.state_dict() == state
    assert [*values] == sync.schedule_names
    multiple = 0.5**t
    assert values == {
        "a/eps": [0.125 * square(square(multiple)), 0.25 * square(square(multiple))],
        "a/weight_decay": [0.01 * square(multiple), 0.5 * square(multiple)],
        "a/lr": [0.5 * multiple, 0.25 * multiple],
        "b/lr": [2.0 * multiple],
        "b/weight_decay": [2.0 * multiple],
    }


def test_the_values_ahead_are_those_of_the_run() -> None:
    """Tensors round the sources, groups join and are left alone: a step gives the same values."""
    lr = torch.tensor(0.3, dtype=torch.float16)
    optimizer = adamw({"name": "a"}, {"name": "b", "lr": 0.1, "eps": None}, lr=lr)
    derived = DerivedSchedule(
        optimizer, lambda lr: lr / 3, "eps", absolute=True, where=lambda g: g.get("name") != "b"
    )
    sync = SynchronousSchedule([derived, CurveSchedule(optimizer, lambda t: 1 / (1 + t))])
    advance(sync)
    add_group(optimizer, lr=0.7)
    for t in (2, 5, 5.5):
        ahead = sync.values_at(t)
        assert ahead["eps"][1] is None
        sync.step(t)
        assert sync.get_last_schedule("eps") == ahead["eps"]
        assert [float(each) for each in held(optimizer)] == [
            torch.tensor(ahead["lr"][0], dtype=torch.float16).item(),
            *ahead["lr"][1:],
        ]


def test_a_source_that_is_no_member_counts_as_it_is() -> None:
    """A member derived from a value that nobody schedules is computed from the present one."""
    optimizer = adamw({"lr": 0.5, "weight_decay": 0.25})
    sync = SynchronousSchedule([DerivedSchedule(optimizer, same, "weight_decay")])
    optimizer.param_groups[0]["lr"] = 0.25
    assert sync.values_at(7) == {"weight_decay": [0.125]}
    assert held(optimizer, "weight_decay") == [0.25]


@pytest.mark.parametrize("make", [put, plateau, lambda o: LambdaLR(o, halving)])
def test_a_member_that_cannot_be_sent_there_is_named(make: Any) -> None:
    """A torch scheduler steps from where it stands; the others can be asked alone."""
    optimizer = sgd(weight_decay=0.25)
    sync = SynchronousSchedule([make(optimizer), put_curve(optimizer, "weight_decay")])
    kind = type(sync.schedules["lr"]).__name__
    with pytest.raises(TypeError, match=rf"values_at: .* 'lr' \({kind}\) cannot .*, because "):
        sync.values_at(3)
    assert sync.schedules["weight_decay"].values_at(3) == [0.25 / 8]


@pytest.mark.parametrize(
    ("t", "error"), [(-1, ValueError), (math.nan, ValueError), ("3", TypeError), (True, TypeError)]
)
def test_a_position_that_is_none_is_refused(t: Any, error: Any) -> None:
    """A position is a real number ≥ 0."""
    with pytest.raises(error, match=r"^t: .*a step, 0 or later"):
        two_optimizers().values_at(t)


def test_another_thread_can_read_while_the_run_steps() -> None:
    """A reader changes nothing that a step needs, also where groups join."""
    sync = two_optimizers()
    done, failures = threading.Event(), []

    def read() -> None:
        while not done.is_set():
            try:
                assert sync.values_at(1)["b/lr"] == [1.0]
            except Exception as error:  # a thread would swallow it
                failures.append(error)
                return

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(300):
        if i % 100 == 50:
            add_group(sync.optimizers["a"], lr=0.5)
        advance(sync)
    done.set()
    reader.join()
    assert not failures
    assert sync.get_last_schedule("a/lr")[0] == 0.5 * 0.5**300
