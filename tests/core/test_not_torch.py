"""Any object that keeps param groups as torch does can be scheduled."""

from __future__ import annotations

from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
import torch
from helpers import held, put, put_curve, sgd
from torch.nn import Parameter

import tsa_core


class AccumulatingWrapper:
    """Steps its optimizer at every second call, and forwards all other attributes."""

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


class BareOptimizer:
    """Has param groups without an lr, and no other attribute."""

    def __init__(self) -> None:
        self.param_groups = [
            {"params": [], "temperature": 2.0},
            {"params": [], "temperature": 4.0},
        ]


class RebuildingOptimizer(BareOptimizer):
    """Builds a new list of groups at each access, as an optimizer of several optimizers does."""

    def __init__(self) -> None:
        self.parts = BareOptimizer().param_groups

    @property
    def param_groups(self) -> list[dict[str, Any]]:  # type: ignore[override]
        return [*self.parts]


both_kinds = pytest.mark.parametrize("put", [put_curve, put], ids=["curve", "factory"])


@both_kinds
def test_a_wrapper_that_forwards_is_an_optimizer(put: Any) -> None:
    """A schedule on a wrapper moves the optimizer inside, and its ``optimizer`` is the wrapper."""
    wrapper = AccumulatingWrapper(sgd(lr=0.8, momentum=0.8))
    schedule = put(wrapper, "momentum")
    sync = tsa_core.SynchronousSchedule([schedule])
    assert sync.optimizer is wrapper
    for _ in range(4):
        if wrapper.step():
            sync.step()
    assert held(wrapper.inner, "momentum") == pytest.approx([0.2], rel=1e-12)
    assert sync.get_last_lr() == [0.8]


@both_kinds
@pytest.mark.parametrize("cls", [BareOptimizer, RebuildingOptimizer])
def test_an_optimizer_needs_no_lr(put: Any, cls: Any) -> None:
    """Any entry can be scheduled without an lr, and only reading the lr is a ``KeyError``."""
    optimizer = cls()
    sync = tsa_core.SynchronousSchedule([put(optimizer, "temperature")])
    sync.step()
    assert sync.get_last_schedule("temperature") == [1.0, 2.0]
    says = r"no 'lr'.* get_last_schedule\(name\) with one of \['temperature'\]"
    with pytest.raises(KeyError, match=says):
        sync.get_last_lr()
    with pytest.raises(KeyError, match="'lr' is not in param groups 0, 1"):
        sync.base_lrs


@both_kinds
def test_a_schedule_follows_a_group_replaced_in_a_rebuilt_list(put: Any) -> None:
    """A schedule moves the new dict and not the old one, although every list is new."""
    optimizer = RebuildingOptimizer()
    schedule = put(optimizer, "temperature")
    old = optimizer.parts[0]
    optimizer.parts[0] = dict(old)
    schedule.step()
    assert schedule.get_last_lr() == [1.0, 2.0]
    assert (optimizer.parts[0]["temperature"], old["temperature"]) == (1.0, 2.0)


@both_kinds
def test_a_group_that_joins_a_rebuilt_list_is_seen(put: Any) -> None:
    """A curve and an ``ExponentialLR`` take in a group that joins."""
    optimizer = RebuildingOptimizer()
    schedule = put(optimizer, "temperature")
    optimizer.parts.append({"params": [], "temperature": 8.0})
    schedule.step()
    assert schedule.get_last_lr() == [1.0, 2.0, 4.0]


@both_kinds
# The import of torch.distributed.optim uses torch.jit, of which torch itself warns.
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.skipif(
    not torch.distributed.is_available(), reason="this torch was built without distributed"
)
def test_a_zero_redundancy_optimizer_is_scheduled(put: Any, tmp_path: Any) -> None:
    """A schedule moves the groups of a ``ZeroRedundancyOptimizer``, and sees its steps."""
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
        assert held(optimizer, "weight_decay") == [0.02]
        optimizer.step()  # copies the values of its groups to the optimizer inside
        assert held(optimizer.optim, "weight_decay") == [0.02]
    finally:
        torch.distributed.destroy_process_group()


@both_kinds
@pytest.mark.parametrize("has_defaults", [False, True])
def test_defaults_that_cannot_be_set_are_no_obstacle(put: Any, has_defaults: bool) -> None:
    """A tensor is scheduled also where the object's defaults are ``None`` or read-only."""
    value = torch.tensor(0.5)
    optimizer: Any = SimpleNamespace(
        param_groups=[{"params": [], "lr": value}],
        defaults=MappingProxyType({"lr": value}) if has_defaults else None,
    )
    put(optimizer, "lr").step()
    assert float(optimizer.param_groups[0]["lr"]) == 0.25
