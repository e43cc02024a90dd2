"""A curve schedule inside torch's compound schedulers is a scheduler like any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import Parameter
from torch.optim.lr_scheduler import ChainedScheduler, ExponentialLR, LambdaLR, SequentialLR

import tsa_core

# torch < 2.9 warns of its own SequentialLR, which passes itself a deprecated epoch.
pytestmark = pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step:UserWarning")

Part = Callable[[Any, Callable[[float], float]], Any]


def warm_up(t: float) -> float:
    return min(t, 4) / 4


def halving(t: float) -> float:
    return 0.5**t


def first_ours(optimizer: Any, part: Part) -> Any:
    return SequentialLR(optimizer, [part(optimizer, warm_up), ExponentialLR(optimizer, 0.9)], [4])


def last_ours(optimizer: Any, part: Part) -> Any:
    return SequentialLR(optimizer, [ExponentialLR(optimizer, 0.9), part(optimizer, halving)], [3])


def all_ours(optimizer: Any, part: Part) -> Any:
    parts = [part(optimizer, warm_up), part(optimizer, halving), part(optimizer, warm_up)]
    return SequentialLR(optimizer, parts, [4, 7])


def chained(optimizer: Any, part: Part) -> Any:
    return ChainedScheduler([part(optimizer, warm_up), ExponentialLR(optimizer, 0.9)])


def chained_in_sequence(optimizer: Any, part: Part) -> Any:
    inner = ChainedScheduler([part(optimizer, halving)])
    return SequentialLR(optimizer, [ExponentialLR(optimizer, 0.9), inner], [20])


COMPOUNDS = [first_ours, last_ours, all_ours, chained]
if hasattr(SequentialLR, "recursive_undo"):  # before, it cannot hold a ChainedScheduler
    COMPOUNDS.append(chained_in_sequence)


def reference(compound: Any, initial: float, steps: int) -> list[float]:
    """What torch gives with its own LambdaLR in the place of a curve schedule."""
    optimizer = torch.optim.SGD([Parameter(torch.ones(1))], lr=initial)
    schedule = compound(optimizer, LambdaLR)
    values = []
    for _ in range(steps):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return values


def optimizer_with(value: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        [{"params": [Parameter(torch.ones(1))], "betas": (value, 0.99), "clip": value}],
        lr=value,
        weight_decay=value,
    )


@pytest.mark.parametrize("compound", COMPOUNDS)
@pytest.mark.parametrize("target", ["lr", "weight_decay", "clip", "betas[0]"])
def test_on_a_proxy(compound: Any, target: str) -> None:
    """For any target, built in one factory call."""
    optimizer = optimizer_with(0.7)
    schedule = tsa_core.arbitrary_schedule_factory(
        optimizer,
        lambda proxy: compound(proxy, tsa_core.CurveSchedule),
        schedule_target=target,
    )
    values = []
    for _ in range(11):
        values.append(float(schedule.optimizer.param_groups[0]["lr"]))
        assert schedule.get_last_lr() == [values[-1]]
        optimizer.step()
        schedule.step()
    assert values == reference(compound, 0.7, 11)


@pytest.mark.parametrize("compound", COMPOUNDS)
def test_on_the_optimizer_itself(compound: Any) -> None:
    """For lr, beside torch's schedulers on the plain optimizer."""
    optimizer = optimizer_with(0.7)
    schedule = compound(optimizer, tsa_core.CurveSchedule)
    values = []
    for _ in range(11):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert values == reference(compound, 0.7, 11)


def test_a_part_that_was_stepped_before_starts_anew_at_its_milestone() -> None:
    """As torch's do: SequentialLR sends it to step 0."""

    def values(part: Any) -> list[float]:
        optimizer = torch.optim.SGD([Parameter(torch.ones(1))], lr=0.5)
        second = part(optimizer, halving)
        optimizer.step(), second.step(), second.step()
        schedule = SequentialLR(optimizer, [ExponentialLR(optimizer, 0.9), second], [2])
        seen = []
        for _ in range(5):
            seen.append(optimizer.param_groups[0]["lr"])
            optimizer.step(), schedule.step()
        return seen

    assert values(tsa_core.CurveSchedule) == values(LambdaLR)


def test_a_curve_on_a_proxy_is_called_by_the_proxys_target() -> None:
    """In warnings and errors it is what the user calls it, and there is one of each."""
    optimizer = torch.optim.AdamW([Parameter(torch.ones(1))], lr=0.1, weight_decay=0.0)

    def put(curve: Callable[[float], float], **options: Any) -> Any:
        return tsa_core.arbitrary_schedule_factory(
            optimizer, lambda proxy: tsa_core.CurveSchedule(proxy, curve), **options
        )

    with pytest.warns(UserWarning, match="'weight_decay' starts at 0") as caught:
        put(halving, schedule_target="weight_decay")
    assert len(caught) == 1
    with pytest.raises(ValueError, match="multiplier of 'clip' at step 0: nan"):
        put(lambda t: float("nan"), schedule_target="clip", default_value=1.0)
    schedule = put(halving, schedule_target="clip", default_value=1.0)
    with pytest.warns(UserWarning, match="this schedule of 'clip'"):
        schedule.step()


def test_a_captured_learning_rate_is_no_affair_of_another_target() -> None:
    """What the optimizer's step never reads, a captured step need not see."""
    lr = torch.tensor(0.1)
    optimizer = torch.optim.AdamW([Parameter(torch.ones(1))], lr=lr, capturable=True)
    tsa_core.arbitrary_schedule_factory(
        optimizer,
        lambda proxy: tsa_core.CurveSchedule(proxy, halving),
        default_value=1.0,
        schedule_target="clip",
    )
