"""The arguments of built-ins, against docs/builtin_schedules.md, which promises them."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from closed_forms import NAMES, Plan, arguments
from small_runs import adamw, every_name

import tsa_builtins

PAGE = Path(__file__).parents[3] / "docs" / "builtin_schedules.md"

# Each row of the table: the names of built-ins, and the arguments that they share.
SIGNATURES = {
    name: promised
    for names, promised in re.findall(
        r"^\| ((?:`\w+`(?:, )?)+) \| `(optimizer, [^`]*)` \|$",
        PAGE.read_text("utf-8"),
        re.MULTILINE,
    )
    for name in re.findall(r"`(\w+)`", names)
}


def without_types(signature: inspect.Signature) -> str:
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
    ]
    return str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))


def test_the_page_has_every_built_in() -> None:
    """The page has every built-in in its table of arguments and in its table of formulas."""
    assert set(SIGNATURES) == set(NAMES)
    formulas = PAGE.read_text("utf-8").partition("\n## Formulas\n")[2].partition("\n## ")[0]
    assert [name for name in NAMES if f"`{name}`" not in formulas] == []


@every_name
def test_arguments_are_in_the_promised_order(name: str) -> None:
    """The names of the arguments, their order and their defaults are those on the page."""
    shown = without_types(inspect.signature(getattr(tsa_builtins, name)))
    assert shown.replace("'", '"') == f"({SIGNATURES[name]})"


@every_name
def test_arguments_by_position_mean_what_they_mean_by_name(name: str) -> None:
    """The same arguments by position and by name make the same curve on the same target."""
    make = getattr(tsa_builtins, name)
    given = arguments(name, Plan(W=0.5, A=0.1, L=2, M=7, R=3.0, P=1.7))
    positional = make(adamw(), *given.values(), "weight_decay")
    named = make(adamw(), **given, schedule_target="weight_decay")
    assert positional.curve == named.curve
    assert positional.schedule_target == named.schedule_target == "weight_decay"


def test_defaults_are_used() -> None:
    """Left out, the exponent is 2, the multiplier 20 and the target the learning rate."""

    def λ_at(t: float, name: str) -> Any:
        return getattr(tsa_builtins, name)(adamw(lr=1.0), 1.0, 0.0, 4, 12).values_at(t)

    assert λ_at(0, "linear_schedule_with_inverse_warmup") == [20.0]
    assert λ_at(8, "polynomial_schedule_with_warmup") == [0.5**2]
