"""The command: it checks plans in files, and says or draws what they do."""

from __future__ import annotations

import argparse
import math
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from io import TextIOWrapper
from typing import Any

from tsa_core import Preview

from ..checks import check_size, instead
from .files import PlanError, read_plan
from .optimizers import (
    OPTIMIZERS,
    assumed_optimizer,
    entries_of,
    optimizer_names,
    takes,
    torch_optimizer,
)
from .plan import LEVELS_AROUND_CURVES, from_plan
from .report import Course

EPILOG = """\
The exit status is 0 if every plan is right, 1 if one is not, and 2 if the command is not. Errors
and warnings go to the standard error, and begin with the file and the path of the entry.

  python -m torch_schedule_anything plan.yaml --optimizer AdamW --set lr=3e-4 --set betas[0]=0.95
  python -m torch_schedule_anything plan.yaml --plot plan.svg --steps 10000
  python -m torch_schedule_anything plan.yaml --plot plan.svg --unit tokens
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 1 if a plan is wrong.

    Raises:
        SystemExit: with status 2, the arguments are wrong.
    """
    parser = _parser()
    options = parser.parse_intermixed_args(arguments)
    if options.set and not options.optimizer:
        parser.error("--set: write --optimizer too, whose values are set")
    if options.plot and len(options.plans) > 1:
        parser.error("--plot: expected one plan, got several files")
    if isinstance(sys.stdout, TextIOWrapper):  # a name may have letters that a terminal has not
        sys.stdout.reconfigure(errors="backslashreplace")
    status = 0
    for path in options.plans:
        try:
            _check(path, options, parser)
        except PlanError as error:
            print(error, file=sys.stderr)
            status = 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m torch_schedule_anything",
        description="Check plans of schedules in YAML, JSON or TOML files. Print the shape of each "
        "target, and its values where the shape turns.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("plans", nargs="+", metavar="PLAN", help="a file with a plan; - is the standard input")
    add("--steps", type=_positive, metavar="N", help="also the values at step N, the end of a run")
    add("--plot", metavar="FILE", help="draw the plan until --steps, or until its last turn")
    add("--unit", type=_word, metavar="WORD", help="what the steps of the plan count: tokens")
    add(
        "--optimizer",
        action="append",
        metavar="NAME",
        help="values in place of multiples, as in this optimizer of torch; muon=SGD if the plan "
        "has several",
    )
    add(
        "--set",
        action="append",
        type=_setting,
        metavar="KEY=VALUE",
        help="an initial value: lr=3e-4, betas=0.9,0.95; lr/head=1e-3 in the param group head, "
        "muon/lr=0.02 in one of several optimizers",
    )
    add(
        "--stretch", type=_positive, default=1.0, metavar="F", help="the steps per unit of the plan"
    )
    return parser


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return value


def _word(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError(f"expected a word, such as tokens, got {text!r}")
    return text


def _setting(text: str) -> tuple[str, list[float]]:
    key, equals, value = text.partition("=")
    try:
        numbers = [float(each) for each in value.split(",")]
    except ValueError:
        numbers = []
    if not key or not equals or not numbers or not all(map(math.isfinite, numbers)):
        raise argparse.ArgumentTypeError(f"expected KEY=NUMBER, such as lr=3e-4, got {text!r}")
    return key, numbers


def _check(path: str, options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Check one plan and print what it does; raise if it is wrong."""
    plan = read_plan(path)

    def build(part: Any) -> Any:
        """Return the schedule of a part of the plan, on new optimizers."""
        names = optimizer_names(part)
        optimizer = {name: make(name) for name in names} if names else make("")
        return from_plan(optimizer, part, stretch=options.stretch)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            check_size("plan", plan, LEVELS_AROUND_CURVES)  # before anything looks into it
            make = _maker(plan, options, parser)
            schedule = build(plan)
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            message = error.args[0] if error.args else type(error).__name__
            raise PlanError(f"{path}: {message}") from error
    doubts = [] if options.optimizer else _doubts(plan)
    for message in (*doubts, *dict.fromkeys(str(each.message) for each in caught)):
        print(f"{path}: warning: {message}", file=sys.stderr)

    courses = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for member in schedule.members:
            part = {each.name: plan[each.name] for each in (member, *member.sources())}
            courses.append(Course(plan, member.name, partial(build, part), not options.optimizer))
        try:
            lines = [
                line for course in courses for line in course.lines(options.steps, options.unit)
            ]
        except PlanError as error:
            raise PlanError(f"{path}: {error}") from error
        if options.plot:
            end = options.steps or max(each.last_turn for each in courses)
            if not end:
                parser.error("--plot: the plan has no last step; give the last step with --steps")
            _draw(courses, end, options.plot, options.unit)
    try:
        print(*([f"{path}:"] if len(options.plans) > 1 else []), *lines, sep="\n", flush=True)
    except BrokenPipeError:  # a reader such as head has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _draw(courses: Sequence[Course], end: float, path: str, unit: str | None) -> None:
    drawn = [each for each in courses if not each.depends_on_metrics]
    for each in courses:
        if each not in drawn:
            print(f"{each.name}: not drawn, because it depends on the metrics", file=sys.stderr)
    if not drawn:
        return
    turns = {t for each in drawn for t in each.with_steps_before() if t <= end}
    positions = sorted({*turns, *(end * i / 1000 for i in range(1001))})
    seen = Preview(
        steps=positions,
        values={each.title: each.values(positions) for each in drawn},
        boundaries={each.title: tuple(each.turns) for each in drawn},
        group_names={each.title: tuple(each.group_names) for each in drawn},
        unit=unit,
    )
    try:
        seen.plot().savefig(path)
    except (ImportError, OSError, ValueError) as error:
        raise PlanError(f"--plot: {error}") from None


# -- the optimizers of a plan ----------------------------------------------------------------------


def _maker(
    plan: Any, options: argparse.Namespace, parser: argparse.ArgumentParser
) -> Callable[[str], Any]:
    """Return a function from the names of optimizers to new ones; exit if they cannot be."""
    if not options.optimizer:
        return lambda name: assumed_optimizer(entries_of(plan, name))
    names = optimizer_names(plan)
    chosen = dict.fromkeys(names or [""])
    for text in options.optimizer:
        name, equals, kind = text.rpartition("=")
        if kind not in OPTIMIZERS:
            parser.error(
                f"--optimizer: {kind!r} is not an optimizer of torch; {instead(kind, OPTIMIZERS)}"
            )
        if equals and name not in names:
            parser.error(f"--optimizer: the plan has no optimizer {name!r}, but {names or 'one'}")
        chosen.update({name: kind} if equals else dict.fromkeys(chosen, kind))
    for name, kind in chosen.items():
        if kind is None:
            parser.error(f"--optimizer: the plan has {name!r} too; write --optimizer {name}=AdamW")
    given: dict[str, dict[str, Sequence[float]]] = {name: {} for name in chosen}
    for key, numbers in options.set or ():
        name, slash, rest = key.partition("/")
        for each in [name] if slash and name in names else chosen:
            given[each][rest if slash and name in names else key] = numbers

    def make(name: str) -> Any:
        try:
            return torch_optimizer(str(chosen[name]), given[name], entries_of(plan, name))
        except ValueError as error:
            return parser.error(f"--set: {error}")

    return make


def _doubts(plan: Mapping[str, Any]) -> list[str]:
    """Return a message for each target that is nearly an entry of an optimizer in torch."""
    known = {entry for name in OPTIMIZERS for entry in takes(name)}
    doubts = []
    for key, description in plan.items():
        entry = key.rpartition("/")[2].partition("[")[0]
        near = get_close_matches(entry, known, n=1, cutoff=0.8)
        if near and entry not in known and "default_value" not in description:
            doubts.append(
                f"{key}: no optimizer of torch has {entry!r}; did you mean {near[0]!r}? If the "
                "entry is yours, ignore this warning"
            )
    return doubts
