"""Ignite: a schedule as an event handler, in a Checkpoint, and in Ignite's own wrapper."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import training_plan as plan
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint, DiskSaver, LRScheduler
from torch.optim.lr_scheduler import LambdaLR

import torch_schedule_anything as tsa

SAVED_AT = 8
DATA = torch.randn(plan.STEPS, 8, 4, generator=torch.Generator().manual_seed(1))


def make_run() -> tuple[dict[str, Any], dict[int, dict[str, list[float]]]]:
    """The parts that a Checkpoint saves, and a dict that the trainer fills with the values."""
    model, optimizer, schedule = plan.make_parts()
    values_by_step = {}

    def update(engine: Engine, batch: int) -> None:
        t = engine.state.iteration - 1
        values_by_step[t] = plan.values_of(optimizer)
        optimizer.zero_grad()
        model(DATA[t]).square().mean().backward()
        plan.clip_gradients(optimizer)
        optimizer.step()

    trainer = Engine(update)
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: schedule.step())
    parts = {"trainer": trainer, "model": model, "optimizer": optimizer, "schedule": schedule}
    return parts, values_by_step


def test_an_ignite_run_stays_on_the_plan_and_resumes_to_the_same_weights(tmp_path: Path) -> None:
    """Under Ignite values follow the plan, and a Checkpoint resumes to the same weights."""
    whole, values_by_step = make_run()
    saver = Checkpoint(whole, DiskSaver(str(tmp_path)), n_saved=None)
    whole["trainer"].add_event_handler(Events.ITERATION_COMPLETED(once=SAVED_AT), saver)
    whole["trainer"].run(range(plan.STEPS), max_epochs=1)
    plan.assert_run_on_plan(values_by_step)

    resumed, values_after = make_run()
    saved = torch.load(tmp_path / f"checkpoint_{SAVED_AT}.pt", weights_only=True)
    Checkpoint.load_objects(resumed, saved)
    resumed["trainer"].run(range(plan.STEPS), max_epochs=1)
    assert values_after == {t: values_by_step[t] for t in range(SAVED_AT, plan.STEPS)}
    plan.assert_same_weights(whole["model"], resumed["model"])


def test_a_step_that_is_attached_as_a_handler_refuses_the_engine() -> None:
    """A bound ``step`` used as a handler gets Ignite's engine as its epoch, and refuses it."""
    model = torch.nn.Linear(4, 1)
    optimizer = plan.make_optimizer([model.weight], [model.bias])
    schedule = tsa.SynchronousSchedule([plan.lr_schedule(optimizer)])
    trainer = Engine(lambda engine, batch: optimizer.step())
    trainer.add_event_handler(Events.ITERATION_COMPLETED, schedule.step)
    with pytest.raises(TypeError, match=r"epoch: .*Engine"):
        trainer.run([0])
    assert schedule.last_epoch == 0


def values_in_ignites_wrapper(
    make_schedule: Callable[[Any], Any], target: str, initial_value: float
) -> list[float]:
    """Six iterations run with the schedule in Ignite's LRScheduler; returns the target's values."""
    settings = {"lr": 0.1, "weight_decay": 0.5, target: initial_value}
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))], **settings)
    values = []

    def update(engine: Engine, batch: int) -> None:
        values.append(optimizer.param_groups[0][target])
        optimizer.step()

    trainer = Engine(update)
    trainer.add_event_handler(Events.ITERATION_STARTED, LRScheduler(make_schedule(optimizer)))
    trainer.run(range(6))
    return values


def linear_to_zero(optimizer: Any, schedule_target: str = "lr") -> Any:
    return tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.0, 0, 4, schedule_target)


# Ignite's wrapper calls get_lr outside of step, and torch's LambdaLR then warns.
@pytest.mark.filterwarnings("ignore:To get the last learning rate computed:UserWarning")
def test_ignites_wrapper_gives_the_values_of_a_lambda_lr() -> None:
    """Ignite's LRScheduler, which writes ``get_lr()`` itself, works around our schedules."""

    def lambda_lr(optimizer: Any) -> LambdaLR:
        return LambdaLR(optimizer, lambda t: max(0.0, 1 - t / 4))

    expected = values_in_ignites_wrapper(lambda_lr, "lr", 0.25)
    assert expected == [0.25, 0.1875, 0.125, 0.0625, 0.0, 0.0]
    assert values_in_ignites_wrapper(linear_to_zero, "lr", 0.25) == expected

    def through_the_factory(optimizer: Any) -> Any:
        return tsa.arbitrary_schedule_factory(
            optimizer, linear_to_zero, schedule_target="weight_decay"
        )

    assert values_in_ignites_wrapper(through_the_factory, "weight_decay", 0.25) == expected


def test_ignites_wrapper_around_a_schedule_of_another_target_is_refused() -> None:
    """Ignite's LRScheduler would write a weight decay into ``lr``, so ``get_lr`` raises."""
    with pytest.raises(RuntimeError, match=r"get_lr: .*'weight_decay'"):
        values_in_ignites_wrapper(
            lambda optimizer: linear_to_zero(optimizer, "weight_decay"), "lr", 0.25
        )
