"""A plan: the schedules of a run as data, to a ``SynchronousSchedule`` and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike, fspath
from os.path import splitext
from typing import Any, TypeAlias

from tsa_core import (
    OptimizerLike,
    ProxyOptimizer,
    SynchronousSchedule,
    extend_optimizer,
    get_param_groups_regrouped_by_key,
)
from tsa_core.targets.undo import undone_on_error

from ..checks import check_size, entry, errors_at, instead, mapping, positive, shown
from ..curves.record import CurveReader
from .read import Recipe, Unit, read_entry
from .write import plan_of

__all__ = ["Plan", "from_plan", "to_plan"]

Plan: TypeAlias = Mapping[str, Mapping[str, Any]]


def from_plan(
    optimizer: OptimizerLike | Mapping[str, OptimizerLike],
    plan: Plan,
    *,
    stretch: float = 1.0,
) -> SynchronousSchedule:
    """Build the schedules that ``plan`` describes, in its order.

    A plan is what a parser of YAML, TOML or JSON makes of a file: a dict from targets to dicts.
    Each inner dict has exactly one of four entries.

    - ``"schedule"``: the name of a built-in, with its own numeric arguments beside it.
    - ``"curve"``: a dict as :func:`curves.to_dict` makes it. Or one per param group: a dict from
      the groups' names to curves, with ``"*"`` and None as in ``CurveSchedule``, or a list.
    - ``"scheduler"``: the name of a torch scheduler, with its own arguments beside it. In
      ``"schedulers"``, a compound has such dicts again.
    - ``"follows"``: the name of another target, in this plan or not. The multiple of the target is
      the multiple of the other target to the ``"power"`` beside it, by default 1. Or a ``"rule"``
      beside it, a curve, computes the multiple.

    ``"absolute"`` goes with all but a torch scheduler. ``"default_value"`` goes with all: this
    number is added where the optimizer has no such entry.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or any object with such ``param_groups``. Or a
            mapping from names of yours to several optimizers, with keys of ``plan`` such as
            ``"muon/lr"``.
        plan: the targets, and what drives each of them. Any mappings and sequences will do, such
            as OmegaConf's.
        stretch: the number of steps per unit of the plan, > 0: the steps per epoch if the plan
            counts epochs, or the steps of the run if it counts fractions. Curves are stretched,
            and the step arguments of built-ins are multiplied.

    Returns:
        A :class:`tsa_core.SynchronousSchedule` at step 0. To resume, load the saved state.
        For a clock, write ``SynchronousSchedule([from_plan(...)], clock=clock)``.

    Raises:
        TypeError: an entry has the wrong type, such as a number that is text.
        ValueError: a name is unknown, an entry is missing or superfluous, or a number is out of
            its range.
        ValueError: ``stretch`` is not 1, and a torch scheduler, whose settings count steps, is in
            the plan.
        ValueError: the plan is nested more than 200 deep, or has more than 1,000,000 values or
            20,000 dicts. An alias of YAML counts each time that it appears.
        KeyError: a param group lacks the target, and there is no ``default_value``.
        KeyError: no group has the target that another target follows.

    The message begins with the path of the wrong entry, such as ``lr.curve.curves[1].steps``. If
    the call raises, nothing has changed.

    Warns:
        UserWarning: the warnings of the built-ins, and of :class:`tsa_core.CurveSchedule`.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = from_plan(
        ...     optimizer,
        ...     {
        ...         "lr": {"curve": {"kind": "Linear", "start": 1, "end": 0, "steps": 2}},
        ...         "clip": {"default_value": 8.0, "scheduler": "ExponentialLR", "gamma": 0.5},
        ...     },
        ... )
        >>> optimizer.step()
        >>> schedule.step()
        >>> schedule.get_last_schedules()
        {'lr': [0.05], 'clip': [4.0]}
    """
    optimizers = _checked_optimizers(optimizer)
    stretch = positive("stretch", stretch)
    plan = mapping("plan", plan, "a dict from targets to what drives them", _how_to_load(plan))
    if not plan:
        raise ValueError("plan: expected at least one target, got an empty dict")
    check_size("plan", plan, LEVELS_AROUND_CURVES)
    unit = Unit(stretch, CurveReader())
    recipes = [_recipe(key, value, optimizers, unit) for key, value in plan.items()]
    planned = {recipe.optimizer_name for recipe in recipes}
    for name in optimizers:
        if name not in planned:
            raise ValueError(
                f"optimizer: the plan has nothing for {name!r}; add an entry such as "
                f"'{name}/lr', or leave out that optimizer"
            )
    by_key = {(recipe.optimizer_name, recipe.target): recipe for recipe in recipes}
    for recipe in recipes:
        _check_present(recipe, optimizers[recipe.optimizer_name], by_key)
    in_order = _sources_first(by_key)
    with undone_on_error(optimizers.values()):
        made = {key: _put(recipe, optimizers[key[0]]) for key, recipe in in_order.items()}
        schedules: dict[str, list[Any]] = {}
        for name, target in by_key:
            schedules.setdefault(name, []).append(made[name, target])
        return SynchronousSchedule(schedules.get(_ONLY, schedules))


def to_plan(schedule: Any) -> dict[str, dict[str, Any]]:
    """Describe ``schedule`` as a plan: dicts, lists, numbers and strings, for any file format.

    ``from_plan(optimizer, to_plan(schedule))`` gives the same values at every step, on an optimizer
    with the same initial values. A plan has no initial values and no positions, which are in the
    state dicts of the optimizer and the schedule. A plan has no clock either.

    A built-in is written as its curve. A schedule that was replanned is written as its present
    curve, delayed to the step of the replan. A ``DerivedSchedule`` whose rule
    is a curve, such as ``curves.Power(2)``, is written with ``"follows"``.

    An entry that the optimizer does not have by itself gets its initial value as
    ``default_value``, if the groups agree on it.

    Args:
        schedule: a ``SynchronousSchedule``, or any other schedule alone.

    Raises:
        TypeError: a member is or uses a function: a lambda as a curve or as the rule of a
            ``DerivedSchedule``, a ``LambdaLR``, a ``where=``. The message begins with the name of
            the member.
        TypeError: a member is a scheduler of another author.
        ValueError: a curve is nested more than 200 deep.

    Example:
        >>> import torch
        >>> from tsa_builtins import constant_schedule
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> to_plan(constant_schedule(optimizer, 0.5))
        {'lr': {'curve': {'kind': 'Constant', 'value': 0.5}}}
    """
    return plan_of(schedule)


LEVELS_AROUND_CURVES = 8
"""The levels that a plan has around the dict of a curve: itself, an entry, groups, a compound."""

# The name of an optimizer that is alone. No mapping of a user's has it.
_ONLY = ""

_Key: TypeAlias = tuple[str, str]
"""The name of an optimizer, and a target."""


def _how_to_load(plan: object) -> str:
    """Return what to write if ``plan`` is the name of a file, or its text."""
    if not isinstance(plan, (str, PathLike)):
        return ""
    name = fspath(plan)
    load = LOADERS.get(splitext(name)[1].lower(), "yaml.safe_load(text)")
    return f". Load it first: from_plan(optimizer, {load.format(name)})"


LOADERS = {
    ".yaml": "yaml.safe_load(Path({!r}).read_text())",
    ".yml": "yaml.safe_load(Path({!r}).read_text())",
    ".json": "json.loads(Path({!r}).read_text())",
    ".toml": "tomllib.loads(Path({!r}).read_text())",
}
"""How a plan is loaded from a file, by the end of its name."""


def _checked_optimizers(optimizer: Any) -> Mapping[str, Any]:
    optimizers = {_ONLY: optimizer}
    if isinstance(optimizer, Mapping):
        optimizers = {**optimizer}
        if not optimizers:
            raise ValueError("optimizer: expected at least one, got an empty dict")
        for name in optimizers:
            if not isinstance(name, str) or not name or "/" in name:
                raise TypeError(
                    "optimizer: expected names of optimizers as keys, strings without '/', got "
                    f"{shown(name)}"
                )
    for each in optimizers.values():
        if isinstance(each, ProxyOptimizer):
            raise ValueError(
                f"optimizer: {each!r} is a stand-in; pass the optimizer behind it, and "
                f"{each.schedule_target!r} as a target in the plan"
            )
        if not hasattr(each, "param_groups"):
            raise TypeError(
                "optimizer: expected a torch optimizer, an object with such param_groups, or a "
                f"dict of them, got {shown(each)}"
            )
    return optimizers


def _recipe(key: object, value: object, optimizers: Mapping[str, Any], unit: Unit) -> Recipe:
    if not isinstance(key, str):
        raise TypeError(f"plan: expected the names of targets as keys, got {shown(key)}")
    name, target = _ONLY, str.__str__(key)
    if _ONLY not in optimizers:
        name, slash, target = target.partition("/")
        if not slash:
            raise ValueError(
                f"{key}: with several optimizers, write the name of one first: "
                f"'{next(iter(optimizers))}/{key}'"
            )
        if name not in optimizers:
            raise ValueError(
                f"{key}: {name!r} is not an optimizer here; {instead(name, optimizers)}"
            )
    recipe = read_entry(key, value, unit)._replace(optimizer_name=name, target=target)
    if name == _ONLY or recipe.source is None:
        return recipe
    return recipe._replace(source=_source_beside(recipe, recipe.source, optimizers))


def _source_beside(recipe: Recipe, source: str, optimizers: Mapping[str, Any]) -> str:
    """Return the source without the name of its optimizer, which is that of the target too."""
    name = recipe.optimizer_name
    first, slash, target = source.partition("/")
    if not slash or first == name:
        return target or source
    path = entry(recipe.path, "follows")
    if first not in optimizers:
        raise ValueError(
            f"{path}: {first!r} is not an optimizer here; {instead(first, optimizers)}"
        )
    raise ValueError(
        f"{path}: {source!r} is a target of a different optimizer; name one of {name!r}, such as "
        f"'{name}/{target}'"
    )


def _sources_first(by_key: Mapping[_Key, Recipe]) -> dict[_Key, Recipe]:
    """Return the recipes, each after its source; raise if they follow one another."""
    ordered: dict[_Key, Recipe] = {}
    for key, recipe in by_key.items():
        chain: dict[_Key, Recipe] = {}
        while key in by_key and key not in ordered and key not in chain:
            chain[key] = by_key[key]
            key = key[0], chain[key].source or ""
        if key in chain:
            raise ValueError(
                f"{entry(recipe.path, 'follows')}: expected another target, got a circle: "
                f"{' follows '.join(target for _, target in (*chain, key))}"
            )
        ordered.update(reversed(chain.items()))
    return ordered


def _put(recipe: Recipe, optimizer: Any) -> Any:
    with _errors_of(recipe.path, IN_THIS_ENTRY):
        if recipe.default_value is not None:
            extend_optimizer(optimizer, recipe.target, recipe.default_value)
        return recipe.put(optimizer, recipe.target, recipe.source)


def _check_present(recipe: Recipe, optimizer: Any, by_key: Mapping[_Key, Recipe]) -> None:
    """Raise if no group has the target, or its source: nothing was added yet."""
    key, source = recipe.target.partition("[")[0], recipe.source
    if recipe.default_value is None and not any(key in group for group in optimizer.param_groups):
        with _errors_of(recipe.path, IN_THIS_ENTRY):
            get_param_groups_regrouped_by_key(optimizer, recipe.target)
    if source is not None and (recipe.optimizer_name, source) not in by_key:
        remedy = f"write an entry {source!r} with default_value"
        with _errors_of(entry(recipe.path, "follows"), remedy):
            get_param_groups_regrouped_by_key(optimizer, source)


IN_THIS_ENTRY = "write default_value in this entry"


@contextmanager
def _errors_of(path: str, remedy: str) -> Iterator[None]:
    """Put the path before an error; if a target is not there, say how a plan adds it."""
    try:
        with errors_at(path, ("default_value",)):
            yield
    except KeyError as error:
        message, found, _ = str(error.args[0]).partition(" does not read, ")
        raise KeyError(f"{message}{found}{remedy}" if found else message) from error
