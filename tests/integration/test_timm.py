"""Schedulers of timm, which are not LRSchedulers: the loop passes an epoch and a metric."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from timm.scheduler import CosineLRScheduler, PlateauLRScheduler
from two_groups import LR, make_optimizer, values_of

import torch_schedule_anything as tsa

METRICS = [1.0, 0.9, 0.95, 0.9, 0.91, 0.8, 0.85, 0.9, 0.92, 0.95]  # one per epoch
EPOCHS = len(METRICS)

SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    "CosineLRScheduler": lambda o: CosineLRScheduler(o, t_initial=EPOCHS, lr_min=0.01, warmup_t=3),
    "PlateauLRScheduler": lambda o: PlateauLRScheduler(
        o, decay_rate=0.5, patience_t=1, warmup_t=3, mode="min"
    ),
}

pytestmark = pytest.mark.filterwarnings("ignore:PlateauLRScheduler is deprecated:FutureWarning")


def values_of_plain_timm(name: str) -> list[list[float]]:
    """The lr of a timm scheduler on a plain optimizer, after each epoch of timm's loop."""
    optimizer = make_optimizer("lr")
    scheduler = SCHEDULERS[name](optimizer)
    values = []
    for epoch, metric in enumerate(METRICS, 1):
        scheduler.step(epoch, metric=metric)
        values.append(values_of(optimizer, "lr"))
    return values


def on_weight_decay(optimizer: Any, name: str) -> Any:
    return tsa.arbitrary_schedule_factory(
        optimizer, SCHEDULERS[name], schedule_target="weight_decay"
    )


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_timm_member_gets_the_epoch_and_the_metric(name: str) -> None:
    """A timm member of a SynchronousSchedule gives the numbers that it gives a plain lr."""
    optimizer = make_optimizer("weight_decay")
    member = on_weight_decay(optimizer, name)
    schedule = tsa.SynchronousSchedule(
        [tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.0, 0, EPOCHS), member]
    )
    values = []
    for epoch, metric in enumerate(METRICS, 1):
        optimizer.step()
        schedule.step(epoch, metric=metric)
        values.append(values_of(optimizer, "weight_decay"))
        assert values_of(optimizer, "lr") == pytest.approx([LR * (1 - epoch / EPOCHS)] * 2)
    expected = values_of_plain_timm(name)
    assert values == expected
    assert len({str(row) for row in expected}) > 3  # the scheduler moved


def test_a_timm_member_keeps_the_metric_that_it_was_stepped_with() -> None:
    """The metric reaches ``step`` of a timm member, and no member that does not take it."""
    optimizer = make_optimizer("weight_decay")
    member = on_weight_decay(optimizer, "CosineLRScheduler")
    builtin = tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.0, 0, EPOCHS)
    schedule = tsa.SynchronousSchedule([member, builtin])
    optimizer.step()
    schedule.step(1, metric=0.75)
    assert member.metric == 0.75
    assert builtin.last_epoch == 1
    schedule.step(2)
    assert member.metric is None


def test_a_metric_that_no_member_takes_is_refused() -> None:
    """A ``metric`` raises if no member takes it, and nothing has moved."""
    optimizer = make_optimizer("weight_decay")
    schedule = tsa.SynchronousSchedule(
        [tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.0, 0, EPOCHS)]
    )
    optimizer.step()
    with pytest.raises(TypeError, match="'metric'"):
        schedule.step(1, metric=0.5)
    assert schedule.last_epoch == 0
    assert values_of(optimizer, "lr") == [LR, LR]


@pytest.mark.parametrize("t_in_epochs", [True, False])
def test_a_timm_schedule_gives_any_target_the_numbers_of_lr(t_in_epochs: bool) -> None:
    """A timm scheduler through the factory, stepped by epochs or by updates, moves as on lr."""

    def cosine(optimizer: Any) -> CosineLRScheduler:
        return CosineLRScheduler(optimizer, 20, lr_min=0.01, warmup_t=4, t_in_epochs=t_in_epochs)

    reference, optimizer = make_optimizer("lr"), make_optimizer("weight_decay")
    reference_schedule = cosine(reference)
    schedule = tsa.arbitrary_schedule_factory(optimizer, cosine, schedule_target="weight_decay")
    values = []
    for t in range(1, 30):
        for either in (reference_schedule, schedule):
            if t_in_epochs:
                either.step(t)
            else:
                either.step_update(num_updates=t, metric=1 / t)
        values.append(values_of(optimizer, "weight_decay"))
        assert values[-1] == values_of(reference, "lr")
    assert len({str(row) for row in values}) > 3  # the scheduler moved
    assert values_of(optimizer, "lr") == [LR, LR]
