"""``preview`` gives the values that a run then has, and moves nothing."""

from __future__ import annotations

import copy
import io
import sys
import threading
import warnings
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from cases import crossed
from helpers import (
    Untouched,
    adamw,
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
from target_helpers import entries
from torch.nn import Parameter
from torch.optim.lr_scheduler import ChainedScheduler, ExponentialLR, LambdaLR, LRScheduler
from torch_schedulers import SCHEDULERS, TORCH, each_scheduler

from tsa_core import CurveSchedule, DerivedSchedule, Preview, SynchronousSchedule, preview

INITIAL = (0.1, 0.03, 0.5)
NUM_STEPS = 20
LOSSES = [1.0, 0.5, 0.6, 0.7, 0.8, 0.4, *[0.9] * NUM_STEPS]

pytestmark = ignore_epoch_deprecation  # SequentialLR of torch < 2.9 passes a deprecated epoch

# On torch < 2.4, CyclicLR holds a weakref.WeakMethod, which cannot be copied.
COPIED = [name for name in SCHEDULERS if name != "CyclicLR" or TORCH >= (2, 4)]


class Uncopied(Parameter):
    def __deepcopy__(self, memo: object) -> Any:
        raise AssertionError("a parameter, or the optimizer's state of one, was copied")


def adamw_with_initial_values(
    target: str = "lr", dtype: torch.dtype | None = None
) -> torch.optim.AdamW:
    """Three named groups hold ``INITIAL`` as ``target``, as floats or as tensors."""
    groups: list[dict[str, Any]] = []
    for number, name in zip(INITIAL, ("encoder", "decoder", "head")):
        value = number if dtype is None else torch.tensor(number, dtype=dtype)
        params = [Uncopied(torch.ones(1))]
        groups.append({"params": params, "name": name, **entries(target, value)})
    optimizer = adamw(*groups, lr=0.007, weight_decay=0.013)
    for group in groups:
        optimizer.state[group["params"][0]] = {"exp_avg": Uncopied(torch.zeros(1))}
    return optimizer


def decay(t: float) -> float:
    return 1 / (3 + t)


class RiseAndFall:
    boundaries = (4,)

    def __call__(self, t: float) -> float:
        return t / 4 if t <= 4 else max(0.0, 1 - (t - 4) / 8)


def check_preview(schedule: Any, start: int, losses: list[float], untouched: Untouched) -> None:
    sync = SynchronousSchedule([schedule])
    rows_in_a_run(sync, start + 1, losses)
    (optimizer,) = optimizers_of(sync)
    # On torch < 2.4 the state holds methods of the scheduler, and a tensor cannot be compared.
    attributes, state = dict(vars(optimizer)), repr(schedule.state_dict())
    with untouched(optimizer):
        seen = preview(schedule, NUM_STEPS, metrics=losses[start:] or None)
    assert vars(optimizer) == attributes
    assert repr(schedule.state_dict()) == state
    assert seen.steps == range(start, start + NUM_STEPS)
    (rows,) = seen.values.values()
    assert {type(value) for row in rows for value in row} == {float}
    assert seen.values == rows_in_a_run(sync, NUM_STEPS, losses[start:])


CURVES: dict[str, tuple[str, torch.dtype | None, Any]] = {
    "lr": ("lr", None, decay),
    "an element": ("betas[0]", None, decay),
    "half": ("weight_decay", torch.float16, decay),
    "an int λ": ("clip", None, lambda t: 1 + t),
    "one per group": ("lr", None, [decay, None, RiseAndFall()]),
    "bfloat": ("weight_decay", torch.bfloat16, decay),
    "by name": ("lr", None, {"encoder": None, "*": decay}),
    "one per group, tensors": ("clip", torch.float32, [None, decay, decay]),
    "single": ("weight_decay", torch.float32, decay),
    "double": ("betas[0]", torch.float64, decay),
}


@pytest.mark.parametrize(
    ("case", "start", "on_a_proxy"), crossed(CURVES, [0, 5], [False, False, True])
)
def test_a_preview_of_a_curve_is_the_run(
    case: str, start: int, on_a_proxy: bool, untouched: Untouched
) -> None:
    """A preview has the values of the run, or of ``step(position)`` at positions in any order."""
    target, dtype, curve = CURVES[case]
    optimizer = adamw_with_initial_values(target, dtype)
    if on_a_proxy:
        schedule = put(optimizer, target, lambda proxy: CurveSchedule(proxy, curve))
    else:
        schedule = CurveSchedule(optimizer, curve, target)
    check_preview(schedule, start, [], untouched)
    sync = SynchronousSchedule([schedule])
    sync.step(3)
    positions = [10**11, 0, 3.5, 3, 3]
    with untouched(optimizer):
        seen = preview(schedule, positions=iter(positions))
    assert schedule.last_epoch == 3
    assert seen.steps == positions
    for position, row in zip(positions, seen.values[target]):
        schedule.step(position)
        assert row == [float(value) for value in sync.get_last_schedule(target)]


@each_scheduler(COPIED, on=[("lr", None), ("weight_decay", None), ("weight_decay", torch.float32)])
def test_a_preview_of_a_torch_scheduler_is_the_run(
    name: str, on: tuple[str, Any], untouched: Untouched
) -> None:
    """A preview of a torch scheduler has the values of the run, on a proxy too; nothing moves."""
    make = SCHEDULERS[name]
    for start in (0, 5):
        optimizer = adamw_with_initial_values(*on)
        schedule = make(optimizer) if on[0] == "lr" else put(optimizer, on[0], make)
        check_preview(schedule, start, LOSSES if name == "ReduceLROnPlateau" else [], untouched)


def three_members() -> SynchronousSchedule:
    """The members are a curve, a torch scheduler that takes metrics, and one that does not."""
    optimizer = adamw_with_initial_values()
    curve = CurveSchedule(optimizer, RiseAndFall(), "betas[0]")
    return SynchronousSchedule([curve, plateau(optimizer), put(optimizer, "weight_decay")])


@pytest.mark.parametrize(("metrics", "start"), crossed([1.0, LOSSES, iter(LOSSES)], [0, 5]))
def test_a_preview_of_several_members_is_a_run_with_the_metrics(
    metrics: Any, start: int, untouched: Untouched
) -> None:
    sync = three_members()
    advance(sync, start, 1.0)
    state = copy.deepcopy(sync.state_dict())
    with untouched(sync.optimizer):
        seen = preview(sync, NUM_STEPS, metrics=copy.copy(metrics))
    assert sync.state_dict() == state
    assert list(seen.values) == ["betas[0]", "lr", "weight_decay"]
    losses = [1.0] * NUM_STEPS if metrics == 1.0 else LOSSES
    assert seen.values == rows_in_a_run(sync, NUM_STEPS, losses)


def test_one_metric_is_read_per_call() -> None:
    """Calls are one fewer than steps: the first step has the present values, without metrics.

    Metrics by position are a ``TypeError``, so that other arguments can be added.
    """
    sync, metrics = three_members(), iter([3.0, 2.0, 1.0])
    seen = preview(sync, 1, metrics=[])
    assert seen.steps == range(1)
    assert seen.values == {name: [values] for name, values in sync.get_last_schedules().items()}
    assert preview(sync, 3, metrics=metrics).steps == range(3)
    assert next(metrics) == 1.0
    with pytest.raises(TypeError, match="positional argument"):
        preview(sync, 3, 1.0)  # type: ignore[misc]


# -- what a preview copies, and says -------------------------------------------------------------


class Locked(RiseAndFall):
    """A curve, and a holder of one as its method, that cannot be copied."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.frozen = Uncopied(torch.ones(1))

    def curve(self, t: float) -> float:
        return decay(t)


def from_weights(parameters: list[Parameter], t: int) -> float:
    return parameters[0].numel() / (1 + t)


class LambdaIsAMethodOfItsOwn(LambdaLR):
    def __init__(self, optimizer: Any) -> None:
        super().__init__(optimizer, self.curve)

    def curve(self, t: float) -> float:
        return decay(t)


class UncopiedSGD(torch.optim.SGD):
    def __deepcopy__(self, memo: Any) -> Any:
        raise AssertionError("copied")


def with_step_on_the_instance(schedule: Any) -> Any:
    step = schedule.step
    schedule.step = lambda *args: step(*args)
    return schedule


def in_replaced_groups(optimizer: Any) -> Any:
    schedule = put(optimizer, "lr", lambda proxy: LambdaLR(proxy, decay))
    groups = optimizer.param_groups
    optimizer.param_groups = [{**each, "params": [Uncopied(torch.ones(1))]} for each in groups]
    return schedule


class MultipleOfTheDefault(LRScheduler):  # as some in transformers
    def get_lr(self) -> Any:
        default = self.optimizer.defaults["lr"]
        return [default * (1 + self.last_epoch) for _ in self.optimizer.param_groups]


HARD_TO_COPY: dict[str, Any] = {
    "a curve that cannot be copied": lambda o: CurveSchedule(o, Locked()),
    "a rule that cannot be copied": lambda o: DerivedSchedule(o, Locked(), "weight_decay"),
    "its method": lambda o: CurveSchedule(o, Locked().curve),
    "its method in a list": lambda o: CurveSchedule(o, [Locked().curve] * 3),
    "its method by name": lambda o: CurveSchedule(o, {"*": Locked().curve}),
    "its method in a torch scheduler": lambda o: LambdaLR(o, Locked().curve),
    "its method in a part": lambda o: ChainedScheduler([LambdaLR(o, Locked().curve)]),
    "parameters in a function": lambda o: LambdaLR(
        o, partial(from_weights, o.param_groups[0]["params"])
    ),
    "parameters that came later": in_replaced_groups,
    "a class of optimizer": lambda _: put(UncopiedSGD([Parameter(torch.ones(1))], lr=0.5)),
    "a method of its own": LambdaIsAMethodOfItsOwn,
    "the defaults": MultipleOfTheDefault,
    "the defaults of a proxy": lambda o: put(o, "weight_decay", MultipleOfTheDefault),
    "torch's step": lambda o: with_step_on_the_instance(ExponentialLR(o, 0.5)),
    "our step": lambda o: with_step_on_the_instance(CurveSchedule(o, decay)),
}


@pytest.mark.parametrize("name", HARD_TO_COPY)
def test_a_preview_copies_no_more_than_it_steps(name: str, untouched: Untouched) -> None:
    """Parameters and objects of methods are not copied; references back and defaults are right."""
    check_preview(HARD_TO_COPY[name](adamw_with_initial_values()), 0, [], untouched)


def test_a_preview_is_silent_and_a_wrong_loop_still_warns() -> None:

    def warns_at_3(t: float) -> float:
        if t == 3:
            warnings.warn("step 3", UserWarning, stacklevel=2)
        return decay(t)

    for schedule in (CurveSchedule(adamw(), warns_at_3), LambdaLR(adamw(), warns_at_3)):
        preview(schedule, NUM_STEPS)  # a warning is an error in the tests
        with pytest.warns(UserWarning, match=r"before `optimizer.step\(\)`"):
            schedule.step()


# -- arguments -----------------------------------------------------------------------------------

NUMBERS: list[tuple[Any, type[Exception], str]] = [
    *((number, ValueError, "from 1 to .*") for number in (0, -1, 10**12, 2**63, 10**60)),
    *((number, TypeError, "an int") for number in (True, 3.0, "3", None)),
]
REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    *(
        ({"num_steps": number}, error, f"num_steps: expected {says}, got {number!r}")
        for number, error, says in NUMBERS
    ),
    ({}, TypeError, r"^num_steps: .*pass positions="),
    ({"num_steps": 3, "positions": [1]}, TypeError, "^positions: .*leave out one of"),
    ({"positions": []}, ValueError, "^positions: .*at least one"),
    ({"positions": 3}, TypeError, "^positions: .*a list of numbers, got 3"),
    ({"positions": "123"}, TypeError, "^positions: .*a list of numbers"),
    ({"positions": {1: 2}}, TypeError, "^positions: .*a list of numbers"),
    ({"positions": [1, -0.5]}, ValueError, r"^positions\[1\]: .*or later, got -0.5"),
    ({"positions": [np.nan]}, ValueError, r"^positions\[0\]: nan is not finite"),
    ({"positions": [1, 2, "3"]}, TypeError, r"^positions\[2\]: '3'"),
    ({"positions": [True]}, TypeError, r"^positions\[0\]: True"),
    ({"positions": np.ones((2, 2))}, TypeError, r"^positions\[0\]: "),
    ({"positions": [1], "metrics": 1.0}, TypeError, "^metrics: "),
    ({"positions": [1], "unit": 3}, TypeError, "^unit: .*'tokens', got 3"),
    ({"num_steps": 3, "unit": ""}, TypeError, "^unit: .*'tokens', got ''"),
]
METRICS_REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"num_steps": 5}, TypeError, "metrics: the schedule of 'lr' takes .*; pass"),
    ({"num_steps": 5, "metrics": Ellipsis}, TypeError, "metrics: "),
    ({"num_steps": 5, "metrics": np.nan}, ValueError, "metrics: "),
    (
        {"num_steps": 5, "metrics": [1.0] * 3},
        ValueError,
        "metrics: expected one for each of 4 calls, got 3",
    ),
    ({"positions": [3]}, TypeError, r"^positions: .*'lr' \(ReduceLROnPlateau\) .* because"),
]
SCHEDULES_REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: LambdaLR(sgd(), Locked()), TypeError, r"\['lr'\] .* cannot be copied: .*lock"),
    (
        lambda: CurveSchedule(sgd(), lambda t: decay(t) if t < 3 else np.nan),
        ValueError,
        "'lr' at step 3: nan is not finite",
    ),
    *(
        (lambda each=each: each, TypeError, f"^schedule: expected a schedule .*, got {each!r}")
        for each in (None, 3, "lr")
    ),
    (lambda: decay, TypeError, "^schedule: expected a schedule .*, got <function decay at "),
    *(
        (partial(SimpleNamespace, optimizer=each, step=print), TypeError, "^optimizer: expected a")
        for each in (None, 3, SimpleNamespace(), SimpleNamespace(param_groups=None))
    ),
]


@pytest.mark.parametrize(
    ("make", "arguments", "error", "says"),
    [
        *((lambda: put_curve(sgd()), *each) for each in REFUSED),
        *((three_members, *each) for each in METRICS_REFUSED),
        *((make, {"num_steps": 5}, *each) for make, *each in SCHEDULES_REFUSED),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    make: Any, arguments: Any, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        preview(make(), **arguments)


@pytest.mark.parametrize(
    "positions", [(1, 2.0), np.array([1, 2]), torch.tensor([1.0, 2.0]), {1: "a", 2: "b"}.keys()]
)
def test_positions_are_any_real_numbers(positions: Any) -> None:
    """A NumPy array or a tensor holds positions too, which become plain Python numbers."""
    seen = preview(put_curve(sgd()), positions=positions)
    assert seen.steps == [1, 2]
    assert {type(step) for step in seen.steps} <= {int, float}
    assert seen.values == {"lr": [[0.25], [0.125]]}
    assert len(preview(put_curve(sgd()), np.int64(3)).steps) == 3  # type: ignore[arg-type]


# -- repr, boundaries and plot -------------------------------------------------------------------


def test_the_repr_shows_targets_steps_and_number_of_groups() -> None:
    sync = three_members()
    advance(sync, 2, 1.0)
    seen = preview(sync, 10, metrics=1.0)
    assert isinstance(seen, Preview)
    says = "<Preview of 'betas[0]', 'lr', 'weight_decay' at steps 2 to 11, 3 param groups>"
    assert repr(seen) == says
    two = SynchronousSchedule({"a": [put_curve(sgd())], "b": [put_curve(sgd({}, {}))]})
    says = "<Preview of 'a/lr', 'b/lr' at steps 0 to 0, 1 or 2 param groups>"
    assert repr(preview(two, 1)) == says


def with_boundaries(boundaries: Any) -> Any:
    curve: Any = partial(halving)
    curve.boundaries = boundaries
    return curve


def test_a_preview_has_the_boundaries_of_each_curve() -> None:
    """Boundaries of a callable are taken if they are a tuple of steps, and ignored otherwise."""
    first, later = RiseAndFall(), with_boundaries((2, 6))
    for several in ([first, later, None], {"a": first, "b": later, "*": None}):
        optimizer = sgd({"name": "a"}, {"name": "b"}, {"name": "c"})
        assert preview(CurveSchedule(optimizer, several), 3).boundaries == {"lr": (2, 4, 6)}
    others = ["x", [1], (None,), ("a",), None, 5, 1j, (1j,), {1: 2}, Ellipsis, ([1],)]
    for boundaries, taken in [((1, 2.5), (1, 2.5)), *((each, ()) for each in others)]:
        seen = preview(CurveSchedule(sgd(lr=0.5), with_boundaries(boundaries)), 4)
        assert seen.values["lr"] == [[0.5], [0.25], [0.125], [0.0625]]
        assert seen.boundaries == {"lr": taken}
        seen.plot()


def test_the_plot_has_a_panel_per_target_with_a_line_per_group() -> None:
    seen = preview(three_members(), NUM_STEPS, metrics=1.0)
    assert seen.boundaries == {"betas[0]": (4,), "lr": (), "weight_decay": ()}
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


@pytest.mark.parametrize(
    ("curve", "positions", "drawn"),
    [
        (RiseAndFall(), range(0, 20), [4, 12]),
        (RiseAndFall(), [t / 10 for t in range(200)], [4, 12]),
        (RiseAndFall(), [0, 10, 20, 30], [4]),  # it has ended somewhere between 10 and 20
        (RiseAndFall(), [0, 5, 10, 15, 20], [4]),
        (RiseAndFall(), [5, 6, 7], []),
        (RiseAndFall(), range(4, 9), []),  # at the edge of the picture
        (lambda t: 1.0 if t < 1 else 0.5, range(4), [1]),
        (lambda t: 1.0 if t < 2 else 0.5, range(4), [2]),
        (lambda t: 1.0, range(4), []),
        (decay, range(4), []),
    ],
)
def test_the_picture_shows_boundaries_and_an_end_that_the_positions_show(
    curve: Any, positions: Any, drawn: Any
) -> None:
    """The end of a curve is drawn if positions near it are known; else nobody knows where it is."""
    (panel,) = preview(CurveSchedule(sgd(), curve), positions=positions).plot().axes
    assert [line.get_xdata()[0] for line in panel.get_lines()[1:]] == drawn


def test_the_picture_says_the_unit() -> None:
    """The axis and the repr have the unit, and lines go from left to right."""
    schedule = CurveSchedule(sgd(lr=1.0), lambda t: 1 - t / 10**12)
    seen = preview(schedule, positions=[10**11, 0, 5 * 10**11], unit="tokens")
    assert repr(seen) == "<Preview of 'lr' at tokens 0 to 500000000000, 1 param group>"
    (panel,) = seen.plot().axes
    (line,) = panel.get_lines()
    assert panel.get_xlabel() == "tokens"
    assert [*zip(*line.get_data())] == [(0, 1.0), (10**11, 0.9), (5 * 10**11, 0.5)]
    assert preview(schedule, 3, unit="epochs").plot().axes[0].get_xlabel() == "epochs"


def test_a_plot_without_matplotlib_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = preview(put_curve(sgd()), 3)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    says = r"torch-schedule-anything\[plot\]: pip install matplotlib"
    with pytest.raises(ImportError, match=says):
        seen.plot()


def legend_of(panel: Any) -> list[str]:
    """The texts in the legend; where a $ is a character, it is written with a backslash."""
    legend = panel.get_legend()
    texts = legend.get_texts() if legend else ()
    return [text.get_text().replace("\\$", "$") for text in texts]


def test_the_legend_names_a_few_lines() -> None:
    """A line has the names of its groups, or their positions; equal values are one line.

    A name or a unit is text, where matplotlib would read a formula or leave out a label.
    """
    for groups, texts in (
        ([{"name": "encoder"}, {"name": "head"}, {"lr": 0.25}], ["encoder, head", "group 2"]),
        ([{"name": "$x_{$"}, {"name": "_hidden", "lr": 0.2}], ["$x_{$", " _hidden"]),
        *(
            ([{"lr": 1.0 + g} for g in range(number)], [f"group {g}" for g in range(shown)])
            for number, shown in ((1, 0), (2, 2), (10, 10), (11, 0))
        ),
    ):
        figure = preview(put_curve(sgd(*groups)), 3, unit="$_{$").plot()
        figure.savefig(io.BytesIO(), format="svg")
        assert legend_of(figure.axes[0]) == texts


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
    schedule = plateau(sgd({}, {}, lr=torch.tensor(0.5)))
    seen = preview(schedule, 3, metrics=torch.tensor(1.0))
    assert seen.values["lr"] == values_in_a_run(schedule, 3, 1.0)


def test_groups_that_are_not_torchs_or_left_alone_can_be_previewed() -> None:
    """Groups need no ``params``; a group that is left alone may hold anything: None in each row."""
    bare = SimpleNamespace(param_groups=[{"clip": 8.0}, {"clip": torch.tensor(np.nan)}])
    schedule = CurveSchedule(bare, [halving, None], "clip")
    assert preview(schedule, positions=[1, 2]).values == {"clip": [[4.0, None], [2.0, None]]}


class HalvesAndDoesNotCount:
    """A scheduler of another library, without ``last_epoch``."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer

    def step(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] *= 0.5


class CountsInWords(HalvesAndDoesNotCount):
    last_epoch = "the first"


@pytest.mark.parametrize(
    ("kind", "target"), crossed([HalvesAndDoesNotCount, CountsInWords], [None, "weight_decay"])
)
def test_a_preview_of_a_scheduler_that_does_not_count_starts_at_0(
    kind: Any, target: str | None, untouched: Untouched
) -> None:
    optimizer = adamw(lr=0.5, weight_decay=0.5)
    schedule = put(optimizer, target, kind) if target else kind(optimizer)
    with untouched(optimizer):
        seen = preview(schedule, 3)
    assert list(seen.steps) == [0, 1, 2]
    assert seen.values == {target or "lr": [[0.5], [0.25], [0.125]]}
    seen.plot()
