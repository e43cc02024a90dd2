"""``SynchronousSchedule.values_at`` gives the values of all members at a position, by name.

``test_clock_of_each.py`` asks it at any time in any run.
"""

from __future__ import annotations

import math
import threading
from typing import Any

import pytest
import torch
from helpers import (
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
        SynchronousSchedule([put_curve(sgd())]).values_at(t)


def test_another_thread_can_read_while_the_run_steps() -> None:
    """A reader changes nothing that a step needs, also where groups join."""
    a, b = adamw({"lr": 0.5}, {"lr": 0.25}), adamw({"lr": 2.0})
    derived = DerivedSchedule(a, same, "weight_decay")
    sync = SynchronousSchedule({"a": [derived, put_curve(a)], "b": [put_curve(b)]})
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
            add_group(a, lr=0.5)
        advance(sync)
    done.set()
    reader.join()
    assert not failures
    assert sync.get_last_schedule("a/lr")[0] == 0.5 * 0.5**300
