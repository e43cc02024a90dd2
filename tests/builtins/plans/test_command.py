"""The command that checks plans in files, and says or draws what they do."""

from __future__ import annotations

import io
import json
import math
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cases import examples
from closed_forms import NAMES, Plan, arguments, closed_form
from curve_forms import Pair, pairs
from hypothesis import HealthCheck, given, settings

from tsa_builtins import curves
from tsa_builtins.plans.command import main

LINE = {"kind": "Linear", "start": 1, "end": 0, "steps": 100}
ONE = {"lr": {"curve": LINE}}
ROW = re.compile(r"(?m)^    step ([^\s:]+) +([^\s,]+)")
Command = Callable[..., str]


@pytest.fixture
def command(tmp_path: Path, capsys: Any) -> Command:
    """The command on a plan in a file: it checks the exit status and errors, and returns the rest.

    The errors have ``err`` in them, or there are none. What fails prints nothing else, and a wrong
    plan is said in one line.
    """

    def run(
        content: Any, options: str = "", *, status: int = 0, err: str = "", name: str = "plan.json"
    ) -> str:
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / name).write_text(text, encoding="utf-8")
        try:
            ended = main([str(tmp_path / name), *shlex.split(options)])
        except SystemExit as error:
            ended = int(str(error.code))
        out, errors = capsys.readouterr()
        errors = errors.replace(f"{tmp_path}/", "")
        assert ended == status
        assert err in errors if err else not errors
        assert bool(out) == (status == 0)
        if status == 1:
            assert errors.startswith((name, "--plot: "))
            assert errors.count("\n") == 1
        return str(out)

    return run


def rows_of(text: str) -> dict[float, float]:
    return {float(t): float(value) for t, value in ROW.findall(text)}


def said(text: str) -> list[str]:
    """The lines of the output, with the rows of a shape behind its words."""
    return re.sub(r"\n {4}", " | ", re.sub(r"\n {6}", " ", text)).splitlines()


def near(expected: float) -> Any:
    return pytest.approx(expected, rel=1e-5, abs=1e-9)


# -- numbers ---------------------------------------------------------------------------------------


@given(pair=pairs)
@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_each_number_is_that_of_the_closed_form(pair: Pair, command: Command) -> None:
    """Each row has λ(t), the boundaries have rows, and a curve that stays does not move again."""
    text = command({"x": {"absolute": True, "curve": curves.to_dict(pair.curve)}})
    rows = rows_of(text)
    for t, value in rows.items():
        # A restart can be at a number that no float holds.
        assert value in [near(pair.closed_form(t * (1 + e))) for e in (0, 1e-12, -1e-12)]
    assert all(any(math.isclose(b, t, abs_tol=1e-9) for t in rows) for b in pair.curve.boundaries)
    if "and stays" in text:
        for t in (max(rows) + 1, 2 * max(rows) + 7.3, 1e4):
            assert pair.closed_form(t) == near(rows[max(rows)])


def test_a_value_that_moves_far_later_does_not_stay(command: Command) -> None:
    """The bound holds until t = 31.5, where 2/√(1 + 2t) = 0.25; the last turn is at 0.5."""
    shape = {"kind": "InverseSqrt", "start": 2.0, "timescale": 0.5}
    curve = {"kind": "Clip", "curve": shape, "low": 0.0, "high": 0.25}
    out = command({"lr": {"curve": curve}})
    assert "0.25" in out
    assert "and stays" not in out


def test_a_built_in_has_its_numbers_at_its_steps(command: Command) -> None:
    """The end of the warmup, of a plateau and of the annealing have rows, in multiples."""
    plan = Plan()
    for name in NAMES:
        given = arguments(name, plan)
        rows = rows_of(command({"lr": {"schedule": name, **given}}))
        assert rows == {t: near(closed_form(name, plan, t)) for t in rows}
        steps = {given[key] for key in ("num_warmup_steps", "num_training_steps") if key in given}
        assert {0, *steps} <= rows.keys()


COMPOUND = {
    "scheduler": "SequentialLR", "milestones": [10], "schedulers": [
        {"scheduler": "LinearLR", "start_factor": 0.1, "total_iters": 10},
        {"scheduler": "ExponentialLR", "gamma": 0.9}]}  # fmt: skip
# What drives a target, the options, and the rows.
ROWS: list[tuple[dict[str, Any], str, dict[float, Any]]] = [
    ({"scheduler": "StepLR", "step_size": 30, "gamma": 0.5}, "", {0: 1, 29: 1, 30: 0.5}),
    ({"scheduler": "OneCycleLR", "max_lr": 0.1, "total_steps": 50}, "", {0: 4e-3, 49: 4e-7}),
    ({"scheduler": "ExponentialLR", "gamma": 0.5}, "--steps 3", {0: 1, 2: 0.25, 3: 0.125}),
    (COMPOUND, "--steps 40", {0: 0.1, 10: 1, 40: near(0.9**30)}),
    ({"curve": {"kind": "InverseSqrt", "start": 1, "timescale": 100}}, "--steps 300",
     {0: 1, 100: near(0.5**0.5), 300: 0.5}),
    ({"curve": LINE}, "--stretch 391", {0: 1, 39100: 0}),
]  # fmt: skip


def test_the_steps_of_settings_and_options_have_rows(command: Command) -> None:
    """A torch scheduler has the numbers of torch on ``lr``; ``--stretch`` is steps per unit."""
    for described, options, rows in ROWS:
        assert rows_of(command({"lr": described}, options)) == rows


def test_the_unit_takes_the_place_of_steps(command: Command, monkeypatch: Any) -> None:
    """``--unit`` is the word in the shape, in the rows and on the axis of the picture."""
    drawn: list[Any] = []
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda each, path: drawn.append(each))
    points = {0: 0, 1_000_000: 1, 2_000_000_000: 0}
    step_lr = {"scheduler": "StepLR", "step_size": 30}
    plan = {"lr": {"curve": {"kind": "Piecewise", "points": points}}, "x": step_lr}
    assert said(command(plan, "--unit tokens --plot plan.svg")) == [
        "lr: multiples of the initial value",
        "  piecewise through 0 at tokens 0, 1 at tokens 1000000, 0 at tokens 2000000000"
        " | tokens 0           0 | tokens 1000000     1 | tokens 2000000000  0, and stays",
        "x: multiples of the initial value",
        # A name in torch stays.
        "  torch's StepLR: step_size 30 | tokens 0   1 | tokens 29  1 | tokens 30  0.1",
    ]
    assert [axes.get_xlabel() for axes in drawn[0].axes][-1] == "tokens"


# -- values in place of multiples ------------------------------------------------------------------


def test_without_an_optimizer_the_numbers_say_what_they_assume(command: Command) -> None:
    """Multiples, values, and values that depend on an initial value each say so."""
    one_cycle = {"scheduler": "OneCycleLR", "max_lr": 1, "total_steps": 50}
    plan = {
        "lr": {"absolute": True, "curve": {**LINE, "start": 0.5, "end": 0.25}},
        "betas[1]": {"curve": {**LINE, "end": 0.5}},
        "weight_decay": {"follows": "lr", "power": 2},
        "clip": {"default_value": 8, "follows": "betas[1]"},
        "eps": {"scheduler": "CosineAnnealingLR", "T_max": 10, "eta_min": 0.5},
        "x": {**one_cycle, "cycle_momentum": False},
    }
    err = "'weight_decay' derives from multiples of 'lr', whose schedule gives absolute"
    assert said(command(plan, err=err)) == [
        "lr: values",
        "  linear from 0.5 to 0.25 over 100 steps | step 0    0.5 | step 100  0.25, and stays",
        "betas[1]: multiples of the initial value",
        "  linear from 1 to 0.5 over 100 steps | step 0    1 | step 100  0.5, and stays",
        "weight_decay: multiples of the initial value, if the initial value of 'lr' is 1",
        "  follows lr, to the power 2 | step 0    0.25 | step 100  0.0625, and stays",
        "clip: values, from the initial value 8",
        "  follows betas[1] | step 0    8 | step 100  4, and stays",
        "eps: values, if the initial value is 1",
        "  torch's CosineAnnealingLR: T_max 10, eta_min 0.5 | step 0   1 | step 10  0.5",
        "x: values",
        "  torch's OneCycleLR: max_lr 1, total_steps 50, cycle_momentum False"
        " | step 0   0.04 | step 49  4e-06",
    ]


def test_an_optimizer_gives_values(command: Command) -> None:
    """``--set`` gives initial values: of an entry, an element, a param group or one optimizer."""
    plan = {
        "muon/lr": {"curve": LINE},
        "adamw/lr": {"curve": {"head": LINE, "*": None}},
        "adamw/betas[0]": {"curve": {**LINE, "end": 0.5}},
        "adamw/weight_decay": {"follows": "lr"},
    }
    options = "--optimizer muon=SGD --optimizer adamw=AdamW --set muon/lr=0.02 --set adamw/lr=1e-3"
    options += " --set adamw/lr/head=4e-3 --set adamw/betas=0.5,0.75 --set adamw/betas[0]=0.25"
    assert said(command(plan, f"{options} --set weight_decay=0.5")) == [
        "muon/lr: values; the shape multiplies the initial value 0.02",
        "  linear from 1 to 0 over 100 steps | step 0    0.02 | step 100  0, and stays",
        "adamw/lr: values; the shape multiplies the initial value 0.004, 0.001",
        "  head: linear from 1 to 0 over 100 steps | step 0    0.004 | step 100  0, and stays",
        "  *: left alone | step 0  0.001, and stays",
        "adamw/betas[0]: values; the shape multiplies the initial value 0.25",
        "  linear from 1 to 0.5 over 100 steps | step 0    0.25 | step 100  0.125, and stays",
        "adamw/weight_decay: values, from the initial value 0.5",
        "  head: follows lr | step 0    0.5 | step 100  0, and stays",
        "  *: follows lr | step 0  0.5, and stays",
    ]


def test_groups_are_as_many_as_the_plan_needs(command: Command) -> None:
    """Names, lists of curves and lists of settings say how many param groups there are."""
    two = {"kind": "Constant", "value": 2}
    plan = {
        "lr": {"curve": {"a": LINE, "b": None, "*": two}},
        "weight_decay": {"curve": [LINE, None, None, LINE]},
    }
    text = command(plan)
    assert [line for line in text.splitlines() if line[:4].strip() and ":" in line] == [
        "lr: multiples of the initial value",
        "  a: linear from 1 to 0 over 100 steps",
        "  b: left alone",
        "  *, *: constant at 2",
        "weight_decay: multiples of the initial value",
        "  a, *: linear from 1 to 0 over 100 steps",
        "  b, *: left alone",
    ]
    cyclic = {"scheduler": "CyclicLR", "base_lr": [0.1, 0.2], "max_lr": [1, 2], "step_size_up": 2}
    text = command({"x": {**cyclic, "cycle_momentum": False}})
    assert "group 0: torch's CyclicLR" in text
    assert "    step 2  2" in text


# -- words -----------------------------------------------------------------------------------------

C = curves
WORDS: list[tuple[Any, str]] = [
    (C.Polynomial(1, 0.5, 10, 2.0), "polynomial from 1 to 0.5 over 10 steps, exponent 2"),
    (C.Warmup(10, skip_zero=True), "warmup over 10 steps, skip zero"),
    (C.InverseSqrt(1, 100), "inverse sqrt from 1, timescale 100"),
    (C.Piecewise({0: 0, 5: 1, 9: (0, "Polynomial", 2)}),
     "piecewise through 0 at step 0, 1 at step 5, 0 at step 9 by polynomial 2"),
    (C.join([C.Constant(1), C.OneMinusSqrt(1, 0, 4)], [8]),
     "constant at 1; from step 8: one minus sqrt from 1 to 0 over 4 steps"),
    (C.switch({0: C.Constant(1), 8: C.Linear(1, 0, 10)}),
     "on the clock of the run, constant at 1; from step 8: linear from 1 to 0 over 10 steps"),
    (C.stretch(C.repeat(C.Cosine(1, 0, 5), 5, growth=2), 3),
     "cosine from 1 to 0 over 5 steps, again every 5 steps, growth 2, 3 times as slow"),
    (C.clip(C.delay(C.staircase(C.Exponential(1, 0.5, 8), 2), 4), 0.75, 1),
     "exponential from 1 to 0.5 over 8 steps, in stairs of 2 steps, 4 steps later, at least "
     "0.75, at most 1"),
    (1 - 0.5 * C.Linear(1, 0, 4) * C.join([C.Constant(1), C.Constant(0.5)], [2]),
     "1 plus (-1 times 0.5 times linear from 1 to 0 over 4 steps times (constant at 1; from "
     "step 2: constant at 0.5))"),
]  # fmt: skip


def test_a_shape_is_said_in_words(command: Command) -> None:
    """The words of a curve are its kind and its arguments, and those of the curves in it."""
    for curve, words in WORDS:
        text = command({"x": {"absolute": True, "curve": curves.to_dict(curve)}})
        assert said(text)[1].partition(" | ")[0].strip() == words


# -- plans that are wrong --------------------------------------------------------------------------

PARTS = "\n".join(
    f"- &a{i + 1} {{scheduler: ChainedScheduler, schedulers: [*a{i}, *a{i}]}}" for i in range(60)
)
FALLING_SOURCE = {"lr": {"curve": LINE}, "x": {"follows": "lr", "power": -0.5}}
BELOW_ZERO = {"lr": {"curve": {**LINE, "end": -1}}}
WRONG_PLANS: list[tuple[str, Any, str]] = [
    ("plan.yml", "lr: {curve: {kind: Cosin}}", "lr.curve.kind: 'Cosin' is not a kind of curve"),
    ("plan.yaml", "lr:\n  a: [1\n", "plan.yaml:3:1: not YAML: "),
    ("plan.yaml", "lr: {}\nwd: {}\nlr: {}\n", "plan.yaml:3:1: 'lr' appears twice"),
    ("plan.yaml", "lr: !!python/object:os.PathLike {}", "plan.yaml:1:5: not YAML: "),
    ("plan.yaml", "lr: 2024-13-45", "plan.yaml: month must be in 1..12"),
    ("plan.yaml", "", "plan.yaml: plan: expected a dict"),
    ("plan.yaml", "a: &a {curve: *a}", "plan.yaml: plan: nested more than 200 deep"),
    ("plan.yaml", "[" * 9000, "plan.yaml: nested too deep"),
    ("plan.yaml", f"a:\n- &a0 {{}}\n{PARTS}\nlr: *a60", "plan: expected at most 20,000 dicts"),
    ("plan.json", '{"lr": {', "plan.json:1:9: not JSON: "),
    ("plan.json", '{"lr": {}, "lr": {}}', "plan.json: 'lr' appears twice"),
    ("plan.json", "[" * 200_000, "plan.json: nested too deep"),
    ("plan.json", [], "plan.json: plan: expected a dict"),
    ("plan.json", {"lr": 3}, "plan.json: lr: expected a dict"),
    ("plan.json", {"betas": {"curve": LINE}}, "plan.json: betas: "),
    ("plan.json", {"params": {"curve": LINE}}, "plan.json: params: "),
    ("plan.json", {"x[": {"curve": LINE}}, "plan.json: x[: "),
    ("plan.json", {"a/lr": {"curve": LINE}, "lr": {}}, "lr: with several optimizers"),
    ("plan.json", BELOW_ZERO, "plan.json: lr: "),
    ("plan.json", FALLING_SOURCE, "plan.json: x: the rule of 'x'"),
    ("plan.toml", "lr = ", "plan.toml: "),
]


def test_a_wrong_plan_is_named_with_its_place(command: Command) -> None:
    """The exit status is 1, and one line says the file and the path or the line in it."""
    for name, content, message in WRONG_PLANS:
        command(content, name=name, status=1, err=message)


def test_files_that_cannot_be_read(tmp_path: Path, capsys: Any) -> None:
    """No such file, a folder, and bytes that are not text; all files are checked all the same."""
    right, missing, binary = (tmp_path / name for name in ("plan.json", "no.yaml", "bytes.yaml"))
    right.write_text(json.dumps(ONE))
    binary.write_bytes(b"\xff\xfe")
    assert main([*map(str, (missing, tmp_path, binary, right))]) == 1
    out, err = capsys.readouterr()
    assert out.startswith(f"{right}:\nlr: multiples of the initial value\n")
    of_missing, of_folder, of_binary = err.splitlines()
    assert of_missing == f"{missing}: No such file or directory"
    assert of_folder.startswith(f"{tmp_path}: ")
    assert "expected text in UTF-8" in of_binary


def test_standard_input_is_json_or_yaml(command: Command, monkeypatch: Any, capsys: Any) -> None:
    """``-`` reads either of them, and so does a file with another ending."""
    for text in (json.dumps(ONE), yaml.safe_dump(ONE)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        assert main(["-"]) == 0
        assert rows_of(capsys.readouterr().out) == {0: 1, 100: 0}
        assert rows_of(command(text, name="plan.conf")) == {0: 1, 100: 0}
    # Without PyYAML, a YAML file is an error that says what to install, and JSON needs nothing.
    monkeypatch.setitem(sys.modules, "yaml", None)
    needs = "plan.yaml: needs PyYAML, which is not installed; pip install PyYAML"
    command("lr: {}", name="plan.yaml", status=1, err=needs)
    command(ONE)


def test_a_plan_is_checked_against_an_optimizer(command: Command) -> None:
    """A target that it lacks is an error; without an optimizer, a near miss is a warning."""
    near_miss, adamw = {"weight_decya": {"curve": LINE}}, "--optimizer AdamW --set lr=0.01"
    command(near_miss, adamw, status=1, err="plan.json: weight_decya: ")
    warning = "plan.json: warning: weight_decya: no optimizer of torch has"
    assert rows_of(command(near_miss, err=warning)) == {0: 1, 100: 0}
    command({"my_decay": {"curve": LINE}})
    # A plan that is only doubtful is right.
    doubtful = {"lr": {"schedule": "constant_schedule", "value": 0.01}}
    warning = "plan.json: warning: constant_schedule: value=0.01 is the initial value"
    command(doubtful, adamw, err=warning)


WRONG_COMMANDS = {
    "--optimizer AdamV": "'AdamV' is not an optimizer of torch; did you mean",
    "--optimizer muon=SGD": "the plan has no optimizer 'muon'",
    "--set lr=1": "--set: write --optimizer too",
    "--optimizer AdamW --set lr": "expected KEY=NUMBER",
    "--optimizer AdamW --set lr=nan": "expected KEY=NUMBER",
    "--optimizer AdamW --set lr=-1": "AdamW: Invalid learning rate: -1.0",
    "--optimizer AdamW --set momentum=1": "momentum: AdamW takes no 'momentum'",
    "--optimizer AdamW --set betas=0.9": "betas: expected 2 numbers",
    "--optimizer AdamW --set betas[2]=0.9": "betas[2]: expected an element",
    "--optimizer AdamW --set lr=1,2": "lr: expected one number",
    "--optimizer AdamW --set lr/head=1": "the plan names no group 'head'",
    "--steps 0": "expected a number above 0",
    "--unit ' '": "--unit: expected a word, such as tokens, got ' '",
    "--stretch x": "--stretch: expected a number above 0, got x",
    "--plot plan.svg other.json": "--plot: expected one plan",
    "--frobnicate": "unrecognized arguments",
}


def test_a_wrong_command_exits_with_2(command: Command) -> None:
    """The usage and one message are printed, and nothing of the plan."""
    for options, message in WRONG_COMMANDS.items():
        command(ONE, options, status=2, err=message)


# -- the picture -----------------------------------------------------------------------------------


def test_the_plan_is_drawn(command: Command, tmp_path: Path, monkeypatch: Any) -> None:
    """``--plot`` writes a picture until ``--steps``, or until the last turn of the plan."""
    step_lr = {"x": {"scheduler": "StepLR", "step_size": 30}}
    plateau = {"x": {"scheduler": "ReduceLROnPlateau"}}
    endless = {"x": {"scheduler": "ExponentialLR", "gamma": 0.5}}
    path = tmp_path / "plan.svg"
    for plan, options, not_drawn in (
        ({**ONE, **step_lr}, "", ""),
        (ONE, "--steps 1e11", ""),
        (ONE, "--optimizer AdamW --steps 7", ""),
        ({**plateau, **ONE}, "", "x: not drawn, because it depends on the metrics\n"),
    ):
        command(plan, f"--plot {path} {options}", err=not_drawn)
        assert "<svg" in path.read_text()
        path.unlink()
    assert "step 0  1, and then as the metrics have it" in command(plateau)
    command(endless, f"--plot {path}", status=2, err="give the last step with --steps")
    command(ONE, f"--plot {path}x", status=1, err="--plot: ")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    command(ONE, f"--plot {path}", status=1, err="pip install matplotlib")
