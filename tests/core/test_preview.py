"""What ``preview`` foresees is what the run then gives, and looking moves nothing."""

from __future__ import annotations

import copy
import gc
import random
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch.nn import Parameter
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ExponentialLR,
    LambdaLR,
    LRScheduler,
    ReduceLROnPlateau,
)
from torch_schedulers import SCHEDULERS, TORCH

import tsa_core
from tsa_core import CurveSchedule, SynchronousSchedule, arbitrary_schedule_factory, preview

INITIAL = (0.1, 0.03, 0.5)
NUM_STEPS = 20
LOSSES = [1.0, 0.5, 0.6, 0.7, 0.8, 0.4, *(0.9 for _ in range(NUM_STEPS))]

# torch < 2.9 warns of its own SequentialLR, which passes itself a deprecated epoch.
pytestmark = pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step:UserWarning")


# Before torch 2.4, CyclicLR holds a weak method, which nothing can copy.
COPIED = [name for name in SCHEDULERS if name != "CyclicLR" or TORCH >= (2, 4)]


class Uncopied(Parameter):
    """A tensor as large as the model: no copy of it may be made."""

    def __deepcopy__(self, memo: object) -> Any:
        raise AssertionError("a parameter, or the optimizer's state of one, was copied")


def adamw(target: str = "lr", dtype: torch.dtype | None = None) -> torch.optim.Optimizer:
    """Three named groups, whose ``target`` has the initial values, as floats or as tensors."""
    groups: list[dict[str, Any]] = []
    for number, name in zip(INITIAL, ("encoder", "decoder", "head")):
        value = number if dtype is None else torch.tensor(number, dtype=dtype)
        entry = {"betas": (value, 0.999)} if target == "betas[0]" else {target: value}
        groups.append({"params": [Uncopied(torch.ones(1))], "name": name, **entry})
    optimizer = torch.optim.AdamW(groups, lr=0.007, weight_decay=0.013)
    for group in groups:
        optimizer.state[group["params"][0]] = {"exp_avg": Uncopied(torch.zeros(1))}
    return optimizer


def decay(t: float) -> float:
    return 1 / (3 + t)


class Arch:
    """λ as an object, in two pieces that meet at 4."""

    boundaries = (4,)

    def __call__(self, t: float) -> float:
        return t / 4 if t <= 4 else max(0.0, 1 - (t - 4) / 8)


def made(name: str, optimizer: Any) -> Any:
    """The torch scheduler called ``name``."""
    with warnings.catch_warnings():
        if "in SequentialLR" in name:  # torch warns of the order in its own constructor here
            warnings.filterwarnings("ignore", "Detected call of `lr_scheduler", UserWarning)
        return SCHEDULERS[name](optimizer)


def advance(sync: SynchronousSchedule, losses: Sequence[float] = (), num_calls: int = 1) -> None:
    """``num_calls`` steps of a training loop."""
    for i in range(num_calls):
        sync.optimizer.step()
        sync.step(*losses[i : i + 1])


def lived(
    sync: SynchronousSchedule, num_steps: int, losses: Sequence[float] = ()
) -> dict[str, list[list[float]]]:
    """By target, what ``get_last_schedule`` tells at each of ``num_steps`` steps of a run."""
    seen: dict[str, list[list[float]]] = {name: [] for name in sync.schedule_names}
    for i in range(num_steps):
        if i:
            advance(sync, losses[i - 1 : i])
        for name in seen:
            # As floats: a tensor calls a number that it could not hold exactly its equal.
            seen[name].append([float(value) for value in sync.get_last_schedule(name)])
    return seen


CURVES: dict[str, tuple[str, torch.dtype | None, Callable[[Any], Any]]] = {
    "lr": ("lr", None, lambda o: CurveSchedule(o, decay)),
    "an element": ("betas[0]", None, lambda o: CurveSchedule(o, decay, "betas[0]")),
    "an int λ": ("clip", None, lambda o: CurveSchedule(o, lambda t: 1 + t, "clip")),
    "half": ("weight_decay", torch.float16, lambda o: CurveSchedule(o, decay, "weight_decay")),
    "bfloat": ("weight_decay", torch.bfloat16, lambda o: CurveSchedule(o, decay, "weight_decay")),
    "single": ("weight_decay", torch.float32, lambda o: CurveSchedule(o, decay, "weight_decay")),
    "double": ("betas[0]", torch.float64, lambda o: CurveSchedule(o, decay, "betas[0]")),
    "one a group": ("lr", None, lambda o: CurveSchedule(o, [decay, None, Arch()])),
    "one a group, tensors": (
        "clip",
        torch.float32,
        lambda o: CurveSchedule(o, [None, decay, decay], "clip"),
    ),
    "by name": ("lr", None, lambda o: CurveSchedule(o, {"encoder": None, "*": decay})),
    "on a proxy": (
        "weight_decay",
        None,
        lambda o: arbitrary_schedule_factory(
            o, lambda proxy: CurveSchedule(proxy, decay), schedule_target="weight_decay"
        ),
    ),
    "on a proxy, tensors": (
        "weight_decay",
        torch.float32,
        lambda o: arbitrary_schedule_factory(
            o, lambda proxy: CurveSchedule(proxy, decay), schedule_target="weight_decay"
        ),
    ),
}


@pytest.mark.parametrize("start", [0, 5])
@pytest.mark.parametrize("case", CURVES)
def test_a_curve_is_foreseen(case: str, start: int) -> None:
    """The values of a curve schedule are those of the run, from its first step or in mid-run."""
    target, dtype, make = CURVES[case]
    sync = SynchronousSchedule([make(adamw(target, dtype))])
    advance(sync, num_calls=start)
    seen = preview(sync.schedules[target], NUM_STEPS)
    assert seen.steps == range(start, start + NUM_STEPS)
    assert seen.values == lived(sync, NUM_STEPS)


@pytest.mark.parametrize("start", [0, 5])
@pytest.mark.parametrize("through", ["plain", "factory", "factory, tensors"])
@pytest.mark.parametrize("name", COPIED)
def test_every_torch_scheduler_is_foreseen(name: str, through: str, start: int) -> None:
    """The values of a torch scheduler are those of the run, on lr itself and on a proxy."""
    if through == "plain":
        member = made(name, adamw())
    else:
        member = arbitrary_schedule_factory(
            adamw("weight_decay", torch.float32 if through == "factory, tensors" else None),
            lambda proxy: made(name, proxy),
            schedule_target="weight_decay",
        )
    sync = SynchronousSchedule([member])
    losses = LOSSES if name == "ReduceLROnPlateau" else ()
    advance(sync, losses, num_calls=start)
    seen = preview(member, NUM_STEPS, metrics=losses[start:] or None)
    assert seen.steps == range(start, start + NUM_STEPS)
    assert seen.values == lived(sync, NUM_STEPS, losses[start:])


def many() -> SynchronousSchedule:
    """A curve, and of torch one scheduler that takes metrics and one that does not."""
    optimizer = adamw()
    return SynchronousSchedule(
        [
            CurveSchedule(optimizer, Arch(), "betas[0]"),
            ReduceLROnPlateau(optimizer, factor=0.5, patience=1),
            arbitrary_schedule_factory(
                optimizer, lambda proxy: ExponentialLR(proxy, 0.9), 4.0, "clip"
            ),
        ]
    )


@pytest.mark.parametrize("start", [0, 5])
@pytest.mark.parametrize("metrics", [1.0, LOSSES, iter(LOSSES)], ids=["one", "list", "iterator"])
def test_many_are_foreseen_under_assumed_metrics(metrics: Any, start: int) -> None:
    """Each member's values are those of a run that meets the assumed metrics."""
    sync = many()
    advance(sync, [1.0] * start, num_calls=start)
    losses = [1.0] * NUM_STEPS if metrics == 1.0 else LOSSES
    seen = preview(sync, NUM_STEPS, metrics=copy.copy(metrics))
    assert list(seen.values) == ["betas[0]", "lr", "clip"]
    assert seen.values == lived(sync, NUM_STEPS, losses)


def test_one_step_is_the_present() -> None:
    """A preview of one step asks for no call, so for no metrics that a call would take."""
    sync = many()
    seen = preview(sync, 1, metrics=[])
    assert seen.steps == range(1)
    assert seen.values == {name: [values] for name, values in sync.get_last_schedules().items()}


def test_a_group_that_joined_is_foreseen() -> None:
    """A group that the schedule has not met yet starts from its own value, as in the run."""
    sync = SynchronousSchedule([CurveSchedule(adamw(), decay)])
    advance(sync, num_calls=3)
    sync.optimizer.add_param_group({"params": [Uncopied(torch.ones(1))], "lr": 0.2})
    assert preview(sync, NUM_STEPS).values == lived(sync, NUM_STEPS)


def test_a_group_left_alone_keeps_what_it_holds() -> None:
    """Where there is no curve, what was set by hand stays, as in the run."""
    sync = SynchronousSchedule([CurveSchedule(adamw(), {"head": None, "*": decay})])
    advance(sync)
    sync.optimizer.param_groups[2]["lr"] = 0.25
    assert preview(sync, NUM_STEPS).values == lived(sync, NUM_STEPS)


def test_the_values_are_plain_floats() -> None:
    """A tensor target, too, is foreseen in numbers that any format can hold."""
    optimizer = adamw("weight_decay", torch.float32)
    curve = CurveSchedule(optimizer, decay, "weight_decay")
    for schedule in (curve, SynchronousSchedule([curve])):
        seen = preview(schedule, 3)
        assert {type(value) for row in seen.values["weight_decay"] for value in row} == {float}


@pytest.mark.parametrize(("metrics", "error"), [(object(), TypeError), (float("nan"), ValueError)])
def test_metrics_that_are_no_numbers(metrics: Any, error: type[Exception]) -> None:
    """The argument is named."""
    with pytest.raises(error, match="metrics: "):
        preview(many(), NUM_STEPS, metrics=metrics)


# -- what looking leaves alone ------------------------------------------------------------------


def frozen(state: dict[str, Any]) -> dict[str, str]:
    """A state in text: torch < 2.4 keeps methods of the scheduler in it, and tensors."""
    return {key: repr(value) for key, value in state.items()}


@pytest.mark.parametrize("dtype", [None, torch.float32], ids=["float", "tensor"])
@pytest.mark.parametrize("name", [*COPIED, "curve"])
def test_nothing_moves(name: str, dtype: torch.dtype | None, untouched: Any) -> None:
    """Groups, the tensors in them, optimizer and schedule are what they were."""
    optimizer = adamw("weight_decay", dtype)
    schedule = arbitrary_schedule_factory(
        optimizer,
        lambda proxy: CurveSchedule(proxy, decay) if name == "curve" else made(name, proxy),
        schedule_target="weight_decay",
    )
    attributes = dict(vars(optimizer))
    state = frozen(schedule.state_dict())
    with untouched(optimizer):
        preview(schedule, NUM_STEPS, metrics=1.0)
    assert vars(optimizer) == attributes
    assert frozen(schedule.state_dict()) == state


def test_state_of_many_does_not_move(untouched: Any) -> None:
    """A SynchronousSchedule that was looked through goes on stepping from where it stood."""
    sync = many()
    advance(sync, LOSSES, num_calls=3)
    state = copy.deepcopy(sync.state_dict())
    with untouched(sync.optimizer):
        preview(sync, NUM_STEPS, metrics=1.0)
    assert sync.state_dict() == state
    advance(sync, LOSSES)


def test_what_a_curve_refers_to_is_not_copied() -> None:
    """A λ that holds the parameters, as an object does, is copied without them."""

    class FromWeights:
        def __init__(self, parameters: list[Parameter]) -> None:
            self.parameters = parameters

        def __call__(self, t: int) -> float:
            return self.parameters[0].numel() / (1 + t)

    optimizer = adamw()
    curve = FromWeights(optimizer.param_groups[0]["params"])
    sync = SynchronousSchedule([LambdaLR(optimizer, curve)])
    assert preview(sync, 3).values == lived(sync, 3)


def noisy(t: float) -> float:
    return 1 + random.random() + np.random.rand() + float(torch.rand(()))


def random_states() -> list[Any]:
    kind, keys, *rest = np.random.get_state()
    return [random.getstate(), kind, keys.tolist(), rest, torch.get_rng_state().tolist()]


@pytest.mark.parametrize(
    "make",
    [lambda o: CurveSchedule(o, noisy), lambda o: LambdaLR(o, noisy)],
    ids=["curve", "torch"],
)
def test_random_numbers_are_drawn_again(make: Any) -> None:
    """A λ that draws random numbers draws the same in the run; no generator has moved on."""
    sync = SynchronousSchedule([make(adamw())])
    before = random_states()
    seen = preview(sync, NUM_STEPS)
    assert random_states() == before
    assert seen.values == lived(sync, NUM_STEPS)


def test_random_numbers_after_an_error() -> None:
    """They are drawn again too where the preview ends in an exception."""

    def breaks(t: float) -> float:
        return noisy(t) if t < 3 else float("nan")

    schedule = CurveSchedule(adamw(), breaks)
    before = random_states()
    with pytest.raises(ValueError, match=r"'lr' at step 3: nan is not finite"):
        preview(schedule, NUM_STEPS)
    assert random_states() == before


@pytest.mark.parametrize("on", [True, False])
def test_the_garbage_collector_is_left_as_it_was(on: bool) -> None:
    """Some training loops turn it off, and collect in a time of their own."""
    was_on = gc.isenabled()
    try:
        (gc.enable if on else gc.disable)()
        preview(CurveSchedule(adamw(), decay), NUM_STEPS)
        assert gc.isenabled() is on
    finally:
        (gc.enable if was_on else gc.disable)()


def test_looking_is_silent_and_the_run_is_not() -> None:
    """A preview before the first optimizer step warns of nothing; a wrong loop is warned after."""

    def warning(t: float) -> float:
        if t == 3:
            warnings.warn("step 3", UserWarning, stacklevel=2)
        return decay(t)

    curve, plain = CurveSchedule(adamw(), warning), LambdaLR(adamw(), warning)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        preview(curve, NUM_STEPS)
        preview(plain, NUM_STEPS)
    for schedule in (curve, plain):
        with pytest.warns(UserWarning, match=r"before `optimizer.step\(\)`"):
            schedule.step()


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("num_steps", [0, -1])
def test_too_few_steps(num_steps: int) -> None:
    """There is at least the present step to see."""
    with pytest.raises(ValueError, match=f"num_steps: expected 1 or more, got {num_steps}"):
        preview(CurveSchedule(adamw(), decay), num_steps)


@pytest.mark.parametrize("num_steps", [True, 3.0, "3", None])
def test_steps_that_are_no_int(num_steps: Any) -> None:
    """A number of steps is an int, and no flag."""
    with pytest.raises(TypeError, match=f"num_steps: expected an int, got {num_steps!r}"):
        preview(CurveSchedule(adamw(), decay), num_steps)


def test_a_number_of_steps_of_numpys() -> None:
    """An integer, if not Python's."""
    assert len(preview(CurveSchedule(adamw(), decay), np.int64(3)).steps) == 3  # type: ignore[arg-type]


@pytest.mark.parametrize("schedule", [None, 3, "lr", decay])
def test_not_a_schedule(schedule: Any) -> None:
    """Only a schedule can be seen, and the error shows what came instead."""
    with pytest.raises(TypeError, match=r"schedule: expected a schedule .*, got ") as caught:
        preview(schedule, 3)
    assert repr(schedule) in str(caught.value)


def test_metrics_missing() -> None:
    """A member that takes metrics is named where none are given to assume."""
    with pytest.raises(TypeError, match="metrics: the schedule of 'lr' takes metrics; pass"):
        preview(many(), 3)


def test_too_few_metrics() -> None:
    """There is a metric for each call, one fewer than there are steps."""
    assert preview(many(), 4, metrics=[1.0, 1.0, 1.0]).steps == range(4)
    with pytest.raises(ValueError, match="metrics: expected one for each of 4 calls, got 3"):
        preview(many(), 5, metrics=[1.0, 1.0, 1.0])


def test_metrics_go_by_name() -> None:
    """A third argument by position may come to be something else."""
    with pytest.raises(TypeError, match="positional argument"):
        preview(many(), 3, 1.0)  # type: ignore[misc]


def test_metrics_are_taken_one_by_one() -> None:
    """Of an iterator as many are taken as there are calls."""
    metrics = iter([3.0, 2.0, 1.0])
    preview(many(), 3, metrics=metrics)
    assert next(metrics) == 1.0


# -- what is shown -------------------------------------------------------------------------------


def test_repr() -> None:
    """It says which targets are foreseen, at which steps, for how many groups."""
    sync = many()
    advance(sync, LOSSES, num_calls=2)
    assert repr(preview(sync, 10, metrics=1.0)) == (
        "<Preview of 'betas[0]', 'lr', 'clip' at steps 2 to 11, 3 param groups>"
    )
    optimizer = torch.optim.SGD([Parameter(torch.ones(1))], lr=0.1)
    assert repr(preview(CurveSchedule(optimizer, decay), 1)) == (
        "<Preview of 'lr' at steps 0 to 0, 1 param group>"
    )


def test_marks() -> None:
    """The hand-overs of a curve that tells them, by target."""
    assert preview(many(), 3, metrics=1.0).marks == {"betas[0]": (4,), "lr": (), "clip": ()}


def test_plot() -> None:
    """One panel a target with one line a group, hand-overs marked, and where the curve ends."""
    sync = many()
    seen = preview(sync, NUM_STEPS, metrics=1.0)
    panels = seen.plot().axes
    assert [panel.get_ylabel() for panel in panels] == list(seen.values)
    assert panels[-1].get_xlabel() == "step t"
    for panel, values in zip(panels, seen.values.values()):
        for g, line in enumerate(panel.get_lines()[: len(INITIAL)]):
            assert list(line.get_xdata()) == list(seen.steps)
            assert list(line.get_ydata()) == [row[g] for row in values]
    marked = [line.get_xdata()[0] for line in panels[0].get_lines()[len(INITIAL) :]]
    assert marked == [4, 12]  # Arch turns at 4, and is 0 from 12 on


def test_plot_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install, and which extra brings it."""
    seen = preview(CurveSchedule(adamw(), decay), 3)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(
        ImportError, match=r"torch-schedule-anything\[plot\]: pip install matplotlib"
    ):
        seen.plot()


def test_it_is_public() -> None:
    """Both names are tsa_core's own."""
    assert {"Preview", "preview"} <= set(tsa_core.__all__)
    assert isinstance(preview(CurveSchedule(adamw(), decay), 1), tsa_core.Preview)


# -- where a prediction could go wrong ---------------------------------------------------------


def run_of(schedule: Any, optimizer: Any, num_steps: int, *metrics: float) -> list[list[float]]:
    """What ``lr`` really holds at each step."""
    rows = []
    for _ in range(num_steps):
        rows.append([float(group["lr"]) for group in optimizer.param_groups])
        optimizer.step()
        schedule.step(*metrics)
    return rows


def sgd(lr: Any, num_groups: int = 1) -> torch.optim.SGD:
    groups = [{"params": [Parameter(torch.ones(1))]} for _ in range(num_groups)]
    return torch.optim.SGD(groups, lr=lr)


def test_from_between_two_steps() -> None:
    """A schedule that was stepped to 2.5 goes on to 3.5."""
    optimizer = sgd(0.1)
    schedule = tsa_core.CurveSchedule(optimizer, lambda t: 1 / (1 + t))
    optimizer.step()
    schedule.step(2.5)
    seen = tsa_core.preview(schedule, 3)
    assert list(seen.steps) == [2.5, 3.5, 4.5]
    assert seen.values["lr"] == run_of(schedule, optimizer, 3)


def test_a_group_that_joined_with_the_default_tensor() -> None:
    """It will start where the others started, as the next step has it."""
    optimizer = sgd(torch.tensor(0.1))
    schedule = tsa_core.CurveSchedule(optimizer, lambda t: 1 / (1 + t))
    for _ in range(2):
        optimizer.step()
        schedule.step()
    optimizer.add_param_group({"params": [Parameter(torch.ones(1))]})
    seen = tsa_core.preview(schedule, 3)
    assert seen.values["lr"] == run_of(schedule, optimizer, 3)


def test_a_tensor_that_groups_share_under_a_plain_scheduler() -> None:
    """Torch reduces it once a group, so twice a step; that is foreseen too."""
    optimizer = sgd(torch.tensor(0.5), num_groups=2)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    seen = tsa_core.preview(schedule, 3, metrics=torch.tensor(1.0))
    assert seen.values["lr"] == run_of(schedule, optimizer, 3, 1.0)


def test_random_multipliers_in_the_order_of_the_run() -> None:
    """Two curves and a second member draw from one generator, turn by turn."""
    optimizer = sgd(0.1, num_groups=2)
    tsa_core.extend_optimizer(optimizer, "clip", 1.0)

    def drawn(t: float) -> float:
        return random.random()

    def drawn_too(t: float) -> float:
        return 2 * random.random()

    sync = tsa_core.SynchronousSchedule(
        [
            tsa_core.CurveSchedule(optimizer, [drawn, drawn_too]),
            tsa_core.CurveSchedule(optimizer, drawn, "clip"),
        ]
    )
    for schedule in (sync, sync.schedules["lr"]):
        seen = tsa_core.preview(schedule, 4)
        assert seen.values["lr"] == run_of(schedule, optimizer, 4)
        sync = tsa_core.SynchronousSchedule(sync.schedules.values())


def test_an_optimizer_that_refuses_to_be_copied() -> None:
    """A preview copies no optimizer, also where one has a __deepcopy__ of its own."""

    class Uncopied(torch.optim.SGD):
        def __deepcopy__(self, memo: Any) -> Any:
            raise AssertionError("copied")

    optimizer = Uncopied([Parameter(torch.ones(1))], lr=0.1)
    schedule = tsa_core.arbitrary_schedule_factory(optimizer, lambda p: ExponentialLR(p, 0.5))
    seen = tsa_core.preview(schedule, 3)
    assert seen.values["lr"] == run_of(schedule, optimizer, 3)


@pytest.mark.parametrize(("groups", "legend"), [(1, False), (2, True), (10, True), (11, False)])
def test_a_legend_where_it_tells_something(groups: int, legend: bool) -> None:
    """Of some groups; neither of one nor of very many."""
    seen = preview(CurveSchedule(sgd(0.1, groups), decay), 3)
    (panel,) = seen.plot().axes
    assert (panel.get_legend() is not None) is legend


def marks_drawn(schedule: Any, num_steps: int) -> list[float]:
    (panel,) = preview(schedule, num_steps).plot().axes
    return [line.get_xdata()[0] for line in panel.get_lines()[1:]]


def test_marks_within_the_view() -> None:
    """Where it moved for the last time; nothing at either edge."""
    assert marks_drawn(CurveSchedule(sgd(0.1), lambda t: 1.0 if t < 1 else 0.5), 4) == [1]
    assert marks_drawn(CurveSchedule(sgd(0.1), lambda t: 1.0 if t < 2 else 0.5), 4) == [2]
    assert marks_drawn(CurveSchedule(sgd(0.1), lambda t: 1.0), 4) == []
    assert marks_drawn(CurveSchedule(sgd(0.1), decay), 4) == []
    schedule = CurveSchedule(sgd(0.1), Arch())
    schedule.optimizer.step()
    schedule.step(4)
    assert marks_drawn(schedule, 5) == []


class Relative(LRScheduler):
    """Counts from the optimizer's default, as some of transformers' do."""

    def get_lr(self) -> Any:
        default = self.optimizer.defaults["lr"]
        return [default * (1 + self.last_epoch) for _ in self.optimizer.param_groups]


def test_a_scheduler_that_reads_the_defaults() -> None:
    """They are the optimizer's in the preview too, also through the factory."""
    group = {"params": [Parameter(torch.ones(1))], "weight_decay": 0.5}
    optimizer = torch.optim.AdamW([group], lr=0.25, weight_decay=0.125)
    put = arbitrary_schedule_factory(optimizer, Relative, schedule_target="weight_decay")
    assert preview(put, 3).values["weight_decay"] == [[0.125], [0.25], [0.375]]
    assert preview(Relative(optimizer), 3).values["lr"] == [[0.25], [0.5], [0.75]]


class Trainer:
    """Has a method that is a curve, and what cannot be copied."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.frozen = Uncopied(torch.ones(1))

    def curve(self, t: float) -> float:
        return decay(t)


@pytest.mark.parametrize(
    "make",
    [
        lambda o, curve: CurveSchedule(o, curve),
        lambda o, curve: CurveSchedule(o, [curve] * 3),
        lambda o, curve: CurveSchedule(o, {"*": curve}),
        LambdaLR,
        lambda o, curve: ChainedScheduler([LambdaLR(o, curve)]),
    ],
)
def test_a_method_as_a_curve(make: Any) -> None:
    """Whose method it is stays uncopied."""
    seen = preview(make(adamw(), Trainer().curve), NUM_STEPS)
    assert seen.values["lr"][5] == [value * decay(5) for value in INITIAL]


def test_a_curve_that_cannot_be_copied() -> None:
    """It is said whose, and what stands in the way."""

    class Locked(Arch):
        def __init__(self) -> None:
            self.lock = threading.Lock()

    with pytest.raises(TypeError, match=r"\['lr'\] .* cannot be copied: .*lock"):
        preview(CurveSchedule(adamw(), Locked()), 3)


def test_groups_without_parameters() -> None:
    """An optimizer of another kind may have none."""

    class Bare:
        param_groups: ClassVar[list[dict[str, Any]]] = [{"temperature": 8.0}]

    schedule = CurveSchedule(Bare(), lambda t: 0.5**t, "temperature")
    assert preview(schedule, 3).values["temperature"] == [[8.0], [4.0], [2.0]]


def test_an_accelerator_that_nobody_uses_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its random numbers are not asked for, which would start it, on all devices there are."""
    asked: list[Any] = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    monkeypatch.setattr(torch.cuda, "get_rng_state", asked.append)
    preview(CurveSchedule(adamw(), decay), 3)
    assert asked == []


class Owned(LambdaLR):
    """Its λ is a method of its own."""

    def __init__(self, optimizer: Any) -> None:
        super().__init__(optimizer, self.curve)

    def curve(self, t: float) -> float:
        return decay(t)


def stepped_from_without(optimizer: Any) -> Any:
    """A step that is put on the instance, as somebody does who logs."""
    schedule: Any = ExponentialLR(optimizer, 0.5)
    step = schedule.step
    schedule.step = lambda *args: step(*args)
    return schedule


def curve_stepped_from_without(optimizer: Any) -> Any:
    schedule: Any = CurveSchedule(optimizer, decay)
    step = schedule.step
    schedule.step = lambda *args: step(*args)
    return schedule


@pytest.mark.parametrize("make", [Owned, stepped_from_without, curve_stepped_from_without])
def test_what_leads_back_to_the_schedule(make: Any, untouched: Any) -> None:
    """The copy is stepped, and not what it is a copy of."""
    optimizer = adamw()
    schedule = make(optimizer)
    with untouched(optimizer):
        seen = preview(schedule, 4)
    assert schedule.last_epoch == 0
    for values in seen.values["lr"]:
        assert schedule.get_last_lr() == values
        optimizer.step()
        schedule.step()


def test_parameters_of_groups_that_were_replaced() -> None:
    """Nor are those copied that the proxy has seen last."""
    optimizer = adamw(dtype=torch.float32)
    schedule = arbitrary_schedule_factory(optimizer, lambda proxy: LambdaLR(proxy, decay))
    optimizer.param_groups = [
        {**group, "params": [Uncopied(torch.ones(1))]} for group in optimizer.param_groups
    ]
    preview(schedule, 3)
