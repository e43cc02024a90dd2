"""Ignite: a step as an event handler, Ignite's wrapper of schedulers, and its simulation."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import two_groups as pair
from ignite.engine import Engine, Events
from ignite.handlers import LRScheduler
from torch.optim.lr_scheduler import StepLR

import torch_schedule_anything as tsa


def test_a_step_that_is_attached_as_a_handler_refuses_the_engine() -> None:
    """A bound ``step`` used as a handler gets Ignite's engine as its epoch, and refuses it."""
    optimizer = pair.make_optimizer("lr")
    schedule = tsa.SynchronousSchedule([pair.builtin(optimizer)])
    trainer = Engine(lambda engine, batch: optimizer.step())
    trainer.add_event_handler(Events.ITERATION_COMPLETED, schedule.step)
    with pytest.raises(TypeError, match=r"epoch: .*Engine"):
        trainer.run([0])
    assert schedule.last_epoch == 0


def values_in_ignites_wrapper(make_schedule: Callable[[Any], Any], target: str) -> Any:
    """The wrapper writes ``get_lr()`` into the groups itself."""
    optimizer = pair.make_optimizer(target)
    values = []

    def update(engine: Engine, batch: int) -> None:
        values.append(pair.values_of(optimizer, target))
        optimizer.step()

    trainer = Engine(update)
    trainer.add_event_handler(Events.ITERATION_STARTED, LRScheduler(make_schedule(optimizer)))
    trainer.run(range(pair.STEPS))
    return values


def step_lr(optimizer: Any) -> StepLR:
    return StepLR(optimizer, 2, 0.5)


@pair.calls_get_lr
@pytest.mark.parametrize("start", [0, 3])
@pytest.mark.parametrize(
    ("make_schedule", "target", "plain"),
    [
        (pair.lambda_lr, "lr", pair.lambda_lr),
        (pair.builtin, "lr", pair.lambda_lr),
        (pair.on_weight_decay(pair.builtin), "weight_decay", pair.lambda_lr),
        (pair.on_weight_decay(step_lr), "weight_decay", step_lr),
    ],
)
def test_ignites_wrapper_and_its_simulation_give_the_values_of_the_run(
    make_schedule: Any, target: str, plain: Any, start: int
) -> None:
    """``simulate_values`` of a schedule, new or in a run, gives the next ones, undone."""
    reference, optimizer = pair.make_optimizer("lr"), pair.make_optimizer(target)
    expected = pair.run(reference, plain(reference), "lr", start + pair.STEPS)
    assert values_in_ignites_wrapper(make_schedule, target) == expected[: pair.STEPS]

    schedule = make_schedule(optimizer)
    for parameter in (group["params"][0] for group in optimizer.param_groups):
        parameter.grad = torch.ones(1)  # so that the optimizer has a state to restore
    pair.run(optimizer, schedule, target, start)
    before = copy.deepcopy((optimizer.state_dict(), schedule.state_dict()))
    simulated = LRScheduler.simulate_values(pair.STEPS, schedule)
    assert simulated == [[i, *row] for i, row in enumerate(expected[start:])]
    torch.testing.assert_close(optimizer.state_dict(), before[0], rtol=0, atol=0)
    assert schedule.state_dict() == before[1]
    assert pair.run(optimizer, schedule, target) == expected[start:]


def test_ignites_wrapper_around_a_schedule_of_another_target_is_refused() -> None:
    """Ignite's LRScheduler would write a weight decay into ``lr``, so ``get_lr`` raises."""
    with pytest.raises(RuntimeError, match=r"get_lr: .*'weight_decay'"):
        values_in_ignites_wrapper(lambda o: pair.builtin(o, "weight_decay"), "lr")
