"""Param groups are replaced, joined and stripped of keys; schedules follow, or say why not."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch.nn import Parameter
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR, ReduceLROnPlateau

import tsa_core


def halving(t: float) -> float:
    return 0.5**t


def put_curve(optimizer: Any, target: str) -> Any:
    return tsa_core.CurveSchedule(optimizer, halving, target)


def put_lambda(optimizer: Any, target: str) -> Any:
    return tsa_core.arbitrary_schedule_factory(
        optimizer, lambda proxy: LambdaLR(proxy, halving), schedule_target=target
    )


def put_exponential(optimizer: Any, target: str) -> Any:
    return tsa_core.arbitrary_schedule_factory(
        optimizer, lambda proxy: ExponentialLR(proxy, 0.5), schedule_target=target
    )


ALL = pytest.mark.parametrize("put", [put_curve, put_lambda, put_exponential])
PROXIED = pytest.mark.parametrize("put", [put_lambda, put_exponential])


def adamw(value: Any = 0.08) -> torch.optim.AdamW:
    return torch.optim.AdamW([Parameter(torch.ones(1))], lr=0.1, weight_decay=value)


TAKES_GROUPS = pytest.mark.skipif(
    not hasattr(ReduceLROnPlateau(adamw()), "default_min_lr"),
    reason="this torch's ReduceLROnPlateau, on lr too, fails where a group joins",
)


def advance(optimizer: Any, schedule: Any, steps: int) -> None:
    for _ in range(steps):
        optimizer.step()
        schedule.step()


@ALL
@pytest.mark.parametrize("value", [0.08, torch.tensor(0.08)], ids=["float", "tensor"])
def test_load_state_dict_replaces_every_dict_and_tensor(put: Any, value: Any) -> None:
    """The schedule goes on in the new dicts, from what they hold."""
    value = copy.copy(value) if isinstance(value, float) else value.clone()
    optimizer = adamw(value)
    schedule = put(optimizer, "weight_decay")
    advance(optimizer, schedule, 2)
    saved = copy.deepcopy(optimizer.state_dict())
    old = optimizer.param_groups[0]
    optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0] is not old
    advance(optimizer, schedule, 1)
    assert float(optimizer.param_groups[0]["weight_decay"]) == pytest.approx(0.01, rel=1e-6)
    assert float(old["weight_decay"]) == pytest.approx(0.02, rel=1e-6)


@ALL
def test_loaded_state_without_the_key_is_named(put: Any) -> None:
    """A checkpoint from before the custom key takes the key away: KeyError, key and remedy."""
    optimizer = adamw()
    saved = copy.deepcopy(optimizer.state_dict())
    tsa_core.extend_optimizer(optimizer, "clip", 1.0)
    schedule = put(optimizer, "clip")
    advance(optimizer, schedule, 1)
    optimizer.load_state_dict(saved)
    optimizer.step()
    groups = copy.deepcopy(optimizer.param_groups)
    with pytest.raises(KeyError, match=r"'clip' is not in param group 0.*extend_optimizer"):
        schedule.step()
    assert [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups] == [
        {k: v for k, v in g.items() if k != "params"} for g in groups
    ]
    repr(schedule.optimizer)  # and still says what it is


@PROXIED
def test_the_remedy_mends_it(put: Any) -> None:
    """A SynchronousSchedule asks before torch counts the step: once mended, it goes on."""
    optimizer = adamw()
    saved = copy.deepcopy(optimizer.state_dict())
    tsa_core.extend_optimizer(optimizer, "clip", 1.0)
    sync = tsa_core.SynchronousSchedule([put(optimizer, "clip")])
    optimizer.load_state_dict(saved)
    optimizer.step()
    with pytest.raises(KeyError, match="'clip' is not in param group 0"):
        sync.step()
    tsa_core.extend_optimizer(optimizer, "clip", 1.0)
    sync.step()
    assert sync.get_last_schedule("clip") == [0.5]


@ALL
def test_groups_replaced_in_their_own_list(put: Any) -> None:
    """The list is the same object, and as long; the dicts in it are others."""
    optimizer = adamw()
    schedule = put(optimizer, "weight_decay")
    groups = [dict(group) for group in optimizer.param_groups]
    optimizer.param_groups.clear()
    optimizer.param_groups.extend(groups)
    advance(optimizer, schedule, 1)
    assert optimizer.param_groups[0]["weight_decay"] == 0.04


@pytest.mark.parametrize("target", ["weight_decay", "betas[0]"])
def test_a_view_stands_for_its_place(target: str) -> None:
    """One that was taken before its dict was replaced in the list reads and writes the new dict."""
    optimizer = adamw()
    view = tsa_core.ProxyOptimizer(optimizer, target).param_groups[0]
    old = optimizer.param_groups[0]
    optimizer.param_groups[0] = {**old, "weight_decay": 0.3, "betas": (0.3, 0.999)}
    assert view["lr"] == 0.3
    view["lr"] = 0.7
    assert optimizer.param_groups[0][target.partition("[")[0]] in (0.7, (0.7, 0.999))
    assert (old["weight_decay"], old["betas"]) == (0.08, (0.9, 0.999))


@pytest.mark.parametrize(
    "curve", [halving, [halving], {"*": halving}], ids=["one", "list", "names"]
)
@pytest.mark.parametrize("target", ["weight_decay", "betas[0]"])
def test_a_new_dict_in_the_list_joins_a_curve(curve: Any, target: str) -> None:
    """One that replaces another starts from its own value, as a group that joins does."""
    optimizer = adamw()
    schedule = tsa_core.CurveSchedule(optimizer, curve, target)
    advance(optimizer, schedule, 1)
    old = optimizer.param_groups[0]
    optimizer.param_groups[0] = {**adamw(0.8).param_groups[0], "params": old["params"]}
    advance(optimizer, schedule, 1)
    initial = {"weight_decay": 0.8, "betas[0]": 0.9}[target]
    assert schedule.base_lrs == [initial]
    assert schedule.get_last_lr() == [initial / 4]
    optimizer.param_groups[0] = dict(optimizer.param_groups[0])
    advance(optimizer, schedule, 1)
    assert schedule.get_last_lr() == [initial / 8]


@ALL
def test_a_key_deleted_on_the_way_is_named(put: Any) -> None:
    """Whoever deletes the entry from the dict reads which group lacks it, and what to do."""
    optimizer = adamw()
    optimizer.add_param_group({"params": [Parameter(torch.ones(1))]})
    tsa_core.extend_optimizer(optimizer, "clip", 1.0)
    schedule = put(optimizer, "clip")
    del optimizer.param_groups[1]["clip"]
    optimizer.step()
    with pytest.raises(KeyError, match=r"'clip' is not in param group 1.*extend_optimizer"):
        schedule.step()


def test_an_element_lost_on_the_way_is_named() -> None:
    """A tuple that became shorter: the target, the group and the tuple."""
    optimizer = adamw()
    view = tsa_core.ProxyOptimizer(optimizer, "betas[1]").param_groups[0]
    optimizer.param_groups[0]["betas"] = (0.9,)
    says = r"'betas\[1\]' is not in param group 0: 'betas' is \(0.9,\)"
    with pytest.raises(KeyError, match=says):
        view["lr"]
    with pytest.raises(KeyError, match=says):
        view["lr"] = 0.5


def test_a_key_that_a_scheduler_writes_unread_is_named() -> None:
    """As where it is read."""
    optimizer = tsa_core.extend_optimizer(adamw(), "clip", 1.0)
    view = tsa_core.ProxyOptimizer(optimizer, "clip").param_groups[0]
    del optimizer.param_groups[0]["clip"]
    with pytest.raises(KeyError, match=r"'clip' is not in param group 0.*extend_optimizer"):
        view["lr"] = 0.5


@pytest.mark.parametrize("target", ["weight_decay", "betas[0]"])
def test_a_view_of_a_group_that_left(target: str) -> None:
    """It stands for no place any more: Python's ``IndexError``, and no value."""
    optimizer = adamw()
    view = tsa_core.ProxyOptimizer(optimizer, target).param_groups[0]
    optimizer.param_groups.clear()
    with pytest.raises(IndexError):
        view["lr"]


def test_a_group_that_joins_starts_from_its_own_value() -> None:
    """Its own value is its initial value, and λ applies from the next step on."""
    optimizer = adamw()
    schedule = put_curve(optimizer, "weight_decay")
    advance(optimizer, schedule, 1)
    optimizer.add_param_group({"params": [Parameter(torch.ones(1))], "weight_decay": 0.4})
    assert schedule.get_last_lr() == [0.04, 0.4]
    advance(optimizer, schedule, 1)
    assert schedule.get_last_lr() == [0.02, 0.1]
    assert schedule.base_lrs == [0.08, 0.4]


def test_a_group_that_joins_with_the_default_tensor() -> None:
    """It shares the tensor that the schedule fills, and starts where the others started."""
    optimizer = adamw(torch.tensor(0.08))
    schedule = put_curve(optimizer, "weight_decay")
    advance(optimizer, schedule, 1)
    optimizer.add_param_group({"params": [Parameter(torch.ones(1))]})
    advance(optimizer, schedule, 1)
    first, second = (group["weight_decay"] for group in optimizer.param_groups)
    assert first is not second
    assert (float(first), float(second)) == pytest.approx((0.02, 0.02), rel=1e-6)


def test_a_group_that_joins_without_the_key() -> None:
    """It is named, and nothing has moved."""
    optimizer = adamw()
    tsa_core.extend_optimizer(optimizer, "clip", 1.0)
    schedule = put_curve(optimizer, "clip")
    optimizer.add_param_group({"params": [Parameter(torch.ones(1))]})
    optimizer.step()
    with pytest.raises(KeyError, match="'clip' is not in param group 1"):
        schedule.step()
    assert (schedule.last_epoch, optimizer.param_groups[0]["clip"]) == (0, 1.0)


@PROXIED
def test_a_group_that_joins_under_a_torch_scheduler(put: Any) -> None:
    """Torch's schedulers cannot take it, on every version; the error says what can."""
    optimizer = adamw()
    schedule = put(optimizer, "weight_decay")
    optimizer.add_param_group({"params": [Parameter(torch.ones(1))]})
    optimizer.step()
    with pytest.raises(RuntimeError, match=r"'weight_decay'.*1 param groups.*CurveSchedule"):
        schedule.step()
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.08, 0.08]


def test_a_proxy_of_ones_own() -> None:
    """It refuses a group that joins, unless told to take it; what schedulers keep, stays."""
    optimizer = adamw()
    proxy = tsa_core.ProxyOptimizer(optimizer, "weight_decay")
    proxy.param_groups[0]["max_lr"] = 0.5
    optimizer.add_param_group({"params": [Parameter(torch.ones(1))]})
    with pytest.raises(RuntimeError, match="built for 1 param groups and the optimizer has 2"):
        proxy.param_groups
    proxy.accepts_new_groups = True
    assert [group.get("max_lr") for group in proxy.param_groups] == [0.5, None]
    optimizer.param_groups.pop()
    assert [group.get("max_lr") for group in proxy.param_groups] == [0.5]


def test_a_group_that_joins_under_a_curve_on_a_proxy() -> None:
    """Put on a proxy by a factory, a curve schedule takes it as it does on the optimizer."""
    optimizer = adamw()
    schedule = tsa_core.arbitrary_schedule_factory(
        optimizer,
        lambda proxy: tsa_core.CurveSchedule(proxy, halving),
        schedule_target="weight_decay",
    )
    optimizer.add_param_group({"params": [Parameter(torch.ones(1))], "weight_decay": 0.4})
    advance(optimizer, schedule, 1)
    assert schedule.get_last_lr() == [0.04, 0.2]


@pytest.mark.parametrize("put", [put_curve, put_lambda])
def test_a_group_that_leaves(put: Any) -> None:
    """A curve goes on with those that stay, also on a proxy; torch's schedulers cannot."""
    optimizer = adamw()
    optimizer.add_param_group({"params": [Parameter(torch.ones(1))], "weight_decay": 0.4})
    schedule = put(optimizer, "weight_decay")
    on_a_proxy = tsa_core.arbitrary_schedule_factory(
        optimizer, lambda proxy: tsa_core.CurveSchedule(proxy, halving), schedule_target="eps"
    )
    left = optimizer.param_groups.pop(0)
    advance(optimizer, on_a_proxy, 1)
    assert on_a_proxy.get_last_lr() == [0.5e-8]
    if put is put_curve:
        advance(optimizer, schedule, 1)
        assert schedule.get_last_lr() == [0.2]
    else:
        with pytest.raises(RuntimeError, match="2 param groups and the optimizer has 1"):
            schedule.step()
    assert left["weight_decay"] == 0.08


@TAKES_GROUPS
def test_a_group_that_joins_under_a_plateau() -> None:
    """The one scheduler of torch's that takes new groups takes them on any target."""
    optimizer = adamw()
    schedule = tsa_core.arbitrary_schedule_factory(
        optimizer,
        lambda proxy: ReduceLROnPlateau(proxy, factor=0.5, patience=0),
        schedule_target="weight_decay",
    )
    optimizer.add_param_group({"params": [Parameter(torch.ones(1))], "weight_decay": 0.4})
    schedule.step(1.0)
    schedule.step(2.0)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.04, 0.2]
    optimizer.param_groups.pop()
    schedule.step(2.0)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.02]


@TAKES_GROUPS
def test_a_group_that_joins_a_plateau_with_the_default_tensor() -> None:
    """It gets a tensor of its own, and each is reduced once."""
    optimizer = torch.optim.SGD([Parameter(torch.ones(1))], lr=torch.tensor(0.5))
    schedule = tsa_core.arbitrary_schedule_factory(
        optimizer, lambda proxy: ReduceLROnPlateau(proxy, factor=0.5, patience=0)
    )
    optimizer.add_param_group({"params": [Parameter(torch.ones(1))]})
    schedule.step(1.0)
    schedule.step(2.0)
    assert [group["lr"].item() for group in optimizer.param_groups] == [0.25, 0.25]


def test_tensor_becomes_float_where_the_checkpoint_holds_one() -> None:
    """Torch puts the checkpoint's float in the tensor's place; the schedule writes floats then."""
    saved = copy.deepcopy(adamw(0.08).state_dict())
    optimizer = adamw(torch.tensor(0.02))
    schedule = put_curve(optimizer, "weight_decay")
    optimizer.load_state_dict(saved)
    advance(optimizer, schedule, 1)
    assert optimizer.param_groups[0]["weight_decay"] == 0.04
    assert type(optimizer.param_groups[0]["weight_decay"]) is float


def put_two(optimizer: Any, target: str) -> Any:
    return tsa_core.arbitrary_schedule_factory(
        optimizer,
        lambda proxy: LambdaLR(proxy, [lambda t: 1.0, halving]),
        schedule_target=target,
    )


@pytest.mark.parametrize(
    "put",
    [
        put_two,
        lambda o, target: tsa_core.CurveSchedule(o, [lambda t: 1.0, halving], target),
    ],
)
def test_a_new_dict_in_the_list_that_shares_a_tensor(put: Any) -> None:
    """It gets one of its own, as the groups of a new optimizer do."""
    optimizer = adamw(torch.tensor(0.08))
    optimizer.add_param_group({"params": [Parameter(torch.ones(1))]})
    schedule = put(optimizer, "weight_decay")
    advance(optimizer, schedule, 1)
    first, second = optimizer.param_groups
    optimizer.param_groups[1] = {**first, "params": second["params"]}
    advance(optimizer, schedule, 2)
    values = [group["weight_decay"].item() for group in optimizer.param_groups]
    assert values == pytest.approx([0.08, 0.01], rel=1e-6)


@ALL
def test_the_default_tensor_is_left_to_groups_that_join(put: Any) -> None:
    """The first group holds the very tensor, which its schedule fills, also after a resume."""
    optimizer = adamw(torch.tensor(0.08))
    schedule = put(optimizer, "weight_decay")
    advance(optimizer, schedule, 2)
    state = copy.deepcopy(optimizer.state_dict())

    optimizer = adamw(torch.tensor(0.08))
    own = optimizer.param_groups[0]["weight_decay"]
    schedule = put(optimizer, "weight_decay")
    assert optimizer.param_groups[0]["weight_decay"] is own
    advance(optimizer, schedule, 3)
    optimizer.load_state_dict(state)
    optimizer.add_param_group({"params": [Parameter(torch.ones(1))]})
    assert float(optimizer.param_groups[1]["weight_decay"]) == pytest.approx(0.08, rel=1e-6)


def test_the_default_tensor_that_has_moved_already() -> None:
    """Whatever moved it before: the initial value is recorded, and goes to groups that join."""
    optimizer = torch.optim.AdamW([Parameter(torch.ones(1))], lr=torch.tensor(0.5))
    plain = LambdaLR(optimizer, halving)
    advance(optimizer, plain, 1)
    tsa_core.CurveSchedule(optimizer, lambda t: 0.5)
    optimizer.add_param_group({"params": [Parameter(torch.ones(1))]})
    assert float(optimizer.param_groups[1]["lr"]) == 0.5


def test_an_element_of_the_default_tuple() -> None:
    """Its neighbour stays what it is."""
    betas = (torch.tensor(0.5), torch.tensor(0.75))
    optimizer = torch.optim.AdamW([Parameter(torch.ones(1))], lr=torch.tensor(0.1))
    optimizer.defaults["betas"] = optimizer.param_groups[0]["betas"] = betas
    advance(optimizer, put_curve(optimizer, "betas[0]"), 1)
    assert list(map(float, optimizer.defaults["betas"])) == [0.5, 0.75]
    assert optimizer.defaults["betas"][1] is betas[1]
