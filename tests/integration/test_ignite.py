"""Ignite: a schedule as an event handler, in a Checkpoint, and in Ignite's own wrapper."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import training_plan as plan
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint, DiskSaver, LRScheduler
from torch.optim.lr_scheduler import LambdaLR, StepLR
from two_groups import INITIAL_VALUES, make_optimizer, on_weight_decay, run, values_of

import torch_schedule_anything as tsa

DATA = torch.randn(plan.STEPS, 8, 4, generator=torch.Generator().manual_seed(1))


def make_run() -> tuple[dict[str, Any], dict[int, plan.Values]]:
    """The parts that a Checkpoint saves, and a dict that the trainer fills with the values."""
    model, optimizer = plan.make_model_and_optimizer()
    schedule = plan.make_schedule(optimizer)
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
    (whole, values_by_step), (resumed, later) = make_run(), make_run()
    saver = Checkpoint(whole, DiskSaver(str(tmp_path)), n_saved=None)
    whole["trainer"].add_event_handler(Events.ITERATION_COMPLETED(once=plan.SAVED_AT), saver)
    whole["trainer"].run(range(plan.STEPS), max_epochs=1)
    plan.assert_run_on_plan(values_by_step)

    saved = torch.load(tmp_path / f"checkpoint_{plan.SAVED_AT}.pt", weights_only=True)
    Checkpoint.load_objects(resumed, saved)
    resumed["trainer"].run(range(plan.STEPS), max_epochs=1)
    plan.assert_resumed(
        (later, resumed["model"].state_dict()), (values_by_step, whole["model"].state_dict())
    )


def test_a_step_that_is_attached_as_a_handler_refuses_the_engine() -> None:
    """A bound ``step`` used as a handler gets Ignite's engine as its epoch, and refuses it."""
    optimizer = make_optimizer("lr")
    schedule = tsa.SynchronousSchedule([plan.lr_schedule(optimizer)])
    trainer = Engine(lambda engine, batch: optimizer.step())
    trainer.add_event_handler(Events.ITERATION_COMPLETED, schedule.step)
    with pytest.raises(TypeError, match=r"epoch: .*Engine"):
        trainer.run([0])
    assert schedule.last_epoch == 0


# -- Ignite's wrapper, which writes ``get_lr()`` itself, and its simulation ------------------------


def lambda_lr(optimizer: Any) -> LambdaLR:
    return LambdaLR(optimizer, lambda t: max(0.0, 1 - t / 4))


def linear_to_zero(optimizer: Any, schedule_target: str = "lr") -> Any:
    return tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.0, 0, 4, schedule_target)


def step_lr(optimizer: Any) -> StepLR:
    return StepLR(optimizer, 2, 0.5)


def values_in_ignites_wrapper(make_schedule: Callable[[Any], Any], target: str) -> Any:
    """Six iterations run with the schedule in Ignite's LRScheduler; returns the target's values."""
    optimizer = make_optimizer(target)
    values = []

    def update(engine: Engine, batch: int) -> None:
        values.append(values_of(optimizer, target))
        optimizer.step()

    trainer = Engine(update)
    trainer.add_event_handler(Events.ITERATION_STARTED, LRScheduler(make_schedule(optimizer)))
    trainer.run(range(6))
    return values


# Ignite's wrapper calls get_lr outside of step, and torch's LambdaLR then warns.
@pytest.mark.filterwarnings("ignore:To get the last learning rate computed:UserWarning")
@pytest.mark.parametrize(
    ("make_schedule", "target"),
    [
        (lambda_lr, "lr"),  # plain torch
        (linear_to_zero, "lr"),
        (on_weight_decay(linear_to_zero), "weight_decay"),
    ],
)
def test_ignites_wrapper_gives_the_values_of_a_lambda_lr(make_schedule: Any, target: str) -> None:
    """So does ``simulate_values`` before the run, which then starts from step 0."""
    expected = [
        [initial * multiple for initial in INITIAL_VALUES]
        for multiple in (1, 0.75, 0.5, 0.25, 0.0, 0.0)
    ]
    assert values_in_ignites_wrapper(make_schedule, target) == expected
    optimizer = make_optimizer(target)
    schedule = make_schedule(optimizer)
    simulated = LRScheduler.simulate_values(6, schedule)
    assert simulated == [[i, *row] for i, row in enumerate(expected)]
    assert run(optimizer, schedule, target, 6) == expected


def test_ignites_wrapper_around_a_schedule_of_another_target_is_refused() -> None:
    """Ignite's LRScheduler would write a weight decay into ``lr``, so ``get_lr`` raises."""
    with pytest.raises(RuntimeError, match=r"get_lr: .*'weight_decay'"):
        values_in_ignites_wrapper(lambda o: linear_to_zero(o, "weight_decay"), "lr")


@pytest.mark.parametrize("start", [0, 3])
@pytest.mark.parametrize("target", ["lr", "weight_decay"])
def test_ignites_simulation_gives_the_values_of_the_run(target: str, start: int) -> None:
    """``simulate_values`` of a factory schedule, new or in a run, gives the next ones, undone."""
    optimizer = make_optimizer(target)
    schedule = tsa.arbitrary_schedule_factory(optimizer, step_lr, schedule_target=target)
    for parameter in (group["params"][0] for group in optimizer.param_groups):
        parameter.grad = torch.ones(1)  # so that the optimizer has a state to restore
    run(optimizer, schedule, target, start)
    expected = [
        [initial * 0.5 ** (t // 2) for initial in INITIAL_VALUES] for t in range(start, start + 8)
    ]
    before = copy.deepcopy((optimizer.state_dict(), schedule.state_dict()))
    simulated = LRScheduler.simulate_values(8, schedule)
    assert simulated == [[i, *row] for i, row in enumerate(expected)]
    after = (optimizer.state_dict(), schedule.state_dict())
    torch.testing.assert_close(after, before, rtol=0, atol=0)
    assert run(optimizer, schedule, target, 8) == expected
