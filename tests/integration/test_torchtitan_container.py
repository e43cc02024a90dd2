"""A container as in torchtitan, which saves one step and sets it on all schedulers at load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import two_groups as pair

SAVED_AT = 3


class SchedulersContainer:
    """Schedulers of several optimizers that load as torchtitan's LRSchedulersContainer does."""

    def __init__(self, optimizers: list[Any], make_scheduler: Callable[[Any], Any]) -> None:
        self.schedulers = [make_scheduler(optimizer) for optimizer in optimizers]

    def step(self) -> None:
        for scheduler in self.schedulers:
            scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        return {"last_epoch": self.schedulers[0].last_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for scheduler in self.schedulers:
            scheduler.last_epoch = state_dict["last_epoch"]
            scheduler._step_count = state_dict["last_epoch"] + 1
            scheduler._last_lr = scheduler.get_lr()


def run(optimizers: list[Any], container: Any, target: str, steps: range) -> None:
    """Take the steps, each of which begins with the values and the position of the plan."""
    for t in steps:
        expected = pair.expected(t)
        for optimizer, scheduler in zip(optimizers, container.schedulers, strict=True):
            assert pair.values_of(optimizer, target) == expected
            assert scheduler.get_last_lr() == expected
            assert scheduler.last_epoch == t
            optimizer.step()
        container.step()


@pair.calls_get_lr
@pytest.mark.parametrize("optimizer_first", [True, False])
@pytest.mark.parametrize(
    ("make_scheduler", "target"),
    [
        (pair.lambda_lr, "lr"),  # plain torch
        (pair.builtin, "lr"),
        (pair.on_weight_decay(pair.builtin), "weight_decay"),
        (pair.on_weight_decay(pair.lambda_lr), "weight_decay"),
    ],
)
def test_a_schedule_resumes_in_a_container_that_sets_the_step(
    make_scheduler: Callable[[Any], Any], target: str, optimizer_first: bool
) -> None:
    """A schedule goes on from the step and the ``_last_lr`` that such a container assigns."""
    whole, resumed = ([pair.make_optimizer(target) for _ in range(2)] for _ in range(2))
    container, other = (SchedulersContainer(each, make_scheduler) for each in (whole, resumed))
    run(whole, container, target, range(SAVED_AT))
    pairs = [(other, container), *zip(resumed, whole, strict=True)]
    for new, saved in reversed(pairs) if optimizer_first else pairs:
        new.load_state_dict(saved.state_dict())
    run(resumed, other, target, range(SAVED_AT, pair.STEPS))
