"""A ``DerivedSchedule`` computes a target from the value that another target has at the time."""

from __future__ import annotations

import copy
import io
import itertools
import math
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers import (
    INVALID_VALUES,
    Untouched,
    adamw,
    add_group,
    advance,
    halving,
    held,
    ignore_epoch_deprecation,
    plateau,
    plateau_takes_groups,
    put,
    put_curve,
    real_optimizer,
    sgd,
)
from torch.optim.lr_scheduler import (
    ExponentialLR,
    LambdaLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    StepLR,
)
from torch_schedulers import MOMENTUM_CYCLES, SCHEDULERS, TORCH, each_scheduler

from tsa_core import (
    CurveSchedule,
    DerivedSchedule,
    ProxyOptimizer,
    SynchronousSchedule,
    extend_optimizer,
    preview,
)

pytestmark = ignore_epoch_deprecation

Rule = Callable[[float], float]


def same(x: float) -> float:
    return x


def inverse(x: float) -> float:
    return 1 / x


def squared(x: float) -> float:
    return x * x


def noting(rule: Rule) -> tuple[Rule, list[float]]:
    """Return ``rule``, and the list of what it is given from now on."""
    given: list[float] = []

    def noted(x: float) -> float:
        given.append(x)
        return rule(x)

    return noted, given


def beta_for_batch(batch_size: float) -> float:
    """A half-life of the second moment in samples, at this number of samples per step."""
    return 0.5 ** (batch_size / 1024)


def cosine(t: float) -> float:
    return 0.1 + 0.9 * (1 + math.cos(math.pi * min(t / 10, 1))) / 2


def two_groups(**entries: Any) -> torch.optim.AdamW:
    return adamw(
        {"lr": 0.5, "weight_decay": 0.25, **entries},
        {"lr": 2.0, "weight_decay": 0.0625, **entries},
    )


def floats(optimizer: Any, target: str) -> list[float]:
    return [float(value) for value in held(optimizer, target)]


def step_with_loss(schedule: Any, name: str, loss: float = 1.0) -> None:
    """Step the torch scheduler ``name``, or a schedule that it is in."""
    schedule.step(*((loss,) if name == "ReduceLROnPlateau" else ()))


# -- uses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("derived_first", [False, True])
def test_weight_decay_in_proportion_to_the_learning_rate(derived_first: bool) -> None:
    """Weight decay keeps its ratio to the learning rate, as in AdamC (arXiv 2506.02285)."""
    optimizer = two_groups()
    members = [
        CurveSchedule(optimizer, cosine),
        DerivedSchedule(optimizer, same, "weight_decay"),
    ]
    sync = SynchronousSchedule(members[::-1] if derived_first else members)
    for t in range(13):
        rates = [0.5 * cosine(t), 2.0 * cosine(t)]
        assert held(optimizer) == rates
        assert held(optimizer, "weight_decay") == [0.25 * (rates[0] / 0.5), 0.0625 * rates[1] / 2.0]
        advance(sync)


def test_weight_decay_against_the_learning_rate() -> None:
    """The product of learning rate and weight decay stays if one is derived against the other."""
    optimizer = two_groups()
    sync = SynchronousSchedule(
        [DerivedSchedule(optimizer, inverse, "weight_decay"), put(optimizer, "lr")]
    )
    for t in range(9):
        assert held(optimizer) == [0.5 * 0.5**t, 2.0 * 0.5**t]
        assert held(optimizer, "weight_decay") == [0.25 * 2.0**t, 0.0625 * 2.0**t]
        advance(sync)


def test_a_beta_from_the_batch_size() -> None:
    """``betas[1]`` is computed from the accumulated batch size, and ``betas`` stays a tuple."""
    optimizer = extend_optimizer(two_groups(betas=(0.75, 0.999)), "batch_size", 64)
    sync = SynchronousSchedule(
        [
            DerivedSchedule(optimizer, beta_for_batch, "betas[1]", of="batch_size", absolute=True),
            CurveSchedule(optimizer, lambda t: 64 * 2**t, "batch_size", absolute=True),
        ]
    )
    for t, batch_size in enumerate((64, 128, 256, 512, 1024)):
        assert held(optimizer, "batch_size") == [batch_size] * 2
        beta = 0.5 ** (2.0 ** (t - 4))
        assert [group["betas"] for group in optimizer.param_groups] == [(0.75, beta)] * 2
        advance(sync)


def test_the_learning_rate_from_the_batch_size() -> None:
    """The learning rate grows with the square root of the batch size."""
    optimizer = extend_optimizer(two_groups(), "batch_size", 16)
    derived = DerivedSchedule(optimizer, math.sqrt, "lr", of="batch_size")
    for group in optimizer.param_groups:
        group["batch_size"] = 64
    advance(derived)
    assert held(optimizer) == [1.0, 4.0]
    assert derived.get_lr() == derived.get_last_lr() == [1.0, 4.0]


@pytest.mark.parametrize("order", [*itertools.permutations(range(4))])
def test_a_chain_in_any_order(order: tuple[int, ...]) -> None:
    """Each schedule of a chain moves after its source, in any order of the list."""
    optimizer = extend_optimizer(two_groups(), "clip", 8.0)
    chain: list[Any] = [
        put_curve(optimizer, "clip"),
        DerivedSchedule(optimizer, same, "lr", of="clip"),
        DerivedSchedule(optimizer, squared, "weight_decay"),
        DerivedSchedule(optimizer, lambda w: 1 - w, "betas[1]", of="weight_decay", absolute=True),
    ]
    sync = SynchronousSchedule([chain[i] for i in order])
    for t in range(6):
        assert held(optimizer, "clip") == [8.0 * 0.5**t] * 2
        assert held(optimizer) == [0.5 * 0.5**t, 2.0 * 0.5**t]
        decays = [0.25 * 0.25**t, 0.0625 * 0.25**t]
        assert held(optimizer, "weight_decay") == decays
        assert held(optimizer, "betas[1]") == [1 - decay for decay in decays]
        advance(sync)


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_a_chain_from_a_torch_scheduler_in_any_order(order: tuple[int, ...]) -> None:
    """A chain that begins at a torch scheduler moves after it, in any order of the list."""
    optimizer = two_groups()
    chain: list[Any] = [
        ExponentialLR(optimizer, 0.5),
        DerivedSchedule(optimizer, squared, "weight_decay"),
        DerivedSchedule(optimizer, same, "eps", of="weight_decay", absolute=True),
    ]
    sync = SynchronousSchedule([chain[i] for i in order])
    advance(sync, 3)
    assert held(optimizer, "weight_decay") == held(optimizer, "eps") == [0.25 / 64, 0.0625 / 64]


def test_several_are_derived_from_one_source() -> None:
    """Several schedules can have one source."""
    optimizer = two_groups()
    sync = SynchronousSchedule(
        [
            DerivedSchedule(optimizer, same, "weight_decay"),
            put_curve(optimizer),
            DerivedSchedule(optimizer, same, "eps", absolute=True),
        ]
    )
    advance(sync, 2)
    assert held(optimizer, "weight_decay") == [0.0625, 0.015625]
    assert held(optimizer, "eps") == held(optimizer) == [0.125, 0.5]


# -- whatever moves the source --------------------------------------------------------------------


@each_scheduler()
@pytest.mark.parametrize("derived_first", [False, True])
def test_any_torch_scheduler_is_a_source(name: str, derived_first: bool) -> None:
    """A target follows the learning rate under each torch scheduler, which gives its own values."""
    optimizer, other = two_groups(), two_groups()
    scheduler, alone = SCHEDULERS[name](optimizer), SCHEDULERS[name](other)
    derived = DerivedSchedule(optimizer, squared, "weight_decay")
    sync = SynchronousSchedule([derived, scheduler] if derived_first else [scheduler, derived])
    for t in range(12):
        rates = floats(optimizer, "lr")
        assert rates == floats(other, "lr")
        # A plateau records no initial value, and CyclicLR records its base_lr.
        initial = [
            group.get("initial_lr", first)
            for group, first in zip(optimizer.param_groups, (0.5, 2.0))
        ]
        multiples = [rate / first for rate, first in zip(rates, initial)]
        assert held(optimizer, "weight_decay") == [
            0.25 * squared(multiples[0]),
            0.0625 * squared(multiples[1]),
        ]
        optimizer.step()
        other.step()
        step_with_loss(sync, name, loss := 1.0 if t % 3 else 2.0)
        step_with_loss(alone, name, loss)


@each_scheduler()
def test_any_torch_scheduler_on_a_proxy_is_a_source(name: str) -> None:
    """A target follows any other target that a torch scheduler drives through a proxy."""
    optimizer = adamw({"weight_decay": 0.5}, {"weight_decay": 0.25})
    derived = DerivedSchedule(optimizer, same, "eps", of="weight_decay", absolute=True)
    sync = SynchronousSchedule([derived, put(optimizer, "weight_decay", SCHEDULERS[name])])
    for t in range(12):
        optimizer.step()
        step_with_loss(sync, name, 1.0 if t % 3 else 2.0)
        assert held(optimizer, "eps") == floats(optimizer, "weight_decay")


def test_a_plateau_is_a_source() -> None:
    """A target follows a learning rate that a plateau reduces, in the same step."""
    optimizer = two_groups()
    derived = DerivedSchedule(optimizer, same, "weight_decay")
    sync = SynchronousSchedule([derived, plateau(optimizer)])
    for loss, multiple in [(1.0, 1.0), (0.5, 1.0), (0.75, 0.5), (0.25, 0.5), (0.25, 0.25)]:
        advance(sync, 1, loss)
        assert held(optimizer) == [0.5 * multiple, 2.0 * multiple]
        assert held(optimizer, "weight_decay") == [0.25 * multiple, 0.0625 * multiple]


@pytest.mark.parametrize("in_sync", [False, True], ids=["alone", "member"])
def test_a_source_that_the_user_sets(in_sync: bool) -> None:
    """A target follows values that the user assigns to the source, at the next step."""
    optimizer = two_groups()
    schedule: Any = DerivedSchedule(optimizer, same, "weight_decay")
    if in_sync:
        schedule = SynchronousSchedule([schedule, put_curve(optimizer, "eps")])
    for first, second in [(0.25, 8.0), (1.0, 0.0), (0.5, 2.0)]:
        optimizer.param_groups[0]["lr"] = first
        optimizer.param_groups[1]["lr"] = second
        advance(schedule)
        assert held(optimizer, "weight_decay") == [0.25 * first / 0.5, 0.0625 * second / 2.0]


def test_it_follows_the_values_that_were_set_by_hand_under_a_scheduler() -> None:
    """A recurrence that goes on from a value set by hand gives that value to the target too."""
    optimizer = two_groups()
    sync = SynchronousSchedule(
        [DerivedSchedule(optimizer, same, "weight_decay"), ExponentialLR(optimizer, 0.5)]
    )
    advance(sync)
    optimizer.param_groups[0]["lr"] = 4.0
    advance(sync)
    assert held(optimizer) == [2.0, 0.5]
    assert held(optimizer, "weight_decay") == [1.0, 0.015625]


@pytest.mark.parametrize("was_scheduled", [False, True], ids=["first", "after another"])
@pytest.mark.parametrize(
    ("last_curve", "last_multiple"), [(lambda t: 1.0 + t, 3.0), (None, 1.0)], ids=["two", "one"]
)
def test_each_group_follows_its_own_source(
    last_curve: Any, last_multiple: float, was_scheduled: bool
) -> None:
    """Groups that different curves drive, and those that no curve drives, are followed apart."""
    optimizer = adamw(*({"lr": lr, "weight_decay": 0.5} for lr in (1.0, 2.0, 4.0)))
    if was_scheduled:  # so that every group has an initial rate
        put_curve(optimizer)
    sync = SynchronousSchedule(
        [
            DerivedSchedule(optimizer, same, "weight_decay"),
            CurveSchedule(optimizer, [halving, None, last_curve]),
        ]
    )
    advance(sync)
    optimizer.param_groups[1]["lr"] = 8.0
    advance(sync)
    assert held(optimizer) == [0.25, 8.0, 4.0 * last_multiple]
    assert held(optimizer, "weight_decay") == [0.125, 2.0, 0.5 * last_multiple]


def test_a_multiple_of_an_absolute_source_is_its_value_by_its_initial_value() -> None:
    """A source with absolute values has a multiple of its own in each group."""
    optimizer = two_groups()
    curve = CurveSchedule(optimizer, lambda t: 0.5 + t, absolute=True)
    sync = SynchronousSchedule([curve, DerivedSchedule(optimizer, same, "weight_decay")])
    for t in range(1, 4):
        advance(sync)
        assert held(optimizer) == [0.5 + t, 0.5 + t]
        assert held(optimizer, "weight_decay") == [
            0.25 * ((0.5 + t) / 0.5),
            0.0625 * ((0.5 + t) / 2.0),
        ]


def test_it_works_alone() -> None:
    """Alone, a derived schedule computes from what the groups hold when it is stepped."""
    optimizer = two_groups()
    curve = put_curve(optimizer)
    derived = DerivedSchedule(optimizer, same, "weight_decay")
    for t in range(1, 4):
        advance(curve)
        assert held(optimizer, "weight_decay") == [0.25 * 0.5 ** (t - 1), 0.0625 * 0.5 ** (t - 1)]
        derived.step()
        assert held(optimizer, "weight_decay") == [0.25 * 0.5**t, 0.0625 * 0.5**t]
        assert derived.last_epoch == t


def test_it_can_be_sent_to_a_step_together_with_its_source() -> None:
    """``step(epoch)`` of a ``SynchronousSchedule`` takes the derived schedule along."""
    optimizer = two_groups()
    derived = DerivedSchedule(optimizer, same, "weight_decay")
    sync = SynchronousSchedule([derived, put_curve(optimizer)])
    for t in (5, 2, 0, 9, 0.5):
        sync.step(t)
        assert held(optimizer, "weight_decay") == [0.25 * 0.5**t, 0.0625 * 0.5**t]
        assert derived.last_epoch == t


@pytest.mark.parametrize("in_sync", [False, True], ids=["alone", "member"])
def test_a_multiple_is_value_by_initial_value_to_the_last_bit(in_sync: bool) -> None:
    """Alone and beside its source, a schedule computes from value / initial value of each group."""
    rates = [0.1 * i for i in range(1, 21)]
    optimizer = adamw(*({"lr": rate, "weight_decay": 1.0} for rate in rates))
    curve = CurveSchedule(optimizer, lambda t: 1 / (t + 3))
    derived = DerivedSchedule(optimizer, same, "weight_decay")
    steps = [SynchronousSchedule([derived, curve]).step] if in_sync else [curve.step, derived.step]
    initial = held(optimizer, "initial_lr")
    distinct = []
    for _ in range(9):
        optimizer.step()
        for step in steps:
            step()
        multiples = [lr / first for lr, first in zip(held(optimizer), initial)]
        assert held(optimizer, "weight_decay") == multiples
        distinct.append(len({*multiples}))
    assert max(distinct) > 1  # rounding tells a multiple from the curve's multiplier


@pytest.mark.parametrize("in_sync", [False, True], ids=["alone", "member"])
def test_a_tensor_that_takes_the_place_of_a_source_is_followed(in_sync: bool) -> None:
    """A tensor that was put in the place of a float rounds, and the rule is given what it holds."""
    optimizer = two_groups()
    root, given = noting(math.sqrt)
    curve = CurveSchedule(optimizer, lambda t: 0.9**t)
    derived = DerivedSchedule(optimizer, root, "weight_decay")
    steps = [SynchronousSchedule([curve, derived]).step] if in_sync else [curve.step, derived.step]
    for place in (None, 1, None, 0, None):
        if place is not None:
            optimizer.param_groups[place]["lr"] = torch.tensor(0.3)
        optimizer.step()
        for step in steps:
            step()
        multiples = [lr / first for lr, first in zip(floats(optimizer, "lr"), (0.5, 2.0))]
        expected = [0.25 * math.sqrt(multiples[0]), 0.0625 * math.sqrt(multiples[1])]
        assert held(optimizer, "weight_decay") == expected
    assert {type(each) for each in given} == {float}


@pytest.mark.parametrize("target", ["lr", "weight_decay"])
def test_an_initial_value_that_is_a_tensor_stays_one_number(target: str) -> None:
    """A tensor that was put in the place of an initial value reaches no rule and no group."""
    optimizer = two_groups()
    root, given = noting(math.sqrt)
    sync = SynchronousSchedule(
        [put_curve(optimizer), DerivedSchedule(optimizer, root, "weight_decay")]
    )
    optimizer.param_groups[1][f"initial_{target}"] = torch.tensor(0.5)
    first = 0.5 if target == "weight_decay" else 0.0625
    for t in range(1, 4):
        optimizer.step()
        sync.step()
        root_of_t = math.sqrt(0.5**t)
        assert held(optimizer, "weight_decay") == [0.25 * root_of_t, first * root_of_t]
    kinds = {type(value) for value in [*given, *held(optimizer, "weight_decay")]}
    assert kinds == {float}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", ["curve", "ExponentialLR", "derived"])
def test_it_follows_the_rounded_value_of_a_tensor(kind: str, dtype: torch.dtype) -> None:
    """The target is computed from the value that the source's tensor holds, which is rounded."""
    optimizer = sgd(*({"lr": torch.tensor(lr, dtype=dtype)} for lr in (0.3, 0.7)))
    extend_optimizer(extend_optimizer(optimizer, "copy", 1.0), "x", 0.3)
    members: list[Any] = [DerivedSchedule(optimizer, same, "copy", absolute=True)]
    if kind == "curve":
        members.append(CurveSchedule(optimizer, lambda t: 0.9**t))
    elif kind == "derived":
        members.append(DerivedSchedule(optimizer, same, "lr", of="x"))
        members.append(CurveSchedule(optimizer, lambda t: 0.9**t, "x"))
    else:
        members.append(ExponentialLR(optimizer, 0.9))
    sync = SynchronousSchedule(members)
    for _ in range(6):
        advance(sync)
        assert held(optimizer, "copy") == floats(optimizer, "lr") != [0.3, 0.7]
    assert {rate.dtype for rate in held(optimizer)} == {dtype}


@pytest.mark.parametrize("kind", ["curve", "ExponentialLR"])
@pytest.mark.parametrize("in_sync", [False, True], ids=["alone", "member"])
def test_a_rule_is_given_numbers_where_torch_records_a_tensor(kind: str, in_sync: bool) -> None:
    """A rule takes a float, also where the source and its initial value are tensors."""
    optimizer = adamw({"lr": torch.tensor(0.1), "weight_decay": 0.5})
    root, given = noting(math.sqrt)
    lr: Any = put_curve(optimizer) if kind == "curve" else ExponentialLR(optimizer, 0.7)
    derived = DerivedSchedule(optimizer, root, "weight_decay")
    steps = [SynchronousSchedule([lr, derived]).step] if in_sync else [lr.step, derived.step]
    for _ in range(4):
        optimizer.step()
        for step in steps:
            step()
        multiple = float(optimizer.param_groups[0]["lr"]) / float(torch.tensor(0.1))
        assert held(optimizer, "weight_decay") == [0.5 * math.sqrt(multiple)]
    assert {type(each) for each in given} == {float}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_derived_tensor_is_filled_in_place(dtype: torch.dtype) -> None:
    """A target that is a tensor is filled in place, and a shared one is parted."""
    shared = torch.tensor(0.25, dtype=dtype)
    optimizer = sgd({"lr": 0.5, "clip": shared}, {"lr": 2.0, "clip": shared})
    derived = DerivedSchedule(optimizer, lambda lr: 0.3 * lr, "clip", absolute=True)
    tensors = held(optimizer, "clip")
    assert tensors[0] is not tensors[1]
    sync = SynchronousSchedule([derived, put_curve(optimizer)])
    advance(sync)
    assert all(now is then for now, then in zip(held(optimizer, "clip"), tensors))
    expected = [torch.zeros((), dtype=dtype).fill_(0.3 * lr).item() for lr in (0.25, 1.0)]
    assert floats(optimizer, "clip") == expected


# -- what it is -----------------------------------------------------------------------------------


def test_a_derived_schedule_answers_as_an_lr_scheduler() -> None:
    """A derived schedule is an ``LRScheduler`` on the user's optimizer, and tells its parts."""
    optimizer = two_groups()
    derived = DerivedSchedule(optimizer, same, "weight_decay")
    assert isinstance(derived, LRScheduler)
    assert derived.optimizer is optimizer
    assert derived.rule is same
    assert derived.schedule_target == "weight_decay"
    assert derived.absolute is False
    assert derived.last_epoch == 0
    assert derived.base_lrs == derived.get_last_lr() == [0.25, 0.0625]
    assert "'weight_decay'" in repr(derived)
    assert "'lr'" in repr(derived)
    with pytest.raises(RuntimeError, match="get_lr"):
        derived.get_lr()


def test_construction_computes_the_first_value() -> None:
    """Building a derived schedule writes the value of the present source, moved or not."""
    optimizer = two_groups()
    advance(put_curve(optimizer), 2)
    DerivedSchedule(optimizer, same, "weight_decay")
    assert held(optimizer, "weight_decay") == [0.0625, 0.015625]
    assert held(optimizer, "initial_weight_decay") == [0.25, 0.0625]
    assert held(optimizer, "initial_lr") == [0.5, 2.0]


def test_a_rule_is_called_once_per_step_and_group() -> None:
    """A rule is called with a Python number, once per group at construction and at each step."""
    rule, calls = noting(same)
    optimizer = adamw(
        {"lr": torch.tensor(0.5), "weight_decay": 0.25}, {"lr": 2.0, "weight_decay": 0.25}
    )
    derived = DerivedSchedule(optimizer, rule, "weight_decay")
    sync = SynchronousSchedule([derived, put_curve(optimizer)])
    advance(sync, 2)
    # At construction of the schedule, at that of the SynchronousSchedule, and at two steps.
    assert calls == [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    assert {type(call) for call in calls} == {float}


def test_values_at_any_step_are_those_of_the_present_source() -> None:
    """``values_at`` gives the values of the present source, because the rule knows no step."""
    optimizer = two_groups()
    derived = DerivedSchedule(optimizer, squared, "weight_decay")
    optimizer.param_groups[0]["lr"] = 1.0
    assert derived.values_at(0) == derived.values_at(99.5) == [1.0, 0.0625]
    assert held(optimizer, "weight_decay") == [0.25, 0.0625]
    assert derived.last_epoch == 0


def test_a_new_initial_value_counts_from_the_next_step() -> None:
    """``extend_optimizer`` sets a new initial value of the target or of the source."""
    optimizer = two_groups()
    sync = SynchronousSchedule(
        [DerivedSchedule(optimizer, same, "weight_decay"), put_curve(optimizer)]
    )
    advance(sync)
    extend_optimizer(optimizer, "weight_decay", 8.0, overwrite_values=True)
    advance(sync)
    assert held(optimizer, "weight_decay") == [2.0, 2.0]
    extend_optimizer(optimizer, "lr", 16.0, overwrite_values=True)
    advance(sync)
    assert held(optimizer) == [2.0, 2.0]
    assert held(optimizer, "weight_decay") == [1.0, 1.0]


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda o: DerivedSchedule(o, same, "lr"), ValueError, "of: 'lr' is the target itself"),
        (
            lambda o: DerivedSchedule(o, same, "betas[0]", of="betas[0]"),
            ValueError,
            r"of: 'betas\[0\]' is the target itself",
        ),
        (lambda o: DerivedSchedule(o, 0.5, "eps"), TypeError, "rule: expected a callable, got 0.5"),
        (lambda o: DerivedSchedule(o, None, "eps"), TypeError, "rule: expected a callable"),
        (lambda o: DerivedSchedule(o, same, "eps", of=3), TypeError, "of: expected the name"),
        (lambda o: DerivedSchedule(o, same, "eps", of="lr["), ValueError, "of: expected the name"),
        (lambda o: DerivedSchedule(o, same, "eps", of="lrr"), KeyError, "did you mean 'lr'"),
        (lambda o: DerivedSchedule(o, same, "epps"), KeyError, "did you mean 'eps'"),
        (lambda o: DerivedSchedule(o, same, "eps", of="amsgrad"), TypeError, "'amsgrad'"),
        (lambda o: DerivedSchedule(o, same, "eps", of="betas"), TypeError, "name one element"),
        (lambda o: DerivedSchedule(o, same, "params"), TypeError, "'params'"),
        (lambda o: DerivedSchedule(o, same, "eps", of="params"), TypeError, "'params'"),
        (lambda o: DerivedSchedule(o, same, "eps", absolute=1), TypeError, "absolute: expected"),
        (lambda o: DerivedSchedule(o, same, "eps", absolute=None), TypeError, "absolute: expected"),
        (lambda o: DerivedSchedule(ProxyOptimizer(o), same, "eps"), ValueError, "proxy"),
        (lambda o: DerivedSchedule(3, same, "eps"), TypeError, "optimizer: expected a torch"),
    ],
)
def test_invalid_arguments_are_refused(
    make: Any, error: Any, says: str, untouched: Untouched
) -> None:
    """An invalid argument is refused with its name, and nothing is touched."""
    optimizer = two_groups()
    with untouched(optimizer), pytest.raises(error, match=says):
        make(optimizer)


def test_a_proxy_of_a_factory_is_refused() -> None:
    """A derived schedule is not built inside a factory: it needs two entries of the groups."""
    optimizer = two_groups()
    with pytest.raises(ValueError, match="proxy"):
        put(optimizer, "weight_decay", lambda proxy: DerivedSchedule(proxy, same, "eps"))
    assert not any("initial" in key for group in optimizer.param_groups for key in group)


def test_a_source_that_starts_at_0_has_no_multiples(untouched: Untouched) -> None:
    """An initial value of 0 of the source is refused for multiples, and fine for values."""
    optimizer = adamw({"lr": 0.5}, {"lr": 0.0})
    with untouched(optimizer), pytest.raises(ValueError, match=r"'lr' is 0.*absolute=True"):
        DerivedSchedule(optimizer, same, "weight_decay")
    DerivedSchedule(optimizer, lambda lr: 1 + lr, "weight_decay", absolute=True)
    assert held(optimizer, "weight_decay") == [1.5, 1.0]


def test_a_group_that_joins_with_a_source_of_0_is_refused(untouched: Untouched) -> None:
    """A group that joins with a source of 0 is refused at the next step; nothing has moved."""
    optimizer = two_groups()
    derived = DerivedSchedule(optimizer, same, "weight_decay")
    sync = SynchronousSchedule([put_curve(optimizer), derived])
    add_group(optimizer, lr=0.0)
    optimizer.step()
    with untouched(optimizer), pytest.raises(ValueError, match=r"'lr' is 0"):
        sync.step()
    assert derived.last_epoch == sync.last_epoch == 0
    optimizer.param_groups[2].update(lr=4.0, weight_decay=1.0)
    advance(sync)
    assert held(optimizer, "weight_decay") == [0.125, 0.03125, 0.5]


def test_circles_are_refused() -> None:
    """Schedules that derive from one another are refused with their names."""
    optimizer = extend_optimizer(two_groups(), "clip", 1.0)
    lr = DerivedSchedule(optimizer, same, "lr", of="weight_decay")
    decay = DerivedSchedule(optimizer, same, "weight_decay", of="clip")
    clip = DerivedSchedule(optimizer, same, "clip")
    eps = DerivedSchedule(optimizer, same, "eps")
    for members in itertools.permutations([eps, lr, decay, clip]):
        with pytest.raises(ValueError, match="derive from one another") as caught:
            SynchronousSchedule(members)
        assert all(name in str(caught.value) for name in ("lr", "weight_decay", "clip"))
        assert "eps" not in str(caught.value)
    with pytest.raises(ValueError, match=r"derive from one another.*a/weight_decay"):
        SynchronousSchedule({"a": [lr, decay, clip]})
    SynchronousSchedule([lr, decay, eps])


def test_two_elements_of_a_tuple_that_derive_from_one_another_are_refused() -> None:
    """A circle between two elements of one tuple is refused, and one direction is fine."""
    optimizer = two_groups(betas=(0.5, 0.25))
    first = DerivedSchedule(optimizer, same, "betas[0]", of="betas[1]")
    second = DerivedSchedule(optimizer, same, "betas[1]", of="betas[0]")
    with pytest.raises(ValueError, match=r"betas\[0\] of betas\[1\] of betas\[0\]"):
        SynchronousSchedule([first, second])
    sync = SynchronousSchedule([first, put_curve(optimizer, "betas[1]")])
    advance(sync)
    assert [group["betas"] for group in optimizer.param_groups] == [(0.25, 0.125)] * 2


# -- a rule that fails ----------------------------------------------------------------------------


class Failing:
    """A rule that fails as it is told, and otherwise gives back what it is given."""

    def __init__(self, failure: Any) -> None:
        self.failure = failure
        self.fails = False

    def __call__(self, x: float) -> Any:
        if not self.fails:
            return x
        if isinstance(self.failure, BaseException):
            raise self.failure
        return self.failure


FAILURES: dict[str, tuple[Any, type[BaseException]]] = {
    **{name: INVALID_VALUES[name] for name in ("NaN", "-inf", "complex", "string", "bool")},
    "None": (None, TypeError),
    "out of range": (1e308, ValueError),
    "ZeroDivisionError": (ZeroDivisionError("mine"), ZeroDivisionError),
    "KeyboardInterrupt": (KeyboardInterrupt(), KeyboardInterrupt),
}
SOURCES: dict[str, Callable[[Any], list[Any]]] = {
    "curve": lambda o: [put_curve(o)],
    "torch": lambda o: [ExponentialLR(o, 0.5)],
    "torch through a factory": lambda o: [put(o, "lr", lambda p: LambdaLR(p, halving))],
    "plateau": lambda o: [plateau(o)],
    "derived from a curve": lambda o: [
        DerivedSchedule(o, same, "lr", of="clip"),
        put_curve(o, "clip"),
    ],
    "derived from torch": lambda o: [DerivedSchedule(o, same, "lr", of="clip"), put(o, "clip")],
    "nothing": lambda o: [],
}


def everything(sync: Any) -> Any:
    return copy.deepcopy([sync.state_dict(), sync.last_epoch])


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("source", SOURCES)
def test_a_rule_that_fails_moves_nothing(source: str, failure: str, untouched: Untouched) -> None:
    """A rule that fails moves no member, not even its source, and the next good step goes on."""
    value, error = FAILURES[failure]
    rule = Failing(value)

    def start(rule: Any) -> tuple[Any, Any]:
        optimizer = extend_optimizer(two_groups(), "clip", 2.0)
        extend_optimizer(optimizer, "x", 1e10)
        members = [
            put(optimizer, "eps", lambda proxy: StepLR(proxy, 2, 0.5)),
            DerivedSchedule(optimizer, rule, "x"),
            *SOURCES[source](optimizer),
            put_curve(optimizer, "betas[0]"),
            put(optimizer, "weight_decay", lambda proxy: MultiStepLR(proxy, [1, 3], 0.5)),
        ]
        return optimizer, SynchronousSchedule(members)

    optimizer, sync = start(rule)
    other, undisturbed = start(same)
    metrics = (1.0,) if source == "plateau" else ()
    for t in range(6):
        optimizer.step()
        other.step()
        rule.fails = t in (0, 2, 3)
        if rule.fails:
            before = everything(sync)
            with untouched(optimizer), pytest.raises(error):
                sync.step(*metrics)
            assert everything(sync) == before
            rule.fails = False
        sync.step(*metrics)
        undisturbed.step(*metrics)
        assert sync.get_last_schedules() == undisturbed.get_last_schedules()
        assert everything(sync)[1] == t + 1


@each_scheduler()
def test_a_rule_that_fails_takes_back_any_torch_scheduler(name: str, untouched: Untouched) -> None:
    """After a rule failed, each torch scheduler goes on as if the step had not been tried."""
    rule = Failing(math.nan)
    optimizer, other = two_groups(), two_groups()
    scheduler, undisturbed = SCHEDULERS[name](optimizer), SCHEDULERS[name](other)
    sync = SynchronousSchedule(
        [scheduler, DerivedSchedule(optimizer, rule, "weight_decay", absolute=True)]
    )
    for t in range(14):
        optimizer.step()
        other.step()
        rule.fails = True
        for _ in range(t % 3):
            with untouched(optimizer), pytest.raises(ValueError, match="'weight_decay' at step"):
                step_with_loss(sync, name)
        rule.fails = False
        step_with_loss(sync, name)
        step_with_loss(undisturbed, name)
        assert held(optimizer, "weight_decay") == held(optimizer) == held(other)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            "CyclicLR",
            marks=pytest.mark.skipif(TORCH < (2, 3), reason="this CyclicLR knows no betas"),
        ),
        "OneCycleLR",
    ],
)
def test_a_rule_that_fails_takes_back_the_momentum_too(name: str, untouched: Untouched) -> None:
    """A torch scheduler that cycles the momentum is taken back with both of its values."""
    rule = Failing("text")
    optimizer, other = two_groups(), two_groups()
    make = MOMENTUM_CYCLES[name]
    scheduler, undisturbed = make(optimizer), make(other)
    sync = SynchronousSchedule(
        [DerivedSchedule(optimizer, rule, "weight_decay", absolute=True), scheduler]
    )
    for t in range(8):
        optimizer.step()
        other.step()
        rule.fails = True
        if t % 2:
            with untouched(optimizer), pytest.raises(TypeError, match="'weight_decay' at step"):
                sync.step()
        rule.fails = False
        sync.step()
        undisturbed.step()
        assert held(optimizer, "weight_decay") == held(optimizer) == held(other)
        assert held(optimizer, "betas") == held(other, "betas")


def test_a_torch_scheduler_that_fails_is_taken_back_beside_a_derived_schedule(
    untouched: Untouched,
) -> None:
    """If a source fails after another torch scheduler stepped, both are taken back."""
    fails = [False]

    def factor(t: int) -> float:
        if fails[0]:
            raise ZeroDivisionError
        return 0.5**t

    optimizer = two_groups()
    sync = SynchronousSchedule(
        [
            put(optimizer, "eps"),
            LambdaLR(optimizer, factor),
            DerivedSchedule(optimizer, same, "weight_decay"),
        ]
    )
    optimizer.step()
    fails[0] = True
    before = everything(sync)
    with untouched(optimizer), pytest.raises(ZeroDivisionError):
        sync.step()
    assert everything(sync) == before
    fails[0] = False
    advance(sync)
    assert held(optimizer, "weight_decay") == [0.125, 0.03125]
    assert held(optimizer, "eps") == [5e-9, 5e-9]


def test_a_failing_rule_moves_no_tensor(untouched: Untouched) -> None:
    """Tensors of the source and of other members hold the values from before a failed step."""
    rule = Failing(math.nan)
    optimizer = sgd({"lr": torch.tensor(0.5), "clip": torch.tensor(4.0)})
    sync = SynchronousSchedule(
        [
            plateau(optimizer),
            put(optimizer, "clip"),
            DerivedSchedule(optimizer, rule, "weight_decay", absolute=True),
        ]
    )
    advance(sync, 2, 1.0)
    rule.fails = True
    optimizer.step()
    with untouched(optimizer), pytest.raises(ValueError, match="'weight_decay' at step 3"):
        sync.step(1.0)
    rule.fails = False
    advance(sync, 1, 1.0)
    assert floats(optimizer, "lr") == held(optimizer, "weight_decay") == [0.125]
    assert floats(optimizer, "clip") == [0.5]


@pytest.mark.parametrize("failure", FAILURES)
def test_a_rule_that_fails_at_construction_touches_nothing(
    failure: str, untouched: Untouched
) -> None:
    """A rule that fails for the present source is refused at once, and nothing is touched."""
    value, error = FAILURES[failure]
    rule = Failing(value)
    rule.fails = True
    optimizer = extend_optimizer(two_groups(), "x", 1e10)
    with untouched(optimizer), pytest.raises(error):
        DerivedSchedule(optimizer, rule, "x")


def test_a_rule_that_fails_when_it_becomes_a_member_moves_nothing(untouched: Untouched) -> None:
    """A ``SynchronousSchedule`` is refused if a rule fails for a source that was built later."""
    optimizer = two_groups(clip=1.0)
    derived = DerivedSchedule(optimizer, same, "weight_decay")
    second = DerivedSchedule(optimizer, lambda x: 1 / (x == 1), "clip")
    lr = CurveSchedule(optimizer, lambda t: 0.5)
    before = [each.state_dict() for each in (derived, second, lr)]
    with untouched(optimizer), pytest.raises(ZeroDivisionError):
        SynchronousSchedule([derived, second, lr])
    assert [each.state_dict() for each in (derived, second, lr)] == before


@pytest.mark.parametrize("beta", [1.0, -0.25, 1.5])
def test_a_derived_beta_out_of_range_is_refused(beta: float, untouched: Untouched) -> None:
    """A rule that gives a beta outside [0, 1) is refused with target, step and value."""
    optimizer = two_groups()
    derived = DerivedSchedule(
        optimizer, lambda lr: beta if lr == 0.25 else 0.5, "betas[1]", absolute=True
    )
    sync = SynchronousSchedule([derived, put_curve(optimizer)])
    optimizer.step()
    with untouched(optimizer), pytest.raises(ValueError, match=rf"'betas\[1\]' at step 1.*{beta}"):
        sync.step()
    assert sync.last_epoch == 0


def test_a_value_that_one_tensor_cannot_hold_moves_no_group(untouched: Untouched) -> None:
    """A value too large for the float16 tensor of one group moves no group."""
    optimizer = sgd({"clip": 1.0}, {"clip": torch.tensor(1.0, dtype=torch.float16)})
    derived = DerivedSchedule(optimizer, lambda lr: 1e4 / lr, "clip", absolute=True)
    sync = SynchronousSchedule([derived, put_curve(optimizer)])
    advance(sync)
    optimizer.step()
    with untouched(optimizer), pytest.raises(ValueError, match=r"'clip' at step 3.*65504"):
        sync.step(3)
    assert sync.last_epoch == 1


# -- groups that change ---------------------------------------------------------------------------


def test_a_group_that_joins_starts_from_its_own_values() -> None:
    """A group that joins later has its own initial values of target and source."""
    optimizer = two_groups()
    sync = SynchronousSchedule(
        [DerivedSchedule(optimizer, same, "weight_decay"), put_curve(optimizer)]
    )
    advance(sync)
    add_group(optimizer, lr=8.0, weight_decay=16.0)
    assert held(optimizer, "weight_decay") == [0.125, 0.03125, 16.0]
    for t in range(2, 5):
        advance(sync)
        assert held(optimizer) == [0.5 * 0.5**t, 2.0 * 0.5**t, 8.0 * 0.5**t]
        assert held(optimizer, "weight_decay") == [0.25 * 0.5**t, 0.0625 * 0.5**t, 16.0 * 0.5**t]


def test_groups_that_leave_are_not_missed() -> None:
    """A derived schedule goes on with the groups that are left."""
    optimizer = two_groups()
    sync = SynchronousSchedule(
        [DerivedSchedule(optimizer, same, "weight_decay"), put_curve(optimizer)]
    )
    advance(sync)
    del optimizer.param_groups[0]
    advance(sync)
    assert held(optimizer, "weight_decay") == [0.015625]


@pytest.mark.parametrize("kind", [float, torch.tensor], ids=["float", "tensor"])
def test_it_follows_groups_that_the_optimizer_loads(kind: Any) -> None:
    """``optimizer.load_state_dict`` replaces all groups, and the next step counts from theirs."""
    optimizer = adamw({"lr": kind(0.5), "weight_decay": kind(0.25)})
    sync = SynchronousSchedule(
        [DerivedSchedule(optimizer, same, "weight_decay"), put_curve(optimizer)]
    )
    saved = copy.deepcopy(optimizer.state_dict())
    advance(sync, 2)
    optimizer.load_state_dict(saved)
    assert floats(optimizer, "weight_decay") == [0.25]
    advance(sync)
    assert floats(optimizer, "lr") == [0.0625]
    assert floats(optimizer, "weight_decay") == [0.03125]


def test_a_group_that_lost_its_source_is_named(untouched: Untouched) -> None:
    """A step is refused if a group has lost the source, and nothing has moved."""
    optimizer = extend_optimizer(two_groups(), "clip", 1.0)
    derived = DerivedSchedule(optimizer, same, "weight_decay", of="clip")
    sync = SynchronousSchedule([derived, put_curve(optimizer)])
    optimizer.step()
    del optimizer.param_groups[1]["clip"]
    with untouched(optimizer), pytest.raises(KeyError, match="'clip' is not in param group 1"):
        sync.step()
    assert sync.last_epoch == derived.last_epoch == 0


@pytest.mark.parametrize("source", [put_curve, put])
def test_a_group_that_joins_without_the_target_is_named(source: Any) -> None:
    """A step and a state are refused if a group lacks the target, whatever moves the source."""
    optimizer = extend_optimizer(two_groups(), "clip", 1.0)
    sync = SynchronousSchedule([source(optimizer), DerivedSchedule(optimizer, same, "clip")])
    advance(sync)
    add_group(optimizer, lr=0.25)
    optimizer.step()
    before = held(optimizer)
    for call in (sync.step, sync.state_dict):
        with pytest.raises(KeyError, match="'clip' is not in param group 2"):
            call()
    assert held(optimizer) == before


def test_a_new_tensor_in_a_group_is_filled() -> None:
    """A tensor that takes the place of a float is filled from the next step on."""
    optimizer = two_groups()
    derived = DerivedSchedule(optimizer, same, "weight_decay", absolute=True)
    sync = SynchronousSchedule([derived, put_curve(optimizer)])
    extend_optimizer(optimizer, "weight_decay", torch.tensor(0.5), overwrite_values=True)
    tensors = held(optimizer, "weight_decay")
    advance(sync)
    assert all(now is then for now, then in zip(held(optimizer, "weight_decay"), tensors))
    assert floats(optimizer, "weight_decay") == [0.25, 1.0]


@pytest.mark.parametrize("absolute", [False, True])
def test_a_value_that_the_new_tensor_cannot_hold_is_refused(
    absolute: bool, untouched: Untouched
) -> None:
    """float16 ends at 65504, and a greater number would become infinite."""
    optimizer = adamw({"lr": 1.0, "weight_decay": 0.5})
    derived = DerivedSchedule(optimizer, lambda x: 2e5 * x, "weight_decay", absolute=absolute)
    advance(derived)
    half = torch.tensor(0.5, dtype=torch.float16)
    extend_optimizer(optimizer, "weight_decay", half, overwrite_values=True)
    optimizer.step()
    with (
        untouched(optimizer),
        pytest.raises(ValueError, match=r"must be from -65504\.0 to 65504\.0"),
    ):
        derived.step()
    assert derived.last_epoch == 1


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("in_sync", [False, True], ids=["alone", "member"])
def test_a_dict_that_takes_the_place_of_another_is_taken_in(absolute: bool, in_sync: bool) -> None:
    """A new dict in the middle of the list starts from its own values, also if it has a tensor."""
    optimizer = adamw(*({"lr": 1.0, "weight_decay": 0.5} for _ in range(3)))
    schedules = [DerivedSchedule(optimizer, squared, "weight_decay", absolute=absolute)]
    schedules = [SynchronousSchedule([put_curve(optimizer), *schedules])] if in_sync else schedules
    advance(schedules[0])
    before = optimizer.param_groups[1]
    kept = {key: before[key] for key in optimizer.defaults}
    own = {"params": before["params"], "lr": 4.0, "weight_decay": torch.tensor(0.25)}
    optimizer.param_groups[1] = {**kept, **own}
    for t in range(2, 5):
        advance(schedules[0])
        # The curve halves, from the group's own 4 on as well: it is a multiplier of the step.
        rates = [0.5**t if in_sync else 1.0, 4.0 * 0.5**t if in_sync else 4.0]
        multiples = [0.5**t, 0.5**t] if in_sync else [1.0, 1.0]
        expected = (
            [rate**2 for rate in rates]
            if absolute
            else [0.5 * multiples[0] ** 2, 0.25 * multiples[1] ** 2]
        )
        assert floats(optimizer, "weight_decay") == [expected[0], expected[1], expected[0]]
        assert optimizer.param_groups[1]["weight_decay"] is own["weight_decay"]


@pytest.mark.parametrize("absolute", [False, True])
def test_a_new_dict_with_a_tensor_that_cannot_hold_the_value_is_refused(
    absolute: bool, untouched: Untouched
) -> None:
    """A dict in the middle that has the old initial value, and a tensor of a smaller type."""
    optimizer = adamw(*({"lr": 1.0, "weight_decay": 0.5} for _ in range(3)))
    derived = DerivedSchedule(optimizer, lambda x: 2e5 * x, "weight_decay", absolute=absolute)
    advance(derived)
    half = torch.tensor(0.5, dtype=torch.float16)
    optimizer.param_groups[1] = {**optimizer.param_groups[1], "weight_decay": half}
    optimizer.step()
    with untouched(optimizer), pytest.raises(ValueError, match=r"from -65504\.0 to 65504\.0"):
        derived.step()


def test_no_groups_at_all_are_refused() -> None:
    """An optimizer that has lost all groups is named, at each step."""
    optimizer = two_groups()
    derived = DerivedSchedule(optimizer, same, "weight_decay")
    optimizer.step()
    optimizer.param_groups.clear()
    for _ in range(2):
        with pytest.raises(ValueError, match="AdamW has no param groups"):
            derived.step()


# -- state, copies, preview -----------------------------------------------------------------------

MEMBERS: dict[str, Callable[[Any], list[Any]]] = {
    "curve": lambda o: [DerivedSchedule(o, squared, "weight_decay"), CurveSchedule(o, cosine)],
    "torch": lambda o: [ExponentialLR(o, 0.9), DerivedSchedule(o, squared, "weight_decay")],
    "plateau": lambda o: [DerivedSchedule(o, same, "weight_decay", absolute=True), plateau(o)],
    "chain": lambda o: [
        DerivedSchedule(o, same, "eps", of="weight_decay", absolute=True),
        DerivedSchedule(o, squared, "weight_decay"),
        CurveSchedule(o, cosine),
    ],
    "chain from a proxy": lambda o: [
        DerivedSchedule(o, same, "eps", absolute=True),
        DerivedSchedule(o, squared, "lr", of="weight_decay"),
        put(o, "weight_decay"),
    ],
}
each_member = pytest.mark.parametrize("members", MEMBERS.values(), ids=MEMBERS.keys())
kinds = pytest.mark.parametrize("kind", [float, torch.tensor], ids=["float", "tensor"])


def start(members: Any, kind: Any = float) -> tuple[torch.optim.AdamW, SynchronousSchedule]:
    optimizer = adamw(
        {"lr": kind(0.3), "weight_decay": kind(0.7)}, {"lr": kind(0.9), "weight_decay": kind(0.1)}
    )
    return optimizer, SynchronousSchedule(members(optimizer))


def metrics_of(sync: Any) -> tuple[float, ...]:
    return (
        (1.0,)
        if any(type(s).__name__ == "ReduceLROnPlateau" for s in sync.schedules.values())
        else ()
    )


def run(sync: Any, steps: int) -> list[dict[str, list[float]]]:
    """The values of all members now and after each of ``steps`` steps."""
    values = []
    for i in range(steps + 1):
        seen = sync.get_last_schedules().items()
        values.append({name: [float(value) for value in each] for name, each in seen})
        if i < steps:
            advance(sync, 1, *metrics_of(sync))
    return values


@kinds
@each_member
def test_a_preview_is_the_run_bit_for_bit(members: Any, kind: Any, untouched: Untouched) -> None:
    """A preview shows exactly the values of the run, and moves nothing."""
    optimizer, sync = start(members, kind)
    run(sync, 2)
    before = everything(sync)
    with untouched(optimizer):
        seen = preview(sync, 8, metrics=1.0 if metrics_of(sync) else None)
    assert everything(sync) == before
    assert list(seen.steps) == list(range(2, 10))
    rows = run(sync, 7)
    assert seen.values == {name: [row[name] for row in rows] for name in sync.schedule_names}


def test_a_preview_alone_shows_the_present_source() -> None:
    """A preview of a derived schedule alone assumes that its source stays."""
    optimizer = two_groups()
    derived = DerivedSchedule(optimizer, same, "weight_decay")
    optimizer.param_groups[0]["lr"] = 1.0
    assert preview(derived, 3).values["weight_decay"] == [
        [0.25, 0.0625],
        [0.5, 0.0625],
        [0.5, 0.0625],
    ]


def test_a_preview_does_not_copy_the_object_whose_method_a_rule_is() -> None:
    """A rule that is a method of a big object is called in a preview, and not copied."""

    class Big:
        def __deepcopy__(self, memo: object) -> None:
            raise AssertionError("copied")

        def rule(self, x: float) -> float:
            return x

    optimizer = two_groups()
    derived = DerivedSchedule(optimizer, Big().rule, "weight_decay")
    sync = SynchronousSchedule([derived, put_curve(optimizer)])
    assert preview(sync, 3).values["weight_decay"][2] == [0.0625, 0.015625]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
@kinds
@each_member
def test_a_copy_goes_on_by_itself(members: Any, kind: Any, duplicate: Any) -> None:
    """A copy is on its own optimizer, gives the values of the run, and leaves the original."""
    optimizer, sync = start(members, kind)
    run(sync, 3)
    twin = duplicate(sync)
    assert twin.optimizer is not optimizer
    before = everything(sync)
    twin.optimizer.step()  # a copy of an optimizer does not know that it stepped
    ahead = run(twin, 5)
    assert everything(sync) == before
    assert ahead == run(sync, 5)


ORDERS: dict[str, Callable[[Any, Any, Any], None]] = {
    "optimizer, schedule": lambda o, s, saved: (
        o.load_state_dict(saved["optimizer"]),
        s.load_state_dict(saved["sync"]),
    ),
    "schedule, optimizer": lambda o, s, saved: (
        s.load_state_dict(saved["sync"]),
        o.load_state_dict(saved["optimizer"]),
    ),
    "schedule": lambda o, s, saved: s.load_state_dict(saved["sync"]),
}


# torch < 2.1 warns of a deprecation of its own where it loads a tensor with weights_only.
@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning")
@pytest.mark.parametrize("load", ORDERS.values(), ids=ORDERS.keys())
@kinds
@each_member
def test_a_run_resumes(members: Any, kind: Any, load: Any) -> None:
    """A resumed run gives the values of a run that is not stopped, in any order of loading."""
    optimizer, sync = start(members, kind)
    run(sync, 4)
    file = io.BytesIO()
    torch.save({"optimizer": optimizer.state_dict(), "sync": sync.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    other, resumed = start(members, kind)
    load(other, resumed, saved)
    assert run(resumed, 5) == run(sync, 5)


@kinds
def test_a_schedule_that_is_built_on_a_resumed_optimizer_finds_the_initial_values(
    kind: Any,
) -> None:
    """A derived schedule that is built on a loaded optimizer finds both initial values there."""
    optimizer, sync = start(MEMBERS["curve"], kind)
    run(sync, 4)
    saved, state = copy.deepcopy((optimizer.state_dict(), sync.state_dict()))
    other = adamw({"lr": kind(9.0)}, {"lr": kind(9.0)})
    other.load_state_dict(saved)
    resumed = SynchronousSchedule(MEMBERS["curve"](other)[::-1])
    resumed.load_state_dict(state)
    other.step()
    assert run(resumed, 5) == run(sync, 5)


def test_states_load_in_any_order_outside_of_a_synchronous_schedule() -> None:
    """The states of target, source and optimizer load in any order and give the same values."""
    optimizer = two_groups()
    curve, derived = put_curve(optimizer), DerivedSchedule(optimizer, same, "weight_decay")
    for _ in range(3):
        advance(curve)
        derived.step()
    saved = copy.deepcopy([each.state_dict() for each in (optimizer, curve, derived)])
    for order in itertools.permutations(range(3)):
        other = two_groups()
        both = [other, put_curve(other), DerivedSchedule(other, same, "weight_decay")]
        for i in order:
            both[i].load_state_dict(copy.deepcopy(saved[i]))
        assert held(other) == [0.0625, 0.25]
        assert held(other, "weight_decay") == [0.03125, 0.0078125]
        advance(both[1])
        both[2].step()
        assert held(other, "weight_decay") == [0.015625, 0.00390625]
        assert both[2].last_epoch == 4


def test_a_state_is_plain() -> None:
    """A state consists of numbers, strings, lists and dicts."""
    derived = DerivedSchedule(two_groups(), same, "weight_decay")
    state = derived.state_dict()
    assert state["schedule_target"] == "weight_decay"
    assert state["last_epoch"] == 0
    assert state["base_lrs"] == [0.25, 0.0625]
    assert state["_last_lr"] == [0.25, 0.0625]
    assert {type(value) for value in (*state["base_lrs"], *state["_last_lr"])} == {float}


@pytest.mark.parametrize(
    "changed",
    [
        lambda o: DerivedSchedule(o, squared, "weight_decay"),
        lambda o: DerivedSchedule(o, same, "weight_decay", of="eps"),
        lambda o: DerivedSchedule(o, same, "weight_decay", absolute=True),
        lambda o: CurveSchedule(o, same, "weight_decay"),
    ],
    ids=["rule", "source", "absolute", "a curve"],
)
def test_a_state_of_another_plan_warns(changed: Any) -> None:
    """A state that was saved under a different rule, source or kind warns when it is loaded."""
    state = DerivedSchedule(two_groups(), same, "weight_decay").state_dict()
    with pytest.warns(UserWarning, match="'weight_decay' was saved under .* and goes on under"):
        changed(two_groups()).load_state_dict(state)


def test_a_broken_state_is_refused(untouched: Untouched) -> None:
    """A state of a different target or with a missing entry is refused; nothing has moved."""
    derived = DerivedSchedule(two_groups(), same, "weight_decay")
    state = derived.state_dict()
    for broken in (
        {**state, "schedule_target": "eps"},
        {key: value for key, value in state.items() if key != "last_epoch"},
        {**state, "_last_lr": [0.5]},
        {**state, "last_epoch": -1.5, "_step_count": 3},
        None,
    ):
        with untouched(derived.optimizer), pytest.raises((TypeError, ValueError)):
            derived.load_state_dict(broken)  # type: ignore[arg-type]
    assert derived.last_epoch == 0


# -- subclasses, warnings -------------------------------------------------------------------------


class Logged(DerivedSchedule):
    """A derived schedule with a ``step`` of its own."""

    def step(self, epoch: float | None = None) -> None:
        self.log = getattr(self, "log", 0) + 1
        super().step(epoch)


def test_a_subclass_with_a_step_of_its_own_works_alone() -> None:
    """The ``step`` of a subclass is used, alone and as a member."""
    optimizer = two_groups()
    derived = Logged(optimizer, same, "weight_decay")
    sync = SynchronousSchedule([put(optimizer), derived])
    advance(sync, 2)
    assert derived.log == 2
    assert derived.last_epoch == 2
    assert held(optimizer, "weight_decay") == [0.0625, 0.015625]


@pytest.mark.parametrize("source", [put_curve, put])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_chain_goes_on_behind_a_step_of_its_own(source: Any, order: Any) -> None:
    """A schedule that derives from one with a ``step`` of its own has the new value too."""
    optimizer = two_groups(clip=1.0)
    members = [
        source(optimizer),
        Logged(optimizer, same, "weight_decay"),
        DerivedSchedule(optimizer, inverse, "clip", of="weight_decay"),
    ]
    sync = SynchronousSchedule([members[i] for i in order])
    advance(sync, 2)
    assert held(optimizer, "weight_decay") == [0.0625, 0.015625]
    assert held(optimizer, "clip") == [4.0, 4.0]
    ahead = preview(sync, 3)
    for t in range(3):
        assert sync.get_last_schedules() == {name: ahead.values[name][t] for name in ahead.values}
        advance(sync)


def test_a_failure_behind_a_step_of_its_own_takes_it_back(untouched: Untouched) -> None:
    """A rule that fails after such a step has moved nothing, not even what stepped."""
    optimizer = two_groups(clip=1.0)
    rule = Failing(ZeroDivisionError("mine"))
    sync = SynchronousSchedule(
        [
            put_curve(optimizer),
            Logged(optimizer, same, "weight_decay"),
            DerivedSchedule(optimizer, rule, "clip", of="weight_decay"),
        ]
    )
    advance(sync)
    optimizer.step()
    before = everything(sync)
    rule.fails = True
    with untouched(optimizer), pytest.raises(ZeroDivisionError):
        sync.step()
    assert everything(sync) == before
    rule.fails = False
    sync.step()
    assert held(optimizer) == [0.125, 0.5]
    assert held(optimizer, "weight_decay") == [0.0625, 0.015625]


class WithNote(DerivedSchedule):
    """A derived schedule with an entry of its own in its state."""

    note = "new"

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "note": self.note}

    def load_state_dict(self, state_dict: Any, *, plan: Any = "code") -> None:
        state = dict(state_dict)
        self.note = state.pop("note")
        super().load_state_dict(state, plan=plan)


class CurveWithNote(CurveSchedule):
    """A curve with an entry of its own in its state."""

    state_dict = WithNote.state_dict  # type: ignore[assignment]
    load_state_dict = WithNote.load_state_dict  # type: ignore[assignment]


@pytest.mark.parametrize("derived_first", [True, False])
def test_a_subclass_with_a_state_of_its_own_moves_after_its_source(derived_first: bool) -> None:
    """Its ``state_dict`` and ``load_state_dict`` are used, and it is a member like any other."""

    def start() -> tuple[Any, Any, SynchronousSchedule]:
        optimizer = two_groups()
        derived, lr = WithNote(optimizer, same, "weight_decay"), put_curve(optimizer)
        members = [derived, lr] if derived_first else [lr, derived]
        return optimizer, derived, SynchronousSchedule(members)

    optimizer, derived, sync = start()
    advance(sync, 2)
    assert held(optimizer, "weight_decay") == [0.0625, 0.015625]
    derived.note = "saved"
    again, resumed, other = start()
    other.load_state_dict(sync.state_dict())
    assert resumed.note == "saved"
    assert held(again, "weight_decay") == [0.0625, 0.015625]
    assert resumed.last_epoch == 2


class Floored(CurveSchedule):
    """A curve that never writes less than a floor."""

    FLOOR = 0.2

    def commit(self, prepared: Any) -> None:
        super().commit(prepared)
        for group in self.optimizer.param_groups:
            group["lr"] = max(group["lr"], self.FLOOR)

    def values_of(self, prepared: Any) -> list[float]:
        return [max(value, self.FLOOR) for value in super().values_of(prepared)]


def test_the_values_of_a_subclass_are_followed() -> None:
    """A source that writes other values than initial value × λ is followed as it says."""
    optimizer = adamw({"lr": 0.5, "weight_decay": 0.5})
    members = [Floored(optimizer, halving), DerivedSchedule(optimizer, same, "weight_decay")]
    sync = SynchronousSchedule(members)
    for expected in (0.25, 0.2, 0.2):
        advance(sync)
        assert held(optimizer) == held(optimizer, "weight_decay") == [expected]


@pytest.mark.parametrize("kind", [float, torch.tensor])
def test_a_rule_is_given_the_float_that_the_group_will_hold(kind: Any) -> None:
    """A curve may give the integer 4 for an entry that is a float, and stays 4.0."""
    given = []

    def rule(x: float) -> int:
        given.append(x)
        return 3

    optimizer = adamw({"batch": kind(2.0), "weight_decay": 0.5})
    sync = SynchronousSchedule(
        [
            CurveSchedule(optimizer, lambda t: 4, "batch", absolute=True),
            DerivedSchedule(optimizer, rule, "weight_decay", of="batch", absolute=True),
        ]
    )
    advance(sync, 2)
    assert set(map(type, given)) == {float}
    assert type(held(optimizer, "weight_decay")[0]) is float


def test_a_step_before_the_optimizer_warns_once() -> None:
    """Torch's warning comes if the optimizer has not used the first value, and comes once."""
    derived = DerivedSchedule(two_groups(), same, "weight_decay")
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        derived.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        derived.step()


def test_a_float_that_a_captured_step_bakes_in_warns() -> None:
    """A derived target that a captured step cannot see change warns at construction."""
    optimizer = two_groups(capturable=True)
    with pytest.warns(UserWarning, match="'weight_decay' is a float .* capturable=True"):
        DerivedSchedule(optimizer, same, "weight_decay")


def test_a_schedule_of_an_object_that_only_looks_like_an_optimizer() -> None:
    """An object with ``param_groups`` is enough, as for every other schedule."""

    class Trainer:
        def __init__(self) -> None:
            self.param_groups = [{"temperature": 2.0, "strength": 1.0}]

    trainer = Trainer()
    sync = SynchronousSchedule(
        [
            DerivedSchedule(trainer, inverse, "strength", of="temperature"),
            put_curve(trainer, "temperature"),
        ]
    )
    sync.step()
    assert trainer.param_groups[0]["strength"] == 2.0
    assert real_optimizer(sync) is trainer


# -- a source that someone else moves -------------------------------------------------------------


@pytest.mark.parametrize("source", ["curve", "torch"])
def test_the_first_value_follows_a_source_that_was_built_later(source: str) -> None:
    """A schedule that starts the source elsewhere than at its initial value counts at once."""
    optimizer = adamw({"lr": 0.5, "weight_decay": 0.25})
    derived = DerivedSchedule(optimizer, same, "weight_decay")
    if source == "curve":
        lr: Any = CurveSchedule(optimizer, lambda t: 0.5 + t / 8)  # 1/2 at step 0
    else:
        lr = LambdaLR(optimizer, lambda t: 0.5 + t / 8)
    assert held(optimizer, "weight_decay") == [0.25]
    sync = SynchronousSchedule([derived, lr])
    assert held(optimizer, "weight_decay") == [0.125]
    assert sync.last_epoch == 0
    optimizer.step()
    sync.step()
    assert sync.get_last_schedules() == {"weight_decay": [0.15625], "lr": [0.3125]}


@each_scheduler([each for each in SCHEDULERS if each != "ReduceLROnPlateau"])
def test_a_torch_scheduler_keeps_its_numbers_where_a_derived_schedule_was_first(name: str) -> None:
    """A derived schedule leaves nothing in the group that a torch scheduler takes for its own."""
    alone, beside = adamw({"lr": 0.5}), adamw({"lr": 0.5})
    DerivedSchedule(beside, same, "weight_decay")
    kind = SCHEDULERS[name]
    expected, found = kind(alone), kind(beside)
    for _ in range(8):
        assert held(beside) == held(alone)
        for optimizer, schedule in ((alone, expected), (beside, found)):
            optimizer.step()
            schedule.step()


def test_a_subclass_with_its_own_step_moves_after_its_source() -> None:
    class Counting(DerivedSchedule):
        calls = 0

        def step(self, epoch: float | None = None) -> None:
            self.calls += 1
            super().step(epoch)

    optimizer = adamw({"lr": 0.5, "weight_decay": 0.25})
    derived = Counting(optimizer, same, "weight_decay")
    sync = SynchronousSchedule([derived, put_curve(optimizer)])
    for t in range(1, 4):
        optimizer.step()
        sync.step()
        assert derived.calls == t
        assert held(optimizer, "weight_decay") == [0.25 * 0.5**t]


@pytest.mark.parametrize(
    "source", ["StepLR", pytest.param("ReduceLROnPlateau", marks=plateau_takes_groups)]
)
def test_a_group_that_joins_under_a_torch_source_starts_from_its_own_value(source: str) -> None:
    """Multiples are of the value that the group joined with, not of the first one after a step."""
    optimizer = adamw({"lr": 0.5, "weight_decay": 0.25})
    lr: Any = StepLR(optimizer, 1, 0.5) if source == "StepLR" else plateau(optimizer)
    sync = SynchronousSchedule([DerivedSchedule(optimizer, same, "weight_decay"), lr])
    optimizer.step()
    step_with_loss(sync, source)
    add_group(optimizer, lr=2.0, weight_decay=0.5)
    optimizer.step()
    step_with_loss(sync, source)
    assert held(optimizer)[1] == 1.0
    assert held(optimizer, "weight_decay")[1] == 0.25


def test_the_momentum_that_a_torch_scheduler_cycles_is_a_source() -> None:
    optimizer = sgd({"momentum": 0.5, "weight_decay": 0.25}, lr=0.5)
    lr = OneCycleLR(optimizer, 1.0, total_steps=8)
    derived = DerivedSchedule(optimizer, same, "weight_decay", of="momentum", absolute=True)
    sync = SynchronousSchedule([derived, lr])
    for _ in range(7):
        optimizer.step()
        sync.step()
        assert held(optimizer, "weight_decay") == held(optimizer, "momentum")
    assert held(optimizer, "momentum") != [0.5]


def test_a_target_that_starts_at_0_warns() -> None:
    """Multiples of 0 stay 0; the warning names both ways out, and values are one of them."""
    optimizer = adamw({"weight_decay": 0.0})
    with pytest.warns(
        UserWarning, match=r"(?s)'weight_decay'.*overwrite_values=True.*absolute=True"
    ):
        DerivedSchedule(optimizer, same, "weight_decay")
    DerivedSchedule(adamw({"lr": 0.5, "weight_decay": 0.0}), same, "weight_decay", absolute=True)


def test_a_target_that_was_deleted_is_named() -> None:
    optimizer = two_groups()
    derived = DerivedSchedule(optimizer, same, "weight_decay", absolute=True)
    lr = put_curve(optimizer)
    sync = SynchronousSchedule([derived, lr])
    del optimizer.param_groups[1]["weight_decay"]
    optimizer._opt_called = True  # an optimizer cannot step without the entry
    with pytest.raises(KeyError, match=r"'weight_decay'.*param group 1"):
        sync.step()


def test_a_source_of_somebody_without_a_state() -> None:
    """A schedule without state_dict moves the source; nobody asks for a state at each step."""

    class Foreign:
        def __init__(self, optimizer: Any) -> None:
            self.optimizer, self.last_epoch = optimizer, 0

        def step(self) -> None:
            self.last_epoch += 1
            for group in self.optimizer.param_groups:
                group["lr"] *= 0.5

        def get_last_lr(self) -> list[float]:
            return held(self.optimizer)

    optimizer = adamw({"lr": 0.5, "weight_decay": 0.25})
    foreign: Any = Foreign(optimizer)
    sync = SynchronousSchedule([DerivedSchedule(optimizer, same, "weight_decay"), foreign])
    optimizer.step()
    sync.step()
    assert sync.get_last_schedules() == {"weight_decay": [0.125], "lr": [0.25]}


def test_a_new_initial_value_of_a_source_that_nobody_schedules() -> None:
    """``extend_optimizer`` sets it where the derived schedule keeps it."""
    optimizer = adamw({"lr": 0.5, "weight_decay": 0.25, "scale": 4.0})
    derived = DerivedSchedule(optimizer, same, "weight_decay", of="scale")
    extend_optimizer(optimizer, "scale", 8.0, overwrite_values=True)
    advance(derived)
    assert held(optimizer, "weight_decay") == [0.25]
    optimizer.param_groups[0]["scale"] = 4.0
    advance(derived)
    assert held(optimizer, "weight_decay") == [0.125]


@pytest.mark.parametrize("source", ["lr", "scale"])
def test_a_new_initial_value_of_the_source_counts_at_once(source: str) -> None:
    """Multiples are of the initial value that the state brings, or that ``base_lrs`` sets."""

    def start(initial: float) -> tuple[Any, SynchronousSchedule]:
        optimizer = adamw({"weight_decay": 0.25, source: initial})
        derived = DerivedSchedule(optimizer, same, "weight_decay", of=source)
        return optimizer, SynchronousSchedule([put_curve(optimizer, source), derived])

    _, sync = start(0.5)
    advance(sync, 2)
    optimizer, other = start(2.0)
    other.load_state_dict(sync.state_dict())
    assert held(optimizer, "weight_decay") == [0.0625]
    advance(other)
    assert held(optimizer, source) == [0.0625]
    assert held(optimizer, "weight_decay") == [0.03125]
    other.schedules[source].base_lrs = [8.0]
    advance(other)
    assert held(optimizer, source) == [0.5]
    assert held(optimizer, "weight_decay") == [0.015625]


def test_each_group_counts_from_its_own_record() -> None:
    """One group has an initial value that a curve recorded, another is driven by nobody."""
    optimizer = adamw({"scale": 2.0, "weight_decay": 0.25}, {"scale": 4.0, "weight_decay": 0.25})
    derived = DerivedSchedule(optimizer, same, "weight_decay", of="scale")
    curve = CurveSchedule(optimizer, [None, halving], "scale")
    curve.base_lrs = [8.0, 8.0]
    sync = SynchronousSchedule([derived, curve])
    advance(sync)
    assert sync.get_last_schedules() == {"weight_decay": [0.25, 0.125], "scale": [2.0, 4.0]}


@pytest.mark.parametrize("kind", [float, torch.tensor])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_source_that_is_not_finite_is_refused(
    value: float, kind: Any, untouched: Untouched
) -> None:
    """Also where the rule would not pass it on."""
    optimizer = adamw({"lr": kind(0.5)})
    derived = DerivedSchedule(optimizer, lambda lr: min(0.25, lr), "weight_decay", absolute=True)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = kind(value)
    with untouched(optimizer), pytest.raises(ValueError, match=r"'lr' in param group 0: .* finite"):
        derived.step()
