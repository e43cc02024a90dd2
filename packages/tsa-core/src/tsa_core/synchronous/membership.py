"""Which schedules can be members together, their names and order, and the arguments they take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from ..messages import warn_user
from ..targets.objects import ObjectGroup
from ..targets.target import Target, defaults_of
from ..torch_.schedulers import cycles_momentum, is_schedule
from .member import Member, member_of

_NAME_EACH = "Name each optimizer: SynchronousSchedule({'muon': [...], 'adamw': [...]})"


def members_of(schedules: object) -> list[Member]:
    """Return the members that ``schedules`` lists; raise if they do not go together.

    ``schedules`` is an iterable of schedules of one optimizer, or a mapping from a name to such
    an iterable for each optimizer. In an iterable, a ``SynchronousSchedule`` of several optimizers
    keeps their names.
    """
    if isinstance(schedules, Mapping) and schedules:
        members = []
        for name, some in schedules.items():
            if not isinstance(name, str) or not name or "/" in name:
                raise TypeError(
                    "schedules: expected names of optimizers as keys, strings without '/', got "
                    f"{name!r}"
                )
            listed = _flattened(some, f"schedules[{name!r}]")
            members += [member_of(schedule, name) for schedule, _ in listed]
    else:
        members = [member_of(*each) for each in _flattened(schedules, "schedules")]
    _check_apart(members)
    of_each: dict[str, list[Member]] = {}
    for member in members:
        of_each.setdefault(member.optimizer_name, []).append(member)
    nameless, named = of_each.get("", ()), next(filter(None, of_each), None)
    if nameless and named:
        raise ValueError(
            f"schedules: the schedule of {nameless[0].name!r} has no name of its optimizer, and "
            f"{of_each[named][0].name!r} has one. {_NAME_EACH}"
        )
    for name, some in of_each.items():
        for i, member in enumerate(some):
            if member.optimizer is not some[0].optimizer:
                raise ValueError(
                    f"{f'schedules[{name!r}]' if name else 'schedules'}: the schedule of "
                    f"{member.target.name!r} at position {i} is on a different optimizer than that "
                    f"of {some[0].target.name!r} at position 0. {_NAME_EACH}"
                )
    _connect(members)
    return members


def sources_first(members: Sequence[Member]) -> list[Member]:
    """Return the members, each after its source."""
    ordered: list[Member] = []
    for member in members:
        chain = [member, *member.sources()]
        ordered += [each for each in reversed(chain) if each not in ordered]
    return ordered


def follows_a_step(member: Member, members: Sequence[Member]) -> bool:
    """True if the member derives from values that are known only after others have stepped."""
    if member.source_target is None:
        return False
    return not all(each.is_own for each in member.sources()) or any(
        not other.is_own and other.optimizer is member.optimizer and cycles_momentum(other.schedule)
        for other in members
    )


def check_can_be_sent(members: Iterable[Member], argument: str, otherwise: str) -> None:
    """Raise unless each of ``members`` can be sent to a position; an error names the argument."""
    for member in members:
        if not member.is_own:
            raise TypeError(
                f"{argument}: {member.what} cannot be sent to a position, because it steps from "
                f"where it stands. Use a plain CurveSchedule or a built-in for it, or {otherwise}"
            )


def _flattened(schedules: object, argument: str) -> Iterator[tuple[Any, str]]:
    """Yield each schedule, and the name that a ``SynchronousSchedule`` gave its optimizer."""
    if not isinstance(schedules, Iterable) or isinstance(schedules, (str, bytes)):
        raise TypeError(
            f"{argument}: expected a list of schedules, got {schedules!r} "
            f"({type(schedules).__name__}){'; write [schedule]' * is_schedule(schedules)}"
        )
    each = [*schedules]
    if not each:
        raise ValueError(f"{argument}: expected at least one schedule, got an empty list")
    for i, schedule in enumerate(each):
        members = getattr(schedule, "members", None)  # a SynchronousSchedule
        if members is not None and all(isinstance(member, Member) for member in members):
            if schedule.clock is not None:
                raise TypeError(
                    f"{argument}: the SynchronousSchedule at position {i} has a clock. Pass the "
                    "clock to the outer one: SynchronousSchedule([...], clock=clock)"
                )
            yield from ((member.schedule, member.optimizer_name) for member in members)
        elif is_schedule(schedule):
            yield schedule, ""
        else:
            raise TypeError(
                f"{argument}: expected schedules, got {repr(schedule)[:120]} "
                f"({type(schedule).__name__}) at position {i}"
            )


def _check_apart(members: Sequence[Member]) -> None:
    """Raise if two optimizers share a thing that one schedule moves, and another moves or reads."""
    movers: dict[object, tuple[Member, object]] = {}  # the things too, so that no id is used again
    for member in members:
        for key, thing, _ in _places(member, member.target):
            movers.setdefault(key, (member, thing))
    for member in members:
        for target in filter(None, (member.target, member.source_target)):
            for key, _, why in _places(member, target):
                mover, _ = movers.get(key, (member, None))
                if mover.optimizer is not member.optimizer:
                    kinds = [type(each.optimizer).__name__ for each in (mover, member)]
                    why = why.replace("{}", " and ".join(f"a {kind}" for kind in kinds))
                    raise ValueError(f"schedules: {mover.name!r} and {member.name!r} {why}")


def _places(member: Member, target: Target) -> Iterator[tuple[object, object, str]]:
    """Yield what holds ``target``, each with a key, and why it goes with one optimizer only."""
    groups, driven = member.optimizer.param_groups, member.driven()
    for group, held in zip(groups, target.read_or_none(groups)):
        yield (
            id(group),
            group,
            "are on different objects, {}, with the same param groups. Build all schedules on the "
            "same one of them",
        )
        if isinstance(held, Tensor) and target == member.target:
            yield (
                id(held),
                held,
                "are the same tensor, which both schedules would fill. Make the optimizers again, "
                "each with its own tensor",
            )
    for group in groups if driven is None else driven:
        if isinstance(group, ObjectGroup):
            yield (
                (id(group.owner), target.key),
                group,
                f"use the same {target.key!r} of an object through two calls of attributes(). Call "
                "it once, with all names, and build both schedules on the result",
            )


def _connect(members: Sequence[Member]) -> None:
    """Tell each derived member what drives its source; raise if two members move one target."""
    by_target: dict[tuple[int, Target | None], Member] = {}
    for member in members:
        if by_target.setdefault((id(member.optimizer), member.target), member) is not member:
            raise RuntimeError(
                f"schedules: two of them schedule {member.target.name!r}, but a target takes one. "
                "To play schedules one after the other, join their curves, or build a SequentialLR "
                "inside one arbitrary_schedule_factory call. To give param groups different "
                "schedules, make one CurveSchedule with a curve for each group"
            )
    for member in reversed(members):  # the one that closes a circle is the first of them
        momentum = "betas[0]" if "betas" in defaults_of(member.optimizer) else "momentum"
        is_driven = (id(member.optimizer), Target.parse(momentum)) in by_target
        if is_driven and member.target.name == "lr" and cycles_momentum(member.schedule):
            raise RuntimeError(
                f"schedules: the schedule of 'lr', a {type(member.schedule).__name__}, moves "
                f"{momentum!r} too. So the schedule of {momentum!r} may have started from a moved "
                "value. Make the optimizer and both schedules again, with cycle_momentum=False"
            )
        member.source = by_target.get((id(member.optimizer), member.source_target))
        if not member.is_own and member.source is not None and member.source.is_own:
            raise TypeError(
                f"schedules: {member.what} has a step, a state_dict or a load_state_dict of its "
                f"own, so it would step before {member.source.name!r}, its source, has moved. "
                "Override moves_to instead, or step it after the SynchronousSchedule"
            )
        names, each = [member.name], member.source
        while each is not None and each is not member:
            names.append(each.name)
            each = each.source
        if each is member:
            names.append(member.name)
            raise ValueError(f"schedules: these derive from one another: {' of '.join(names)}")


def warn_if_unit_is_arbitrary(members: Sequence[Member]) -> None:
    """Warn of multiples of a source that gets absolute values: their unit is arbitrary."""
    for member in members:
        source = member.source
        if source and getattr(source.schedule, "absolute", False) and not member.schedule.absolute:
            warn_user(
                f"{member.name!r} derives from multiples of {source.name!r}, whose schedule gives "
                "absolute values. A multiple is then the value divided by the initial value, "
                f"{source.schedule.base_lrs}. If values are meant, write absolute=True for the "
                "derived schedule too; if not, ignore this warning"
            )


def named_arguments(
    members: Sequence[Member], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments by name, without those that are None; raise if no member takes one.

    ``members`` are those without a clock. By position, metrics come first if a member takes them,
    then the epoch.
    """
    takers = [member.name for member in members if member.arguments.take("metrics")]
    names = ("metrics", "epoch") if takers else ("epoch",)
    usage = "call step() or step(epoch)" + (
        f", with the metrics of {takers} before it" if takers else ": none takes metrics"
    )
    if not members:
        usage = "the clock says the position; call step()"
    if len(args) > len(names):
        raise TypeError(f"step: too many positional arguments; {usage}")
    given = dict(zip(names, args))
    for name, value in kwargs.items():
        if name in given:
            raise TypeError(f"step: got multiple values for argument {name!r}; {usage}")
        if name not in names and not any(member.arguments.take(name) for member in members):
            raise TypeError(f"step: got an unexpected keyword argument {name!r}; {usage}")
        given[name] = value
    given = {name: value for name, value in given.items() if value is not None}
    if given and not members:
        raise TypeError(f"step: got {[*given]}, and {usage}")
    return given
