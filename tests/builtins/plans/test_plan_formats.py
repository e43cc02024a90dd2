"""Plans in files: what the parsers of YAML, TOML and JSON give, OmegaConf, and the JSON Schema."""

from __future__ import annotations

import json
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
import yaml
from jsonschema.exceptions import best_match
from omegaconf import OmegaConf
from plan_forms import HALF, LINE, make_optimizer
from plan_schema import NAME, as_text, without_functions
from small_runs import ignore_epoch_deprecation, through_json
from test_plans_refused import OF_FORM, PLAN, TEXTS, changed

import tsa_builtins
from tsa_builtins import from_plan, to_plan
from tsa_builtins.curves.value import KINDS
from tsa_builtins.schedules.registry import BUILT_INS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = ignore_epoch_deprecation

SCHEMA = json.loads((resources.files(tsa_builtins) / NAME).read_text("utf-8"))
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
PARSERS: dict[str, Any] = {
    ".yaml": yaml.safe_load,
    ".toml": tomllib.loads,
    ".json": json.loads,
}
FOLDER = Path(__file__).parents[3] / "examples" / "plans"
EXAMPLES = sorted(path.name for path in FOLDER.iterdir() if path.suffix in PARSERS)


def parsed(name: str) -> Any:
    path = FOLDER / name
    return PARSERS[path.suffix](path.read_text("utf-8"))


def optimizers_for(name: str) -> Any:
    if name != "two_optimizers.json":
        return make_optimizer()
    muon = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.02, momentum=0.95)
    return {"muon": muon, "adamw": make_optimizer()}


def built(name: str, plan: Any) -> Any:
    """The schedules of an example; the one in epochs is stretched."""
    stretch = 100 if "epochs" in name else 1
    return from_plan(optimizers_for(name), plan, stretch=stretch)


# -- each format -----------------------------------------------------------------------------------


def test_the_examples_have_the_values_of_their_formulas() -> None:
    """Keys that are strings and steps in epochs are taken, and so are several optimizers."""
    for name, target, t, values in (
        ("pretraining.yaml", "lr", 250, [0.05, 0.1]),
        ("pretraining.yaml", "weight_decay", 5000, [0.22, 0.22]),
        ("pretraining.yaml", "betas[0]", 500, [0.9 * 0.95, 0.9]),
        ("pretraining.yaml", "gradient_clip_threshold", 4000, [5.5, 5.5]),
        ("finetuning_in_epochs.toml", "lr", 25, [0.05, 0.1]),
        ("finetuning_in_epochs.toml", "lr", 175, [0.05, 0.1]),
        ("finetuning_in_epochs.toml", "weight_decay", 199, [0.2, 0.4]),
        ("finetuning_in_epochs.toml", "weight_decay", 200, [0.1, 0.2]),
        ("finetuning_in_epochs.toml", "betas[0]", 50, [0.9, 0.9 * 0.95]),
    ):
        schedule = built(name, parsed(name)).schedules[target]
        assert schedule.values_at(t) == pytest.approx(values)
    in_json = built("two_optimizers.json", parsed("two_optimizers.json"))
    for _ in range(50):  # torch's schedulers are stepped
        for optimizer in in_json.optimizers.values():
            optimizer.step()
        in_json.step()
    assert in_json.get_last_schedule("muon/lr") == pytest.approx([0.02 * 10**-0.1])
    assert in_json.get_last_schedule("muon/momentum") == pytest.approx([0.85 + 0.1 / 6])
    assert in_json.get_last_schedule("adamw/lr") == pytest.approx([0.1 * 0.55, 0.2 * 0.55])


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_format_takes_every_plan(name: str) -> None:
    """The plan of a schedule is written to each format that can hold it, and read again."""
    described = to_plan(built(name, parsed(name)))
    for read in (yaml.safe_load(yaml.safe_dump(described)), through_json(described)):
        assert read == described
        assert to_plan(from_plan(optimizers_for(name), read)) == described
    # TOML holds what JSON holds, except null.
    assert ("null" in json.dumps(described)) == (name == "pretraining.yaml")
    # OmegaConf's containers are neither dicts nor lists, and are taken like them.
    config = OmegaConf.create(parsed(name))
    assert not isinstance(config, dict)
    assert to_plan(built(name, config)) == described
    assert VALIDATOR.is_valid(parsed(name))
    assert is_valid(described)


def test_omegaconf_takes_points_with_numbers_as_keys_and_interpolations() -> None:
    """Keys that are numbers, lists, and values that refer to other values arrive as they are."""
    config = OmegaConf.create(
        """
        run: {steps: 400}
        plan:
          lr: {curve: {kind: Piecewise, points: {0: 1.0, 100: 0.5}}}
          weight_decay: {curve: {kind: Linear, start: 1, end: 0, steps: "${run.steps}"}}
          eps: {scheduler: MultiStepLR, milestones: [2, 4]}
        """
    )
    schedule = from_plan(make_optimizer(), config.plan)
    assert schedule.schedules["lr"].values_at(50) == pytest.approx([0.075, 0.15])
    assert schedule.schedules["weight_decay"].values_at(100) == pytest.approx([0.15, 0.3])
    assert to_plan(schedule)["eps"]["milestones"] == [2, 4]


UNSET: dict[str, Any] = {
    "lr.absolute": {"lr": {"curve": HALF, "absolute": "???"}},
    "lr.curve": {"lr": {"curve": "???"}},
    "lr.curve.value": {"lr": {"curve": {**HALF, "value": "???"}}},
    "plan.lr": {"lr": "???"},
    "lr.default_value": {"lr": {"scheduler": "StepLR", "step_size": 2, "default_value": "???"}},
}


def test_a_fault_in_a_config_has_its_path() -> None:
    """``???`` differs from an entry that is left out: somebody forgot to set it."""
    for unset, plan in UNSET.items():
        with pytest.raises(ValueError, match=rf"^{unset}: Missing mandatory value"):
            from_plan(make_optimizer(), OmegaConf.create(plan))
    plan = changed(PLAN, {"clip.curve.curves[1].steps": -3})
    with pytest.raises(ValueError, match=r"^clip\.curve\.curves\[1\]\.steps: expected 0 or more"):
        from_plan(make_optimizer(), OmegaConf.create(plan))


# -- the JSON Schema -------------------------------------------------------------------------------


def is_valid(plan: Any) -> bool:
    return bool(VALIDATOR.is_valid(through_json(plan)))


def test_the_schema_is_the_one_of_the_registers() -> None:
    """The file in the package has all names: `python tests/builtins/plan_schema.py` writes it."""
    assert Path(tsa_builtins.__file__).with_name(NAME).is_file()  # where an editor finds it
    assert (resources.files(tsa_builtins) / NAME).read_text("utf-8") == as_text()
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    text = as_text()
    assert [name for name in (*BUILT_INS, *KINDS, *without_functions()) if name not in text] == []


def test_the_schema_shows_faults() -> None:
    """A fault of form does not fit the schema, and its remedy does."""
    assert is_valid(PLAN)
    assert [name for name, fault in OF_FORM.items() if is_valid(fault.broken())] == []
    assert [name for name, fault in OF_FORM.items() if not is_valid(fault.mended())] == []
    for place, text, _ in TEXTS:
        assert not is_valid(changed(PLAN, {place: text}))


def best_error(plan: Any) -> tuple[list[Any], str]:
    """The path and the words of the error that an editor shows."""
    error = best_match(VALIDATOR.iter_errors(plan))
    assert error is not None
    return list(error.absolute_path), error.message


JOIN = {"kind": "Join", "boundaries": [4]}
PLACES_OF_CURVES: dict[tuple[Any, ...], Any] = {
    (): lambda curve: curve,
    ("head",): lambda curve: {"backbone": LINE, "head": curve},
    (1,): lambda curve: [LINE, curve],
    ("curves", 1): lambda curve: {**JOIN, "curves": [LINE, curve]},
}


def test_the_schema_names_all_kinds() -> None:
    """A wrong kind is shown where it stands, with every kind that an editor can complete there."""
    for path, make in PLACES_OF_CURVES.items():
        for kind in ("Cosin", "Foo", None):
            where, words = best_error({"lr": {"curve": make({**LINE, "kind": kind})}})
            assert where == ["lr", "curve", *path, "kind"]
            assert [name for name in KINDS if repr(name) not in words] == []
        assert is_valid({"lr": {"curve": make(LINE)}})
    definitions = SCHEMA["definitions"]
    assert definitions["curve"]["properties"]["kind"]["enum"] == sorted(KINDS)
    assert definitions["curveOrCurves"]["if"]["required"] == ["kind"]
    assert definitions["curveOrCurves"]["then"] == {"$ref": "#/definitions/curve"}
    # With a kind, it cannot be a dict of the groups' names.
    assert not is_valid({"lr": {"curve": {"kind": LINE}}})


ERRORS_SHOWN: dict[str, tuple[Any, list[Any], str]] = {
    "a built-in": ({"schedule": "cosin", "value": 1}, ["schedule"], "constant_schedule"),
    "a torch scheduler": ({"scheduler": "StepLr"}, ["scheduler"], "'StepLR'"),
    "an argument": ({"schedule": "constant_schedule", "value": 1, "valu": 1}, [],
                    "'valu' was unexpected"),
    "a setting": ({"scheduler": "StepLR", "step_size": 2.5}, ["step_size"], "2.5 is not of type"),
    "an entry of a curve": ({"curve": {**LINE, "step": 1}}, ["curve"], "'step' was unexpected"),
    "a power": ({"follows": "lr", "powr": 2}, [], "'powr' was unexpected"),
    "an entry beside it": ({"curve": LINE, "absolut": True}, [], "'absolut' was unexpected"),
}  # fmt: skip


def test_the_schema_shows_what_was_meant() -> None:
    """An error is about the form that was begun, and not about all the others."""
    for described, path, words in ERRORS_SHOWN.values():
        where, message = best_error({"lr": described})
        assert where == ["lr", *path]
        assert words in message
