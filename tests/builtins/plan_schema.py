"""The JSON Schema of a plan, made from the registers of names; run this file to write it."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from tsa_builtins.curves.value import KINDS, argument_types, needed_arguments
from tsa_builtins.schedules.registry import BUILT_INS, number_arguments
from tsa_core import torch_schedulers

NAME = "plan.schema.json"


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/definitions/{name}"}


def list_of(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


NUMBER = {"type": "number"}
FLAG = {"type": "boolean"}
DEFAULT_VALUE = {
    **NUMBER,
    "description": "Added to param groups that lack the target; an existing value stays.",
}
ARGUMENTS = {
    "float": NUMBER,
    "CurveLike": ref("curve"),
    "CurveLike | float": {"anyOf": [ref("curve"), NUMBER]},
    "Iterable[CurveLike]": list_of(ref("curve")),
    "Iterable[float]": list_of(NUMBER),
    "Points": ref("points"),
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
    numbers = number_arguments(BUILT_INS[name])
    properties = {"schedule": {"const": name}, **dict.fromkeys(numbers, NUMBER), "absolute": FLAG}
    required = ["schedule", *(key for key, is_needed in numbers.items() if is_needed)]
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
            "points": {
                "anyOf": [
                    {"type": "object", "minProperties": 1, "additionalProperties": NUMBER},
                    list_of({**list_of(NUMBER), "minItems": 2, "maxItems": 2}),
                ]
            },
        },
    }


def as_text() -> str:
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    path = resources.files("tsa_builtins") / NAME
    path.write_text(as_text(), encoding="utf-8")  # type: ignore[attr-defined]  # of the checkout
