"""Schedulers of timm, which are not LRSchedulers: the loop passes an epoch and a metric."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import two_groups as pair
from timm.scheduler import CosineLRScheduler, PlateauLRScheduler

import torch_schedule_anything as tsa

METRICS = [1.0, 0.9, 0.95, 0.9, 0.91, 0.8, 0.85, 0.9, 0.92, 0.95]  # one per epoch
EPOCHS = len(METRICS)


def cosine(optimizer: Any, **settings: Any) -> CosineLRScheduler:
    return CosineLRScheduler(optimizer, t_initial=EPOCHS, lr_min=0.01, warmup_t=3, **settings)


def plateau(optimizer: Any) -> PlateauLRScheduler:
    return PlateauLRScheduler(optimizer, decay_rate=0.5, patience_t=1, warmup_t=3, mode="min")


@pytest.mark.filterwarnings("ignore:PlateauLRScheduler is deprecated:FutureWarning")
@pytest.mark.parametrize("scheduler", [cosine, plateau])
def test_a_timm_member_gets_the_epoch_and_the_metric(scheduler: Callable[[Any], Any]) -> None:
    """A timm member gives the numbers that it gives a plain lr; a built-in takes no metric."""
    reference, optimizer = pair.make_optimizer("lr"), pair.make_optimizer("weight_decay")
    on_lr, member = scheduler(reference), pair.on_weight_decay(scheduler)(optimizer)
    builtin = tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.0, 0, EPOCHS)
    schedule = tsa.SynchronousSchedule([builtin, member])
    values = []
    for epoch, metric in enumerate(METRICS, 1):
        optimizer.step()
        on_lr.step(epoch, metric=metric)
        schedule.step(epoch, metric=metric)
        values.append(pair.values_of(optimizer, "weight_decay"))
        assert values[-1] == pair.values_of(reference)
        assert pair.values_of(optimizer) == pytest.approx([pair.LR * (1 - epoch / EPOCHS)] * 2)
        assert member.metric == (metric if scheduler is cosine else None)  # a plateau keeps none
    assert len({str(row) for row in values}) > 3  # the scheduler moved
    schedule.step(EPOCHS + 1)
    assert member.metric is None

    with pytest.raises(TypeError, match="'metric'"):
        tsa.SynchronousSchedule([builtin]).step(1, metric=0.5)
    assert builtin.last_epoch == EPOCHS + 1
    assert pair.values_of(optimizer) == [0.0, 0.0]


def test_a_timm_schedule_of_updates_gives_any_target_the_numbers_of_lr() -> None:
    """A timm scheduler through the factory has its ``step_update``, and moves as on lr."""
    reference, optimizer = pair.make_optimizer("lr"), pair.make_optimizer("weight_decay")
    in_updates = partial(cosine, t_in_epochs=False)
    both = in_updates(reference), pair.on_weight_decay(in_updates)(optimizer)
    values = []
    for t in range(1, 30):
        for each in both:
            each.step_update(num_updates=t, metric=1 / t)
        values.append(pair.values_of(optimizer, "weight_decay"))
        assert values[-1] == pair.values_of(reference)
    assert len({str(row) for row in values}) > 3  # the scheduler moved
    assert pair.values_of(optimizer) == [pair.LR, pair.LR]
