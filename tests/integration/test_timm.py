"""Schedulers of timm, which are not LRSchedulers: the loop passes an epoch and a metric."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from timm.scheduler import CosineLRScheduler, PlateauLRScheduler
from two_groups import LR, make_optimizer, on_weight_decay, values_of

import torch_schedule_anything as tsa

METRICS = [1.0, 0.9, 0.95, 0.9, 0.91, 0.8, 0.85, 0.9, 0.92, 0.95]  # one per epoch
EPOCHS = len(METRICS)


def cosine(optimizer: Any, **settings: Any) -> CosineLRScheduler:
    return CosineLRScheduler(optimizer, t_initial=EPOCHS, lr_min=0.01, warmup_t=3, **settings)


def plateau(optimizer: Any) -> PlateauLRScheduler:
    return PlateauLRScheduler(optimizer, decay_rate=0.5, patience_t=1, warmup_t=3, mode="min")


def make(scheduler: Callable[[Any], Any]) -> tuple[Any, Any, Any, Any]:
    """A scheduler on the lr of its optimizer, and one on the weight decay of another."""
    reference, optimizer = make_optimizer("lr"), make_optimizer("weight_decay")
    return reference, scheduler(reference), optimizer, on_weight_decay(scheduler)(optimizer)


@pytest.mark.filterwarnings("ignore:PlateauLRScheduler is deprecated:FutureWarning")
@pytest.mark.parametrize("scheduler", [cosine, plateau])
def test_a_timm_member_gets_the_epoch_and_the_metric(scheduler: Callable[[Any], Any]) -> None:
    """A timm member gives the numbers that it gives a plain lr; a built-in takes no metric."""
    reference, on_lr, optimizer, member = make(scheduler)
    builtin = tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.0, 0, EPOCHS)
    schedule = tsa.SynchronousSchedule([builtin, member])
    values = []
    for epoch, metric in enumerate(METRICS, 1):
        optimizer.step()
        on_lr.step(epoch, metric=metric)
        schedule.step(epoch, metric=metric)
        values.append(values_of(optimizer, "weight_decay"))
        assert values[-1] == values_of(reference)
        assert values_of(optimizer) == pytest.approx([LR * (1 - epoch / EPOCHS)] * 2)
        assert member.metric == (metric if scheduler is cosine else None)  # a plateau keeps none
    assert len({str(row) for row in values}) > 3  # the scheduler moved
    schedule.step(EPOCHS + 1)
    assert member.metric is None

    with pytest.raises(TypeError, match="'metric'"):
        tsa.SynchronousSchedule([builtin]).step(1, metric=0.5)
    assert builtin.last_epoch == EPOCHS + 1
    assert values_of(optimizer) == [0.0, 0.0]


@pytest.mark.parametrize("t_in_epochs", [True, False])
def test_a_timm_schedule_gives_any_target_the_numbers_of_lr(t_in_epochs: bool) -> None:
    """A timm scheduler through the factory, stepped by epochs or by updates, moves as on lr."""
    reference, on_lr, optimizer, schedule = make(lambda o: cosine(o, t_in_epochs=t_in_epochs))
    values = []
    for t in range(1, 30):
        for either in (on_lr, schedule):
            if t_in_epochs:
                either.step(t)
            else:
                either.step_update(num_updates=t, metric=1 / t)
        values.append(values_of(optimizer, "weight_decay"))
        assert values[-1] == values_of(reference)
    assert len({str(row) for row in values}) > 3  # the scheduler moved
    assert values_of(optimizer) == [LR, LR]
