"""``extend_optimizer``, and ``get_param_groups_regrouped_by_key`` that reads what it added."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from tsa_core import CurveSchedule, extend_optimizer, get_param_groups_regrouped_by_key

Untouched = Callable[[Any], AbstractContextManager[None]]


def sgd(*groups: dict[str, Any]) -> Any:
    return torch.optim.SGD(
        [{"params": [torch.nn.Parameter(torch.ones(2))], **group} for group in groups], lr=0.5
    )


def held(optimizer: Any, key: str) -> list[Any]:
    return [group[key] for group in optimizer.param_groups]


# -- extending ------------------------------------------------------------------------------------


def test_it_adds_the_entry_where_it_is_missing() -> None:
    """A group that has it keeps its own value; the optimizer itself comes back."""
    opt = sgd({}, {"clip": 3.0}, {})
    assert extend_optimizer(opt, "clip", 1.0) is opt
    assert held(opt, "clip") == [1.0, 3.0, 1.0]


def test_overwriting_sets_it_everywhere() -> None:
    """With ``overwrite_values`` every group gets the value."""
    opt = sgd({}, {"clip": 3.0})
    extend_optimizer(opt, "clip", 1.0, overwrite_values=True)
    assert held(opt, "clip") == [1.0, 1.0]


def test_arguments_by_position_come_in_the_promised_order() -> None:
    """``(optimizer, name, default_value, overwrite_values)``."""
    opt = sgd({"clip": 3.0})
    extend_optimizer(opt, "clip", 1.0, True)
    assert held(opt, "clip") == [1.0]


def test_overwriting_an_element_leaves_its_neighbours() -> None:
    """``betas[0]`` is set in a tuple that stays a tuple."""
    opt = sgd({"betas": (0.9, 0.999)}, {"betas": (0.8, 0.99)})
    extend_optimizer(opt, "betas[0]", 0.5, overwrite_values=True)
    assert held(opt, "betas") == [(0.5, 0.999), (0.5, 0.99)]


def test_extending_twice_changes_nothing() -> None:
    """Without ``overwrite_values`` a second call, as of a re-run cell, is without effect."""
    opt = sgd({})
    extend_optimizer(opt, "clip", 1.0)
    extend_optimizer(opt, "clip", 2.0)
    assert held(opt, "clip") == [1.0]


def test_adding_an_entry_adds_nothing_else() -> None:
    """No other key appears until something schedules it."""
    opt = sgd({})
    before = set(opt.param_groups[0])
    extend_optimizer(opt, "clip", 1.0)
    assert set(opt.param_groups[0]) == before | {"clip"}


def test_a_tensor_becomes_one_clone_a_group() -> None:
    """Each group has a tensor of its own, detached, with the dtype of the one given."""
    value = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    opt = sgd({}, {})
    extend_optimizer(opt, "clip", value)
    first, second = held(opt, "clip")
    first.fill_(5.0)
    assert [first.item(), second.item(), value.item()] == [5.0, 2.0, 2.0]
    assert first.dtype is torch.float64
    assert not first.requires_grad


@pytest.mark.parametrize("kind", [int, np.float64, np.float32, np.int64, np.array, Fraction])
def test_every_real_number_is_taken_and_kept_as_pythons_own(kind: Callable[[int], Any]) -> None:
    """NumPy's scalars among them: a checkpoint must be able to hold the entry."""
    opt = sgd({})
    extend_optimizer(opt, "clip", kind(2))
    assert held(opt, "clip") == [2]
    assert type(opt.param_groups[0]["clip"]) in (int, float)


NO_DEFAULTS: dict[str, tuple[Any, type[Exception]]] = {
    "NaN": (math.nan, ValueError),
    "inf": (math.inf, ValueError),
    "-inf": (-math.inf, ValueError),
    "NaN tensor": (torch.tensor(math.nan), ValueError),
    "int beyond every float": (10**400, ValueError),
    "complex": (1j, TypeError),
    "string": ("1.0", TypeError),
    "bool": (True, TypeError),
    "NumPy bool": (np.bool_(True), TypeError),
    "list": ([1.0], TypeError),
    "tuple": ((0.9, 0.999), TypeError),
    "1-dim tensor": (torch.ones(1), TypeError),
    "integer tensor": (torch.tensor(1), TypeError),
    "boolean tensor": (torch.tensor(True), TypeError),
    "complex tensor": (torch.tensor(1j), TypeError),
}


@pytest.mark.parametrize(
    ("value", "error"),
    [*NO_DEFAULTS.values(), (None, TypeError)],
    ids=[*NO_DEFAULTS.keys(), "None"],
)
@pytest.mark.parametrize("overwrite", [False, True], ids=["adding", "overwriting"])
def test_a_default_that_is_no_finite_real_number_is_refused(
    value: Any, error: type[Exception], overwrite: bool, untouched: Untouched
) -> None:
    """The error begins with the parameter's name, and no group has gained or changed an entry."""
    opt = sgd({"clip": 1.0}, {})
    with untouched(opt), pytest.raises(error, match=r"^default_value: "):
        extend_optimizer(opt, "clip", value, overwrite_values=overwrite)


def test_a_negative_default_is_a_number_like_any_other() -> None:
    """What an entry means is the training loop's business."""
    assert held(extend_optimizer(sgd({}), "offset", -1.5), "offset") == [-1.5]


@pytest.mark.parametrize(
    "key", ["betas", "amsgrad", "params"], ids=["a whole tuple", "a bool", "parameters"]
)
def test_overwriting_what_can_be_no_target_is_refused(key: str, untouched: Untouched) -> None:
    """A number in the place of a tuple or a flag would break the optimizer: a ``TypeError``."""
    opt = torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))])
    with untouched(opt), pytest.raises(TypeError, match=key):
        extend_optimizer(opt, key, 1.0, overwrite_values=True)


def test_an_element_that_one_group_lacks_is_refused(untouched: Untouched) -> None:
    """A ``KeyError``, before the groups that have it are touched."""
    opt = sgd({"betas": (0.9, 0.999)}, {})
    with untouched(opt), pytest.raises(KeyError, match=r"'betas\[0\]' is not in param group 1"):
        extend_optimizer(opt, "betas[0]", 0.5, overwrite_values=True)


def test_overwriting_a_number_fills_a_tensor_that_is_there() -> None:
    """A tensor stays the same tensor: captured steps hold on to it."""
    lr = torch.tensor(0.5)
    opt = sgd({"lr": lr})
    extend_optimizer(opt, "lr", 0.25, overwrite_values=True)
    assert opt.param_groups[0]["lr"] is lr
    assert lr.item() == 0.25


@pytest.mark.parametrize("held_before", [math.nan, math.inf, torch.tensor(math.nan)], ids=repr)
def test_overwriting_replaces_what_is_not_finite(held_before: Any) -> None:
    """Which nothing could be scheduled from."""
    opt = extend_optimizer(sgd({"clip": held_before}), "clip", 2.0, overwrite_values=True)
    assert held(opt, "clip") == [2.0]


@pytest.mark.parametrize("overwrite", [None, 0, 1, "no", 2.0], ids=repr)
def test_overwriting_is_a_yes_or_a_no(overwrite: Any, untouched: Untouched) -> None:
    """Anything else may be an argument in the wrong place: a ``TypeError`` that names it."""
    opt = sgd({"clip": 1.0})
    with untouched(opt), pytest.raises(TypeError, match="overwrite_values: expected True or False"):
        extend_optimizer(opt, "clip", 2.0, overwrite)


def test_what_is_there_stays_whatever_it_is(untouched: Untouched) -> None:
    """Only overwriting looks at it."""
    opt = sgd({"nesterov": False, "betas": (0.9, 0.999), "clip": None})
    with untouched(opt):
        for key in ("nesterov", "betas", "clip"):
            extend_optimizer(opt, key, 1.0)


# -- reading --------------------------------------------------------------------------------------


def test_regrouping_gives_value_parameters_and_group() -> None:
    """One entry a group that has the key, in the optimizer's order; the group is the real one."""
    opt = sgd({"clip": 1.0}, {}, {"clip": 3.0})
    regrouped = get_param_groups_regrouped_by_key(opt, "clip")
    assert isinstance(regrouped, list)
    first, _, third = opt.param_groups
    assert [value for value, _, _ in regrouped] == [1.0, 3.0]
    assert [params for _, params, _ in regrouped] == [first["params"], third["params"]]
    assert regrouped[0][2] is first
    assert regrouped[1][2] is third


def test_regrouping_reads_an_element() -> None:
    """``betas[1]`` gives the element alone."""
    opt = sgd({"betas": (0.9, 0.999)}, {"betas": (0.8, 0.99)})
    assert [entry[0] for entry in get_param_groups_regrouped_by_key(opt, "betas[1]")] == [
        0.999,
        0.99,
    ]


def test_regrouping_gives_the_tensor_itself() -> None:
    """Where the entry is a tensor, no copy: the loop may keep it and see it move."""
    lr = torch.tensor(0.5)
    ((value, _, _),) = get_param_groups_regrouped_by_key(sgd({"lr": lr}), "lr")
    assert value is lr


def test_regrouping_follows_a_schedule() -> None:
    """The values are the present ones."""
    opt = extend_optimizer(sgd({}, {}), "clip", 2.0)
    schedule = CurveSchedule(opt, lambda t: 0.5**t, "clip")
    opt.step()
    schedule.step()
    assert [entry[0] for entry in get_param_groups_regrouped_by_key(opt, "clip")] == [1.0, 1.0]


def test_regrouping_touches_nothing(untouched: Untouched) -> None:
    """It reads; not even an initial value is recorded."""
    opt = sgd({"clip": 1.0}, {})
    with untouched(opt):
        get_param_groups_regrouped_by_key(opt, "clip")


def test_overwriting_with_a_tensor_puts_a_clone_of_it_in_each_group() -> None:
    """In the place of a float or of another tensor, with the dtype of the one given."""
    value = torch.tensor(2.0, dtype=torch.float64)
    opt = sgd({"clip": 1.0}, {"clip": torch.tensor(1.0)})
    extend_optimizer(opt, "clip", value, overwrite_values=True)
    assert [each.dtype for each in held(opt, "clip")] == [torch.float64] * 2
    assert len({id(value), *map(id, held(opt, "clip"))}) == 3


def test_overwriting_adds_nothing_else() -> None:
    """An initial value is set where a schedule recorded one, and nowhere else."""
    opt = sgd({"clip": 1.0})
    before = set(opt.param_groups[0])
    extend_optimizer(opt, "clip", 2.0, overwrite_values=True)
    assert set(opt.param_groups[0]) == before


def test_overwriting_with_a_tensor_sets_a_number_as_the_initial_value() -> None:
    """No tensor that the next step would fill."""
    opt = sgd({"clip": 1.0})
    schedule = CurveSchedule(opt, lambda t: 0.5**t, "clip")
    extend_optimizer(opt, "clip", torch.tensor(4.0), overwrite_values=True)
    assert type(opt.param_groups[0]["initial_clip"]) is float
    assert schedule.base_lrs == [4.0]


def test_what_a_tensor_that_is_there_cannot_hold(untouched: Untouched) -> None:
    """A half would make it infinite."""
    opt = sgd({"clip": 1.0}, {"clip": torch.tensor(1.0, dtype=torch.float16)})
    with (
        untouched(opt),
        pytest.raises(ValueError, match=r"default_value: 1000000.0 .*float16.* 1 "),
    ):
        extend_optimizer(opt, "clip", 1e6, overwrite_values=True)
    extend_optimizer(opt, "clip", torch.tensor(1e6), overwrite_values=True)
    assert held(opt, "clip") == [1e6, 1e6]


def test_overwriting_a_tensor_moves_nobody_elses() -> None:
    """Not another entry's, nor the default, with which groups join."""
    shared = torch.tensor(0.5)
    opt = torch.optim.SGD(
        [{"params": [torch.nn.Parameter(torch.ones(1))], "floor": shared}], lr=shared
    )
    extend_optimizer(opt, "lr", 0.25, overwrite_values=True)
    assert (held(opt, "lr"), held(opt, "floor"), opt.defaults["lr"]) == ([0.25], [0.5], 0.5)
