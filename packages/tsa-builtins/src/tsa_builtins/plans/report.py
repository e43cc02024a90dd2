"""The course of one target of a plan: in words, and in numbers where its shape turns."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tsa_core import CurveSchedule, DerivedSchedule, torch_schedulers
from tsa_core.targets.driven import OTHERS
from tsa_core.torch_.schedulers import takes_values

from ..curves import Power
from ..curves.curve import turns_of
from .files import PlanError
from .optimizers import is_multiple
from .words import in_words, number, step_number

MOST_STEPS = 1_000_000
"""How far a torch scheduler is followed. It goes step by step."""

WIDTH = 100


class Course:
    """The course of one target. Its numbers are those that the steps of a run write.

    Args:
        plan: the plan, which has been built once.
        name: the name of the target, as the plan has it.
        build: makes a new ``SynchronousSchedule`` of the target and what it follows.
        is_assumed: true if nobody said what the optimizer holds. The numbers are then multiples.
    """

    def __init__(
        self,
        plan: Mapping[str, Any],
        name: str,
        build: Callable[[], Any],
        is_assumed: bool,
    ) -> None:
        self.name = name
        self._plan = plan
        self._description = plan[name]
        self._is_assumed = is_assumed
        self._build = build
        self._member = build().member(name)
        self._groups: list[Any] = [*self._member.optimizer.param_groups]
        target = self._member.target
        self._initials = [float(target.initial_or_present(group)) for group in self._groups]
        gives_values = "scheduler" in self._description and takes_values(self._member.schedule)
        self._in_multiples = is_assumed and is_multiple(self._description) and not gives_values
        self._members: list[Any] = [self._member, *self._member.sources()]
        self._jumps: bool = all(member.is_own for member in self._members)
        self.depends_on_metrics: bool = any(
            "metrics" in member.arguments.required for member in self._members
        )
        have_names = any(isinstance(group.get("name"), str) for group in self._groups)
        self.group_names: list[str] = [
            str(group.get("name", OTHERS if have_names else f"group {g}"))
            for g, group in enumerate(self._groups)
        ]
        self._turns_of_groups = [self._turns(g) for g in range(len(self._groups))]

    @property
    def title(self) -> str:
        return f"{self.name} (multiple)" if self._in_multiples else self.name

    @property
    def turns(self) -> list[float]:
        """The steps > 0 at which the shape of a group turns."""
        return sorted({t for turns in self._turns_of_groups for t in turns})

    @property
    def last_turn(self) -> float:
        return max(self.turns, default=0)

    def with_steps_before(self) -> set[float]:
        return {*self.turns, *map(_step_before, self.turns)}

    def values(self, positions: Sequence[float]) -> list[list[float]]:
        """Return one value per group at each of the ``positions``, which are in order.

        NaN is what nobody knows: a group is left alone, or a torch scheduler is not followed.

        Raises:
            PlanError: a step on the way there raises an error.
        """
        schedule: Any = self._build()
        rows: list[list[float]] = []
        member = schedule.member(self.name)
        driven = member.driven()
        alone = [
            self._is_assumed and driven is not None and not any(group is d for d in driven)
            for group in member.optimizer.param_groups
        ]
        for t in positions:
            try:
                self._go_to(t, schedule)
            except Exception as error:  # whatever a rule or a torch scheduler raises
                raise PlanError(f"{self.name}: {error}") from error
            held = member.present_numbers()
            scales = self._initials if self._in_multiples else [1.0] * len(held)
            is_known = self._jumps or t <= MOST_STEPS
            rows.append(
                [
                    value / scale if value is not None and is_known and not skip else math.nan
                    for value, scale, skip in zip(held, scales, alone)
                ]
            )
        return rows

    def _go_to(self, t: float, schedule: Any) -> None:
        if self._jumps:
            schedule.step(t)
        elif t <= MOST_STEPS and not self.depends_on_metrics:
            while schedule.last_epoch + 1 <= t:
                schedule.step()

    # -- in words --------------------------------------------------------------------------------

    def lines(self, end: float | None = None, unit: str | None = None) -> Iterator[str]:
        """Yield the lines of the report, in the words of the ``unit``.

        ``end`` is another step to say the values at.
        """
        yield f"{self.name}: {self._kind()}"
        blocks: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for g, rows in enumerate(self._rows(end, unit)):
            blocks.setdefault((self._words(g, unit), tuple(rows)), []).append(self.group_names[g])
        for (words, rows_of_block), names in blocks.items():
            label = f"{', '.join(names)}: " if len(blocks) > 1 else ""
            yield from textwrap.wrap(
                label + words, WIDTH, initial_indent="  ", subsequent_indent="      "
            )
            yield from rows_of_block

    def _kind(self) -> str:
        description = self._description
        initials = ", ".join(dict.fromkeys(map(number, self._initials)))
        if self._in_multiples:
            kind = "multiples of the initial value"
        elif description.get("absolute") is True or _sets_initial_values(description):
            kind = "values"
        elif self._is_assumed and "default_value" not in description:
            kind = f"values, if the initial value is {initials}"
        elif isinstance(self._member.schedule, CurveSchedule):
            kind = f"values; the shape multiplies the initial value {initials}"
        else:
            kind = f"values, from the initial value {initials}"
        for source, target in self._assumed_sources() if self._is_assumed else ():
            initial = number(float(target.initial_or_present(self._groups[0])))
            kind += f", if the initial value of {source!r} is {initial}"
        return kind

    def _assumed_sources(self) -> Iterator[tuple[str, Any]]:
        """Yield the sources whose initial value is assumed, and changes the numbers."""
        for member in self._members:
            if member.source_target is None:
                return
            name = member.name.removesuffix(member.target.name) + member.source_target.name
            described = self._plan.get(name, {})
            gives_value = member.source is not None and takes_values(member.source.schedule)
            depends = gives_value != member.schedule.absolute
            depends = depends or (gives_value and "scheduler" in described)
            is_known = "default_value" in described or _sets_initial_values(described)
            if depends and not is_known:
                yield name, member.source_target

    def _rows(self, end: float | None, unit: str | None) -> list[list[str]]:
        """Return the lines of each group: the values at 0, at its turns and at ``end``."""
        ends = [] if end is None else [end if self._jumps else math.floor(end)]
        shown = [sorted({0, *turns, *ends}) for turns in self._turns_of_groups]
        if self.depends_on_metrics:
            shown = [[0] for _ in shown]
        last = max(max(each) for each in shown) or 1
        far = [last * (1 + 0.618034 * k) for k in range(1, 51)]
        far = [*far, *(last * 10.0**k for k in range(2, 19))] if self._jumps else []
        every = {t for each in shown for t in each}
        asked = {*every, *map(_step_before, every - {0}), *map(self._just_before, every - {0})}
        positions = sorted({*asked, *far})
        by_step = dict(zip(positions, self.values(positions)))
        rows: list[list[str]] = []
        for g, steps in enumerate(shown):
            at = {t: by_step[t][g] for t in positions}
            if math.isnan(at[0]):
                rows.append([])
                continue
            levels = [at[t] for t in (*steps, *map(self._just_before, set(steps) - {0}))]
            least = (max(levels) - min(levels)) * (0.01 if self._jumps else 0.1)
            before = {
                _step_before(t)
                for t in set(steps) - {0}
                if abs(at[self._just_before(t)] - at[t]) > least
            }
            stays = self._jumps and all(at[t] == at[steps[-1]] for t in far if t >= steps[-1])
            written = {t: at[t] for t in sorted({*steps, *before})}
            rows.append([*self._written(written, stays, unit or "step")])
        return rows

    def _written(self, values: Mapping[float, float], stays: bool, unit: str) -> Iterator[str]:
        width = max(len(step_number(t)) for t in values)
        for t, value in values.items():
            text = f"not computed: more than {MOST_STEPS} steps of a torch scheduler"
            text = text if math.isnan(value) else number(value)
            if t == max(values):
                text += ", and stays" * stays
                text += ", and then as the metrics have it" * self.depends_on_metrics
            yield f"    {unit} {step_number(t):<{width}}  {text}"

    def _just_before(self, t: float) -> float:
        """Return a step where the shape before the turn at ``t`` still holds."""
        return t * (1 - 1e-9) if self._jumps else _step_before(t)

    def _words(self, g: int, unit: str | None) -> str:
        schedule = self._member.schedule
        if not isinstance(schedule, DerivedSchedule):
            return _words_of(self._member, self._description, self._groups[g], g, unit)
        rule = schedule.rule
        text = f"follows {self._description['follows']}"
        if not isinstance(rule, Power):
            return f"{text} by {rule!r}"
        return text if rule.exponent == 1 else f"{text}, to the power {number(rule.exponent)}"

    def _turns(self, g: int) -> list[float]:
        found = {t for each in self._members for t in _turns_of(each, self._groups[g], g)}
        return sorted(found if self._jumps else {math.ceil(t) for t in found})


def _sets_initial_values(description: Mapping[str, Any]) -> bool:
    """True for a CyclicLR or a OneCycleLR, which begin with their own values."""
    while "schedulers" in description:
        description = description["schedulers"][0]
    return "scheduler" in description and "max_lr" in description


def _step_before(t: float) -> float:
    return t - 1 if t == int(t) and t >= 1 else t * (1 - 1e-6)


# -- a schedule on one group -----------------------------------------------------------------------


def _curve_on(schedule: CurveSchedule, group: Mapping[str, Any], g: int) -> Any:
    """Return the curve of the group at position ``g``; None if it is left alone."""
    curve = schedule.curve
    if callable(curve):
        return curve
    if isinstance(curve, Mapping):
        return curve.get(group.get("name", OTHERS), curve.get(OTHERS))
    return curve[g]


def _words_of(
    member: Any, description: Mapping[str, Any], group: Any, g: int, unit: str | None
) -> str:
    if isinstance(member.schedule, CurveSchedule):
        curve = _curve_on(member.schedule, group, g)
        words = "left alone" if curve is None else in_words(curve)
        return words if unit is None else re.sub(r"\bsteps?\b", lambda _: unit, words)
    said = []
    for key, value in description.items():
        if key == "schedulers":
            pairs = zip(member.parts, value)
            said.append("; then ".join(f"({_words_of(*pair, group, g, unit)})" for pair in pairs))
        elif key not in ("scheduler", "default_value"):
            said.append(f"{key} {value}")
    return f"torch's {description['scheduler']}" + f": {', '.join(said)}" * bool(said)


def _turns_of(member: Any, group: Any, g: int) -> Iterator[float]:
    schedule = member.schedule
    if isinstance(schedule, CurveSchedule):
        yield from turns_of(_curve_on(schedule, group, g))
    form = torch_schedulers().get(type(schedule).__name__)
    if form is None:
        return
    settings = form.settings_of(schedule)
    milestones = settings.get("milestones", [])
    for key, setting in form.settings.items():
        if setting.counts_steps is not None and key in settings:
            given = settings[key]
            given = [given] if not isinstance(given, list) else given
            # The last step of a OneCycleLR is one less. A CyclicLR goes up first.
            before = settings["step_size_up"] if key == "step_size_down" else 0
            yield from (each + before - (key == "total_steps") for each in given)
    in_order = [0, *milestones] if "milestones" in settings else [0] * len(member.parts)
    for origin, part in zip(in_order, member.parts):
        yield from (origin + t for t in _turns_of(part, group, g))
