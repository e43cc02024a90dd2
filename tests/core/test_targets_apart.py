"""A schedule of one target does not change or read the values of any other target.

``test_interleavings.py`` drives several targets of one optimizer, which are built in any order.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from cases import crossed
from helpers import adamw, put, sgd
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import SWALR
from torch_schedulers import MOMENTUM_CYCLES

import tsa_core


def test_the_auxiliary_keys_of_a_plain_scheduler_are_not_seen_on_another_target() -> None:
    """The auxiliary keys in a group are those of lr, and those of other targets have their names.

    In a resumed run, ``test_resume.py`` shows the same for several targets on proxies.
    """
    optimizer = sgd(momentum=0.9, weight_decay=0.25)
    SWALR(optimizer, 0.3), OneCycleLR(optimizer, 0.6, total_steps=10)
    auxiliary = {"swa_lr", "max_lr", "min_lr", "max_momentum", "base_momentum"}
    assert auxiliary <= set(optimizer.param_groups[0])
    view = tsa_core.ProxyOptimizer(optimizer, "weight_decay").param_groups[0]
    assert auxiliary.isdisjoint(view)
    assert not [key for key in auxiliary if key in view]
    put(optimizer, "weight_decay", lambda proxy: SWALR(proxy, 0.2))
    put(
        optimizer,
        "weight_decay",
        partial(OneCycleLR, max_lr=0.2, total_steps=9, cycle_momentum=False),
    )
    group = optimizer.param_groups[0]
    assert (group["swa_lr"], group["max_lr"]) == (0.3, 0.6)


@pytest.mark.parametrize(
    ("target", "make"),
    crossed(["weight_decay", "betas[0]", "momentum", "clip"], MOMENTUM_CYCLES.values()),
)
def test_cycled_momentum_on_any_target_but_lr_is_refused(target: str, make: Any) -> None:
    """A scheduler that cycles momentum is refused on any target but lr, and no group changes."""
    optimizer = sgd(momentum=0.9) if target == "momentum" else adamw()
    optimizer.param_groups[0]["clip"] = 1.0
    before = dict(optimizer.param_groups[0])
    # torch < 2.3 knows no betas in CyclicLR, so there torch itself refuses an AdamW.
    with pytest.raises(ValueError, match=r"cycle_momentum=False|`cycle_momentum` option"):
        put(optimizer, target, make)
    assert optimizer.param_groups[0] == before
