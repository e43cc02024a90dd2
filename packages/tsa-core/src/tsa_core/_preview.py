"""What a schedule will give, seen before it is run."""

from __future__ import annotations

import copy
import gc
import inspect
import numbers
import random
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ._curve_schedule import CurveSchedule, inherits
from ._group_curves import shares
from ._scheduler import is_schedule, parts_of
from ._synchronous import SynchronousSchedule
from ._target import ParamGroup, defaults_of, real_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Preview:
    """The values that :func:`preview` foresees.

    ``values[target][i][g]`` is what ``target`` will hold in param group ``g`` at step
    ``steps[i]``; ``values[target][i]`` compares with ``get_last_schedule(target)`` there.
    """

    steps: Sequence[float]
    """The steps t that are foreseen: from where the schedule stands, one by one."""
    values: dict[str, list[list[float]]]
    """By target: at each step, one value a param group."""
    marks: dict[str, tuple[float, ...]]
    """By target: the steps at which one curve hands over to the next, where that is known."""

    def __repr__(self) -> str:
        groups = len(next(iter(self.values.values()))[0])
        return (
            f"<Preview of {', '.join(map(repr, self.values))} at steps {self.steps[0]} to "
            f"{self.steps[-1]}, {groups} param group{'s' * (groups > 1)}>"
        )

    def plot(self) -> Figure:
        """Draw one panel a target, one line a param group, with the ends of warm-up and annealing.

        Returns:
            A ``matplotlib.figure.Figure``; ``figure.savefig(path)`` writes it.

        Raises:
            ImportError: matplotlib is not installed.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError(
                "plot() draws with matplotlib, the extra torch-schedule-anything[plot]: "
                "pip install matplotlib"
            ) from error
        figure = Figure(figsize=(7, 0.6 + 2 * len(self.values)), layout="constrained")
        panels = figure.subplots(len(self.values), sharex=True, squeeze=False)[:, 0]
        for panel, (target, values) in zip(panels, self.values.items()):
            for g, line in enumerate(zip(*values)):
                panel.plot(self.steps, line, label=f"group {g}")
            for mark in self._marks_in_view(target):
                panel.axvline(mark, color="0.6", linewidth=0.8, linestyle=":")
            panel.set_ylabel(target)
            panel.margins(x=0.01)
            panel.spines[["top", "right"]].set_visible(False)
            panel.grid(axis="y", color="0.92")
            if 1 < len(values[0]) <= 10:
                panel.legend(frameon=False, fontsize="small")
        panels[-1].set_xlabel("step t")
        return figure

    def _marks_in_view(self, target: str) -> list[float]:
        """The hand-overs, and the step from which on nothing moves any more."""
        values = self.values[target]
        last_move = next(
            (i for i in reversed(range(1, len(values))) if values[i] != values[i - 1]), 0
        )
        marks = {*self.marks[target], self.steps[last_move]}
        return sorted(mark for mark in marks if self.steps[0] < mark < self.steps[-1])


def preview(
    schedule: Any, num_steps: int, *, metrics: float | Iterable[float] | None = None
) -> Preview:
    """The values that ``schedule`` will give from where it stands, without moving anything.

    A curve schedule is asked for its λ; any other scheduler is copied, with a stand-in for the
    optimizer, and the copy is stepped. No parameter is copied, nor the object whose method a λ is.
    Optimizer, schedule, and the global random numbers of Python, NumPy and torch are afterwards as
    they were.

    Args:
        schedule: a built-in or other ``CurveSchedule``, a scheduler made by
            ``arbitrary_schedule_factory``, a plain torch scheduler, or a ``SynchronousSchedule``.
        num_steps: how many steps to foresee, ≥ 1: the present one, and those that
            ``num_steps - 1`` calls of ``step()`` will lead to.
        metrics: what to assume for members that take metrics (``ReduceLROnPlateau``): one number
            for every step, or one after the other for each of the ``num_steps - 1`` calls.

    Returns:
        A :class:`Preview`.

    Raises:
        TypeError: ``schedule`` is no schedule, ``num_steps`` no int, metrics are missing, or the
            schedule holds what cannot be copied.
        ValueError: ``num_steps`` is less than 1, there are fewer metrics than calls, or what the
            schedule itself will raise on the way (a λ that is not finite, …).

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> seen = preview(CurveSchedule(optimizer, lambda t: 0.5**t), 3)
        >>> seen.values["lr"]
        [[0.1], [0.05], [0.025]]
        >>> seen
        <Preview of 'lr' at steps 0 to 2, 1 param group>
    """
    if isinstance(num_steps, bool) or not isinstance(num_steps, numbers.Integral):
        raise TypeError(f"num_steps: expected an int, got {num_steps!r}")
    num_steps = int(num_steps)
    if num_steps < 1:
        raise ValueError(f"num_steps: expected 1 or more, got {num_steps}")
    if not is_schedule(schedule):
        raise TypeError(
            "schedule: expected a schedule (several in a SynchronousSchedule), got "
            f"{repr(schedule)[:120]} ({type(schedule).__name__})"
        )
    sync = SynchronousSchedule([schedule])
    assumed = _assumed(sync, num_steps - 1, metrics)
    with warnings.catch_warnings(), _random_numbers_kept():
        warnings.simplefilter("ignore")  # the run itself will warn, in its own time
        twin = _twin(sync)
        name, member = next(iter(twin.schedules.items()))
        if isinstance(schedule, CurveSchedule) and inherits(member, "step"):
            values = {name: _asked(member, num_steps)}
        else:
            values = _stepped(twin, assumed)
    start = sync.last_epoch
    steps = range(start, start + num_steps) if isinstance(start, int) else None
    curves = {name: getattr(member, "curve", None) for name, member in sync.schedules.items()}
    return Preview(
        steps=steps or [start + i for i in range(num_steps)],
        values=values,
        marks={name: tuple(getattr(curve, "boundaries", ())) for name, curve in curves.items()},
    )


def _assumed(
    sync: SynchronousSchedule, num_calls: int, metrics: float | Iterable[float] | None
) -> list[tuple[float, ...]]:
    """The arguments of each call of ``step``."""
    demanding = [name for name, arguments in sync._arguments.items() if "metrics" in arguments]
    if not demanding:
        return [()] * num_calls
    if metrics is None:
        raise TypeError(
            f"metrics: the schedule of {demanding[0]!r} takes metrics; pass the ones to "
            "assume, one number or one a step"
        )
    if not isinstance(metrics, Iterable) or getattr(metrics, "ndim", None) == 0:
        try:
            return [(real_number(metrics),)] * num_calls
        except (TypeError, ValueError) as error:
            raise type(error)(f"metrics: {error}; expected one number or one a step") from None
    assumed: list[tuple[float, ...]] = [(metric,) for metric in islice(metrics, num_calls)]
    if len(assumed) < num_calls:
        raise ValueError(f"metrics: expected one for each of {num_calls} calls, got {len(assumed)}")
    return assumed


class _StandIn:
    """What a copied schedule moves in the optimizer's place: the groups, without a step."""

    def __init__(self, param_groups: Sequence[ParamGroup], defaults: dict[str, Any]) -> None:
        self.param_groups = param_groups
        self.defaults = defaults

    def step(self) -> None:  # which schedulers look for marks, to see who stepped first
        raise NotImplementedError


def _twin(sync: SynchronousSchedule) -> SynchronousSchedule:
    """A copy of ``sync`` on a stand-in for its optimizer, sharing the parameters."""
    groups, defaults = sync.optimizer.param_groups, defaults_of(sync.optimizer)
    shared = [p for group in groups for p in group.get("params", ())]
    # Whose method λ is may hold a model, or what cannot be copied.
    for member in sync.schedules.values():
        owners = [curve.__self__ for curve in _curves(member) if inspect.ismethod(curve)]
        shared += [owner for owner in owners if not is_schedule(owner)]
    memo: dict[int, Any] = {id(each): each for each in shared}
    try:
        # One copy of all groups: tensors that they share, they share there too.
        copied = copy.deepcopy(([dict(group) for group in groups], dict(defaults)), memo)
        memo[id(sync.optimizer)] = _StandIn(*copied)
        twin = copy.deepcopy(sync, memo)
    except (TypeError, RuntimeError) as error:
        raise TypeError(
            f"schedule: it is stepped in a copy, and {sync.schedule_names} or their param groups "
            f"hold what cannot be copied: {error}"
        ) from error
    for member in twin.schedules.values():  # a step put on the instance steps what it was put on
        getattr(member, "__dict__", {}).pop("step", None)
    return twin


def _curves(schedule: Any) -> Iterator[Any]:
    """The functions of t that a schedule asks, ours or torch's."""
    curve = getattr(schedule, "curve", None)
    if isinstance(curve, Mapping):
        yield from curve.values()
    else:
        yield from curve if isinstance(curve, tuple) else [curve]
    yield from getattr(schedule, "lr_lambdas", ())
    for part in parts_of(schedule):
        yield from _curves(part)


def _asked(schedule: CurveSchedule, num_steps: int) -> list[list[float]]:
    """Initial value × λ at each step, as the groups will hold it; many times faster than steps."""
    target, groups = schedule._target, schedule.optimizer.param_groups
    present = [real_number(target.read(group)) for group in groups]
    shared = shares(schedule._curve, groups)
    schedule._adopt(groups, shared)  # as the next step will
    driven_by = {id(group): i for i, (_, driven) in enumerate(shared) for group in driven}
    asked: list[list[float]] = [[] for _ in shared]
    for t in (schedule.last_epoch + i for i in range(1, num_steps)):
        for (curve, _), multipliers in zip(shared, asked):
            multipliers.append(schedule._multiplier(curve, t))
    columns = []
    for group, value in zip(groups, present):
        if id(group) not in driven_by:  # left alone
            columns.append([value] * num_steps)
            continue
        held, initial = target.read(group), target.initial_or_present(group)
        values = [initial * multiplier for multiplier in asked[driven_by[id(group)]]]
        if isinstance(held, Tensor):  # which will hold them rounded to its precision
            values = torch.tensor(values, dtype=torch.float64).to(held.dtype).tolist()
        columns.append([value, *values])
    with _collector_paused():
        return [list(row) for row in zip(*columns)]


def _stepped(
    sync: SynchronousSchedule, assumed: list[tuple[float, ...]]
) -> dict[str, list[list[float]]]:
    """What the run does, on the stand-in."""
    values = {name: [_numbers(held)] for name, held in sync.get_last_schedules().items()}
    for arguments in assumed:
        sync.step(*arguments)
        for name, held in sync.get_last_schedules().items():
            values[name].append(_numbers(held))
    return values


def _numbers(values: list[Any]) -> list[float]:
    return [real_number(value) for value in values]


@contextmanager
def _collector_paused() -> Iterator[None]:
    """A million small lists would have the garbage collector look through all of them, often."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def _random_numbers_kept() -> Iterator[None]:
    """A λ may draw random numbers; what it draws here is drawn again in the run."""
    numpy = sys.modules.get("numpy")
    python_state = random.getstate()
    numpy_state = numpy.random.get_state() if numpy else None
    # On an accelerator that nobody uses there is nothing to keep, and asking would start it.
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(python_state)
        if numpy:
            numpy.random.set_state(numpy_state)
