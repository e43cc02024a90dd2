"""``extend_optimizer`` adds an entry, and ``get_param_groups_regrouped_by_key`` reads it."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from cases import crossed
from helpers import INVALID_VALUES, Untouched, adamw, held, put_curve, sgd

from tsa_core import extend_optimizer, get_param_groups_regrouped_by_key


def test_an_entry_is_added_where_it_is_missing(untouched: Untouched) -> None:
    """A group that has the entry, of any type, keeps its own value; no other key is added."""
    values: list[dict[str, Any]] = [{}, {"clip": 3.0}, {"clip": None}]
    opt = sgd(*({"betas": (0.9, 0.999), **each} for each in values))
    before = {*opt.param_groups[0]}
    assert extend_optimizer(opt, "clip", 1.0) is opt
    assert held(opt, "clip") == [1.0, 3.0, None]
    assert [{*group} for group in opt.param_groups] == [before | {"clip"}] * 3
    with untouched(opt):  # also in a second call, as of a cell
        for key in ("nesterov", "betas", "clip"):
            extend_optimizer(opt, key, 2.0)


def test_overwriting_sets_the_value_in_every_group() -> None:
    """A NaN too, from which no schedule could start; ``overwrite_values`` is the 4th argument."""
    opt = sgd({}, {"clip": 3.0}, {"clip": math.nan}, {"clip": torch.tensor(math.inf)})
    before = {*opt.param_groups[0]}
    extend_optimizer(opt, "clip", 1.0, overwrite_values=True)
    assert held(opt, "clip") == [1.0] * 4
    extend_optimizer(opt, "clip", 2.0, True)
    assert held(opt, "clip") == [2.0] * 4
    assert [{*group} for group in opt.param_groups] == [before | {"clip"}] * 4


@pytest.mark.parametrize(
    ("target", "groups"),
    [
        ("clip", [{}, {}]),
        ("clip", [{"clip": 1.0}, {"clip": torch.tensor(1.0)}]),
        ("betas[0]", [{"betas": (0.9, 0.999)}, {"betas": (torch.tensor(0.9), 0.999)}]),
    ],
)
def test_a_tensor_becomes_one_clone_per_group(target: str, groups: list[dict[str, Any]]) -> None:
    """A detached clone, with the given dtype, is added or replaces what was there."""
    value = torch.tensor(0.75, dtype=torch.float64, requires_grad=True)
    opt = extend_optimizer(sgd(*groups), target, value, overwrite_values=bool(groups[0]))
    first, second = held(opt, target)
    assert first.dtype is second.dtype is torch.float64
    assert [first.requires_grad, second.requires_grad] == [False, False]
    first.fill_(0.5)
    assert [first.item(), second.item(), value.item()] == [0.5, 0.75, 0.75]
    assert target == "clip" or held(opt, "betas[1]") == [0.999, 0.999]


def test_every_real_number_is_added_as_a_python_number() -> None:
    """A real number of any type becomes a Python number, which every checkpoint can hold."""
    for kind in (int, np.float64, np.float32, np.int64, np.array, Fraction):
        opt = extend_optimizer(sgd(), "clip", kind(-2))
        assert held(opt, "clip") == [-2]
        assert type(opt.param_groups[0]["clip"]) in (int, float)


@pytest.mark.parametrize(("name", "overwrite"), crossed([*INVALID_VALUES, "None"], [True, False]))
def test_a_default_that_is_not_a_finite_real_number_is_refused(
    name: str, overwrite: bool, untouched: Untouched
) -> None:
    """An invalid default is an error with the parameter's name, and no group has changed."""
    value, error = INVALID_VALUES.get(name, (None, TypeError))
    opt = sgd({"clip": 1.0}, {})
    with untouched(opt), pytest.raises(error, match=r"^default_value: "):
        extend_optimizer(opt, "clip", value, overwrite_values=overwrite)


@pytest.mark.parametrize(
    ("key", "value", "overwrite", "error", "says"),
    [
        # A number in the place of a tuple or a flag would break the optimizer.
        *((key, 1.0, True, TypeError, key) for key in ("betas", "amsgrad", "params")),
        ("x[0]", 0.5, True, KeyError, r"'x\[0\]' is not in param group 1"),
        # An overwrite_values that is not a bool may be a misplaced argument.
        *(
            ("lr", 1.0, each, TypeError, "^overwrite_values: exp")
            for each in (None, 0, 1, "no", 2.0)
        ),
        # Adam checks its betas at construction only, and would go on with 1.5.
        *(
            ("betas[0]", each, True, ValueError, r"default_value: .*'betas\[0\]'")
            for each in (1.5, 1.0, -0.25, torch.tensor(1.0))
        ),
    ],
)
def test_what_cannot_be_overwritten_is_refused(
    key: str, value: Any, overwrite: Any, error: Any, says: str, untouched: Untouched
) -> None:
    """An error names the entry, group or argument that does not fit, and no group has changed."""
    opt = adamw({"x": (0.9, 0.999)}, {})
    with untouched(opt), pytest.raises(error, match=says):
        extend_optimizer(opt, key, value, overwrite_values=overwrite)


def test_overwriting_an_element_keeps_the_tuple_and_the_other_elements() -> None:
    """Overwriting ``betas[0]`` keeps a tuple with the same ``betas[1]``."""
    opt = sgd({"betas": (0.9, 0.999)}, {"betas": (0.8, 0.99)})
    extend_optimizer(opt, "betas[0]", 0.5, overwrite_values=True)
    assert held(opt, "betas") == [(0.5, 0.999), (0.5, 0.99)]


def test_overwriting_with_a_number_fills_the_groups_own_tensor() -> None:
    """A tensor stays the same object, which a captured step reads; a shared one does not move."""
    lr, shared = torch.tensor(0.5), torch.tensor(0.5)
    opt = sgd({"lr": lr}, {"floor": shared}, lr=shared)
    extend_optimizer(opt, "lr", 0.25, overwrite_values=True)
    assert held(opt, "lr")[0] is lr
    assert held(opt, "lr") == [0.25, 0.25]
    # Another entry, and the default for groups that join later, keep the shared value.
    assert (opt.param_groups[1]["floor"], opt.defaults["lr"]) == (0.5, 0.5)


def test_a_tensor_that_cannot_hold_the_number_is_replaced_by_a_tensor_alone(
    untouched: Untouched,
) -> None:
    """float16 would become infinite, and torch fills no tensor of inference mode: none moves."""
    with torch.inference_mode():
        of_inference = torch.tensor(2.0)
    for tensor, says in (
        (torch.tensor(1.0, dtype=torch.float16), r"^default_value: 1000000.0 .* 1; .*float16"),
        (of_inference, r"param group 1 .*inference_mode"),
    ):
        opt = sgd({"clip": torch.tensor(1.0)}, {"clip": tensor})
        with untouched(opt), pytest.raises(ValueError, match=says):
            extend_optimizer(opt, "clip", 1e6, overwrite_values=True)
        extend_optimizer(opt, "clip", torch.tensor(1e6), overwrite_values=True)
        assert held(opt, "clip") == [1e6, 1e6]


def test_overwriting_sets_a_number_as_the_initial_value() -> None:
    """The next step would fill a tensor, so a float is recorded; a lost entry starts anew."""
    opt = sgd({"clip": 1.0})
    schedule = put_curve(opt, "clip")
    extend_optimizer(opt, "clip", torch.tensor(4.0), overwrite_values=True)
    assert type(opt.param_groups[0]["initial_clip"]) is float
    assert schedule.base_lrs == [4.0]
    for overwrite in (True, False):
        del opt.param_groups[0]["clip"]
        value = 2.0 + overwrite
        extend_optimizer(opt, "clip", value, overwrite)
        assert put_curve(opt, "clip").get_last_lr() == [value]


def test_regrouping_gives_value_parameters_and_group(untouched: Untouched) -> None:
    """One tuple per group that has it, an element or a tensor itself, holds the real group."""
    lr = torch.tensor(0.5)
    opt = sgd({"betas": (0.9, 0.999)}, {"lr": lr}, {"betas": (0.8, 0.5)})
    first, _, third = opt.param_groups
    with untouched(opt):
        regrouped = get_param_groups_regrouped_by_key(opt, "betas[1]")
        assert get_param_groups_regrouped_by_key(opt, "lr")[1][0] is lr
    assert isinstance(regrouped, list)
    assert [each[:2] for each in regrouped] == [(0.999, first["params"]), (0.5, third["params"])]
    assert regrouped[0][2] is first
    assert regrouped[1][2] is third
