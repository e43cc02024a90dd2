"""Any object that keeps param groups as torch does can be scheduled."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
import torch
from helpers import across, held, put, put_curve, sgd

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


class RebuildingOptimizer:
    """Builds a new list of groups at each access, as an optimizer of several optimizers does."""

    def __init__(self) -> None:
        self.parts: list[dict[str, Any]] = [
            {"params": [], "temperature": 2.0},
            {"params": [], "temperature": 4.0},
        ]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
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
def test_the_groups_of_a_rebuilt_list_need_no_lr(put: Any) -> None:
    """Only reading the lr is a ``KeyError``. A new dict and a group that joins are followed."""
    optimizer = RebuildingOptimizer()
    sync = tsa_core.SynchronousSchedule([put(optimizer, "temperature")])
    sync.step()
    assert sync.get_last_schedule("temperature") == [1.0, 2.0]
    says = r"no 'lr'.* get_last_schedule\(name\) with one of \['temperature'\]"
    with pytest.raises(KeyError, match=says):
        sync.get_last_lr()
    with pytest.raises(KeyError, match="'lr' is not in param groups 0, 1"):
        sync.base_lrs
    old = optimizer.parts[0]
    optimizer.parts[0] = dict(old)
    optimizer.parts.append({"params": [], "temperature": 8.0})
    sync.step()
    assert sync.get_last_schedule("temperature") == [
        0.5,
        1.0,
        8.0 * (0.25 if put is put_curve else 0.5),
    ]
    assert old["temperature"] == 1.0


ZERO_REDUNDANCY = """
import os, sys
import torch
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.optim.lr_scheduler import ExponentialLR
import tsa_core

torch.distributed.init_process_group("gloo", init_method=sys.argv[1], rank=0, world_size=1)
optimizer = ZeroRedundancyOptimizer(
    [torch.nn.Parameter(torch.ones(1))], torch.optim.AdamW, lr=0.8, weight_decay=0.08
)
schedules = [
    tsa_core.arbitrary_schedule_factory(optimizer, lambda proxy: ExponentialLR(proxy, 0.5)),
    tsa_core.CurveSchedule(optimizer, lambda t: 0.5**t, "weight_decay"),
]
for _ in range(2):
    optimizer.step()
    for schedule in schedules:
        schedule.step()
optimizer.step()  # copies the values of its groups to the optimizer inside
for each in (optimizer, optimizer.optim):
    print(each.param_groups[0]["lr"], each.param_groups[0]["weight_decay"])
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.skipif(
    not torch.distributed.is_available(), reason="this torch was built without distributed"
)
def test_a_zero_redundancy_optimizer_is_scheduled(tmp_path: Path) -> None:
    """Schedules move the groups of a ``ZeroRedundancyOptimizer``, and see its steps."""
    # The process leaves without destroying its group. In torch 2.0 that can wait forever: with the
    # GIL, it waits for a thread that needs the GIL (ProcessGroupGloo::~ProcessGroupGloo).
    place = f"file://{tmp_path}/rendezvous"
    done = subprocess.run(
        [sys.executable, "-W", "error:Detected call", "-c", ZERO_REDUNDANCY, place],
        capture_output=True,
        text=True,
        timeout=300,
    )
    # Gloo writes a line of its own first in torch 2.9.
    assert done.stdout.splitlines()[-2:] == ["0.2 0.02"] * 2, done.stderr


@across(put=[put_curve, put], has_defaults=[False, True])
def test_defaults_that_cannot_be_set_are_no_obstacle(put: Any, has_defaults: bool) -> None:
    """A tensor is scheduled also where the object's defaults are ``None`` or read-only."""
    value = torch.tensor(0.5)
    optimizer: Any = SimpleNamespace(
        param_groups=[{"params": [], "lr": value}],
        defaults=MappingProxyType({"lr": value}) if has_defaults else None,
    )
    put(optimizer, "lr").step()
    assert float(optimizer.param_groups[0]["lr"]) == 0.25
