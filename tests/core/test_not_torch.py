"""Anything that keeps param groups as torch does can be scheduled."""

from __future__ import annotations

from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn import Parameter
from torch.optim.lr_scheduler import ExponentialLR

import tsa_core


class Accumulating:
    """Steps its optimizer at every second call, and forwards what it does not have."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.inner = optimizer
        self.calls = 0

    def step(self) -> bool:
        self.calls += 1
        if self.calls % 2 == 0:
            self.inner.step()
        return self.calls % 2 == 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Bare:
    """Nothing but groups, without an lr among them."""

    def __init__(self) -> None:
        self.param_groups = [
            {"params": [], "temperature": 2.0},
            {"params": [], "temperature": 4.0},
        ]


class Rebuilding(Bare):
    """A new list at every look, as an optimizer of several optimizers has."""

    def __init__(self) -> None:
        self.parts = Bare().param_groups

    @property
    def param_groups(self) -> list[dict[str, Any]]:  # type: ignore[override]
        return [*self.parts]


def put_curve(optimizer: Any, target: str) -> Any:
    return tsa_core.CurveSchedule(optimizer, lambda t: 0.5**t, target)


def put_exponential(optimizer: Any, target: str) -> Any:
    return tsa_core.arbitrary_schedule_factory(
        optimizer, lambda proxy: ExponentialLR(proxy, 0.5), schedule_target=target
    )


BOTH = pytest.mark.parametrize("put", [put_curve, put_exponential])


@BOTH
def test_a_wrapper_that_forwards(put: Any) -> None:
    """Driven through the wrapper, the optimizer inside moves; `.optimizer` is the wrapper."""
    wrapper = Accumulating(torch.optim.SGD([Parameter(torch.ones(1))], lr=0.8, momentum=0.8))
    schedule = put(wrapper, "momentum")
    sync = tsa_core.SynchronousSchedule([schedule])
    assert sync.optimizer is wrapper
    for _ in range(4):
        if wrapper.step():
            sync.step()
    assert wrapper.inner.param_groups[0]["momentum"] == pytest.approx(0.2, rel=1e-12)
    assert sync.get_last_lr() == [0.8]


@BOTH
@pytest.mark.parametrize("cls", [Bare, Rebuilding])
def test_an_optimizer_without_lr(put: Any, cls: Any) -> None:
    """Its own entry is scheduled, and asking for the learning rate says that there is none."""
    optimizer = cls()
    sync = tsa_core.SynchronousSchedule([put(optimizer, "temperature")])
    sync.step()
    assert sync.get_last_schedule("temperature") == [1.0, 2.0]
    for ask in (sync.get_last_lr, lambda: sync.base_lrs):
        with pytest.raises(KeyError, match="'lr' is not in param groups 0, 1"):
            ask()


@BOTH
def test_a_group_replaced_in_a_rebuilding_list(put: Any) -> None:
    """What counts is whether the dicts are others, not the list."""
    optimizer = Rebuilding()
    schedule = put(optimizer, "temperature")
    old = optimizer.parts[0]
    optimizer.parts[0] = dict(old)
    schedule.step()
    assert schedule.get_last_lr() == [1.0, 2.0]
    assert (optimizer.parts[0]["temperature"], old["temperature"]) == (1.0, 2.0)


@BOTH
def test_a_group_that_joins_a_rebuilding_list(put: Any) -> None:
    """Seen although the list is new at every look anyway."""
    optimizer = Rebuilding()
    schedule = put(optimizer, "temperature")
    optimizer.parts.append({"params": [], "temperature": 8.0})
    if put is put_curve:
        schedule.step()
        assert schedule.get_last_lr() == [1.0, 2.0, 4.0]
    else:
        with pytest.raises(RuntimeError, match="cannot take a group that joins or leaves later"):
            schedule.step()


@BOTH
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # torch's own, at import
@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch was built without it")
def test_zero_redundancy_optimizer(put: Any, tmp_path: Any) -> None:
    """One process is enough to see that its groups are scheduled and its steps are seen."""
    from torch.distributed.optim import ZeroRedundancyOptimizer

    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1
    )
    try:
        optimizer = ZeroRedundancyOptimizer(
            [Parameter(torch.ones(1))], torch.optim.AdamW, lr=0.1, weight_decay=0.08
        )
        schedule = put(optimizer, "weight_decay")
        for _ in range(2):
            optimizer.step()
            schedule.step()
        assert optimizer.param_groups[0]["weight_decay"] == 0.02
        optimizer.step()  # hands the groups' values on to the optimizer inside
        assert optimizer.optim.param_groups[0]["weight_decay"] == 0.02
    finally:
        torch.distributed.destroy_process_group()


@BOTH
@pytest.mark.parametrize("has_defaults", [False, True])
def test_defaults_that_cannot_be_set(put: Any, has_defaults: bool) -> None:
    """They stay what they are."""
    value = torch.tensor(0.5)
    optimizer: Any = SimpleNamespace(
        param_groups=[{"params": [], "lr": value}],
        defaults=MappingProxyType({"lr": value}) if has_defaults else None,
    )
    put(optimizer, "lr").step()
    assert float(optimizer.param_groups[0]["lr"]) == 0.25
