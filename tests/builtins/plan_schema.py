"""The JSON Schema of a plan, made from the registers of names; run this file to write it."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from tsa_builtins.curves.transitions import TRANSITIONS, own_arguments
from tsa_builtins.curves.value import KINDS, argument_types, needed_arguments
from tsa_builtins.schedules.registry import BUILT_INS, plan_arguments
from tsa_core import torch_schedulers

NAME = "plan.schema.json"


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/definitions/{name}"}


def list_of(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def in_list(*items: Any) -> dict[str, Any]:
    """A list of exactly these."""
    return {**list_of([*items]), "minItems": len(items), "maxItems": len(items)}


def by_step(value: Any) -> dict[str, Any]:
    """A mapping from steps, or a list of pairs."""
    mapping = {"type": "object", "minProperties": 1, "additionalProperties": value}
    return {"anyOf": [mapping, {**list_of(in_list(NUMBER, value)), "minItems": 1}]}


NUMBER = {"type": "number"}
FLAG = {"type": "boolean"}
DEFAULT_VALUE = {
    **NUMBER,
    "description": "Added to param groups that lack the target; an existing value stays.",
}
# The shapes without numbers of their own as one choice, and each of the others with its numbers.
OWN = {name: own_arguments(name) for name in TRANSITIONS}
SHAPES: list[list[Any]] = [
    [{"enum": [name for name in OWN if not OWN[name]]}],
    *([{"const": name}, *(NUMBER for _ in OWN[name])] for name in OWN if OWN[name]),
]
ARGUMENTS = {
    "float": NUMBER,
    "CurveLike": ref("curve"),
    "bool": FLAG,
    "Iterable[CurveLike]": list_of(ref("curve")),
    "Iterable[CurveLike | float]": {**list_of({"anyOf": [ref("curve"), NUMBER]}), "minItems": 2},
    "Iterable[float]": list_of(NUMBER),
    "CurveByStep": by_step(ref("curve")),
    "Levels": by_step(NUMBER),
    "Points": by_step({"anyOf": [NUMBER, *(in_list(NUMBER, *each) for each in SHAPES)]}),
    "Shape": {"anyOf": [in_list(*each) if len(each) > 1 else each[0] for each in SHAPES]},
}
SETTINGS = {
    "number": NUMBER,
    "number per group": {"anyOf": [NUMBER, list_of(NUMBER)]},
    "list of numbers": list_of(NUMBER),
    "flag": FLAG,
    "schedulers": {**list_of(ref("part")), "minItems": 1},
}


def closed(properties: dict[str, Any], required: list[str], text: str = "") -> dict[str, Any]:
    """An object with no other entries, described by the first paragraph of a text."""
    words = text.partition("\n\n")[0].replace("``", "").split()
    return {
        **({"description": " ".join(words)} if words else {}),
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def if_then(condition: dict[str, Any], form: dict[str, Any]) -> dict[str, Any]:
    return {"if": condition, "then": form}


def chosen_by(key: str, forms: dict[str, Any]) -> dict[str, Any]:
    """An object whose entry ``key`` says which of ``forms`` it has.

    The names stand in one list, so that an editor completes them and an error names all of them.
    """
    return {
        "type": "object",
        "properties": {key: {"enum": [*forms]}},
        "required": [key],
        "allOf": [
            if_then({"properties": {key: {"const": name}}, "required": [key]}, form)
            for name, form in forms.items()
        ],
    }


def of_curve(name: str) -> dict[str, Any]:
    kind = KINDS[name]
    takes = {key: ARGUMENTS[each] for key, each in argument_types(kind).items()}
    text = (kind.__doc__ or "") if "λ" in (kind.__doc__ or "") else ""
    return closed({"kind": {"const": name}, **takes}, ["kind", *needed_arguments(kind)], text)


def of_built_in(name: str) -> dict[str, Any]:
    takes = plan_arguments(BUILT_INS[name])
    types = {key: ARGUMENTS[each.annotation] for key, each in takes.items()}
    properties = {"schedule": {"const": name}, **types, "default_value": DEFAULT_VALUE}
    required = ["schedule", *(key for key, each in takes.items() if each.default is each.empty)]
    return closed(properties, required, BUILT_INS[name].__doc__ or "")


def of_setting(setting: Any) -> dict[str, Any]:
    taken: dict[str, Any] = SETTINGS.get(setting.kind, {"enum": list(setting.words)})
    steps = setting.counts_steps
    if steps is not None:
        limit = {"minimum": 0} if steps.may_be_zero else {"exclusiveMinimum": 0}
        taken = {"type": "integer" if steps.whole else "number", **limit}
        taken = list_of(taken) if setting.kind == "list of numbers" else taken
    return {"anyOf": [taken, {"type": "null"}]} if setting.may_be_none else taken


def of_scheduler(name: str) -> dict[str, Any]:
    settings = torch_schedulers()[name].settings
    taken = {key: of_setting(each) for key, each in settings.items() if each.kind != "function"}
    properties = {"scheduler": {"const": name}, **taken, "default_value": DEFAULT_VALUE}
    required = ["scheduler", *(key for key, each in settings.items() if each.required)]
    return closed(properties, required, f"torch's {name} on the target.")


def without_functions() -> list[str]:
    return [
        name
        for name, form in torch_schedulers().items()
        if not any(each.kind == "function" and each.required for each in form.settings.values())
    ]


def entry() -> dict[str, Any]:
    """An object with one of four entries, each of which says the others.

    An error is then one about the form that was meant. An editor completes the entries.
    """
    beside = {"absolute": FLAG, "default_value": DEFAULT_VALUE}
    source = {
        "type": "string",
        "description": "Another target of the same param groups, such as lr.",
    }
    power = {
        **NUMBER,
        "description": "Multiple of the target = multiple of the source to this power. "
        "1 by default.",
    }
    follower = closed(
        {"follows": source, "power": power, "rule": ref("curve"), **beside},
        ["follows"],
        "The target is computed from another target at each step.",
    )
    forms = {
        "curve": closed(
            {"curve": ref("curveOrCurves"), **beside},
            ["curve"],
            "The target follows a curve, or one for each param group.",
        ),
        "schedule": chosen_by("schedule", {name: of_built_in(name) for name in BUILT_INS}),
        "scheduler": chosen_by(
            "scheduler", {name: of_scheduler(name) for name in without_functions()}
        ),
        "follows": {**follower, "not": {"required": ["power", "rule"]}},
    }
    return {
        "type": "object",
        "properties": {key: {} for key in forms},
        "anyOf": [{"required": [key]} for key in forms],
        "allOf": [if_then({"required": [key]}, form) for key, form in forms.items()],
    }


def schema() -> dict[str, Any]:
    curve_or_none = {"anyOf": [ref("curve"), {"type": "null"}]}
    by_name = {
        "description": "A curve for each name of a param group; '*': all others; null: left alone.",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": curve_or_none,
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Plan of torch-schedule-anything",
        "description": "A plan: targets, and what drives each of them. See tsa.from_plan.",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": ref("entry"),
        "definitions": {
            "entry": entry(),
            "part": {
                "allOf": [ref("entry")],
                "not": {"anyOf": [{"required": ["default_value"]}, {"required": ["follows"]}]},
            },
            # A dict with a kind is a curve. As one by names it would not be completed, and a wrong
            # kind would be shown as a wrong group.
            "curveOrCurves": {
                **if_then({"type": "object", "required": ["kind"]}, ref("curve")),
                "properties": {"kind": {}},  # to complete it
                "else": {"anyOf": [by_name, list_of(curve_or_none)]},
            },
            "curve": chosen_by("kind", {name: of_curve(name) for name in sorted(KINDS)}),
        },
    }


def as_text() -> str:
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    path = resources.files("tsa_builtins") / NAME
    path.write_text(as_text(), encoding="utf-8")  # type: ignore[attr-defined]  # of the checkout
