"""A ``DerivedSchedule`` computes a target from the value that another target has at the time."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from cases import crossed, some
from helpers import (
    INVALID_VALUES,
    Failing,
    Untouched,
    adamw,
    add_group,
    advance,
    each_copy,
    floats,
    halving,
    held,
    ignore_epoch_deprecation,
    plateau,
    plateau_takes_groups,
    put,
    put_curve,
    real_optimizer,
    rows_in_a_run,
    same,
    sgd,
    through_a_file,
)
from torch.optim.lr_scheduler import (
    ExponentialLR,
    LambdaLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    StepLR,
)
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


def cosine(t: float) -> float:
    return 0.1 + 0.9 * (1 + math.cos(math.pi * min(t / 10, 1))) / 2


def two_groups(**entries: Any) -> torch.optim.AdamW:
    return adamw(
        {"lr": 0.5, "weight_decay": 0.25, **entries},
        {"lr": 2.0, "weight_decay": 0.0625, **entries},
    )


def in_proportion(optimizer: Any) -> DerivedSchedule:
    """Weight decay in proportion to the learning rate."""
    return DerivedSchedule(optimizer, same, "weight_decay")


def under_a_curve(optimizer: Any) -> SynchronousSchedule:
    """Weight decay in proportion to a learning rate that halves at each step."""
    return SynchronousSchedule([in_proportion(optimizer), put_curve(optimizer)])


def everything(sync: Any) -> Any:
    return copy.deepcopy([sync.state_dict(), sync.last_epoch])


def together(*schedules: Any) -> Callable[[], Any]:
    """Return a function that steps the schedules in a ``SynchronousSchedule``."""
    return SynchronousSchedule(schedules).step


def apart(*schedules: Any) -> Callable[[], Any]:
    """Return a function that steps one schedule after the other."""
    return lambda: [schedule.step() for schedule in schedules]


each_way_to_step = pytest.mark.parametrize("stepping", [together, apart])


# -- uses -----------------------------------------------------------------------------------------


def test_weight_decay_in_proportion_to_the_learning_rate() -> None:
    """Weight decay keeps its ratio to the learning rate, as in AdamC (arXiv 2506.02285)."""
    optimizer = two_groups()
    sync = SynchronousSchedule([in_proportion(optimizer), CurveSchedule(optimizer, cosine)])
    for t in range(13):
        rates = [0.5 * cosine(t), 2.0 * cosine(t)]
        assert held(optimizer) == rates
        assert held(optimizer, "weight_decay") == [0.25 * (rates[0] / 0.5), 0.0625 * rates[1] / 2.0]
        advance(sync)


def test_a_beta_from_the_batch_size() -> None:
    """``betas[1]`` keeps its half-life in samples, and ``betas`` stays a tuple."""
    optimizer = extend_optimizer(two_groups(betas=(0.75, 0.999)), "batch_size", 64)
    beta = DerivedSchedule(
        optimizer, lambda size: 0.5 ** (size / 1024), "betas[1]", of="batch_size", absolute=True
    )
    growth = CurveSchedule(optimizer, lambda t: 64 * 2**t, "batch_size", absolute=True)
    sync = SynchronousSchedule([beta, growth])
    for t, batch_size in enumerate((64, 128, 256, 512, 1024)):
        assert held(optimizer, "batch_size") == [batch_size] * 2
        expected = (0.75, 0.5 ** (2.0 ** (t - 4)))
        assert [group["betas"] for group in optimizer.param_groups] == [expected] * 2
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


@pytest.mark.parametrize(
    ("source", "order"), crossed([put_curve, put], some(itertools.permutations(range(5)), 6))
)
def test_a_chain_in_any_order(source: Any, order: tuple[int, ...]) -> None:
    """Each schedule of a chain, or of several from one source, moves after its source."""
    optimizer = extend_optimizer(two_groups(), "clip", 8.0)
    chain: list[Any] = [
        source(optimizer, "clip"),
        DerivedSchedule(optimizer, same, "lr", of="clip"),
        DerivedSchedule(optimizer, squared, "weight_decay"),
        DerivedSchedule(optimizer, lambda w: 1 - w, "betas[1]", of="weight_decay", absolute=True),
        DerivedSchedule(optimizer, same, "eps", absolute=True),
    ]
    sync = SynchronousSchedule([chain[i] for i in order])
    for t in range(6):
        assert held(optimizer, "clip") == [8.0 * 0.5**t] * 2
        assert held(optimizer) == held(optimizer, "eps") == [0.5 * 0.5**t, 2.0 * 0.5**t]
        decays = [0.25 * 0.25**t, 0.0625 * 0.25**t]
        assert held(optimizer, "weight_decay") == decays
        assert held(optimizer, "betas[1]") == [1 - decay for decay in decays]
        advance(sync)


# -- whatever moves the source --------------------------------------------------------------------


def losses(num: int) -> list[float]:
    return [1.0 if t % 3 else 2.0 for t in range(num)]


@each_scheduler()
def test_any_torch_scheduler_is_a_source(name: str) -> None:
    """A target follows the learning rate under each torch scheduler, which gives its own values."""
    optimizer, other = two_groups(), two_groups()
    scheduler, alone = SCHEDULERS[name](optimizer), SCHEDULERS[name](other)
    derived = DerivedSchedule(optimizer, squared, "weight_decay")
    sync = SynchronousSchedule([derived, scheduler])
    for loss in losses(12):
        rates = floats(optimizer)
        assert rates == floats(other)
        # A plateau records no initial value, and CyclicLR records its base_lr.
        initial = [
            group.get("initial_lr", first)
            for group, first in zip(optimizer.param_groups, (0.5, 2.0))
        ]
        multiples = [rate / first for rate, first in zip(rates, initial)]
        expected = [0.25 * squared(multiples[0]), 0.0625 * squared(multiples[1])]
        assert held(optimizer, "weight_decay") == expected
        optimizer.step()
        other.step()
        sync.step(*([loss] if name == "ReduceLROnPlateau" else []))
        step(alone, loss)


@each_scheduler()
def test_any_torch_scheduler_on_a_proxy_is_a_source(name: str) -> None:
    """A target follows any other target that a torch scheduler drives through a proxy."""
    optimizer = adamw({"weight_decay": 0.5}, {"weight_decay": 0.25})
    derived = DerivedSchedule(optimizer, same, "eps", of="weight_decay", absolute=True)
    sync = SynchronousSchedule([derived, put(optimizer, "weight_decay", SCHEDULERS[name])])
    for loss in losses(12):
        advance(sync, 1, *([loss] if name == "ReduceLROnPlateau" else []))
        assert held(optimizer, "eps") == floats(optimizer, "weight_decay")


def test_a_source_that_the_user_sets() -> None:
    """A target follows values that the user assigns to the source, at the next step."""
    derived = in_proportion(optimizer := two_groups())
    for first, second in [(0.25, 8.0), (1.0, 0.0), (0.5, 2.0)]:
        optimizer.param_groups[0]["lr"] = first
        optimizer.param_groups[1]["lr"] = second
        advance(derived)
        assert held(optimizer, "weight_decay") == [0.25 * first / 0.5, 0.0625 * second / 2.0]


@pytest.mark.parametrize(
    ("last_curve", "last_multiple", "was_scheduled"),
    [(lambda t: 1.0 + t, 3.0, False), (None, 1.0, True)],
)
def test_each_group_follows_its_own_source(
    last_curve: Any, last_multiple: float, was_scheduled: bool
) -> None:
    """Groups that different curves drive, and those that no curve drives, are followed apart."""
    optimizer = adamw(*({"lr": lr, "weight_decay": 0.5} for lr in (1.0, 2.0, 4.0)))
    if was_scheduled:  # so that every group has an initial rate
        put_curve(optimizer)
    curve = CurveSchedule(optimizer, [halving, None, last_curve])
    sync = SynchronousSchedule([in_proportion(optimizer), curve])
    advance(sync)
    optimizer.param_groups[1]["lr"] = 8.0
    advance(sync)
    assert held(optimizer) == [0.25, 8.0, 4.0 * last_multiple]
    assert held(optimizer, "weight_decay") == [0.125, 2.0, 0.5 * last_multiple]


def test_each_group_counts_from_its_own_record() -> None:
    """One group has an initial value that a curve recorded, another is driven by nobody."""
    optimizer = adamw({"scale": 2.0, "weight_decay": 0.25}, {"scale": 4.0, "weight_decay": 0.25})
    derived = DerivedSchedule(optimizer, same, "weight_decay", of="scale")
    curve = CurveSchedule(optimizer, [None, halving], "scale")
    curve.base_lrs = [8.0, 8.0]
    sync = SynchronousSchedule([derived, curve])
    advance(sync)
    assert sync.get_last_schedules() == {"weight_decay": [0.25, 0.125], "scale": [2.0, 4.0]}


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

    class Foreign:
        def __init__(self, optimizer: Any) -> None:
            self.optimizer, self.last_epoch = optimizer, 0

        def step(self) -> None:
            self.last_epoch += 1
            for group in self.optimizer.param_groups:
                group["lr"] *= 0.5

    optimizer = adamw({"lr": 0.5, "weight_decay": 0.25})
    sync = SynchronousSchedule([in_proportion(optimizer), Foreign(optimizer)])
    advance(sync)
    assert sync.get_last_schedules() == {"weight_decay": [0.125], "lr": [0.25]}


@pytest.mark.parametrize("source", [CurveSchedule, LambdaLR])
def test_the_first_value_follows_a_source_that_was_built_later(source: Any) -> None:
    """A schedule that starts the source elsewhere than at its initial value counts at once."""
    optimizer = adamw({"lr": 0.5, "weight_decay": 0.25})
    derived = in_proportion(optimizer)
    lr = source(optimizer, lambda t: 0.5 + t / 8)
    assert held(optimizer, "weight_decay") == [0.25]
    sync = SynchronousSchedule([derived, lr])
    assert held(optimizer, "weight_decay") == [0.125]
    assert sync.last_epoch == 0
    advance(sync)
    assert sync.get_last_schedules() == {"weight_decay": [0.15625], "lr": [0.3125]}


@each_scheduler([each for each in SCHEDULERS if each != "ReduceLROnPlateau"])
def test_a_torch_scheduler_keeps_its_numbers_where_a_derived_schedule_was_first(name: str) -> None:
    """A derived schedule leaves nothing in the group that a torch scheduler takes for its own."""
    alone, beside = adamw({"lr": 0.5}), adamw({"lr": 0.5})
    in_proportion(beside)
    kind = SCHEDULERS[name]
    expected, found = kind(alone), kind(beside)
    for _ in range(8):
        assert held(beside) == held(alone)
        for optimizer, schedule in ((alone, expected), (beside, found)):
            optimizer.step()
            schedule.step()


def test_it_works_alone() -> None:
    """Alone, a derived schedule computes from what the groups hold when it is stepped."""
    optimizer = two_groups()
    curve, derived = put_curve(optimizer), in_proportion(optimizer)
    for t in range(1, 4):
        advance(curve)
        assert held(optimizer, "weight_decay") == [0.25 * 0.5 ** (t - 1), 0.0625 * 0.5 ** (t - 1)]
        derived.step()
        assert held(optimizer, "weight_decay") == [0.25 * 0.5**t, 0.0625 * 0.5**t]
        assert derived.last_epoch == t


# -- what a rule is given -------------------------------------------------------------------------


@each_way_to_step
def test_a_multiple_is_value_by_initial_value_to_the_last_bit(stepping: Any) -> None:
    """Alone and beside its source, a schedule computes from value / initial value of each group."""
    optimizer = adamw(*({"lr": 0.1 * i, "weight_decay": 1.0} for i in range(1, 21)))
    curve = CurveSchedule(optimizer, lambda t: 1 / (t + 3))
    step_both = stepping(curve, in_proportion(optimizer))
    initial = held(optimizer, "initial_lr")
    distinct = []
    for _ in range(9):
        optimizer.step()
        step_both()
        multiples = [lr / first for lr, first in zip(held(optimizer), initial)]
        assert held(optimizer, "weight_decay") == multiples
        distinct.append(len({*multiples}))
    assert max(distinct) > 1  # rounding tells a multiple from the curve's multiplier


@each_way_to_step
def test_a_tensor_that_takes_the_place_of_a_source_is_followed(stepping: Any) -> None:
    """A tensor that was put in the place of a float rounds, and the rule is given what it holds."""
    optimizer = two_groups()
    root, given = noting(math.sqrt)
    curve = CurveSchedule(optimizer, lambda t: 0.9**t)
    step_both = stepping(curve, DerivedSchedule(optimizer, root, "weight_decay"))
    for place in (None, 1, None, 0, None):
        if place is not None:
            optimizer.param_groups[place]["lr"] = torch.tensor(0.3)
        optimizer.step()
        step_both()
        multiples = [lr / first for lr, first in zip(floats(optimizer), (0.5, 2.0))]
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
        advance(sync)
        root_of_t = math.sqrt(0.5**t)
        assert held(optimizer, "weight_decay") == [0.25 * root_of_t, first * root_of_t]
    assert {type(each) for each in [*given, *held(optimizer, "weight_decay")]} == {float}


TENSOR_SOURCES: dict[str, Callable[[Any], list[Any]]] = {
    "curve": lambda o: [CurveSchedule(o, lambda t: 0.9**t)],
    "ExponentialLR": lambda o: [ExponentialLR(o, 0.9)],
    "on a proxy": lambda o: [put(o, "lr", lambda proxy: ExponentialLR(proxy, 0.9))],
    "derived": lambda o: [
        CurveSchedule(o, lambda t: 0.9**t, "x"),
        DerivedSchedule(o, same, "lr", of="x"),
    ],
}


@pytest.mark.parametrize(
    ("source", "dtype", "stepping"),
    crossed(TENSOR_SOURCES, [torch.float32, torch.float16, torch.bfloat16], [together, apart]),
)
def test_it_follows_the_rounded_value_of_a_tensor(source: str, dtype: Any, stepping: Any) -> None:
    """A rule is given the value that the source's tensor holds, which is rounded, as a float."""
    optimizer = sgd(*({"lr": torch.tensor(lr, dtype=dtype)} for lr in (0.3, 0.7)), weight_decay=0.5)
    extend_optimizer(extend_optimizer(optimizer, "copy", 1.0), "x", 0.3)
    root, given = noting(math.sqrt)
    initial = floats(optimizer)
    derived = [
        DerivedSchedule(optimizer, same, "copy", absolute=True),
        DerivedSchedule(optimizer, root, "weight_decay"),
    ]
    step_all = stepping(*TENSOR_SOURCES[source](optimizer), *derived)
    for _ in range(6):
        optimizer.step()
        step_all()
        assert held(optimizer, "copy") == floats(optimizer) != [0.3, 0.7]
        multiples = [value / first for value, first in zip(floats(optimizer), initial)]
        assert held(optimizer, "weight_decay") == [0.5 * math.sqrt(each) for each in multiples]
    assert {rate.dtype for rate in held(optimizer)} == {dtype}
    assert {type(each) for each in given} == {float}


@pytest.mark.parametrize("kind", [float, torch.tensor])
def test_a_rule_is_given_the_float_that_the_group_will_hold(kind: Any) -> None:
    """A curve may give the integer 4 for an entry that is a float, and the rule is given 4.0."""
    rule, given = noting(lambda x: 3)
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


def test_a_rule_is_called_once_per_step_and_group() -> None:
    """A rule is called once per group at construction and at each step."""
    rule, calls = noting(same)
    optimizer = two_groups()
    derived = DerivedSchedule(optimizer, rule, "weight_decay")
    sync = SynchronousSchedule([derived, put_curve(optimizer)])
    advance(sync, 2)
    # At construction of the schedule, at that of the SynchronousSchedule, and at two steps.
    assert calls == [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_derived_tensor_is_filled_in_place(dtype: torch.dtype) -> None:
    """A target that is a tensor is filled in place, and a shared one is parted."""
    shared = torch.tensor(0.25, dtype=dtype)
    optimizer = sgd({"lr": 0.5, "clip": shared}, {"lr": 2.0, "clip": shared})
    derived = DerivedSchedule(optimizer, lambda lr: 0.3 * lr, "clip", absolute=True)
    tensors = held(optimizer, "clip")
    assert tensors[0] is not tensors[1]
    advance(SynchronousSchedule([derived, put_curve(optimizer)]))
    assert all(now is then for now, then in zip(held(optimizer, "clip"), tensors))
    expected = [torch.zeros((), dtype=dtype).fill_(0.3 * lr).item() for lr in (0.25, 1.0)]
    assert floats(optimizer, "clip") == expected


# -- what it is -----------------------------------------------------------------------------------


def test_a_derived_schedule_answers_as_an_lr_scheduler() -> None:
    """A derived schedule is an ``LRScheduler``, and tells its parts and a plain state."""
    derived = in_proportion(optimizer := two_groups())
    assert isinstance(derived, LRScheduler)
    assert derived.optimizer is optimizer
    assert derived.rule is same
    assert derived.schedule_target == "weight_decay"
    assert derived.absolute is False
    assert derived.last_epoch == 0
    assert derived.base_lrs == derived.get_last_lr() == [0.25, 0.0625]
    state = derived.state_dict()
    assert state["schedule_target"] == "weight_decay"
    assert state["base_lrs"] == state["_last_lr"] == [0.25, 0.0625]
    assert {type(value) for value in (*state["base_lrs"], *state["_last_lr"])} == {float}
    assert "'weight_decay'" in repr(derived)
    assert "'lr'" in repr(derived)
    with pytest.raises(RuntimeError, match="get_lr"):
        derived.get_lr()


def test_construction_computes_the_first_value() -> None:
    """Building a derived schedule writes the value of the present source, moved or not."""
    optimizer = two_groups()
    advance(put_curve(optimizer), 2)
    in_proportion(optimizer)
    assert held(optimizer, "weight_decay") == [0.0625, 0.015625]
    assert held(optimizer, "initial_weight_decay") == [0.25, 0.0625]
    assert held(optimizer, "initial_lr") == [0.5, 2.0]


def test_values_at_any_step_are_those_of_the_present_source() -> None:
    """``values_at`` gives the values of the present source, because the rule knows no step."""
    optimizer = two_groups()
    derived = DerivedSchedule(optimizer, squared, "weight_decay")
    optimizer.param_groups[0]["lr"] = 1.0
    assert derived.values_at(0) == derived.values_at(99.5) == [1.0, 0.0625]
    assert held(optimizer, "weight_decay") == [0.25, 0.0625]
    assert derived.last_epoch == 0


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
    other.load_state_dict(sync.state_dict(), initial="saved")
    assert held(optimizer, "weight_decay") == [0.0625]
    advance(other)
    assert other.get_last_schedules() == {source: [0.0625], "weight_decay": [0.03125]}
    other.schedules[source].base_lrs = [8.0]
    advance(other)
    assert other.get_last_schedules() == {source: [0.5], "weight_decay": [0.015625]}


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
        in_proportion(optimizer)
    DerivedSchedule(optimizer, lambda lr: 1 + lr, "weight_decay", absolute=True)
    assert held(optimizer, "weight_decay") == [1.5, 1.0]


def test_a_group_that_joins_with_a_source_of_0_is_refused(untouched: Untouched) -> None:
    """A group that joins with a source of 0 is refused at the next step; nothing has moved."""
    sync = under_a_curve(optimizer := two_groups())
    add_group(optimizer, lr=0.0)
    optimizer.step()
    with untouched(optimizer), pytest.raises(ValueError, match=r"'lr' is 0"):
        sync.step()
    assert sync.schedules["weight_decay"].last_epoch == sync.last_epoch == 0
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
    advance(SynchronousSchedule([first, put_curve(optimizer, "betas[1]")]))
    assert [group["betas"] for group in optimizer.param_groups] == [(0.25, 0.125)] * 2


# -- a rule that fails ----------------------------------------------------------------------------


class OwnError(Exception):
    """An error of the user's own."""


FAILURES: dict[str, tuple[Any, type[BaseException]]] = {
    **{name: INVALID_VALUES[name] for name in ("NaN", "-inf", "complex", "string", "bool")},
    "None": (None, TypeError),
    "out of range": (1e308, ValueError),
    "ZeroDivisionError": (ZeroDivisionError("mine"), ZeroDivisionError),
    "KeyboardInterrupt": (KeyboardInterrupt(), KeyboardInterrupt),
}
OWN_SOURCES: dict[str, Callable[[Any], list[Any]]] = {
    "curve": lambda o: [put_curve(o)],
    "derived": lambda o: [DerivedSchedule(o, same, "lr", of="clip"), put_curve(o, "clip")],
    "nothing": lambda o: [],
}
TORCH_SOURCES: dict[str, Callable[[Any], list[Any]]] = {
    "torch": lambda o: [ExponentialLR(o, 0.5)],
    "torch through a factory": lambda o: [put(o, "lr", lambda p: LambdaLR(p, halving))],
    "plateau": lambda o: [plateau(o)],
    "derived from torch": lambda o: [DerivedSchedule(o, same, "lr", of="clip"), put(o, "clip")],
}


@pytest.mark.parametrize(("failure", "source"), crossed(FAILURES, OWN_SOURCES))
def test_a_rule_that_fails_moves_nothing(failure: str, source: str, untouched: Untouched) -> None:
    """A rule that fails moves no member, not even its source, and the next good step goes on."""
    value, error = FAILURES[failure]
    rule = Failing(value)

    def start(rule: Any) -> tuple[Any, Any]:
        optimizer = extend_optimizer(two_groups(), "clip", 2.0)
        extend_optimizer(optimizer, "x", 1e10)
        members = [
            put(optimizer, "eps", lambda proxy: StepLR(proxy, 2, 0.5)),
            DerivedSchedule(optimizer, rule, "x"),
            *OWN_SOURCES[source](optimizer),
            put_curve(optimizer, "betas[0]"),
            put(optimizer, "weight_decay", lambda proxy: MultiStepLR(proxy, [1, 3], 0.5)),
        ]
        return optimizer, SynchronousSchedule(members)

    optimizer, sync = start(rule)
    rule.fails = True
    with untouched(optimizer), pytest.raises(error):
        DerivedSchedule(optimizer, rule, "x")
    _, undisturbed = start(same)
    for t in range(6):
        optimizer.step()
        rule.fails = t in (0, 2, 3)
        if rule.fails:
            before = everything(sync)
            with untouched(optimizer), pytest.raises(error):
                sync.step()
            assert everything(sync) == before
            rule.fails = False
        sync.step()
        advance(undisturbed)
        assert sync.get_last_schedules() == undisturbed.get_last_schedules()
        assert everything(sync)[1] == t + 1


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (ZeroDivisionError("float division by zero"), ZeroDivisionError),
        (ValueError("mine"), ValueError),
        (KeyError("mine"), KeyError),
        (OwnError("mine"), RuntimeError),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "mine"), Exception),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else "",
)
@pytest.mark.parametrize("in_sync", [True, False])
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
    for text in ("the rule of 'weight_decay'", "locals>.rule", "for 0.25 at step 2"):
        assert text in message
    assert caught.value.__cause__ is error
    assert "mine" in message or "division by zero" in message
    assert derived.last_epoch == 1


def test_a_rule_that_raises_when_it_is_built_names_step_0(untouched: Untouched) -> None:
    """A warmup that starts at 0 gives 0 to the rule, and the error says so."""
    optimizer = two_groups()
    CurveSchedule(optimizer, lambda t: t / 4)
    with (
        untouched(optimizer),
        pytest.raises(
            ZeroDivisionError,
            match=r"the rule of 'weight_decay', .*inverse.* for 0\.0 at step 0: .*zero",
        ),
    ):
        DerivedSchedule(optimizer, inverse, "weight_decay")


def test_a_rule_that_is_interrupted_is_not_reworded() -> None:
    """A ``KeyboardInterrupt`` in a rule goes through as it is."""

    def rule(x: float) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        DerivedSchedule(two_groups(), rule, "weight_decay")
    assert caught.value.__cause__ is None


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


def test_a_rule_that_fails_when_it_becomes_a_member_moves_nothing(untouched: Untouched) -> None:
    """A ``SynchronousSchedule`` is refused if a rule fails for a source that was built later."""
    optimizer = two_groups(clip=1.0)
    members = [
        in_proportion(optimizer),
        DerivedSchedule(optimizer, lambda x: 1 / (x == 1), "clip"),
        CurveSchedule(optimizer, lambda t: 0.5),
    ]
    before = [each.state_dict() for each in members]
    with untouched(optimizer), pytest.raises(ZeroDivisionError):
        SynchronousSchedule(members)
    assert [each.state_dict() for each in members] == before


@pytest.mark.parametrize("beta", [1.0, -0.25])
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


@pytest.mark.parametrize("kind", [float, torch.tensor])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_source_that_is_not_finite_is_refused(
    value: float, kind: Any, untouched: Untouched
) -> None:
    """A source that is not finite is refused, also where the rule would not pass it on."""
    optimizer = adamw({"lr": kind(0.5)})
    derived = DerivedSchedule(optimizer, lambda lr: min(0.25, lr), "weight_decay", absolute=True)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = kind(value)
    with untouched(optimizer), pytest.raises(ValueError, match=r"'lr' in param group 0: .* finite"):
        derived.step()


# -- groups that change ---------------------------------------------------------------------------


def test_a_group_that_joins_starts_from_its_own_values() -> None:
    """A group that joins later has its own initial values of target and source."""
    sync = under_a_curve(optimizer := two_groups())
    advance(sync)
    add_group(optimizer, lr=8.0, weight_decay=16.0)
    assert held(optimizer, "weight_decay") == [0.125, 0.03125, 16.0]
    for t in range(2, 5):
        advance(sync)
        assert held(optimizer) == [0.5 * 0.5**t, 2.0 * 0.5**t, 8.0 * 0.5**t]
        assert held(optimizer, "weight_decay") == [0.25 * 0.5**t, 0.0625 * 0.5**t, 16.0 * 0.5**t]


@pytest.mark.parametrize(
    "source", ["StepLR", pytest.param("ReduceLROnPlateau", marks=plateau_takes_groups)]
)
def test_a_group_that_joins_under_a_torch_source_starts_from_its_own_value(source: str) -> None:
    """Multiples are of the value that the group joined with, not of the first one after a step."""
    optimizer = adamw({"lr": 0.5, "weight_decay": 0.25})
    lr: Any = StepLR(optimizer, 1, 0.5) if source == "StepLR" else plateau(optimizer)
    sync = SynchronousSchedule([in_proportion(optimizer), lr])
    metrics = [1.0] if source == "ReduceLROnPlateau" else []
    advance(sync, 1, *metrics)
    add_group(optimizer, lr=2.0, weight_decay=0.5)
    advance(sync, 1, *metrics)
    assert held(optimizer)[1] == 1.0
    assert held(optimizer, "weight_decay")[1] == 0.25


@pytest.mark.parametrize("of", ["clip", "lr"])
def test_a_group_that_lost_the_source_or_the_target_is_named(of: str, untouched: Untouched) -> None:
    """A step is refused if a group has lost the source or the target, and nothing has moved."""
    optimizer = extend_optimizer(two_groups(), "clip", 1.0)
    target = "weight_decay" if of == "clip" else "clip"
    sync = SynchronousSchedule(
        [DerivedSchedule(optimizer, same, target, of=of), put_curve(optimizer)]
    )
    optimizer.step()
    del optimizer.param_groups[1]["clip"]
    with untouched(optimizer), pytest.raises(KeyError, match="'clip' is not in param group 1"):
        sync.step()
    assert sync.last_epoch == sync.schedules["lr"].last_epoch == 0


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


@pytest.mark.parametrize("new_dict", [False, True])
@pytest.mark.parametrize("absolute", [False, True])
def test_a_value_that_a_new_tensor_cannot_hold_is_refused(
    absolute: bool, new_dict: bool, untouched: Untouched
) -> None:
    """A float16 tensor that takes the place of a float ends at 65504, in a new dict too."""
    optimizer = adamw(*({"lr": 1.0, "weight_decay": 0.5} for _ in range(3)))
    derived = DerivedSchedule(optimizer, lambda x: 2e5 * x, "weight_decay", absolute=absolute)
    advance(derived)
    half = torch.tensor(0.5, dtype=torch.float16)
    if new_dict:
        optimizer.param_groups[1] = {**optimizer.param_groups[1], "weight_decay": half}
    else:
        extend_optimizer(optimizer, "weight_decay", half, overwrite_values=True)
    optimizer.step()
    with untouched(optimizer), pytest.raises(ValueError, match=r"be from 0\.0 to 65504\.0"):
        derived.step()
    assert derived.last_epoch == 1


@pytest.mark.parametrize("in_sync", [False, True])
@pytest.mark.parametrize("absolute", [False, True])
def test_a_dict_that_takes_the_place_of_another_is_taken_in(absolute: bool, in_sync: bool) -> None:
    """A new dict in the middle of the list starts from its own values, also if it has a tensor."""
    optimizer = adamw(*({"lr": 1.0, "weight_decay": 0.5} for _ in range(3)))
    schedule: Any = DerivedSchedule(optimizer, squared, "weight_decay", absolute=absolute)
    if in_sync:
        schedule = SynchronousSchedule([put_curve(optimizer), schedule])
    advance(schedule)
    before = optimizer.param_groups[1]
    kept = {key: before[key] for key in optimizer.defaults}
    own = {"params": before["params"], "lr": 4.0, "weight_decay": torch.tensor(0.25)}
    optimizer.param_groups[1] = {**kept, **own}
    for t in range(2, 5):
        advance(schedule)
        # The curve halves, from the group's own 4 on as well: it is a multiplier of the step.
        multiple = 0.5**t if in_sync else 1.0
        first, second = (1.0, 16.0) if absolute else (0.5, 0.25)
        expected = [first * multiple**2, second * multiple**2, first * multiple**2]
        assert floats(optimizer, "weight_decay") == expected
        assert optimizer.param_groups[1]["weight_decay"] is own["weight_decay"]


def test_no_groups_at_all_are_refused() -> None:
    """An optimizer that has lost all groups is named, at each step."""
    derived = in_proportion(optimizer := two_groups())
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
KINDS: dict[str, Any] = {"float": float, "tensor": torch.tensor}


def start(members: str, kind: str) -> tuple[torch.optim.AdamW, SynchronousSchedule, list[float]]:
    """An optimizer, a schedule of ``MEMBERS`` on it, and the losses that its steps take."""
    make = KINDS[kind]
    optimizer = adamw(
        {"lr": make(0.3), "weight_decay": make(0.7)}, {"lr": make(0.9), "weight_decay": make(0.1)}
    )
    sync = SynchronousSchedule(MEMBERS[members](optimizer))
    return optimizer, sync, [1.0] * 20 if members == "plateau" else []


@pytest.mark.parametrize(("members", "kind"), crossed(MEMBERS, KINDS))
def test_a_preview_is_the_run_bit_for_bit(members: str, kind: str, untouched: Untouched) -> None:
    """A preview shows exactly the values of the run, and moves nothing."""
    optimizer, sync, losses = start(members, kind)
    rows_in_a_run(sync, 3, losses)
    before = everything(sync)
    with untouched(optimizer):
        seen = preview(sync, 8, metrics=1.0 if losses else None)
    assert everything(sync) == before
    assert list(seen.steps) == list(range(2, 10))
    assert seen.values == rows_in_a_run(sync, 8, losses)


def test_a_preview_alone_shows_the_present_source() -> None:
    """A preview of a derived schedule alone assumes that its source stays."""
    derived = in_proportion(optimizer := two_groups())
    optimizer.param_groups[0]["lr"] = 1.0
    rows = [[0.25, 0.0625], [0.5, 0.0625], [0.5, 0.0625]]
    assert preview(derived, 3).values["weight_decay"] == rows


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


@each_copy
@pytest.mark.parametrize(("members", "kind"), crossed(MEMBERS, KINDS))
def test_a_copy_goes_on_by_itself(members: str, kind: str, duplicate: Any) -> None:
    """A copy is on its own optimizer, gives the values of the run, and leaves the original."""
    optimizer, sync, losses = start(members, kind)
    rows_in_a_run(sync, 4, losses)
    twin = duplicate(sync)
    assert twin.optimizer is not optimizer
    before = everything(sync)
    twin.optimizer.step()  # a copy of an optimizer does not know that it stepped
    ahead = rows_in_a_run(twin, 6, losses)
    assert everything(sync) == before
    assert ahead == rows_in_a_run(sync, 6, losses)


# torch < 2.1 warns of a deprecation of its own where it loads a tensor with weights_only.
@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning")
@pytest.mark.parametrize(
    ("members", "kind", "loaded"),
    crossed(MEMBERS, KINDS, ["optimizer sync", "sync optimizer", "sync"]),
)
def test_a_run_resumes(members: str, kind: str, loaded: str) -> None:
    """A resumed run gives the values of a run that is not stopped, in any order of loading."""
    optimizer, sync, losses = start(members, kind)
    rows_in_a_run(sync, 5, losses)
    saved = through_a_file({"optimizer": optimizer.state_dict(), "sync": sync.state_dict()})
    other, resumed, _ = start(members, kind)
    for part in loaded.split():
        {"optimizer": other, "sync": resumed}[part].load_state_dict(saved[part])
    assert rows_in_a_run(resumed, 6, losses) == rows_in_a_run(sync, 6, losses)


@pytest.mark.parametrize("kind", KINDS)
def test_a_schedule_that_is_built_on_a_resumed_optimizer_finds_the_initial_values(
    kind: str,
) -> None:
    """A derived schedule that is built on a loaded optimizer finds both initial values there."""
    optimizer, sync, _ = start("curve", kind)
    rows_in_a_run(sync, 5)
    saved, state = copy.deepcopy((optimizer.state_dict(), sync.state_dict()))
    other = adamw({"lr": KINDS[kind](9.0)}, {"lr": KINDS[kind](9.0)})
    other.load_state_dict(saved)
    resumed = SynchronousSchedule(MEMBERS["curve"](other)[::-1])
    resumed.load_state_dict(state)
    other.step()
    assert rows_in_a_run(resumed, 6) == rows_in_a_run(sync, 6)


def test_states_load_in_any_order_outside_of_a_synchronous_schedule() -> None:
    """The states of target, source and optimizer load in any order and give the same values."""
    optimizer = two_groups()
    curve, derived = put_curve(optimizer), in_proportion(optimizer)
    for _ in range(3):
        advance(curve)
        derived.step()
    saved = copy.deepcopy([each.state_dict() for each in (optimizer, curve, derived)])
    for order in itertools.permutations(range(3)):
        other = two_groups()
        parts: list[Any] = [other, put_curve(other), in_proportion(other)]
        for i in order:
            parts[i].load_state_dict(copy.deepcopy(saved[i]))
        assert held(other) == [0.0625, 0.25]
        assert held(other, "weight_decay") == [0.03125, 0.0078125]
        advance(parts[1])
        parts[2].step()
        assert held(other, "weight_decay") == [0.015625, 0.00390625]
        assert parts[2].last_epoch == 4


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
    state = in_proportion(two_groups()).state_dict()
    with pytest.warns(UserWarning, match="'weight_decay' was saved under .* and goes on under"):
        changed(two_groups()).load_state_dict(state)


def test_a_broken_state_is_refused(untouched: Untouched) -> None:
    """A state of a different target or with a missing entry is refused; nothing has moved."""
    derived = in_proportion(two_groups())
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

    log = 0

    def step(self, epoch: float | None = None) -> None:
        self.log += 1
        super().step(epoch)


class Annotated(DerivedSchedule):
    """A derived schedule with an entry of its own in its state."""

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "note": "mine"}


@pytest.mark.parametrize("kind", [Logged, Annotated])
@pytest.mark.parametrize("make", [put_curve, lambda o: DerivedSchedule(o, same, "lr", of="clip")])
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
    behind = DerivedSchedule(optimizer, inverse, "clip", of="weight_decay")
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


def test_a_float_that_a_captured_step_bakes_in_warns() -> None:
    """A derived target that a captured step cannot see change warns at construction."""
    optimizer = two_groups(capturable=True)
    with pytest.warns(UserWarning, match="'weight_decay' is a float .* capturable=True"):
        in_proportion(optimizer)


def test_a_target_that_starts_at_0_warns() -> None:
    """Multiples of 0 stay 0; the warning names both ways out, and values are one of them."""
    optimizer = adamw({"weight_decay": 0.0})
    with pytest.warns(
        UserWarning, match=r"(?s)'weight_decay'.*overwrite_values=True.*absolute=True"
    ):
        in_proportion(optimizer)
    DerivedSchedule(adamw({"lr": 0.5, "weight_decay": 0.0}), same, "weight_decay", absolute=True)


def test_a_schedule_of_an_object_that_only_looks_like_an_optimizer() -> None:
    """An object with ``param_groups`` is enough, as for every other schedule."""

    class Trainer:
        def __init__(self) -> None:
            self.param_groups = [{"temperature": 2.0, "strength": 1.0}]

    trainer = Trainer()
    strength = DerivedSchedule(trainer, inverse, "strength", of="temperature")
    sync = SynchronousSchedule([strength, put_curve(trainer, "temperature")])
    sync.step()
    assert trainer.param_groups[0]["strength"] == 2.0
    assert real_optimizer(sync) is trainer
