"""A ``DerivedSchedule`` computes a target from the value that another target has at the time."""

from __future__ import annotations

import copy
import itertools
import math
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from cases import some
from helpers import (
    INVALID_VALUES,
    Failing,
    Untouched,
    across,
    adamw,
    add_group,
    advance,
    floats,
    halving,
    held,
    ignore_epoch_deprecation,
    plateau,
    plateau_takes_groups,
    put,
    put_curve,
    rows_in_a_run,
    same,
    sgd,
)
from target_helpers import KINDS
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR, LRScheduler, OneCycleLR, StepLR
from torch_schedulers import SCHEDULERS, each_scheduler, step

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


def squared(x: float) -> float:
    return x * x


def noting(rule: Rule) -> tuple[Rule, list[float]]:
    """Return ``rule``, and the list of what it is given from now on."""
    given: list[float] = []

    def noted(x: float) -> float:
        given.append(x)
        return rule(x)

    return noted, given


def two_groups(**entries: Any) -> torch.optim.AdamW:
    return adamw(
        {"lr": 0.5, "weight_decay": 0.25, **entries}, {"lr": 2.0, "weight_decay": 0.0625, **entries}
    )


def in_proportion(optimizer: Any) -> DerivedSchedule:
    """Weight decay in proportion to the learning rate."""
    return DerivedSchedule(optimizer, same, "weight_decay")


def test_the_learning_rate_from_a_batch_size_that_the_user_sets() -> None:
    """The learning rate grows with the square root of what the user assigns, at the next step.

    What is read ahead assumes that the source stays.
    """
    optimizer = extend_optimizer(two_groups(), "batch_size", 16)
    derived = DerivedSchedule(optimizer, math.sqrt, "lr", of="batch_size")
    for t, batch_sizes in enumerate([(64, 16), (4, 0), (16, 256)], 1):
        before = held(optimizer)
        for group, batch_size in zip(optimizer.param_groups, batch_sizes):
            group["batch_size"] = batch_size
        after = [x * math.sqrt(size / 16) for x, size in zip((0.5, 2.0), batch_sizes)]
        assert derived.get_lr() == derived.values_at(0) == derived.values_at(99.5) == after
        assert preview(derived, 3).values["lr"] == [before, after, after]
        assert held(optimizer) == before
        advance(derived)
        assert held(optimizer) == derived.get_last_lr() == after
        assert derived.last_epoch == t


# -- whatever moves the source --------------------------------------------------------------------


@each_scheduler()
def test_any_torch_scheduler_is_a_source(name: str) -> None:
    """A target follows the learning rate under each torch scheduler, which gives its own values.

    The derived schedule, built first, leaves nothing in the groups that torch takes for its own.
    """
    optimizer, other = two_groups(), two_groups()
    derived = DerivedSchedule(optimizer, squared, "weight_decay")
    sync = SynchronousSchedule([derived, SCHEDULERS[name](optimizer)])
    alone = SCHEDULERS[name](other)
    for t in range(12):
        losses = [1.0 if t % 3 else 2.0] if name == "ReduceLROnPlateau" else []
        assert held(optimizer) == held(other)
        # A plateau records no initial value, and CyclicLR records its base_lr.
        groups = zip(optimizer.param_groups, (0.5, 2.0))
        multiples = [group["lr"] / group.get("initial_lr", first) for group, first in groups]
        expected = [0.25 * squared(multiples[0]), 0.0625 * squared(multiples[1])]
        assert held(optimizer, "weight_decay") == expected
        advance(sync, 1, *losses)
        other.step()
        step(alone, *losses)


@pytest.mark.parametrize("was_scheduled", [False, True])
def test_each_group_follows_its_own_source(was_scheduled: bool) -> None:
    """Groups that different curves drive, and those that no curve drives, are followed apart.

    Each counts from what a curve has recorded, or from what the source was at first.
    """
    optimizer = adamw(*({"lr": lr, "weight_decay": 0.5} for lr in (1.0, 2.0, 4.0)))
    if was_scheduled:  # so that every group has an initial rate
        put_curve(optimizer)
    derived = in_proportion(optimizer)
    curve = CurveSchedule(optimizer, [None, halving, lambda t: 1.0 + t])
    curve.base_lrs = [16.0, 8.0, 4.0]  # the first one is left alone
    sync = SynchronousSchedule([derived, curve])
    advance(sync)
    optimizer.param_groups[0]["lr"] = 4.0
    advance(sync)
    assert held(optimizer) == [4.0, 8.0 / 4, 4.0 * 3]
    assert held(optimizer, "weight_decay") == [0.5 * 4, 0.5 / 4, 0.5 * 3]


def test_the_momentum_that_a_torch_scheduler_cycles_is_a_source() -> None:
    """A target follows the momentum that a ``OneCycleLR`` of the learning rate cycles."""
    optimizer = sgd({"momentum": 0.5, "weight_decay": 0.25}, lr=0.5)
    lr = OneCycleLR(optimizer, 1.0, total_steps=8)
    derived = DerivedSchedule(optimizer, same, "weight_decay", of="momentum", absolute=True)
    sync = SynchronousSchedule([derived, lr])
    for _ in range(7):
        advance(sync)
        assert held(optimizer, "weight_decay") == held(optimizer, "momentum")
    assert held(optimizer, "momentum") != [0.5]


def test_a_source_of_somebody_without_a_state() -> None:
    """A schedule without ``state_dict`` can move the source: a step asks for no state."""
    optimizer = adamw({"lr": 0.5, "weight_decay": 0.25})
    (group,) = optimizer.param_groups
    foreign = SimpleNamespace(optimizer=optimizer, step=lambda: group.update(lr=0.25))
    sync = SynchronousSchedule([in_proportion(optimizer), foreign])
    advance(sync)
    assert sync.get_last_schedules() == {"weight_decay": [0.125], "lr": [0.25]}


@pytest.mark.parametrize("source", [CurveSchedule, LambdaLR])
def test_the_first_value_follows_a_source_that_was_built_later(
    source: Any, untouched: Untouched
) -> None:
    """A schedule that starts the source elsewhere than at its initial value counts at once.

    If one rule fails for it, nothing has moved.
    """
    optimizer = adamw({"lr": 0.5, "weight_decay": 0.25, "clip": 1.0})
    derived = in_proportion(optimizer)
    failing = DerivedSchedule(optimizer, lambda x: 1 / (x == 1), "clip")
    lr = source(optimizer, lambda t: 0.5 + t / 8)
    assert held(optimizer, "weight_decay") == [0.25]
    before = [each.state_dict() for each in (derived, failing)]
    with untouched(optimizer), pytest.raises(ZeroDivisionError):
        SynchronousSchedule([derived, failing, lr])
    assert [each.state_dict() for each in (derived, failing)] == before
    sync = SynchronousSchedule([derived, lr])
    assert held(optimizer, "weight_decay") == [0.125]
    assert sync.last_epoch == 0
    advance(sync)
    assert sync.get_last_schedules() == {"weight_decay": [0.15625], "lr": [0.3125]}


# -- what a rule is given -------------------------------------------------------------------------


SOURCES: dict[str, Callable[[Any], list[Any]]] = {
    "curve": lambda o: [CurveSchedule(o, lambda t: 1 / (t + 3))],
    "ExponentialLR": lambda o: [ExponentialLR(o, 0.9)],
    "on a proxy": lambda o: [put(o, "lr", lambda proxy: ExponentialLR(proxy, 0.9))],
    "derived": lambda o: [
        CurveSchedule(o, lambda t: 0.9**t, "x"),
        DerivedSchedule(o, same, "lr", of="x"),
    ],
}


@across(
    source=SOURCES,
    dtype=[None, torch.float32, torch.float16, torch.bfloat16],
    in_sync=[True, False],
)
def test_a_multiple_is_value_by_initial_value_to_the_last_bit(
    source: str, dtype: Any, in_sync: bool
) -> None:
    """A rule is given what each group holds, which a tensor rounds, as a float.

    Tensors may also take the place of either initial value, and of the source.
    """
    rates = [0.1 * i for i in range(1, 21)]  # rounding tells a multiple from the curve's λ
    groups = [{"lr": rate if dtype is None else torch.tensor(rate, dtype=dtype)} for rate in rates]
    optimizer = sgd(*groups, weight_decay=0.5)
    extend_optimizer(extend_optimizer(optimizer, "copy", 1.0), "x", 0.3)
    root, given = noting(math.sqrt)
    initial, decay = floats(optimizer), [0.5] * len(rates)
    schedules: list[Any] = [
        *SOURCES[source](optimizer),
        DerivedSchedule(optimizer, same, "copy", absolute=True),
        DerivedSchedule(optimizer, root, "weight_decay"),
    ]
    if in_sync:
        schedules = [SynchronousSchedule(schedules)]
    for t in range(9):
        if t == 2:
            optimizer.param_groups[4]["initial_lr"], initial[4] = torch.tensor(0.5), 0.5
            optimizer.param_groups[5]["initial_weight_decay"], decay[5] = torch.tensor(0.25), 0.25
        elif t in (4, 6):
            optimizer.param_groups[t - 4]["lr"] = torch.tensor(0.3)
        optimizer.step()
        for each in schedules:
            each.step()
        assert held(optimizer, "copy") == floats(optimizer) != rates
        expected = [d * math.sqrt(x / i) for d, x, i in zip(decay, floats(optimizer), initial)]
        assert held(optimizer, "weight_decay") == expected
    assert {type(each) for each in [*given, *held(optimizer, "weight_decay")]} == {float}


@pytest.mark.parametrize("kind", [float, torch.tensor])
def test_a_rule_is_called_once_per_step_and_group(kind: Any) -> None:
    """It is given the float that the group will hold, also where a curve gives an integer."""
    rule, given = noting(lambda x: 3)
    optimizer = adamw({"batch": kind(2.0)}, {"batch": kind(2.0)})
    curve = CurveSchedule(optimizer, lambda t: int(4 + t), "batch", absolute=True)
    derived = DerivedSchedule(optimizer, rule, "weight_decay", of="batch", absolute=True)
    advance(SynchronousSchedule([derived, curve]), 2)
    # At construction of the schedule, at that of the SynchronousSchedule, and at two steps.
    assert given == [4.0, 4.0, 4.0, 4.0, 5.0, 5.0, 6.0, 6.0]
    assert {type(each) for each in [*given, *held(optimizer, "weight_decay")]} == {float}


def test_a_derived_tensor_is_filled_in_place() -> None:
    """A target that is a tensor, from the start or from now on, is filled; a shared one is parted.

    The value is rounded as torch rounds it.
    """
    shared = torch.tensor(0.25, dtype=torch.float16)
    optimizer = sgd({"lr": 0.5, "clip": shared}, {"lr": 2.0, "clip": shared})
    derived = DerivedSchedule(optimizer, lambda lr: 0.3 * lr, "clip", absolute=True)
    sync = SynchronousSchedule([derived, put_curve(optimizer)])
    tensors = held(optimizer, "clip")
    assert tensors[0] is not tensors[1]
    for dtype, rates in ((torch.float16, (0.25, 1.0)), (torch.float32, (0.125, 0.5))):
        advance(sync)
        assert all(now is then for now, then in zip(held(optimizer, "clip"), tensors))
        expected = [torch.zeros((), dtype=dtype).fill_(0.3 * lr).item() for lr in rates]
        assert floats(optimizer, "clip") == expected
        extend_optimizer(optimizer, "clip", torch.tensor(0.5), overwrite_values=True)
        tensors = held(optimizer, "clip")


def test_a_derived_schedule_answers_as_an_lr_scheduler() -> None:
    """It has the value of the present source from the start, and tells its parts and its state."""
    optimizer = two_groups()
    advance(put_curve(optimizer), 2)
    derived = in_proportion(optimizer)
    assert isinstance(derived, LRScheduler)
    assert (derived.optimizer, derived.rule) == (optimizer, same)
    assert (derived.schedule_target, derived.absolute) == ("weight_decay", False)
    assert derived.last_epoch == 0
    values = [0.0625, 0.015625]
    assert held(optimizer, "weight_decay") == derived.get_last_lr() == values
    assert derived.base_lrs == held(optimizer, "initial_weight_decay") == [0.25, 0.0625]
    assert held(optimizer, "initial_lr") == [0.5, 2.0]
    state = derived.state_dict()
    assert state["schedule_target"] == "weight_decay"
    assert (state["base_lrs"], state["_last_lr"]) == ([0.25, 0.0625], values)
    assert {type(value) for value in (*state["base_lrs"], *state["_last_lr"])} == {float}
    assert "'weight_decay'" in repr(derived)
    assert "'lr'" in repr(derived)
    with pytest.raises(RuntimeError, match="get_lr"):
        derived.get_lr()


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda o: DerivedSchedule(o, same, "lr"), ValueError, "of: 'lr' is the target itself"),
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
        (lambda o: DerivedSchedule(ProxyOptimizer(o), same, "eps"), ValueError, "proxy"),
        # It needs two entries of the groups, and a proxy has one.
        (lambda o: put(o, "eps", lambda p: DerivedSchedule(p, same, "eps")), ValueError, "proxy"),
        (lambda o: DerivedSchedule(3, same, "eps"), TypeError, "optimizer: expected a torch"),
    ],
)
def test_an_invalid_argument_is_refused(
    make: Any, error: Any, says: str, untouched: Untouched
) -> None:
    optimizer = two_groups()
    with untouched(optimizer), pytest.raises(error, match=says):
        make(optimizer)


def test_a_source_that_starts_at_0_has_no_multiples(untouched: Untouched) -> None:
    """It is refused for multiples, also in a group that joins, and fine for values."""
    optimizer = adamw({"lr": 0.5}, {"lr": 0.0})
    with untouched(optimizer), pytest.raises(ValueError, match=r"'lr' is 0.*absolute=True"):
        in_proportion(optimizer)
    DerivedSchedule(optimizer, lambda lr: 1 + lr, "weight_decay", absolute=True)
    assert held(optimizer, "weight_decay") == [1.5, 1.0]
    optimizer = two_groups()
    sync = SynchronousSchedule([in_proportion(optimizer), put_curve(optimizer)])
    add_group(optimizer, lr=0.0)
    optimizer.step()
    with untouched(optimizer), pytest.raises(ValueError, match=r"'lr' is 0"):
        sync.step()
    assert sync.schedules["weight_decay"].last_epoch == sync.last_epoch == 0
    optimizer.param_groups[2].update(lr=4.0, weight_decay=1.0)
    advance(sync)
    assert held(optimizer, "weight_decay") == [0.125, 0.03125, 0.5]


def test_circles_are_refused() -> None:
    optimizer = extend_optimizer(two_groups(betas=(0.5, 0.25)), "clip", 1.0)
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
    with pytest.raises(ValueError, match=r"of: 'betas\[0\]' is the target itself"):
        DerivedSchedule(optimizer, same, "betas[0]", of="betas[0]")
    # Two elements of one tuple: one direction is fine.
    first = DerivedSchedule(optimizer, same, "betas[0]", of="betas[1]")
    second = DerivedSchedule(optimizer, same, "betas[1]", of="betas[0]")
    with pytest.raises(ValueError, match=r"betas\[0\] of betas\[1\] of betas\[0\]"):
        SynchronousSchedule([first, second])
    advance(SynchronousSchedule([first, put_curve(optimizer, "betas[1]")]))
    assert [group["betas"] for group in optimizer.param_groups] == [(0.25, 0.125)] * 2


# -- a rule that fails ----------------------------------------------------------------------------


FAILURES: dict[str, tuple[Any, type[BaseException]]] = {
    **{name: INVALID_VALUES[name] for name in ("NaN", "-inf", "complex", "string", "bool")},
    "None": (None, TypeError),
    "negative": (-0.25, ValueError),
    "1 or more": (1 / 0.75, ValueError),
    "ZeroDivisionError": (ZeroDivisionError("mine"), ZeroDivisionError),
    "KeyboardInterrupt": (KeyboardInterrupt(), KeyboardInterrupt),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_rule_that_fails_moves_nothing(failure: str, untouched: Untouched) -> None:
    """A rule that fails moves no member, not even its source, and the next good step goes on."""
    value, error = FAILURES[failure]
    rule = Failing(value)
    optimizer = two_groups(betas=(0.5, 0.75))
    derived = DerivedSchedule(optimizer, rule, "betas[1]")
    curves = [put_curve(optimizer), put_curve(optimizer, "betas[0]")]
    sync = SynchronousSchedule([put(optimizer, "eps"), derived, *curves])
    optimizer.step()
    before = copy.deepcopy(sync.state_dict())
    rule.fails = True
    for t, call in ((1, sync.step), (0, lambda: DerivedSchedule(optimizer, rule, "betas[1]"))):
        with untouched(optimizer), pytest.raises(error) as raised:
            call()
        if failure == "KeyboardInterrupt":
            assert raised.value is value  # goes through as it is
        else:
            assert re.search(rf"'betas\[1\]'.* at step {t}", str(raised.value))
    assert sync.state_dict() == before
    rule.fails = False
    sync.step()
    expected = {"eps": [0.5e-8] * 2, "lr": [0.25, 1.0], "betas[0]": [0.25] * 2}
    assert sync.get_last_schedules() == {**expected, "betas[1]": [0.375] * 2}


@pytest.mark.parametrize(
    ("error", "raised", "in_sync"),
    [
        (ZeroDivisionError("mine"), ZeroDivisionError, True),
        (ValueError("mine"), ValueError, False),
        (KeyError("mine"), KeyError, True),
        (AssertionError("mine"), RuntimeError, False),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "mine"), Exception, True),
    ],
)
def test_a_rule_that_raises_is_named(
    error: Exception, raised: Any, in_sync: bool, untouched: Untouched
) -> None:
    """The error names the target, the rule, its argument and the step, and has the cause."""

    def rule(x: float) -> float:
        if x == 0.25:
            raise error
        return x

    optimizer = adamw({"lr": 0.5}, {"lr": 0.5})
    derived = DerivedSchedule(optimizer, rule, "weight_decay")
    # The second group's argument is the one that fails.
    curve = CurveSchedule(optimizer, [lambda t: 1.0, halving])
    schedule: Any = SynchronousSchedule([derived, curve]) if in_sync else derived
    advance(schedule)
    optimizer.step()
    if not in_sync:
        curve.step(2)
    with untouched(optimizer), pytest.raises(raised) as caught:
        schedule.step()
    message = str(caught.value)
    for text in ("the rule of 'weight_decay'", "locals>.rule", "for 0.25 at step 2", "mine"):
        assert text in message
    assert caught.value.__cause__ is error
    assert derived.last_epoch == 1
    curve.step(2)
    with untouched(optimizer), pytest.raises(raised, match=r"for 0.25 at step 0: .*mine"):
        DerivedSchedule(optimizer, rule, "eps")


TORCH_SOURCES: dict[str, Callable[[Any], list[Any]]] = {
    "torch": lambda o: [ExponentialLR(o, 0.5)],
    "torch through a factory": lambda o: [put(o, "lr", lambda p: LambdaLR(p, halving))],
    "plateau": lambda o: [plateau(o)],
    "derived from torch": lambda o: [DerivedSchedule(o, same, "lr", of="clip"), put(o, "clip")],
}


@pytest.mark.parametrize("source", TORCH_SOURCES)
def test_a_rule_that_fails_behind_a_torch_scheduler_moves_no_schedule_of_ours(source: str) -> None:
    """No schedule of this library moves if a rule fails after a torch scheduler has stepped."""
    optimizer = extend_optimizer(two_groups(), "clip", 2.0)
    extend_optimizer(optimizer, "x", torch.tensor(4.0))
    rule = Failing(math.nan)
    members = [put_curve(optimizer, "x"), DerivedSchedule(optimizer, rule, "weight_decay")]
    sync = SynchronousSchedule([*members, *TORCH_SOURCES[source](optimizer)])
    metrics = [1.0] if source == "plateau" else []
    advance(sync, 1, *metrics)
    ours = [each for each in sync.schedules.values() if hasattr(each, "absolute")]
    before = copy.deepcopy([each.state_dict() for each in ours])
    optimizer.step()
    rule.fails = True
    with pytest.raises(ValueError, match="'weight_decay' at step 2"):
        sync.step(*metrics)
    assert [each.state_dict() for each in ours] == before


@across(value=[math.nan, math.inf], kind=[float, torch.tensor])
def test_a_source_must_be_finite(value: float, kind: Any, untouched: Untouched) -> None:
    """A source that is not finite is refused, also where the rule would not pass it on."""
    optimizer = adamw({"lr": kind(0.5)})
    derived = DerivedSchedule(optimizer, lambda lr: min(0.25, lr), "weight_decay", absolute=True)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = kind(value)
    with untouched(optimizer), pytest.raises(ValueError, match=r"'lr' in param group 0: .* finite"):
        derived.step()


# -- groups that change ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "metrics"),
    [(lambda o: StepLR(o, 1, 0.5), []), pytest.param(plateau, [1.0], marks=plateau_takes_groups)],
)
def test_a_group_that_joins_under_a_torch_source_starts_from_its_own_value(
    source: Any, metrics: list[float]
) -> None:
    """Multiples are of the value that the group joined with, not of the first one after a step."""
    optimizer = adamw({"lr": 0.5, "weight_decay": 0.25})
    sync = SynchronousSchedule([in_proportion(optimizer), source(optimizer)])
    advance(sync, 1, *metrics)
    add_group(optimizer, lr=2.0, weight_decay=0.5)
    advance(sync, 1, *metrics)
    assert held(optimizer)[1] == 1.0
    assert held(optimizer, "weight_decay")[1] == 0.25


@pytest.mark.parametrize(
    ("target", "of", "source", "is_lost"),
    [
        ("weight_decay", "clip", put_curve, True),
        ("clip", "lr", put_curve, True),
        ("clip", "lr", put_curve, False),
        ("clip", "lr", put, False),
    ],
)
def test_a_group_without_the_source_or_the_target_is_named(
    target: str, of: str, source: Any, is_lost: bool, untouched: Untouched
) -> None:
    """A step is refused if a group lost it or joins without it, and nothing has moved."""
    optimizer = extend_optimizer(two_groups(), "clip", 1.0)
    derived = DerivedSchedule(optimizer, same, target, of=of)
    sync = SynchronousSchedule([derived, source(optimizer)])
    advance(sync)
    if is_lost:
        del optimizer.param_groups[1]["clip"]
    else:
        add_group(optimizer)
    optimizer.step()
    says = f"'clip' .* param group {1 if is_lost else 2}"
    for call in [sync.step, sync.state_dict] if target == "clip" else [sync.step]:
        with untouched(optimizer), pytest.raises(KeyError, match=says):
            call()
    assert sync.last_epoch == derived.last_epoch == 1


@across(absolute=[False, True], in_sync=[True, False])
def test_a_dict_that_takes_the_place_of_another_is_taken_in(absolute: bool, in_sync: bool) -> None:
    """A new dict in the middle of the list starts from its own values, also if it has a tensor."""
    optimizer = adamw(*({"lr": 1.0, "weight_decay": 0.5} for _ in range(3)))
    schedule: Any = DerivedSchedule(optimizer, squared, "weight_decay", absolute=absolute)
    if in_sync:
        schedule = SynchronousSchedule([put_curve(optimizer), schedule])
    advance(schedule)
    tensor = torch.tensor(0.25)
    kept = {key: optimizer.param_groups[1][key] for key in (*optimizer.defaults, "params")}
    optimizer.param_groups[1] = {**kept, "lr": 4.0, "weight_decay": tensor}
    for t in range(2, 5):
        advance(schedule)
        # The curve halves, from the group's own 4 on as well: it is a multiplier of the step.
        multiple = 0.5**t if in_sync else 1.0
        first, second = (1.0, 16.0) if absolute else (0.5, 0.25)
        expected = [first * multiple**2, second * multiple**2, first * multiple**2]
        assert floats(optimizer, "weight_decay") == expected
        assert optimizer.param_groups[1]["weight_decay"] is tensor


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_run_can_be_built_on_the_loaded_optimizer(kind: str) -> None:
    """A derived schedule finds both initial values there, and the run goes on."""
    as_kind = KINDS[kind]

    def start(*rates: float, saved: Any = None) -> tuple[Any, SynchronousSchedule]:
        optimizer = adamw(*({"lr": as_kind(x), "weight_decay": as_kind(x / 3)} for x in rates))
        if saved is not None:
            optimizer.load_state_dict(saved)
        derived = DerivedSchedule(optimizer, squared, "weight_decay")
        return optimizer, SynchronousSchedule([derived, plateau(optimizer)])

    optimizer, sync = start(0.3, 0.9)
    losses = [1.0] * 20
    rows_in_a_run(sync, 5, losses)
    saved, state = copy.deepcopy((optimizer.state_dict(), sync.state_dict()))
    _, resumed = start(9.0, 9.0, saved=saved)
    resumed.load_state_dict(state)
    ahead = preview(sync, 6, metrics=1.0).values
    assert ahead == rows_in_a_run(resumed, 6, losses) == rows_in_a_run(sync, 6, losses)


def test_a_state_of_another_source_or_kind_warns() -> None:
    """``test_load_policies.py`` has other rules, and what the run then does."""
    state = in_proportion(two_groups()).state_dict()
    for other in (
        DerivedSchedule(two_groups(), same, "weight_decay", of="eps"),
        DerivedSchedule(two_groups(), same, "weight_decay", absolute=True),
        CurveSchedule(two_groups(), same, "weight_decay"),
    ):
        with pytest.warns(UserWarning, match="'weight_decay' was saved under .* and goes on under"):
            other.load_state_dict(state)


# -- subclasses -----------------------------------------------------------------------------------


class Logged(DerivedSchedule):
    """A derived schedule with a ``step`` of its own."""

    log = 0

    def step(self, epoch: float | None = None) -> None:
        self.log += 1
        super().step(epoch)


class Annotated(DerivedSchedule):
    """A derived schedule with an entry of its own in its state."""

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "note": "mine"}


@across(
    kind=[Logged, Annotated], make=[put_curve, lambda o: DerivedSchedule(o, same, "lr", of="clip")]
)
def test_methods_of_its_own_are_refused_behind_a_source_of_ours(
    kind: type[DerivedSchedule], make: Callable[[Any], Any], untouched: Untouched
) -> None:
    """Ours are written last, so it would compute from the value that the source had before."""
    optimizer = two_groups(clip=1.0)
    members = [kind(optimizer, same, "weight_decay"), make(optimizer)]
    named = f"'weight_decay' .{kind.__name__}.*'lr', its source.*Override moves_to"
    with untouched(optimizer), pytest.raises(TypeError, match=named):
        SynchronousSchedule(members)
    SynchronousSchedule(members[:1])


@pytest.mark.parametrize("order", some(itertools.permutations(range(3))))
def test_a_chain_goes_on_behind_a_step_of_its_own(order: tuple[int, ...]) -> None:
    """The ``step`` of a subclass is used, and what derives from its target has the new value."""
    optimizer = two_groups(clip=1.0)
    logged = Logged(optimizer, same, "weight_decay")
    behind = DerivedSchedule(optimizer, lambda x: 1 / x, "clip", of="weight_decay")
    members = [put(optimizer), logged, behind]
    sync = SynchronousSchedule([members[i] for i in order])
    advance(sync, 2)
    assert logged.log == logged.last_epoch == 2
    assert held(optimizer, "weight_decay") == [0.0625, 0.015625]
    assert held(optimizer, "clip") == [4.0, 4.0]
    assert preview(sync, 3).values == rows_in_a_run(sync, 3)


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
    sync = SynchronousSchedule([Floored(optimizer, halving), in_proportion(optimizer)])
    for expected in (0.25, 0.2, 0.2):
        advance(sync)
        assert held(optimizer) == held(optimizer, "weight_decay") == [expected]
