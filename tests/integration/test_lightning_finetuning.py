"""Lightning's BackboneFinetuning, which adds a param group during the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from finetuned import WEIGHT_DECAY, values_of_finetuning
from lightning.pytorch.callbacks import BackboneFinetuning
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, MultiStepLR, StepLR

import torch_schedule_anything as tsa

EPOCHS = 9
UNFREEZE_AT = 4

SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    "StepLR": lambda optimizer: StepLR(optimizer, 3, 0.5),
    "MultiStepLR": lambda optimizer: MultiStepLR(optimizer, [2, 5, 7], 0.5),
    "ExponentialLR": lambda optimizer: ExponentialLR(optimizer, 0.75),
    "CosineAnnealingLR": lambda optimizer: CosineAnnealingLR(optimizer, EPOCHS, 0.01),
}


def values_of_plain_torch(make_scheduler: Callable[[Any], Any]) -> Any:
    """The lr in each epoch of a plain torch run, in which a group joins with the same lr."""
    first, second = (torch.nn.Parameter(torch.ones(1)) for _ in range(2))
    optimizer = torch.optim.SGD([first], lr=WEIGHT_DECAY)
    scheduler = make_scheduler(optimizer)
    values = []
    for epoch in range(EPOCHS):
        if epoch == UNFREEZE_AT:
            optimizer.add_param_group({"params": [second]})
        values.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return values


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_backbone_that_joins_is_driven_as_by_the_plain_scheduler(name: str) -> None:
    """Through the factory lr has its values, and weight decay those of a plain lr."""

    def on_both(optimizer: Any) -> tsa.SynchronousSchedule:
        return tsa.SynchronousSchedule(
            tsa.arbitrary_schedule_factory(optimizer, SCHEDULERS[name], schedule_target=target)
            for target in ("lr", "weight_decay")
        )

    plain, values = (
        values_of_finetuning(each, BackboneFinetuning(UNFREEZE_AT, lambda _: 1.5, 0.125), EPOCHS)
        for each in (SCHEDULERS[name], on_both)
    )
    assert values["lr"] == plain["lr"]
    assert len({lr for lr, *_ in values["lr"]}) >= 3  # the scheduler moved
    # A group that joins takes the optimizer's default: the weight decay before any schedule.
    expected = values_of_plain_torch(SCHEDULERS[name])
    assert expected[UNFREEZE_AT][1] == WEIGHT_DECAY
    assert values["weight_decay"] == expected
