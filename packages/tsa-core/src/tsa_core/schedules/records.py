"""The plan of a schedule in its state: curves as data where they are data, else as text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, get_args

from ..targets.driven import Curve, CurvePerGroup

# One curve is a dict (data) or a string (the text of code); several are a list or a dict of them.
Plan: TypeAlias = Any
Policy: TypeAlias = Literal["code", "saved", "same"]

_formats: list[tuple[Callable[[Any], dict[str, Any]], Callable[[Mapping[str, Any]], Curve]]] = []


def register_curves(
    to_dict: Callable[[Any], dict[str, Any]], from_dict: Callable[[Mapping[str, Any]], Curve]
) -> None:
    """Let the states of schedules hold a kind of curves as data.

    ``tsa_builtins`` registers its curves. A package with curves of its own can register them.

    Args:
        to_dict: takes a curve and returns a dict with a string under ``"kind"``, of numbers,
            strings, lists and dicts; raises ``TypeError`` for any other curve.
        from_dict: takes such a dict and returns the curve; raises ``TypeError``, ``ValueError`` or
            ``KeyError`` for any other dict.
    """
    _formats.append((to_dict, from_dict))


def checked_policy(plan: object) -> Policy:
    for policy in get_args(Policy):
        if plan == policy:
            return policy  # type: ignore[no-any-return]  # one of the three
    raise ValueError(f"plan: expected one of {list(get_args(Policy))}, got {plan!r}")


def plan_of(curve: Curve | CurvePerGroup) -> Plan:
    """Return ``curve`` as data, or as text if it is code."""
    if not callable(curve):
        if isinstance(curve, Mapping):
            return {name: each if each is None else plan_of(each) for name, each in curve.items()}
        return [each if each is None else plan_of(each) for each in curve]
    for to_dict, _ in _formats:
        try:
            return to_dict(curve)
        except TypeError:  # not of this kind, or made of a function
            continue
    return describe(curve)


def curve_of(plan: Plan) -> Curve | CurvePerGroup:
    """Return the curve of a plan that is data; raise ``ValueError`` if it is text."""
    if isinstance(plan, (list, tuple)):
        return [each if each is None else _one_curve_of(each) for each in plan]
    if isinstance(plan, Mapping) and not _is_data(plan):
        return {name: each if each is None else _one_curve_of(each) for name, each in plan.items()}
    return _one_curve_of(plan)


def _one_curve_of(plan: Plan) -> Curve:
    if not _is_data(plan):
        raise ValueError(
            f"the saved curve is {plan}, which is code, and a state holds only its text. Write "
            "plan='code'; if the run was replanned, call replan with that function"
        )
    reasons = []
    for _, from_dict in _formats:
        try:
            return from_dict(plan)
        except (TypeError, ValueError, KeyError) as error:
            reasons.append(str(error.args[0] if error.args else error))
    raise ValueError(
        f"the saved curve {plan!r} cannot be read: "
        f"{'; '.join(reasons) or 'import tsa_builtins, or what registers such curves'}"
    )


def _is_data(plan: Plan) -> bool:
    return isinstance(plan, Mapping) and isinstance(plan.get("kind"), str)


def _decoded(plan: Plan) -> Curve | None:
    try:
        return _one_curve_of(plan) if _is_data(plan) else None
    except ValueError:
        return None


def describe(function: object) -> str:
    """Return ``repr`` without memory addresses: the same in another process."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(function))


def text_of(plan: Plan) -> str:
    """Return a plan as a reader wants to see it."""
    return plan if isinstance(plan, str) else str(_as_texts(plan))


def _as_texts(plan: Plan) -> Any:
    if isinstance(plan, (list, tuple)):
        return [_as_texts(each) for each in plan]
    curve = _decoded(plan)
    if curve is not None:
        return describe(curve)
    if isinstance(plan, Mapping):
        return {name: _as_texts(each) for name, each in plan.items()}
    return plan


def sentence_of(plan: Mapping[str, Plan]) -> str:
    """Return all entries of a schedule's plan as a reader wants to see them."""
    kind = " as absolute values" if plan["absolute"] else ""
    origin = f" from step {plan['origin']}" if plan.get("origin") else ""
    return f"{text_of(plan['curve'])}{kind}{origin}"


def plans_differ(state: Mapping[str, Any], plan: Mapping[str, Plan]) -> bool:
    """True if the plan in a state is not ``plan``."""
    return any(state[key] != own for key, own in plan.items())
