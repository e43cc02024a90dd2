"""``preview`` gives the values that a run then has, and moves nothing."""

from __future__ import annotations

import copy
import io
import itertools
import re
import sys
import threading
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from cases import crossed, some
from helpers import (
    Untouched,
    adamw,
    add_group,
    advance,
    halving,
    ignore_epoch_deprecation,
    optimizers_of,
    plateau,
    put,
    put_curve,
    rows_in_a_run,
    sgd,
    values_in_a_run,
)
from torch.nn import Parameter
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ExponentialLR,
    LambdaLR,
    LRScheduler,
    ReduceLROnPlateau,
)
from torch_schedulers import SCHEDULERS, TORCH, each_scheduler

import tsa_core
from tsa_core import (
    CurveSchedule,
    DerivedSchedule,
    SynchronousSchedule,
    arbitrary_schedule_factory,
    preview,
)

INITIAL = (0.1, 0.03, 0.5)
NUM_STEPS = 20
LOSSES = [1.0, 0.5, 0.6, 0.7, 0.8, 0.4, *(0.9 for _ in range(NUM_STEPS))]

pytestmark = ignore_epoch_deprecation  # SequentialLR of torch < 2.9 passes a deprecated epoch

# On torch < 2.4, CyclicLR holds a weakref.WeakMethod, which cannot be copied.
COPIED = [name for name in SCHEDULERS if name != "CyclicLR" or TORCH >= (2, 4)]


class Uncopied(Parameter):
    """A parameter that fails the test when it is copied, since a model can be large."""

    def __deepcopy__(self, memo: object) -> Any:
        raise AssertionError("a parameter, or the optimizer's state of one, was copied")


def adamw_with_initial_values(
    target: str = "lr", dtype: torch.dtype | None = None
) -> torch.optim.AdamW:
    """Three named groups hold ``INITIAL`` as ``target``, as floats or as tensors."""
    groups: list[dict[str, Any]] = []
    for number, name in zip(INITIAL, ("encoder", "decoder", "head")):
        value = number if dtype is None else torch.tensor(number, dtype=dtype)
        entry = {"betas": (value, 0.999)} if target == "betas[0]" else {target: value}
        groups.append({"params": [Uncopied(torch.ones(1))], "name": name, **entry})
    optimizer = adamw(*groups, lr=0.007, weight_decay=0.013)
    for group in groups:
        optimizer.state[group["params"][0]] = {"exp_avg": Uncopied(torch.zeros(1))}
    return optimizer


def decay(t: float) -> float:
    return 1 / (3 + t)


class RiseAndFall:
    """The curve rises until its boundary at 4, and falls to 0 at 12."""

    boundaries = (4,)

    def __call__(self, t: float) -> float:
        return t / 4 if t <= 4 else max(0.0, 1 - (t - 4) / 8)


CURVES: dict[str, tuple[str, torch.dtype | None, Callable[[Any], Any]]] = {
    "lr": ("lr", None, lambda o: CurveSchedule(o, decay)),
    "an element": ("betas[0]", None, lambda o: CurveSchedule(o, decay, "betas[0]")),
    "an int λ": ("clip", None, lambda o: CurveSchedule(o, lambda t: 1 + t, "clip")),
    "half": ("weight_decay", torch.float16, lambda o: CurveSchedule(o, decay, "weight_decay")),
    "bfloat": ("weight_decay", torch.bfloat16, lambda o: CurveSchedule(o, decay, "weight_decay")),
    "single": ("weight_decay", torch.float32, lambda o: CurveSchedule(o, decay, "weight_decay")),
    "double": ("betas[0]", torch.float64, lambda o: CurveSchedule(o, decay, "betas[0]")),
    "one per group": ("lr", None, lambda o: CurveSchedule(o, [decay, None, RiseAndFall()])),
    "one per group, tensors": (
        "clip",
        torch.float32,
        lambda o: CurveSchedule(o, [None, decay, decay], "clip"),
    ),
    "by name": ("lr", None, lambda o: CurveSchedule(o, {"encoder": None, "*": decay})),
    "on a proxy": (
        "weight_decay",
        None,
        lambda o: put(o, "weight_decay", lambda proxy: CurveSchedule(proxy, decay)),
    ),
    "on a proxy, tensors": (
        "weight_decay",
        torch.float32,
        lambda o: put(o, "weight_decay", lambda proxy: CurveSchedule(proxy, decay)),
    ),
}


def check_preview(schedule: Any, start: int, losses: list[float], untouched: Untouched) -> None:
    """Assert that a preview after ``start`` steps is the run, and that it moves nothing."""
    sync = SynchronousSchedule([schedule])
    rows_in_a_run(sync, start + 1, losses)
    (optimizer,) = optimizers_of(sync)
    attributes, state = dict(vars(optimizer)), state_as_text(schedule)
    with untouched(optimizer):
        seen = preview(schedule, NUM_STEPS, metrics=losses[start:] or None)
    assert vars(optimizer) == attributes
    assert state_as_text(schedule) == state
    assert seen.steps == range(start, start + NUM_STEPS)
    (rows,) = seen.values.values()
    assert {type(value) for row in rows for value in row} == {float}
    assert seen.values == rows_in_a_run(sync, NUM_STEPS, losses[start:])


def state_as_text(schedule: Any) -> dict[str, str]:
    # On torch < 2.4 the state holds methods of the scheduler, and a tensor cannot be compared.
    return {key: repr(value) for key, value in schedule.state_dict().items()}


@pytest.mark.parametrize(("case", "start"), crossed(CURVES, [0, 5]))
def test_a_preview_of_a_curve_is_the_run(case: str, start: int, untouched: Untouched) -> None:
    """A preview of a curve has the values of the run, from any step, and moves nothing."""
    target, dtype, make = CURVES[case]
    schedule = make(adamw_with_initial_values(target, dtype))
    check_preview(schedule, start, [], untouched)


ON = {
    "the optimizer": ("lr", None),
    "a proxy": ("weight_decay", None),
    "a proxy, tensors": ("weight_decay", torch.float32),
}


@each_scheduler(COPIED)
@pytest.mark.parametrize(("on", "start"), some(itertools.product(ON, [0, 5]), 2))
def test_a_preview_of_a_torch_scheduler_is_the_run(
    name: str, on: str, start: int, untouched: Untouched
) -> None:
    """A preview of a torch scheduler has the values of the run, on a proxy too; nothing moves."""
    target, dtype = ON[on]
    optimizer, make = adamw_with_initial_values(target, dtype), SCHEDULERS[name]
    schedule = make(optimizer) if on == "the optimizer" else put(optimizer, target, make)
    check_preview(schedule, start, LOSSES if name == "ReduceLROnPlateau" else [], untouched)


def three_members() -> SynchronousSchedule:
    """The members are a curve, a torch scheduler that takes metrics, and one that does not."""
    optimizer = adamw_with_initial_values()
    return SynchronousSchedule(
        [
            CurveSchedule(optimizer, RiseAndFall(), "betas[0]"),
            ReduceLROnPlateau(optimizer, factor=0.5, patience=1),
            arbitrary_schedule_factory(
                optimizer, lambda proxy: ExponentialLR(proxy, 0.9), 4.0, "clip"
            ),
        ]
    )


@pytest.mark.parametrize(
    ("metrics", "start"),
    crossed([1.0, LOSSES, iter(LOSSES)], [0, 5]),
)
def test_a_preview_of_several_members_is_a_run_with_the_metrics(
    metrics: Any, start: int, untouched: Untouched
) -> None:
    """A preview of several members has the values of a run with the assumed metrics."""
    sync = three_members()
    advance(sync, start, 1.0)
    state = copy.deepcopy(sync.state_dict())
    with untouched(sync.optimizer):
        seen = preview(sync, NUM_STEPS, metrics=copy.copy(metrics))
    assert sync.state_dict() == state
    assert list(seen.values) == ["betas[0]", "lr", "clip"]
    losses = [1.0] * NUM_STEPS if metrics == 1.0 else LOSSES
    assert seen.values == rows_in_a_run(sync, NUM_STEPS, losses)


def test_a_preview_of_one_step_shows_the_present_values() -> None:
    """A preview of one step shows the present values, and needs no metrics."""
    sync = three_members()
    seen = preview(sync, 1, metrics=[])
    assert seen.steps == range(1)
    assert seen.values == {name: [values] for name, values in sync.get_last_schedules().items()}


@pytest.mark.parametrize("dtype", [None, torch.float32])
@pytest.mark.parametrize("entries", [{"lr": 0.2}, {}])
def test_a_preview_shows_groups_that_joined_or_were_set(
    entries: dict[str, float], dtype: Any
) -> None:
    """A group that joined, and one without a curve, start from their own values, as in the run."""
    optimizer = adamw_with_initial_values(dtype=dtype)
    if dtype is not None:
        optimizer.defaults["lr"] = torch.tensor(0.1)  # a group that joins has this very tensor
    curve = CurveSchedule(optimizer, {"head": None, "*": decay})
    sync = SynchronousSchedule([curve])
    advance(sync, 3)
    optimizer.param_groups[2]["lr"] = 0.25
    add_group(optimizer, **entries)
    assert preview(sync, NUM_STEPS).values == rows_in_a_run(sync, NUM_STEPS)


# -- what a preview copies, and says -------------------------------------------------------------


def test_parameters_that_a_curve_holds_are_not_copied() -> None:
    """A curve that holds parameters is copied without them."""

    class FromWeights:
        def __init__(self, parameters: list[Parameter]) -> None:
            self.parameters = parameters

        def __call__(self, t: int) -> float:
            return self.parameters[0].numel() / (1 + t)

    optimizer = adamw_with_initial_values()
    curve = FromWeights(optimizer.param_groups[0]["params"])
    sync = SynchronousSchedule([LambdaLR(optimizer, curve)])
    assert preview(sync, 3).values == rows_in_a_run(sync, 3)


def test_a_preview_that_fails_names_the_step() -> None:
    """A preview of a curve that will fail raises what the run will raise, with the step."""
    schedule = CurveSchedule(
        adamw_with_initial_values(), lambda t: decay(t) if t < 3 else float("nan")
    )
    with pytest.raises(ValueError, match=r"'lr' at step 3: nan is not finite"):
        preview(schedule, NUM_STEPS)


def test_a_preview_is_silent_and_a_wrong_loop_still_warns() -> None:
    """A preview before the first optimizer step does not warn, and a wrong loop does so later."""

    def warns_at_3(t: float) -> float:
        if t == 3:
            warnings.warn("step 3", UserWarning, stacklevel=2)
        return decay(t)

    curve, plain = CurveSchedule(adamw(), warns_at_3), LambdaLR(adamw(), warns_at_3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        preview(curve, NUM_STEPS)
        preview(plain, NUM_STEPS)
    for schedule in (curve, plain):
        with pytest.warns(UserWarning, match=r"before `optimizer.step\(\)`"):
            schedule.step()


# -- invalid arguments ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("num_steps", "error", "says"),
    [
        *((number, ValueError, "from 1 to .*") for number in (0, -1, 10**12, 2**63, 10**60)),
        *((number, TypeError, "an int") for number in (True, 3.0, "3", None)),
    ],
)
def test_a_number_of_steps_that_cannot_be_is_refused(
    num_steps: Any, error: type[Exception], says: str
) -> None:
    """The number of steps is an int, not a bool, of at least 1, which memory can hold."""
    for make in (put_curve, put):
        with pytest.raises(error, match=f"num_steps: expected {says}, got {num_steps!r}"):
            preview(make(sgd()), num_steps)


def test_a_numpy_integer_is_a_number_of_steps() -> None:
    """A NumPy integer can be the number of steps."""
    assert len(preview(put_curve(sgd()), np.int64(3)).steps) == 3  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "schedule",
    [
        *(None, 3, "lr", decay),
        *(
            SimpleNamespace(optimizer=optimizer, step=print)
            for optimizer in (None, 3, SimpleNamespace(), SimpleNamespace(param_groups=None))
        ),
    ],
)
def test_an_object_that_is_not_a_schedule_is_refused(schedule: Any) -> None:
    """A preview of what is not a schedule, or of one without an optimizer, is a ``TypeError``."""
    says = "^optimizer: expected a torch optimizer"
    if not hasattr(schedule, "step"):
        says = rf"schedule: expected a schedule .*, got {re.escape(repr(schedule))}"
    with pytest.raises(TypeError, match=says):
        preview(schedule, 3)


@pytest.mark.parametrize(
    ("metrics", "error", "says"),
    [
        (None, TypeError, "metrics: the schedule of 'lr' takes metrics; pass"),
        (Ellipsis, TypeError, "metrics: "),
        (float("nan"), ValueError, "metrics: "),
        ([1.0, 1.0, 1.0], ValueError, "metrics: expected one for each of 4 calls, got 3"),
    ],
)
def test_metrics_that_do_not_fit_are_refused(metrics: Any, error: Any, says: str) -> None:
    """Metrics that are missing, too few or not finite numbers are an error that names them."""
    with pytest.raises(error, match=says):
        preview(three_members(), 5, metrics=metrics)


def test_an_iterator_of_metrics_is_read_once_per_call() -> None:
    """A preview takes one metric per call, which is one fewer than steps, and leaves the rest."""
    metrics = iter([3.0, 2.0, 1.0])
    assert preview(three_members(), 3, metrics=metrics).steps == range(3)
    assert next(metrics) == 1.0


def test_metrics_are_a_keyword_argument() -> None:
    """Metrics by position are a ``TypeError``, so that other arguments can be added."""
    with pytest.raises(TypeError, match="positional argument"):
        preview(three_members(), 3, 1.0)  # type: ignore[misc]


# -- positions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CURVES)
def test_a_preview_of_positions_has_the_values_of_a_run_that_is_there(
    case: str, untouched: Untouched
) -> None:
    """At any positions, in any order, a preview has the values that ``step(position)`` gives."""
    target, dtype, make = CURVES[case]
    schedule = make(adamw_with_initial_values(target, dtype))
    sync = SynchronousSchedule([schedule])
    advance(sync, 3)
    (optimizer,) = optimizers_of(sync)
    positions = [10**11, 0, 3.5, 3, 3]
    with untouched(optimizer):
        seen = preview(schedule, positions=iter(positions))
    assert schedule.last_epoch == 3
    assert seen.steps == positions
    for position, row in zip(positions, seen.values[target]):
        if 0 < position < schedule.last_epoch:
            schedule.step(0)  # a step back to a fraction warns
        schedule.step(position)
        assert row == [float(value) for value in sync.get_last_schedule(target)]


@pytest.mark.parametrize(
    "positions", [(1, 2.0), np.array([1, 2]), torch.tensor([1.0, 2.0]), {1: "a", 2: "b"}.keys()]
)
def test_positions_are_any_real_numbers(positions: Any) -> None:
    """A NumPy array or a tensor holds positions too, which become plain Python numbers."""
    seen = preview(put_curve(sgd()), positions=positions)
    assert seen.steps == [1, 2]
    assert {type(step) for step in seen.steps} <= {int, float}
    assert seen.values == {"lr": [[0.25], [0.125]]}


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({}, TypeError, r"^num_steps: .*pass positions="),
        ({"num_steps": 3, "positions": [1]}, TypeError, "^positions: .*leave out one of both"),
        ({"positions": []}, ValueError, "^positions: .*at least one"),
        ({"positions": 3}, TypeError, "^positions: .*a list of numbers, got 3"),
        ({"positions": "123"}, TypeError, "^positions: .*a list of numbers"),
        ({"positions": {1: 2}}, TypeError, "^positions: .*a list of numbers"),
        ({"positions": [1, -0.5]}, ValueError, r"^positions\[1\]: .*0 or later, got -0.5"),
        ({"positions": [float("nan")]}, ValueError, r"^positions\[0\]: nan is not finite"),
        ({"positions": [1, 2, "3"]}, TypeError, r"^positions\[2\]: '3'"),
        ({"positions": [True]}, TypeError, r"^positions\[0\]: True"),
        ({"positions": np.ones((2, 2))}, TypeError, r"^positions\[0\]: "),
        ({"positions": [1], "metrics": 1.0}, TypeError, "^metrics: "),
        ({"positions": [1], "unit": 3}, TypeError, "^unit: .*'tokens', got 3"),
        ({"num_steps": 3, "unit": ""}, TypeError, "^unit: .*'tokens', got ''"),
    ],
)
def test_positions_that_do_not_fit_are_refused(arguments: Any, error: Any, says: str) -> None:
    """A preview takes ``num_steps`` or ``positions``, which are real numbers ≥ 0."""
    with pytest.raises(error, match=says):
        preview(put_curve(sgd()), **arguments)


def test_a_member_that_cannot_be_sent_to_a_position_is_named() -> None:
    """A torch scheduler steps from where it stands, so it has no values at positions."""
    with pytest.raises(TypeError, match=r"^positions: .*'lr' \(ReduceLROnPlateau\) .* because"):
        preview(three_members(), positions=[3], metrics=1.0)


def test_a_group_that_is_left_alone_may_hold_anything() -> None:
    """A tensor that is not a number, in a group that is left alone, is None in each row."""
    optimizer = adamw({"clip": torch.tensor(8.0)}, {"clip": torch.tensor(float("nan"))})
    schedule = CurveSchedule(optimizer, [halving, None], "clip")
    assert preview(schedule, positions=[1, 2]).values == {"clip": [[4.0, None], [2.0, None]]}


def test_what_derives_is_computed_ahead_without_a_copy() -> None:
    """A rule with a lock cannot be copied, and is called for values of the source to come."""
    optimizer = adamw({"lr": 0.5, "weight_decay": 0.25})
    lock = threading.Lock()

    class Locked:
        def __init__(self) -> None:
            self.lock = lock

        def __call__(self, multiple: float) -> float:
            return multiple**2

    sync = SynchronousSchedule(
        [DerivedSchedule(optimizer, Locked(), "weight_decay"), put_curve(optimizer)]
    )
    assert preview(sync, 3).values["weight_decay"] == [[0.25], [0.0625], [0.015625]]
    assert preview(sync, positions=[3]).values["weight_decay"] == [[0.25 / 64]]


def test_the_picture_says_the_unit() -> None:
    """The axis and the repr have the unit, and lines go from left to right."""
    schedule = CurveSchedule(sgd(lr=1.0), lambda t: 1 - t / 10**12)
    seen = preview(schedule, positions=[10**11, 0, 5 * 10**11], unit="tokens")
    assert repr(seen) == "<Preview of 'lr' at tokens 0 to 500000000000, 1 param group>"
    (panel,) = seen.plot().axes
    assert panel.get_xlabel() == "tokens"
    assert list(panel.get_lines()[0].get_xdata()) == [0, 10**11, 5 * 10**11]
    assert list(panel.get_lines()[0].get_ydata()) == [1.0, 0.9, 0.5]
    assert preview(schedule, 3, unit="epochs").plot().axes[0].get_xlabel() == "epochs"


@pytest.mark.parametrize(
    ("positions", "drawn"),
    [
        (range(0, 20), [4, 12]),  # RiseAndFall turns at 4, and is 0 from 12 on
        ([t / 10 for t in range(200)], [4, 12]),
        ([0, 10, 20, 30], [4]),  # the curve has ended somewhere between 10 and 20
        ([0, 5, 10, 15, 20], [4]),
        ([5, 6, 7], []),
    ],
)
def test_the_picture_shows_an_end_that_the_positions_show(positions: Any, drawn: Any) -> None:
    """The end of a curve is drawn if positions near it are known; else nobody knows where it is."""
    schedule = CurveSchedule(sgd(), RiseAndFall())
    (panel,) = preview(schedule, positions=positions).plot().axes
    assert [line.get_xdata()[0] for line in panel.get_lines()[1:]] == drawn


# -- repr, boundaries and plot -------------------------------------------------------------------


def test_the_repr_shows_targets_steps_and_number_of_groups() -> None:
    """The repr of a preview shows its targets, its steps and the number of groups."""
    sync = three_members()
    advance(sync, 2, 1.0)
    assert repr(preview(sync, 10, metrics=1.0)) == (
        "<Preview of 'betas[0]', 'lr', 'clip' at steps 2 to 11, 3 param groups>"
    )
    assert repr(preview(put_curve(sgd()), 1)) == (
        "<Preview of 'lr' at steps 0 to 0, 1 param group>"
    )
    two = SynchronousSchedule({"a": [put_curve(sgd())], "b": [put_curve(sgd({}, {}))]})
    assert repr(preview(two, 1)) == (
        "<Preview of 'a/lr', 'b/lr' at steps 0 to 0, 1 or 2 param groups>"
    )


def test_a_preview_has_the_boundaries_of_each_curve() -> None:
    """A preview has the boundaries of each curve that tells them, by target."""
    seen = preview(three_members(), 3, metrics=1.0)
    assert seen.boundaries == {"betas[0]": (4,), "lr": (), "clip": ()}
    later = WithBoundaries((2, 6))
    for several in ([RiseAndFall(), later, None], {"a": RiseAndFall(), "b": later, "*": None}):
        optimizer = sgd({"name": "a"}, {"name": "b"}, {"name": "c"})
        seen = preview(CurveSchedule(optimizer, several), 3)
        assert seen.boundaries == {"lr": (2, 4, 6)}


def test_the_plot_has_a_panel_per_target_with_a_line_per_group() -> None:
    """The plot has a panel per target, with a line per group, boundaries, and the curve's end."""
    seen = preview(three_members(), NUM_STEPS, metrics=1.0)
    panels = seen.plot().axes
    assert [panel.get_ylabel() for panel in panels] == list(seen.values)
    assert panels[-1].get_xlabel() == "step t"
    for panel, values in zip(panels, seen.values.values()):
        columns = list(dict.fromkeys(zip(*values)))  # groups with equal values share a line
        for column, line in zip(columns, panel.get_lines()):
            assert list(line.get_xdata()) == list(seen.steps)
            assert tuple(line.get_ydata()) == column
    curves = len({*zip(*next(iter(seen.values.values())))})
    boundaries = [line.get_xdata()[0] for line in panels[0].get_lines()[curves:]]
    assert boundaries == [4, 12]  # RiseAndFall turns at 4, and is 0 from 12 on


def test_a_plot_without_matplotlib_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plot without Matplotlib is an ``ImportError`` that names the extra and the package."""
    seen = preview(put_curve(sgd()), 3)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(
        ImportError, match=r"torch-schedule-anything\[plot\]: pip install matplotlib"
    ):
        seen.plot()


@pytest.mark.parametrize(
    ("num_groups", "has_legend"), [(1, False), (2, True), (10, True), (11, False)]
)
def test_the_plot_has_a_legend_for_a_few_groups(num_groups: int, has_legend: bool) -> None:
    """The plot has a legend for a few groups, and not for one or for very many."""
    seen = preview(put_curve(sgd(*({"lr": 1.0 + g} for g in range(num_groups)))), 3)
    (panel,) = seen.plot().axes
    assert (panel.get_legend() is not None) is has_legend


def test_the_plot_calls_groups_by_their_names() -> None:
    """A line has the names of its groups, or their positions, and equal values are one line."""
    optimizer = sgd({"name": "encoder"}, {"name": "head"}, {"lr": 0.25})
    (panel,) = preview(put_curve(optimizer), 3).plot().axes
    texts = [text.get_text() for text in panel.get_legend().get_texts()]
    assert texts == ["encoder, head", "group 2"]


def test_the_plot_shows_names_and_units_as_they_are() -> None:
    """A name or a unit is text, where matplotlib would read a formula or leave out a label."""
    optimizer = sgd({"name": "$x_{$"}, {"name": "_hidden", "lr": 0.2})
    figure = preview(put_curve(optimizer), 3, unit="$_{$").plot()
    figure.savefig(io.BytesIO(), format="svg")
    (panel,) = figure.axes
    texts = [text.get_text().replace("\\$", "$") for text in panel.get_legend().get_texts()]
    assert texts == ["$x_{$", " _hidden"]


def boundaries_drawn(schedule: Any, num_steps: int) -> list[float]:
    (panel,) = preview(schedule, num_steps).plot().axes
    return [line.get_xdata()[0] for line in panel.get_lines()[1:]]


def test_the_plot_shows_boundaries_inside_its_steps_alone() -> None:
    """The plot shows boundaries and the end of a curve inside its steps, and none at its edges."""
    for change in (1, 2):
        drop = CurveSchedule(sgd(), lambda t, change=change: 1.0 if t < change else 0.5)
        assert boundaries_drawn(drop, 4) == [change]
    assert boundaries_drawn(CurveSchedule(sgd(), lambda t: 1.0), 4) == []
    assert boundaries_drawn(CurveSchedule(sgd(), decay), 4) == []
    schedule = CurveSchedule(sgd(), RiseAndFall())
    schedule.optimizer.step()
    schedule.step(4)
    assert boundaries_drawn(schedule, 5) == []


def test_preview_is_public() -> None:
    """``preview`` and ``Preview`` are public names of ``tsa_core``."""
    assert {"Preview", "preview"} <= set(tsa_core.__all__)
    assert isinstance(preview(put_curve(sgd()), 1), tsa_core.Preview)


# -- set-ups in which a preview could differ from the run ----------------------------------------


@pytest.mark.parametrize("start", [2.5, 0.0037, 0.1, 2 / 3])
def test_the_steps_of_a_preview_are_rounded_as_those_of_a_run(start: float) -> None:
    """A preview goes on from a fraction as a run does: adding 1 rounds otherwise than adding 9."""
    schedule = CurveSchedule(sgd(lr=1.0), lambda t: t)
    schedule.step(start)
    seen = preview(schedule, 40)
    assert list(seen.steps) == [row[0] for row in seen.values["lr"]]
    for value in seen.values["lr"]:
        assert schedule.get_last_lr() == value
        advance(schedule)


def test_a_preview_shows_a_shared_tensor_under_a_plain_torch_scheduler() -> None:
    """A tensor that two groups share is reduced twice per step in a preview, as torch does."""
    schedule = plateau(sgd({}, {}, lr=torch.tensor(0.5)))
    seen = preview(schedule, 3, metrics=torch.tensor(1.0))
    assert seen.values["lr"] == values_in_a_run(schedule, 3, 1.0)


def test_a_preview_copies_no_optimizer() -> None:
    """A preview copies no optimizer, even if its class defines ``__deepcopy__``."""

    class UncopiedSGD(torch.optim.SGD):
        def __deepcopy__(self, memo: Any) -> Any:
            raise AssertionError("copied")

    schedule = put(UncopiedSGD([Parameter(torch.ones(1))], lr=0.5))
    assert preview(schedule, 3).values["lr"] == [[0.5], [0.25], [0.125]]


class MultipleOfTheDefault(LRScheduler):
    """A scheduler that computes from the optimizer's defaults, as some in transformers do."""

    def get_lr(self) -> Any:
        default = self.optimizer.defaults["lr"]
        return [default * (1 + self.last_epoch) for _ in self.optimizer.param_groups]


def test_a_scheduler_that_reads_the_defaults_finds_them_in_a_preview() -> None:
    """A scheduler that reads the optimizer's defaults finds them in a preview, on a proxy too."""
    optimizer = adamw({"weight_decay": 0.5}, lr=0.25, weight_decay=0.125)
    on_a_proxy = put(optimizer, "weight_decay", MultipleOfTheDefault)
    assert preview(on_a_proxy, 3).values["weight_decay"] == [[0.125], [0.25], [0.375]]
    plain = MultipleOfTheDefault(optimizer)
    assert preview(plain, 3).values["lr"] == [[0.25], [0.5], [0.75]]


class Trainer:
    """An object with a method that is a curve, and with attributes that cannot be copied."""

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
def test_a_bound_method_as_a_curve_is_previewed_without_a_copy(make: Any) -> None:
    """A preview of a curve that is a bound method does not copy the method's object."""
    seen = preview(make(adamw_with_initial_values(), Trainer().curve), NUM_STEPS)
    assert seen.values["lr"][5] == [value * decay(5) for value in INITIAL]


def test_a_function_that_cannot_be_copied_is_named() -> None:
    """A curve is called and not copied; a torch scheduler whose function cannot be is named."""

    class Locked(RiseAndFall):
        def __init__(self) -> None:
            self.lock = threading.Lock()

    assert preview(CurveSchedule(sgd(), Locked()), 3).values["lr"] == [
        [0.5 * RiseAndFall()(t)] for t in range(3)
    ]
    with pytest.raises(TypeError, match=r"\['lr'\] .* cannot be copied: .*lock"):
        preview(LambdaLR(sgd(), Locked()), 3)


def test_groups_without_parameters_can_be_previewed() -> None:
    """Groups without ``params``, of an optimizer that is not from torch, can be previewed."""

    class Bare:
        param_groups: ClassVar[list[dict[str, Any]]] = [{"temperature": 8.0}]

    schedule = CurveSchedule(Bare(), halving, "temperature")
    assert preview(schedule, 3).values["temperature"] == [[8.0], [4.0], [2.0]]


class LambdaIsAMethodOfItsOwn(LambdaLR):
    def __init__(self, optimizer: Any) -> None:
        super().__init__(optimizer, self.curve)

    def curve(self, t: float) -> float:
        return decay(t)


def with_step_on_the_instance(schedule: Any) -> Any:
    """Replace the step of ``schedule`` by a function that calls it, as a logger would."""
    step = schedule.step
    schedule.step = lambda *args: step(*args)
    return schedule


@pytest.mark.parametrize(
    "make",
    [
        LambdaIsAMethodOfItsOwn,
        lambda o: with_step_on_the_instance(ExponentialLR(o, 0.5)),
        lambda o: with_step_on_the_instance(CurveSchedule(o, decay)),
    ],
    ids=["method of its own", "torch step", "curve step"],
)
def test_a_reference_to_the_schedule_does_not_move_it(make: Any, untouched: Untouched) -> None:
    """A preview steps a copy, even if an attribute refers back to the schedule."""
    optimizer = adamw_with_initial_values()
    schedule = make(optimizer)
    with untouched(optimizer):
        seen = preview(schedule, 4)
    assert schedule.last_epoch == 0
    for values in seen.values["lr"]:
        assert schedule.get_last_lr() == values
        advance(schedule)


def test_parameters_of_replaced_groups_are_not_copied() -> None:
    """A preview copies neither new parameters nor those that the proxy has seen before."""
    optimizer = adamw_with_initial_values(dtype=torch.float32)
    schedule = put(optimizer, "lr", lambda proxy: LambdaLR(proxy, decay))
    optimizer.param_groups = [
        {**group, "params": [Uncopied(torch.ones(1))]} for group in optimizer.param_groups
    ]
    preview(schedule, 3)


class HalvesAndDoesNotCount:
    """A scheduler of another library, without ``last_epoch``."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer

    def step(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] *= 0.5


class CountsInWords(HalvesAndDoesNotCount):
    """A scheduler whose ``last_epoch`` is not a number."""

    last_epoch: Any = "the first"


@pytest.mark.parametrize(
    ("kind", "target"), crossed([HalvesAndDoesNotCount, CountsInWords], [None, "weight_decay"])
)
def test_a_preview_of_a_scheduler_that_does_not_count_starts_at_0(
    kind: Any, target: str | None, untouched: Untouched
) -> None:
    """A preview of a scheduler without a numeric ``last_epoch`` counts the steps from 0."""
    optimizer = adamw(lr=0.5, weight_decay=0.5)
    schedule = put(optimizer, target, kind) if target else kind(optimizer)
    with untouched(optimizer):
        seen = preview(schedule, 3)
    assert list(seen.steps) == [0, 1, 2]
    assert seen.values == {target or "lr": [[0.5], [0.25], [0.125]]}
    assert repr(seen) == f"<Preview of {target or 'lr'!r} at steps 0 to 2, 1 param group>"
    seen.plot()


def test_a_preview_of_a_chained_scheduler_starts_where_its_first_part_stands() -> None:
    """A preview of a ``ChainedScheduler`` starts at the step of its parts."""
    schedule: Any = ChainedScheduler([ExponentialLR(sgd(lr=0.5), 0.5)])
    for _ in range(2):
        schedule._schedulers[0].optimizer.step()
        schedule.step()
    seen = preview(schedule, 3)
    assert list(seen.steps) == [2, 3, 4]
    assert seen.values == {"lr": [[0.125], [0.0625], [0.03125]]}


class WithBoundaries:
    """A callable with a ``boundaries`` attribute of its author's own meaning."""

    def __init__(self, boundaries: Any) -> None:
        self.boundaries = boundaries

    def __call__(self, t: float) -> float:
        return 0.5**t


@pytest.mark.parametrize(
    ("boundaries", "taken"),
    [
        ((1, 2.5), (1, 2.5)),
        *(
            (each, ())
            for each in ["x", [1], (None,), ("a",), None, 5, 1j, (1j,), {1: 2}, Ellipsis, ([1],)]
        ),
    ],
    ids=repr,
)
def test_a_callable_may_have_boundaries_of_its_own(boundaries: Any, taken: Any) -> None:
    """Boundaries of a callable are taken if they are a tuple of steps, and ignored otherwise."""
    seen = preview(CurveSchedule(sgd(lr=0.5), WithBoundaries(boundaries)), 4)
    assert seen.values["lr"] == [[0.5], [0.25], [0.125], [0.0625]]
    assert seen.boundaries == {"lr": taken}
    seen.plot()
