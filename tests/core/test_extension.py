"""``extend_optimizer`` adds an entry, and ``get_param_groups_regrouped_by_key`` reads it."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from cases import crossed
from helpers import INVALID_VALUES, Untouched, adamw, advance, held, put_curve, sgd

from tsa_core import extend_optimizer, get_param_groups_regrouped_by_key

# -- extending ------------------------------------------------------------------------------------


def test_an_entry_is_added_where_it_is_missing() -> None:
    """A group that has the entry keeps its own value, also in a second call as of a cell."""
    opt = sgd({}, {"clip": 3.0}, {})
    assert extend_optimizer(opt, "clip", 1.0) is opt
    assert held(opt, "clip") == [1.0, 3.0, 1.0]
    extend_optimizer(opt, "clip", 2.0)
    assert held(opt, "clip") == [1.0, 3.0, 1.0]


def test_overwriting_sets_the_value_in_every_group() -> None:
    """``overwrite_values`` is the fourth argument; with it, every group gets the value."""
    opt = sgd({}, {"clip": 3.0})
    extend_optimizer(opt, "clip", 1.0, overwrite_values=True)
    assert held(opt, "clip") == [1.0, 1.0]
    extend_optimizer(opt, "clip", 2.0, True)
    assert held(opt, "clip") == [2.0, 2.0]


def test_overwriting_an_element_keeps_the_tuple_and_the_other_elements() -> None:
    """Overwriting ``betas[0]`` keeps a tuple with the same ``betas[1]``."""
    opt = sgd({"betas": (0.9, 0.999)}, {"betas": (0.8, 0.99)})
    extend_optimizer(opt, "betas[0]", 0.5, overwrite_values=True)
    assert held(opt, "betas") == [(0.5, 0.999), (0.5, 0.99)]


@pytest.mark.parametrize("overwrite", [False, True], ids=["adding", "overwriting"])
def test_extending_adds_no_other_entry(overwrite: bool) -> None:
    """A group gains no key but the entry, and no initial value until a schedule records one."""
    opt = sgd({}, {"clip": 1.0})
    before = set(opt.param_groups[0])
    extend_optimizer(opt, "clip", 2.0, overwrite_values=overwrite)
    assert [set(group) for group in opt.param_groups] == [before | {"clip"}] * 2


def test_a_tensor_becomes_one_clone_per_group() -> None:
    """Each group gets its own detached clone, with the dtype of the given tensor."""
    value = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    opt = sgd({}, {})
    extend_optimizer(opt, "clip", value)
    first, second = held(opt, "clip")
    first.fill_(5.0)
    assert [first.item(), second.item(), value.item()] == [5.0, 2.0, 2.0]
    assert first.dtype is torch.float64
    assert not first.requires_grad


@pytest.mark.parametrize("kind", [int, np.float64, np.float32, np.int64, np.array, Fraction])
def test_every_real_number_is_added_as_a_python_number(kind: Callable[[int], Any]) -> None:
    """A real number of any type becomes a Python number, which every checkpoint can hold."""
    opt = sgd()
    extend_optimizer(opt, "clip", kind(-2))
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
    "key", ["betas", "amsgrad", "params"], ids=["a whole tuple", "a bool", "parameters"]
)
def test_overwriting_an_entry_that_cannot_be_a_target_is_refused(
    key: str, untouched: Untouched
) -> None:
    """A number in the place of a tuple or a flag would break the optimizer: a ``TypeError``."""
    opt = adamw()
    with untouched(opt), pytest.raises(TypeError, match=key):
        extend_optimizer(opt, key, 1.0, overwrite_values=True)


def test_overwriting_an_element_that_one_group_lacks_is_refused(untouched: Untouched) -> None:
    """A ``KeyError`` names the group that lacks the element, and no group has changed."""
    opt = sgd({"betas": (0.9, 0.999)}, {})
    with untouched(opt), pytest.raises(KeyError, match=r"'betas\[0\]' is not in param group 1"):
        extend_optimizer(opt, "betas[0]", 0.5, overwrite_values=True)


def test_overwriting_with_a_number_fills_a_tensor_in_place() -> None:
    """A tensor stays the same object, because a captured step reads that object."""
    lr = torch.tensor(0.5)
    opt = sgd({"lr": lr})
    extend_optimizer(opt, "lr", 0.25, overwrite_values=True)
    assert opt.param_groups[0]["lr"] is lr
    assert lr.item() == 0.25


@pytest.mark.parametrize("value", [math.nan, math.inf, torch.tensor(math.nan)], ids=repr)
def test_overwriting_replaces_a_value_that_is_not_finite(value: Any) -> None:
    """Overwriting replaces NaN and infinity, from which no schedule could start."""
    opt = extend_optimizer(sgd({"clip": value}), "clip", 2.0, overwrite_values=True)
    assert held(opt, "clip") == [2.0]


@pytest.mark.parametrize("overwrite", [None, 0, 1, "no", 2.0], ids=repr)
def test_overwrite_values_must_be_a_bool(overwrite: Any, untouched: Untouched) -> None:
    """Any ``overwrite_values`` but a bool is a ``TypeError``: it may be a misplaced argument."""
    opt = sgd({"clip": 1.0})
    with untouched(opt), pytest.raises(TypeError, match="overwrite_values: expected True or False"):
        extend_optimizer(opt, "clip", 2.0, overwrite)


def test_adding_keeps_an_entry_of_any_type(untouched: Untouched) -> None:
    """An existing flag, tuple or ``None`` stays as it is without ``overwrite_values``."""
    opt = sgd({"nesterov": False, "betas": (0.9, 0.999), "clip": None})
    with untouched(opt):
        for key in ("nesterov", "betas", "clip"):
            extend_optimizer(opt, key, 1.0)


@pytest.mark.parametrize("target", ["clip", "betas[0]"])
def test_overwriting_with_a_tensor_puts_one_clone_in_each_group(target: str) -> None:
    """A clone, with the dtype of the given tensor, replaces a float or any other tensor."""
    value = torch.tensor(0.75, dtype=torch.float64)
    opt = sgd(
        {"clip": 1.0, "betas": (0.9, 0.999)},
        {"clip": torch.tensor(1.0), "betas": (torch.tensor(0.9), 0.999)},
    )
    extend_optimizer(opt, target, value, overwrite_values=True)
    clones = held(opt, target)
    assert clones == [0.75, 0.75]
    assert [clone.dtype for clone in clones] == [torch.float64] * 2
    assert len({id(value), *map(id, clones)}) == 3
    assert held(opt, "betas[1]") == [0.999, 0.999]


def test_overwriting_with_a_tensor_sets_a_number_as_the_initial_value() -> None:
    """The initial value is a float, because the next step would fill a tensor."""
    opt = sgd({"clip": 1.0})
    schedule = put_curve(opt, "clip")
    extend_optimizer(opt, "clip", torch.tensor(4.0), overwrite_values=True)
    assert type(opt.param_groups[0]["initial_clip"]) is float
    assert schedule.base_lrs == [4.0]


def test_overwriting_a_tensor_with_a_number_it_cannot_hold_is_refused(untouched: Untouched) -> None:
    """A number beyond the range of float16 would become infinite; a wider tensor can replace it."""
    opt = sgd({"clip": 1.0}, {"clip": torch.tensor(1.0, dtype=torch.float16)})
    with (
        untouched(opt),
        pytest.raises(ValueError, match=r"default_value: 1000000.0 .* group 1; .*float16"),
    ):
        extend_optimizer(opt, "clip", 1e6, overwrite_values=True)
    extend_optimizer(opt, "clip", torch.tensor(1e6), overwrite_values=True)
    assert held(opt, "clip") == [1e6, 1e6]


@pytest.mark.parametrize("value", [1.5, 1.0, -0.25, torch.tensor(1.0)])
def test_a_beta_out_of_range_is_refused(value: Any, untouched: Untouched) -> None:
    """Adam checks its betas at construction only, and would go on with 1.5."""
    opt = adamw()
    with untouched(opt), pytest.raises(ValueError, match=r"default_value: .*'betas\[0\]'"):
        extend_optimizer(opt, "betas[0]", value, overwrite_values=True)


def test_a_tensor_of_inference_mode_is_not_filled(untouched: Untouched) -> None:
    """Torch does not let it be filled, so no group is written; a tensor takes its place."""
    with torch.inference_mode():
        held_by_second = torch.tensor(2.0)
    opt = sgd({"clip": torch.tensor(1.0)}, {"clip": held_by_second})
    with untouched(opt), pytest.raises(ValueError, match=r"param group 1 .*inference_mode"):
        extend_optimizer(opt, "clip", 3.0, overwrite_values=True)
    extend_optimizer(opt, "clip", torch.tensor(3.0), overwrite_values=True)
    assert held(opt, "clip") == [3.0, 3.0]


@pytest.mark.parametrize("overwrite_values", [True, False])
def test_an_entry_that_was_removed_starts_anew(overwrite_values: bool) -> None:
    """An entry that is added again has the new value as its initial value."""
    opt = sgd({"clip": 5.0})
    put_curve(opt, "clip")
    del opt.param_groups[0]["clip"]
    extend_optimizer(opt, "clip", 2.0, overwrite_values)
    assert put_curve(opt, "clip").get_last_lr() == [2.0]


def test_overwriting_a_shared_tensor_moves_only_the_entry() -> None:
    """Any other entry, and the default for groups that join later, keep the shared value."""
    shared = torch.tensor(0.5)
    opt = sgd({"floor": shared}, lr=shared)
    extend_optimizer(opt, "lr", 0.25, overwrite_values=True)
    assert (held(opt, "lr"), held(opt, "floor"), opt.defaults["lr"]) == ([0.25], [0.5], 0.5)


# -- reading --------------------------------------------------------------------------------------


def test_regrouping_gives_value_parameters_and_group(untouched: Untouched) -> None:
    """One tuple per group that has the key, in the optimizer's order, holds the real group."""
    opt = sgd({"clip": 1.0}, {}, {"clip": 3.0})
    with untouched(opt):
        regrouped = get_param_groups_regrouped_by_key(opt, "clip")
    assert isinstance(regrouped, list)
    first, _, third = opt.param_groups
    assert [value for value, _, _ in regrouped] == [1.0, 3.0]
    assert [params for _, params, _ in regrouped] == [first["params"], third["params"]]
    assert regrouped[0][2] is first
    assert regrouped[1][2] is third


def test_regrouping_gives_present_values_elements_and_tensors() -> None:
    """Regrouping gives what a schedule wrote last, an element alone, and a tensor itself."""
    lr = torch.tensor(0.5)
    opt = sgd({"betas": (0.9, 0.999), "lr": lr}, {"betas": (0.8, 0.5), "lr": 2.0})
    advance(put_curve(opt, "betas[1]"))
    values = [value for value, _, _ in get_param_groups_regrouped_by_key(opt, "betas[1]")]
    assert values == [0.4995, 0.25]
    (first, _, _), _ = get_param_groups_regrouped_by_key(opt, "lr")
    assert first is lr
