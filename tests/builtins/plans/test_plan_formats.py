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
from cases import examples
from hypothesis import HealthCheck, given, settings
from jsonschema.exceptions import best_match
from omegaconf import OmegaConf
from plan_forms import FOLDER, make_optimizer, plans
from plan_schema import NAME, as_text, without_functions
from small_runs import ignore_epoch_deprecation
from test_plans_refused import FAULTS, LINE, PLAN, TEXTS, changed

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


def at(schedule: Any, name: str, t: float) -> list[float]:
    values: list[float] = schedule.schedules[name].values_at(t)
    return values


# -- each format -----------------------------------------------------------------------------------


def test_yaml() -> None:
    """The plan in YAML has the values of its formulas."""
    schedule = from_plan(make_optimizer(), parsed("pretraining.yaml"))
    assert at(schedule, "lr", 250) == pytest.approx([0.05, 0.1])
    assert at(schedule, "weight_decay", 5000) == pytest.approx([0.22, 0.22])
    assert at(schedule, "betas[0]", 500) == pytest.approx([0.9 * 0.95, 0.9])
    assert at(schedule, "gradient_clip_threshold", 4000) == pytest.approx([5.5, 5.5])


def test_toml_in_epochs() -> None:
    """The plan in TOML counts epochs, of 100 steps each; its keys are all strings."""
    schedule = from_plan(make_optimizer(), parsed("finetuning_in_epochs.toml"), stretch=100)
    assert at(schedule, "lr", 25) == pytest.approx([0.05, 0.1])
    assert at(schedule, "lr", 175) == pytest.approx([0.05, 0.1])
    assert at(schedule, "weight_decay", 199) == [0.2, 0.4]
    assert at(schedule, "weight_decay", 200) == [0.1, 0.2]
    assert at(schedule, "betas[0]", 50) == pytest.approx([0.9, 0.9 * 0.95])


def test_json_with_two_optimizers() -> None:
    """The plan in JSON names two optimizers."""
    optimizers = optimizers_for("two_optimizers.json")
    schedule = from_plan(optimizers, parsed("two_optimizers.json"))
    for optimizer in optimizers.values():
        optimizer.step()
    for _ in range(50):
        schedule.step()
    assert schedule.get_last_schedule("muon/lr") == pytest.approx([0.02 * 10**-0.1])
    assert schedule.get_last_schedule("muon/momentum") == pytest.approx([0.85 + 0.1 / 6])
    assert schedule.get_last_schedule("adamw/lr") == pytest.approx([0.1 * 0.55, 0.2 * 0.55])


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_format_takes_every_plan(name: str) -> None:
    """The plan of a schedule is written to each format that can hold it, and read again."""
    described = to_plan(built(name, parsed(name)))
    texts = {".yaml": yaml.safe_dump(described), ".json": json.dumps(described)}
    if name != "pretraining.yaml":  # TOML has no null
        texts[".toml"] = as_toml(described)
    for suffix, text in texts.items():
        read = PARSERS[suffix](text)
        assert read == described
        assert to_plan(from_plan(optimizers_for(name), read)) == described


def as_toml(plan: Any) -> str:
    """TOML of a plan: the standard library only reads it."""

    def inline(value: Any) -> str:
        if isinstance(value, dict):
            entries = ", ".join(f"{json.dumps(key)} = {inline(value[key])}" for key in value)
            return f"{{{entries}}}"
        if isinstance(value, list):
            return f"[{', '.join(map(inline, value))}]"
        return json.dumps(value)

    return "\n".join(f"{json.dumps(key)} = {inline(plan[key])}" for key in plan)


@pytest.mark.parametrize("name", EXAMPLES)
def test_omegaconf(name: str) -> None:
    """OmegaConf's containers are neither dicts nor lists, and are taken like them."""
    config = OmegaConf.create(parsed(name))
    assert not isinstance(config, dict)
    assert to_plan(built(name, config)) == to_plan(built(name, parsed(name)))


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
    assert at(schedule, "lr", 50) == pytest.approx([0.075, 0.15])
    assert at(schedule, "weight_decay", 100) == pytest.approx([0.15, 0.3])
    assert to_plan(schedule)["eps"]["milestones"] == [2, 4]


UNSET: dict[str, Any] = {
    "lr.absolute": {"lr": {"curve": {"kind": "Constant", "value": 1}, "absolute": "???"}},
    "lr.curve": {"lr": {"curve": "???"}},
    "lr.curve.value": {"lr": {"curve": {"kind": "Constant", "value": "???"}}},
    "plan.lr": {"lr": "???"},
    "lr.default_value": {"lr": {"scheduler": "StepLR", "step_size": 2, "default_value": "???"}},
}


@pytest.mark.parametrize(("unset", "plan"), UNSET.items())
def test_an_entry_of_omegaconf_that_is_not_set_is_refused(unset: str, plan: Any) -> None:
    """``???`` differs from an entry that is left out: somebody forgot to set it."""
    with pytest.raises(ValueError, match=rf"^{unset}: Missing mandatory value"):
        from_plan(make_optimizer(), OmegaConf.create(plan))


def test_a_fault_in_a_config_has_its_path() -> None:
    """The error about OmegaConf's container is the one about a dict."""
    plan = changed(PLAN, {("clip", "curve", "curves", 1, "steps"): -3})
    with pytest.raises(ValueError, match=r"^clip\.curve\.curves\[1\]\.steps: expected 0 or more"):
        from_plan(make_optimizer(), OmegaConf.create(plan))


# -- the JSON Schema -------------------------------------------------------------------------------


def is_valid(plan: Any) -> bool:
    return bool(VALIDATOR.is_valid(json.loads(json.dumps(plan))))


def test_the_schema_is_the_one_of_the_registers() -> None:
    """The file in the package has all names: `python tests/builtins/plan_schema.py` writes it."""
    assert (resources.files(tsa_builtins) / NAME).read_text("utf-8") == as_text()
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    text = as_text()
    assert [name for name in (*BUILT_INS, *KINDS, *without_functions()) if name not in text] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_are_valid(name: str) -> None:
    """Each example fits the schema, as parsed and as described."""
    assert VALIDATOR.is_valid(parsed(name))
    assert is_valid(to_plan(built(name, parsed(name))))


@settings(
    max_examples=examples(50),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(plan=plans())
def test_random_plans_are_valid(plan: dict[str, Any]) -> None:
    """A plan that ``from_plan`` takes fits the schema."""
    assert is_valid(plan)


# Only the optimizer, or a number's range, shows that these are wrong.
NOT_SEEN = {
    "target", "target of one's own", "out of range", "torch's own check", "torch's check of a part",
    "range of a curve", "number of boundaries", "group", "a group without a curve",
    "curves in order, too few", "a value out of the target's range", "a scheduler that is code",
    "groups by number", "a curve that is code", "NaN", "a target that is not text", "a point",
    "an unknown source", "a source of one's own", "a target that follows itself",
    "a source that is a tuple", "a rule that is code", "milestones out of order",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FAULTS.keys() - NOT_SEEN))
def test_the_schema_shows_faults(name: str) -> None:
    """A fault of form does not fit the schema, and its remedy does."""
    assert is_valid(PLAN)
    assert not is_valid(FAULTS[name].broken())
    assert is_valid(FAULTS[name].mended())


def test_the_schema_shows_numbers_as_text() -> None:
    """A number as text does not fit the schema."""
    for place, text, _ in TEXTS:
        assert not is_valid(changed(PLAN, {place: text}))


def best_error(plan: Any) -> tuple[list[Any], str]:
    """The path and the words of the error that an editor shows."""
    error = best_match(VALIDATOR.iter_errors(plan))
    assert error is not None
    return list(error.absolute_path), error.message


PLACES_OF_CURVES: dict[str, Any] = {
    "alone": (lambda curve: curve, ()),
    "of a group": (lambda curve: {"backbone": LINE, "head": curve}, ("head",)),
    "in a list": (lambda curve: [LINE, curve], (1,)),
    "in a join": (
        lambda curve: {"kind": "Join", "curves": [LINE, curve], "boundaries": [4]},
        ("curves", 1),
    ),
}


@pytest.mark.parametrize("place", PLACES_OF_CURVES)
@pytest.mark.parametrize("kind", ["Cosin", "Foo", None])
def test_the_schema_names_all_kinds(place: str, kind: Any) -> None:
    """A wrong kind is shown where it stands, with every kind that may stand there."""
    make, path = PLACES_OF_CURVES[place]
    where, words = best_error({"lr": {"curve": make({**LINE, "kind": kind})}})
    assert where == ["lr", "curve", *path, "kind"]
    assert [name for name in KINDS if repr(name) not in words] == []
    assert is_valid({"lr": {"curve": make(LINE)}})


def test_an_editor_can_complete_a_kind() -> None:
    """The kinds are one list, and a dict with a kind cannot be one of the groups' names."""
    definitions = SCHEMA["definitions"]
    assert definitions["curve"]["properties"]["kind"]["enum"] == sorted(KINDS)
    assert definitions["curveOrCurves"]["if"]["required"] == ["kind"]
    assert definitions["curveOrCurves"]["then"] == {"$ref": "#/definitions/curve"}
    assert is_valid({"lr": {"curve": {"backbone": LINE}}})
    assert not is_valid({"lr": {"curve": {"kind": LINE}}})


ERRORS_SHOWN: dict[str, tuple[Any, list[Any], str]] = {
    "a built-in": ({"schedule": "cosin", "value": 1}, ["schedule"], "constant_schedule"),
    "a torch scheduler": ({"scheduler": "StepLr"}, ["scheduler"], "'StepLR'"),
    "an argument": (
        {"schedule": "constant_schedule", "value": 1, "valu": 1},
        [],
        "'valu' was unexpected",
    ),
    "a setting": ({"scheduler": "StepLR", "step_size": 2.5}, ["step_size"], "2.5 is not of type"),
    "an entry of a curve": ({"curve": {**LINE, "step": 1}}, ["curve"], "'step' was unexpected"),
    "a power": ({"follows": "lr", "powr": 2}, [], "'powr' was unexpected"),
    "an entry beside it": ({"curve": LINE, "absolut": True}, [], "'absolut' was unexpected"),
}


@pytest.mark.parametrize("name", ERRORS_SHOWN)
def test_the_schema_shows_what_was_meant(name: str) -> None:
    """An error is about the form that was begun, and not about all the others."""
    described, path, words = ERRORS_SHOWN[name]
    where, message = best_error({"lr": described})
    assert where == ["lr", *path]
    assert words in message


def test_the_schema_is_in_the_package() -> None:
    """An editor finds the schema beside the package's modules."""
    assert Path(tsa_builtins.__file__).with_name(NAME).is_file()
