"""The arguments of built-ins: those of the page, and what is refused by name, untouched."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bad_numbers import BAD_NUMBERS
from cases import crossed, some
from closed_forms import (
    ANNEALING,
    FOREVER,
    INVERSE,
    NAMES,
    OUT_OF_RANGE,
    RISING,
    SYMBOLS,
    Plan,
    arguments,
    build,
    closed_form,
)
from small_runs import Untouched, adamw, advance, held

import tsa_builtins
from tsa_builtins import from_plan

PAGE = Path(__file__).parents[3].joinpath("docs", "builtin_schedules.md").read_text("utf-8")
WSD = "warmup_stable_decay"


def optimizer() -> Any:
    return adamw(*({"lr": lr, "tensor": torch.tensor(lr)} for lr in (0.1, 0.003)))


# -- the arguments that docs/builtin_schedules.md promises -----------------------------------------

# Each row of the table: the names of built-ins, and the arguments that they share.
ROWS = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| `(optimizer, [^`]*)` \|$", PAGE, re.MULTILINE)
SIGNATURES = {name: shown for names, shown in ROWS for name in re.findall(r"`(\w+)`", names)}


def test_tables_and_page_have_every_built_in() -> None:
    """The tests over all built-ins, and the page with its formulas, include every schedule."""
    others = {"curves", "Plan", "from_plan", "to_plan", "__version__"}
    assert set(NAMES) == set(SIGNATURES) == set(tsa_builtins.__all__) - others
    formulas = PAGE.partition("\n## Formulas\n")[2].partition("\n## ")[0]
    assert [name for name in NAMES if f"`{name}`" not in formulas] == []


@pytest.mark.parametrize("name", NAMES)
def test_arguments_have_the_promised_order(name: str) -> None:
    """Names, order and defaults are those on the page; by position they mean the same."""
    make = getattr(tsa_builtins, name)
    taken = inspect.signature(make).parameters
    bare = [each.replace(annotation=each.empty) for each in taken.values()]
    assert str(inspect.Signature(bare)).replace("'", '"') == f"({SIGNATURES[name]})"
    known = {"optimizer", *SYMBOLS, "decay", "skip_zero", "schedule_target", "absolute", "where"}
    assert taken.keys() <= known
    given = arguments(name, Plan(W=0.5, A=0.1, L=2, M=7, R=3.0, P=1.7))
    positional = make(adamw(), *given.values(), "weight_decay")
    named = make(adamw(), **given, schedule_target="weight_decay")
    assert positional.curve == named.curve
    assert positional.schedule_target == named.schedule_target == "weight_decay"


def test_docstrings_say_which_shape_is_meant() -> None:
    """The quarter wave leads to the half wave, and √(1 − p) is told from 1 − √p."""
    for name in ("cosine_annealing_with_warmup", "cosine_annealing_with_inverse_warmup"):
        text = getattr(tsa_builtins, name).__doc__
        assert text.startswith("The annealing is a quarter of a cosine wave")
        assert "half_cosine_annealing_with_warmup" in text
    text = str(tsa_builtins.sqrt_schedule_with_warmup.__doc__)
    assert "1 − √p" in text
    assert "arxiv.org/abs/2405.18392" in text


@pytest.mark.parametrize(
    ("name", "kind"), crossed(NAMES, [np.float64, np.float32, np.int64, Fraction, int])
)
def test_every_kind_of_real_number_is_taken(name: str, kind: Any) -> None:
    """NumPy's scalars, fractions and ints are taken, and the groups then hold Python floats."""
    opt, plan = optimizer(), Plan(W=4, A=2, L=2, M=6, R=3)
    given = {parameter: kind(number) for parameter, number in arguments(name, plan).items()}
    advance(build(name, opt, plan, **given), 5)
    assert [type(value) for value in held(opt)] == [float, float]
    λ = closed_form(name, plan, 5)
    assert held(opt) == pytest.approx([0.1 * λ, 0.003 * λ])


# -- refused ---------------------------------------------------------------------------------------

Refused = tuple[dict[str, Any], type[Exception], str]
# The arguments that some built-ins refuse, and what the error says.
REFUSED: list[tuple[tuple[str, ...], list[Refused]]] = [
    (NAMES, [
        ({"target": "weight_decy"}, KeyError, "did you mean 'weight_decay'"),
        ({"target": "betas"}, TypeError, "betas[0]"),
        ({"target": "betas[-1]"}, ValueError, "betas[-1]"),
        ({"target": ""}, ValueError, "schedule_target"),
        ({"target": None}, TypeError, "schedule_target"),
        *(({"absolute": bad}, TypeError, f"absolute: expected True or False, got {bad!r}")
          for bad in (1, 0, None, "yes")),
    ]),
    (RISING, [({"skip_zero": bad}, TypeError, f"skip_zero: expected true or false, got {bad!r}")
              for bad in (1, None, "yes")]),
    (INVERSE, [  # a step between the two would overflow
        ({"warmup_to_value": 1e200, "warmup_multiplier": 1e200}, ValueError, "to_value * warmup_"),
        ({"warmup_to_value": 1e308, "warmup_multiplier": -1.0}, ValueError, "_multiplier - 1)"),
    ]),
    (ANNEALING, [
        *(({"warmup_to_value": far, "anneal_to_value": -far}, ValueError, "to_value - anneal_to")
          for far in (1e308, 10**308)),
        *(({"num_warmup_steps": L, "num_training_steps": M}, ValueError,
           f"num_warmup_steps: expected at most num_training_steps = {M!r}, got {L!r}")
          for L, M in ((13, 12), (12.001, 12), (1, 0.5))),
        ({"target": "betas[0]", "absolute": True, "warmup_to_value": 1.25, "num_warmup_steps": 0},
         ValueError, "'betas[0]' at step 0: 1.25"),
        ({"target": "lr", "anneal_to_value": -0.125}, ValueError, ": -0.125, as "),
    ]),
    ((WSD,), [
        ({"num_decay_steps": 9}, ValueError, "num_decay_steps: expected at most "
         "num_training_steps - num_warmup_steps = 8, got 9"),
        ({"decay": "Cosin"}, ValueError, "decay: 'Cosin' is not a shape; did you mean 'Cosine'"),
        ({"decay": 3}, TypeError, "decay: expected the name of a shape, got 3"),
        ({"decay": "Polynomial"}, TypeError, "'Polynomial', exponent"),
        ({"decay": ("Polynomial", -1)}, ValueError, "exponent: expected more than 0"),
        ({"decay": "Exponential", "anneal_to_value": 0.0}, ValueError,
         "decay: Exponential from 1.5 to 0.0: "),
    ]),
    ((FOREVER,), [({"num_warmup_steps": 0}, ValueError, "curves.InverseSqrt(1, ")]),
]  # fmt: skip


def bad_numbers() -> Iterator[tuple[str, Refused]]:
    """Of each number of each built-in, one that is not real or finite, and one out of range."""
    numbers = [(name, parameter) for name in NAMES for parameter in arguments(name, Plan())]
    cases = [(each, BAD_NUMBERS[bad]) for each, bad in crossed(numbers, BAD_NUMBERS)]
    for ranged, values in OUT_OF_RANGE.items():
        having = [each for each in numbers if each[1] == ranged]
        cases += [(each, (value, ValueError)) for each, value in crossed(having, values)]
    for (name, parameter), (value, error) in cases:
        yield name, ({parameter: value}, error, repr(value))


@pytest.mark.parametrize(
    ("name", "refused"),
    [*bad_numbers(), *(case for axes in REFUSED for case in crossed(*axes))],
)
def test_a_bad_argument_is_refused(name: str, refused: Refused, untouched: Untouched) -> None:
    """The error names the argument and what was given, and the groups stay as they were."""
    opt, (given, error, says) = optimizer(), refused
    with untouched(opt), pytest.raises(error) as raised:
        build(name, opt, Plan(), **given)
    message = str(raised.value.args[0])
    assert says in message
    assert "target" in given or any(parameter in message for parameter in given)
    assert not opt._optimizer_step_pre_hooks


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"skip_zero": 1}, TypeError, r"^lr\.skip_zero: expected true or false, got 1"),
        ({"decay": ["Polynomial", "2"]}, TypeError, r"^lr\.decay\[1\]: .*write 2 without"),
        ({"decays": 2}, ValueError, r"^lr\.decays: .*did you mean 'decay'"),
    ],
)
def test_in_a_plan_the_error_has_the_path(
    changed: dict[str, Any], error: type[Exception], message: str, untouched: Untouched
) -> None:
    """The message about a plan begins with the path of what is wrong."""
    opt = optimizer()
    described = {"schedule": WSD, **arguments(WSD, Plan(W=0.5)), **changed}
    with untouched(opt), pytest.raises(error, match=message):
        from_plan(opt, {"lr": described})


@pytest.mark.parametrize("given", [torch.nn.Linear(2, 1), torch.optim.AdamW, None, True])
def test_an_object_that_is_not_an_optimizer_is_refused(given: Any) -> None:
    """A TypeError says what was expected as ``optimizer``, and which type was given."""
    says = f"optimizer: expected .*param_groups.*got {type(given).__name__}"
    for name in some(NAMES):
        with pytest.raises(TypeError, match=says):
            build(name, given, Plan())
