"""Ignite: a schedule as an event handler, and in a Checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint, DiskSaver, LRScheduler
from torch.optim.lr_scheduler import LambdaLR
from training_plan import (
    STEPS,
    assert_on_plan,
    clip_gradients,
    held,
    lr_schedule,
    make_optimizer,
    other_schedules,
)

import torch_schedule_anything as tsa

DATA = torch.randn(STEPS, 8, 4, generator=torch.Generator().manual_seed(1))


def make_run() -> tuple[dict[str, Any], dict[int, dict[str, list[float]]]]:
    """What a Checkpoint keeps, and the values before each step, filled as the trainer runs."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    optimizer = make_optimizer(model[0].parameters(), model[2].parameters())
    sync = tsa.SynchronousSchedule([lr_schedule(optimizer), *other_schedules(optimizer)])
    values = {}

    def update(engine: Engine, batch: torch.Tensor) -> None:
        t = engine.state.iteration - 1
        values[t] = held(optimizer)
        optimizer.zero_grad()
        model(DATA[t]).square().mean().backward()
        clip_gradients(optimizer)
        optimizer.step()

    trainer = Engine(update)
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: sync.step())
    kept = {"trainer": trainer, "model": model, "optimizer": optimizer, "schedule": sync}
    return kept, values


def test_on_plan_and_resumes_to_the_same_weights(tmp_path: Path) -> None:
    """Values follow the plan, and a Checkpoint resumes to the uninterrupted weights."""
    whole, values = make_run()
    saver = Checkpoint(whole, DiskSaver(str(tmp_path)), n_saved=None)
    whole["trainer"].add_event_handler(Events.ITERATION_COMPLETED(once=8), saver)
    whole["trainer"].run(range(STEPS), max_epochs=1)
    assert list(values) == list(range(STEPS))
    for t, at_t in values.items():
        assert_on_plan(at_t, t)

    resumed, values_after = make_run()
    saved = torch.load(tmp_path / "checkpoint_8.pt", weights_only=True)
    Checkpoint.load_objects(resumed, saved)
    resumed["trainer"].run(range(STEPS), max_epochs=1)
    assert values_after == {t: values[t] for t in range(8, STEPS)}
    for weight, again in zip(
        whole["model"].parameters(), resumed["model"].parameters(), strict=True
    ):
        assert torch.equal(weight, again)


def test_attached_as_it_is_it_refuses_the_engine() -> None:
    """Ignite hands the engine to ``step``, which says that it is no epoch; nothing moves."""
    model = torch.nn.Linear(4, 1)
    optimizer = make_optimizer([model.weight], [model.bias])
    sync = tsa.SynchronousSchedule([lr_schedule(optimizer)])
    trainer = Engine(lambda engine, batch: optimizer.step())
    trainer.add_event_handler(Events.ITERATION_COMPLETED, sync.step)
    with pytest.raises(TypeError, match=r"epoch: .*Engine"):
        trainer.run([0])
    assert sync.last_epoch == 0


def values_under_ignites_wrapper(make: Any, read: str, value: float) -> list[float]:
    """What each of six iterations trains under, in ``LRScheduler`` of ``ignite.handlers``."""
    optimizer = torch.optim.AdamW(
        [torch.nn.Parameter(torch.ones(1))], **{"lr": 0.1, "weight_decay": 0.5, read: value}
    )
    seen = []

    def update(engine: Engine, batch: Any) -> None:
        seen.append(optimizer.param_groups[0][read])
        optimizer.step()

    trainer = Engine(update)
    trainer.add_event_handler(Events.ITERATION_STARTED, LRScheduler(make(optimizer)))
    trainer.run(range(6))
    return seen


def falling(t: float) -> float:
    return max(0.0, 1 - t / 4)


@pytest.mark.filterwarnings("ignore:To get the last learning rate computed:UserWarning")  # LambdaLR
def test_ignites_wrapper() -> None:
    """It counts and writes by itself, and asks for the values: as of torch's ``LambdaLR``."""
    expected = values_under_ignites_wrapper(lambda o: LambdaLR(o, falling), "lr", 0.25)
    assert expected == [0.25, 0.1875, 0.125, 0.0625, 0.0, 0.0]

    def ours(optimizer: Any) -> Any:
        return tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.0, 0, 4)

    assert values_under_ignites_wrapper(ours, "lr", 0.25) == expected
    through_the_factory = values_under_ignites_wrapper(
        lambda o: tsa.arbitrary_schedule_factory(o, ours, schedule_target="weight_decay"),
        "weight_decay",
        0.25,
    )
    assert through_the_factory == expected


def test_ignites_wrapper_around_another_target() -> None:
    """It would write the decay into the learning rate."""
    with pytest.raises(RuntimeError, match=r"get_lr: .*'weight_decay'"):
        values_under_ignites_wrapper(
            lambda o: tsa.linear_schedule_with_warmup(o, 1.0, 0.0, 0, 4, "weight_decay"), "lr", 0.25
        )
