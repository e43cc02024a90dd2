"""The values that a schedule will give, and their picture."""

from __future__ import annotations

import copy
import inspect
import numbers
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, repeat
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .schedules.records import curves_of
from .synchronous.ahead import held_ahead
from .synchronous.clock import OptimizerSteps
from .synchronous.membership import check_can_be_sent
from .synchronous.schedule import SynchronousSchedule
from .targets.numbers_ import real_number, step_number
from .targets.objects import ObjectGroup
from .targets.target import defaults_of
from .torch_.schedulers import is_schedule, with_parts

_MOST_STEPS = 10**9  # more than any memory holds

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Preview:
    """The values that :func:`preview` computed.

    ``values[target][i][g]`` is the value of ``target`` in param group ``g`` at step ``steps[i]``;
    ``values[target][i]`` compares with ``get_last_schedule(target)`` there.
    """

    steps: Sequence[float]
    """The steps t: from where the schedule stands, one by one, or the ``positions`` asked for."""
    values: dict[str, list[list[float]]]
    """By target: at each step, one value per param group."""
    boundaries: dict[str, tuple[float, ...]]
    """By target: the steps at which a curve, or one in it, takes another formula or comes to rest,
    if that is known."""
    group_names: dict[str, tuple[str, ...]]
    """By target: the ``"name"`` of each param group, or ``"group 0"``, … by position."""
    unit: str | None = None
    """The unit of the steps, such as ``"tokens"``, if :func:`preview` was told."""

    def __repr__(self) -> str:
        counts = sorted({len(rows[0]) for rows in self.values.values()})
        groups = f"{' or '.join(map(str, counts))} param group{'s' * (counts[-1] > 1)}"
        return (
            f"<Preview of {', '.join(map(repr, self.values))} at {self.unit or 'steps'} "
            f"{min(self.steps)} to {max(self.steps)}, {groups}>"
        )

    def plot(self) -> Figure:
        """Draw one panel per target, with a line per param group and the boundaries of its curve.

        Groups with equal values share a line, which names them all. The axis says the unit.

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
        ascending = sorted(range(len(self.steps)), key=self.steps.__getitem__)
        steps = [self.steps[i] for i in ascending]
        for panel, (target, as_asked) in zip(panels, self.values.items()):
            values = [as_asked[i] for i in ascending]
            names_of: dict[tuple[float, ...], list[str]] = {}  # one line for equal values
            for name, line in zip(self.group_names[target], zip(*values)):
                names_of.setdefault(line, []).append(name)
            for line, names in names_of.items():
                panel.plot(steps, line, label=_plain(", ".join(names)))
            for boundary in self._boundaries_in_view(target, steps, values):
                panel.axvline(boundary, color="0.6", linewidth=0.8, linestyle=":")
            panel.set_ylabel(_plain(target))
            panel.margins(x=0.01)
            panel.spines[["top", "right"]].set_visible(False)
            panel.grid(axis="y", color="0.92")
            if len(values[0]) > 1 and len(names_of) <= 10:
                panel.legend(frameon=False, fontsize="small")
        panels[-1].set_xlabel(_plain(self.unit or "step t"))
        return figure

    def _boundaries_in_view(
        self, target: str, steps: list[float], values: list[list[float]]
    ) -> list[float]:
        """Return the boundaries, and the step from which on nothing moves any more."""
        boundaries = {*self.boundaries[target]}
        last_move = max((i for i in range(1, len(values)) if values[i] != values[i - 1]), default=0)
        gap = steps[last_move] - steps[last_move - 1]
        # Between positions that are far apart, nobody knows where a curve ended.
        if last_move and (round(gap, 6) == 1 or gap * 100 <= steps[-1] - steps[0]):
            boundaries.add(steps[last_move])
        return sorted(each for each in boundaries if steps[0] < each < steps[-1])


def _plain(text: str) -> str:
    """Return ``text`` as matplotlib shows it: it reads $ as mathematics, and hides a label of _."""
    return " " * text.startswith("_") + text.replace("$", r"\$")


def preview(
    schedule: Any,
    num_steps: int | None = None,
    *,
    metrics: float | Iterable[float] | None = None,
    positions: Iterable[float] | None = None,
    unit: str | None = None,
) -> Preview:
    """Compute the values that ``schedule`` will give, and move nothing.

    With ``num_steps``, the preview has the coming steps, from the present position of the schedule.
    With ``positions``, it has these positions, in the unit in which the schedule counts: tokens, if
    its clock counts tokens. A far position takes no longer than a near one.

    Curves are called with the coming steps, and derived schedules use the future values of their
    sources. Any other scheduler is copied with a stand-in for the optimizer, and the copy is
    stepped. Parameters are not copied, nor is an object whose method is a curve. The optimizer and
    the schedule do not change. A curve, and a function of a scheduler, must depend on t alone. If
    it draws random numbers, the run will draw other ones.

    Args:
        schedule: a built-in or other ``CurveSchedule``, a scheduler made by
            ``arbitrary_schedule_factory``, a plain torch scheduler, or a ``SynchronousSchedule``.
        num_steps: how many steps to compute, ≥ 1: the present one, and those that
            ``num_steps - 1`` calls of ``step()`` will lead to. With a clock of yours, give
            ``positions`` instead, because the clock can go any way in a call. An
            :class:`OptimizerSteps` that is the clock of all members goes one step per call.
        metrics: the metrics to assume for members that take them (``ReduceLROnPlateau``). Pass
            one number for every step, or one for each of the ``num_steps - 1`` calls.
        positions: the positions to compute, real numbers ≥ 0 in any order, in place of
            ``num_steps``. Only schedules of this library can be sent to a position.
        unit: what the steps or positions count, such as ``"tokens"``: the label in the picture.

    Returns:
        A :class:`Preview`.

    Raises:
        TypeError: ``schedule`` is not a schedule, or holds something that cannot be copied.
        TypeError: ``num_steps`` is not an int, or metrics are missing.
        TypeError: ``num_steps`` and ``positions`` are both given.
        TypeError: ``positions`` are given, and a member is not a schedule of this library.
        TypeError: ``num_steps`` is given, and a member has a clock that counts something else.
        TypeError: a position is not a real number, or ``unit`` is not a text.
        ValueError: ``num_steps`` is less than 1, or there are fewer metrics than calls.
        ValueError: there are no positions, or one is negative, NaN or infinite.
        ValueError: the schedule itself will raise on the way (a λ that is not finite, …).

    Example:
        >>> import torch
        >>> from tsa_core import CurveSchedule
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = CurveSchedule(optimizer, lambda t: 0.5**t)
        >>> preview(schedule, 3).values["lr"]
        [[0.1], [0.05], [0.025]]
        >>> seen = preview(schedule, positions=[0, 0.5, 2], unit="epochs")
        >>> seen.values["lr"][2]
        [0.025]
        >>> seen
        <Preview of 'lr' at epochs 0 to 2, 1 param group>
    """
    if positions is not None and num_steps is not None:
        raise TypeError("positions: got num_steps too; leave out one of both")
    asked = None if positions is None else _checked_positions(positions)
    count = _checked_number(num_steps) if asked is None else 0
    if unit is not None and not (isinstance(unit, str) and unit):
        raise TypeError(f"unit: expected a text such as 'tokens', got {unit!r}")
    sync = schedule
    if not isinstance(schedule, SynchronousSchedule):
        if not is_schedule(schedule):
            raise TypeError(
                "schedule: expected a schedule (several in a SynchronousSchedule), got "
                f"{repr(schedule)[:120]} ({type(schedule).__name__})"
            )
        sync = SynchronousSchedule.without_effect([schedule])
    members, assumed = sync.members, []
    if asked is None:
        _check_goes_by_steps(sync, count)
        assumed = _assumed_metrics(sync, count - 1, metrics)
    else:
        alone = "preview another member alone, schedule.schedules[name]"
        otherwise = "write num_steps in place of positions" if sync.clock is None else alone
        check_can_be_sent(members, "positions", otherwise)
        if metrics is not None:
            raise TypeError("metrics: expected with num_steps only, got positions too")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the run itself will warn when it gets there
        if asked is not None:
            values = held_ahead(members, (dict.fromkeys(members, each) for each in asked))
        elif all(member.is_own for member in members):
            now = {member.name: member.present_numbers() for member in members}
            each_steps = zip(*(_steps(member.position, count)[1:] for member in members))
            ahead = held_ahead(members, (dict(zip(members, each)) for each in each_steps))
            values = {name: [now[name], *rows] for name, rows in ahead.items()}
        else:
            values = _stepped_ahead(_twin(sync), assumed)
    start: Any = sync.last_epoch if isinstance(sync.last_epoch, numbers.Real) else 0
    return Preview(
        steps=asked or _steps(start, count),
        values=values,
        boundaries={member.name: member.boundaries for member in members},
        group_names={
            member.name: tuple(
                group["name"] if isinstance(group.get("name"), str) else f"group {g}"
                for g, group in enumerate(member.optimizer.param_groups)
            )
            for member in members
        },
        unit=unit,
    )


def _checked_number(num_steps: object) -> int:
    if isinstance(num_steps, bool) or not isinstance(num_steps, numbers.Integral):
        hint = "; or pass positions=[…]" if num_steps is None else ""
        raise TypeError(f"num_steps: expected an int, got {num_steps!r}{hint}")
    number = int(num_steps)
    if not 1 <= number <= _MOST_STEPS:
        raise ValueError(f"num_steps: expected from 1 to {_MOST_STEPS}, got {number}")
    return number


def _checked_positions(positions: object) -> list[float]:
    if not isinstance(positions, Iterable) or isinstance(positions, (str, bytes, Mapping)):
        raise TypeError(f"positions: expected a list of numbers, got {positions!r}")
    checked = [step_number(each, f"positions[{i}]") for i, each in enumerate(positions)]
    if not checked:
        raise ValueError("positions: expected at least one, got none")
    return checked


def _check_goes_by_steps(sync: SynchronousSchedule, num_steps: int) -> None:
    """Raise if a call of ``step`` can go any way, because a clock says how far."""
    clock = sync.clock
    if clock is None or isinstance(clock, OptimizerSteps) or num_steps == 1:
        return
    each = "; or one member alone, schedule.schedules[name]" if isinstance(clock, Mapping) else ""
    raise TypeError(
        "num_steps: counts calls of step(), but the clock says how far each call goes. Write "
        "positions in the unit of the clock, preview(schedule, positions=range(0, 1_000_001, "
        f"1_000)){each}"
    )


def _assumed_metrics(
    sync: SynchronousSchedule, num_calls: int, metrics: float | Iterable[float] | None
) -> list[tuple[float, ...]]:
    """Return the arguments of each call of ``step``."""
    takers = [member.name for member in sync.members if "metrics" in member.arguments.names]
    if not takers:
        return [()] * num_calls
    if metrics is None:
        raise TypeError(
            f"metrics: the schedule of {takers[0]!r} takes metrics; pass the metrics to assume, "
            "one number or one per step"
        )
    if not isinstance(metrics, Iterable) or getattr(metrics, "ndim", None) == 0:
        metric = real_number(metrics, "metrics: ", "; expected one number or one per step")
        return [(metric,)] * num_calls
    assumed: list[tuple[float, ...]] = [(each,) for each in islice(metrics, num_calls)]
    if len(assumed) < num_calls:
        raise ValueError(f"metrics: expected one for each of {num_calls} calls, got {len(assumed)}")
    return assumed


def _steps(start: float, num_steps: int) -> Sequence[float]:
    if isinstance(start, int):
        return range(start, start + num_steps)
    return [*accumulate(repeat(1, num_steps - 1), initial=start)]  # rounded as a run rounds


def _twin(sync: SynchronousSchedule) -> SynchronousSchedule:
    """Return a copy of ``sync`` on stand-ins for its optimizers, sharing the parameters."""
    optimizers = sync.distinct_optimizers()
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    shared = [parameter for group in groups for parameter in group.get("params", ())]
    # The object whose method a curve is may hold a model, or something that cannot be copied.
    functions = [each for member in sync.members for each in _functions(member.schedule)]
    owners = [each.__self__ for each in functions if inspect.ismethod(each)]
    shared += [owner for owner in owners if not is_schedule(owner)]
    shared += [group.owner for group in groups if isinstance(group, ObjectGroup)]
    memo: dict[int, Any] = {id(each): each for each in shared}
    try:
        for optimizer in optimizers:
            groups = [dict(group) for group in optimizer.param_groups]
            # One copy of all groups, so that tensors which they share stay shared.
            copied, defaults = copy.deepcopy((groups, dict(defaults_of(optimizer))), memo)
            # torch's schedulers look for marks on the step, to see who stepped first.
            memo[id(optimizer)] = SimpleNamespace(param_groups=copied, defaults=defaults, step=None)
        schedules = copy.deepcopy(dict(sync.schedules), memo)
    except (TypeError, RuntimeError) as error:
        raise TypeError(
            f"schedule: preview steps a copy, but {sync.schedule_names} or their param groups hold "
            f"something that cannot be copied: {error}"
        ) from error
    by_optimizer: dict[str, list[Any]] = {}
    for member, schedule in zip(sync.members, schedules.values()):
        # A step that was put on the instance steps the original.
        getattr(schedule, "__dict__", {}).pop("step", None)
        by_optimizer.setdefault(member.optimizer_name, []).append(schedule)
    return SynchronousSchedule.without_effect(by_optimizer.get("", by_optimizer))


def _functions(schedule: Any) -> Iterator[Any]:
    """Yield the functions of t that a schedule and its parts call, ours or torch's."""
    for each in with_parts(schedule):
        yield from (*curves_of(each), getattr(each, "rule", None), *getattr(each, "lr_lambdas", ()))


def _stepped_ahead(
    sync: SynchronousSchedule, assumed: list[tuple[float, ...]]
) -> dict[str, list[list[float]]]:
    """Return the values at each step by stepping ``sync``, as the run does."""
    values: dict[str, list[list[float]]] = {name: [] for name in sync.schedule_names}
    for arguments in (None, *assumed):
        if arguments is not None:
            sync.step(*arguments)
        for member in sync.members:
            values[member.name].append(member.present_numbers())
    return values
