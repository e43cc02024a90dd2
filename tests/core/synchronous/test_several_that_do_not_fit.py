"""Members that were probably meant otherwise, tensors of two optimizers, and names in a hurry."""

from __future__ import annotations

import pytest
import torch
from helpers import adamw, halving, held, put_curve, same, sgd

from tsa_core import CurveSchedule, DerivedSchedule, SynchronousSchedule


@pytest.mark.parametrize(("source", "derived"), [(False, False), (True, True), (False, True)])
def test_values_and_multiples_that_go_together_are_silent(source: bool, derived: bool) -> None:
    """Only multiples of absolute values are doubted."""
    optimizer = adamw(lr=0.5)
    SynchronousSchedule(
        [
            CurveSchedule(optimizer, halving, absolute=source),
            DerivedSchedule(optimizer, same, "weight_decay", absolute=derived),
        ]
    )


def test_multiples_of_absolute_values_are_doubted_once() -> None:
    """Their unit is the value that the optimizer was made with, which a schedule then replaced."""
    optimizer = adamw(lr=0.001)
    members = [
        DerivedSchedule(optimizer, same, "weight_decay"),
        CurveSchedule(optimizer, halving, absolute=True),
    ]
    says = r"'weight_decay' derives from multiples of 'lr'.*\[0.001\].*write absolute=True"
    with pytest.warns(UserWarning, match=says) as caught:
        SynchronousSchedule(members)
    assert len(caught) == 1


def test_one_tensor_in_two_optimizers_is_refused() -> None:
    """Each schedule would fill the tensor of both."""
    lr = torch.tensor(0.5)
    first, second = put_curve(adamw(lr=lr)), put_curve(adamw(lr=lr))
    with pytest.raises(ValueError, match="'a/lr' and 'b/lr' are the same tensor"):
        SynchronousSchedule({"a": [first], "b": [second]})
    SynchronousSchedule({"a": [first], "b": [put_curve(adamw(lr=torch.tensor(0.5)))]})


def test_an_unknown_name_is_answered_everywhere() -> None:
    """``schedules[name]`` helps as ``get_last_schedule`` does."""
    sync = SynchronousSchedule([put_curve(adamw(), "weight_decay")])
    for ask in (sync.get_last_schedule, sync.schedules.__getitem__):
        with pytest.raises(KeyError, match=r"'weight_decai' here.*did you mean 'weight_decay'"):
            ask("weight_decai")
    assert list(sync.schedules) == ["weight_decay"]
    assert len(sync.schedules) == 1
    assert "lr" not in sync.schedules


def test_no_scalar_is_lost_where_names_run_together() -> None:
    """A group "b/c" of the target "a" and a group "c" of "a/b" would have one key."""
    optimizer = sgd({"name": "b/c", "a": 0.25, "a/b": 0.5}, {"name": "c", "a": 1.0, "a/b": 2.0})
    sync = SynchronousSchedule([put_curve(optimizer, "a"), put_curve(optimizer, "a/b")])
    assert sorted(sync.get_last_scalars().values()) == [0.25, 0.5, 1.0, 2.0]
    assert held(optimizer, "a/b") == [0.5, 2.0]
