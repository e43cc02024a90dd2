"""The JSON Schema of a plan, made from the registers of names; run this file to write it."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from tsa_builtins.curves.primitives import TRANSITIONS, own_arguments
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
    return {"type": "array", "items": [*items], "minItems": len(items), "maxItems": len(items)}


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
    "Iterable[CurveLike | float]": {
        **list_of({"anyOf": [ref("curve"), NUMBER]}),
        "minItems": 2,
    },
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
    """An object with no other entries."""
    first_line, _, _ = text.partition("\n\n")
    return {
        **({"description": " ".join(first_line.replace("``", "").split())} if text else {}),
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def of_curve(name: str) -> dict[str, Any]:
    kind = KINDS[name]
    properties = {key: ARGUMENTS[each] for key, each in argument_types(kind).items()}
    required = ["kind", *needed_arguments(kind)]
    text = (kind.__doc__ or "") if "λ" in (kind.__doc__ or "") else ""
    return closed({"kind": {"const": name}, **properties}, required, text)


def of_built_in(name: str) -> dict[str, Any]:
    takes = plan_arguments(BUILT_INS[name])
    properties = {"schedule": {"const": name}, **{k: ARGUMENTS[v.type] for k, v in takes.items()}}
    required = ["schedule", *(key for key, each in takes.items() if each.is_needed)]
    return closed(
        {**properties, "default_value": DEFAULT_VALUE}, required, BUILT_INS[name].__doc__ or ""
    )


def of_scheduler(name: str) -> dict[str, Any]:
    form = torch_schedulers()[name]
    properties: dict[str, Any] = {"scheduler": {"const": name}}
    for key, setting in form.settings.items():
        if setting.kind != "function":
            taken = SETTINGS.get(setting.kind, {"enum": list(setting.words)})
            properties[key] = {"anyOf": [taken, {"type": "null"}]} if setting.may_be_none else taken
    required = ["scheduler", *(key for key, each in form.settings.items() if each.required)]
    return closed(
        {**properties, "default_value": DEFAULT_VALUE}, required, f"torch's {name} on the target."
    )


def without_functions() -> list[str]:
    return [
        name
        for name, form in torch_schedulers().items()
        if not any(each.kind == "function" and each.required for each in form.settings.values())
    ]


def entries() -> dict[str, Any]:
    curve = closed(
        {"curve": ref("curveOrCurves"), "absolute": FLAG, "default_value": DEFAULT_VALUE},
        ["curve"],
        "The target follows a curve, or one for each param group.",
    )
    return {
        "anyOf": [
            curve,
            *(of_built_in(name) for name in BUILT_INS),
            *(of_scheduler(name) for name in without_functions()),
        ]
    }


def schema() -> dict[str, Any]:
    curve_or_none = {"anyOf": [ref("curve"), {"type": "null"}]}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Plan of torch-schedule-anything",
        "description": "A plan: targets, and what drives each of them. See tsa.from_plan.",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": ref("entry"),
        "definitions": {
            "entry": entries(),
            "part": {"allOf": [ref("entry")], "not": {"required": ["default_value"]}},
            "curveOrCurves": {
                "anyOf": [
                    ref("curve"),
                    {
                        "description": "A curve for each name of a param group; '*': all others; "
                        "null: left alone.",
                        "type": "object",
                        "minProperties": 1,
                        "additionalProperties": curve_or_none,
                    },
                    list_of(curve_or_none),
                ]
            },
            "curve": {"anyOf": [of_curve(name) for name in sorted(KINDS)]},
        },
    }


def as_text() -> str:
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    path = resources.files("tsa_builtins") / NAME
    path.write_text(as_text(), encoding="utf-8")  # type: ignore[attr-defined]  # of the checkout
