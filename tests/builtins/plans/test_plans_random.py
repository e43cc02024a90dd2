"""Random plans: to schedules and back, and broken in one place."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
from cases import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_forms import make_optimizer, plans, values_along
from small_runs import Untouched, ignore_epoch_deprecation, through_json
from test_plan_formats import is_valid

from tsa_builtins import from_plan, to_plan

# A random W can be an initial value by chance. torch's SequentialLR passes an epoch, and warns.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*is the initial value of"),
    ignore_epoch_deprecation,
]
many = settings(
    max_examples=examples(200),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@many
@given(plan=plans())
def test_a_plan_comes_back(plan: dict[str, Any]) -> None:
    """The plan of a plan's schedule gives the same values at every step, and the same plan."""
    assert is_valid(plan)  # of the JSON Schema
    schedule = from_plan(make_optimizer(), plan)
    assert schedule.schedule_names == list(plan)
    described = to_plan(schedule)
    assert through_json(described) == described
    again = from_plan(make_optimizer(), described)
    assert to_plan(again) == described
    assert values_along(again) == values_along(schedule)
    assert to_plan(schedule) == described  # a plan does not depend on the position


# -- corruption ------------------------------------------------------------------------------------


def places(value: Any, path: str = "") -> Iterator[tuple[Any, Any, str]]:
    """Every place in a plan: what holds it, its key, and its path."""
    is_list = isinstance(value, list)
    if is_list or isinstance(value, dict):
        for key in range(len(value)) if is_list else value:
            inner = f"{path}[{key}]" if is_list else f"{path}.{key}".removeprefix(".")
            yield value, key, inner
            yield from places(value[key], inner)


JUNK = [None, True, "1e3", "Linaer", "", -7, 0, 1e400, float("nan"), [], {}, ["x"], {"x": 1}]


def break_at(holder: Any, key: Any, draw: Any) -> None:
    how = draw(st.sampled_from(["remove", "misspell", "add", "put junk", "make text"]))
    if how == "remove":
        del holder[key]
    elif how == "put junk":
        holder[key] = draw(st.sampled_from(JUNK))
    elif how == "make text":
        holder[key] = repr(holder[key])
    elif isinstance(holder, list):
        holder.insert(key, draw(st.sampled_from(JUNK)))
    elif how == "add":
        holder["stesp"] = draw(st.sampled_from(JUNK))
    else:
        entries = {(f"{each}x" if each == key else each): value for each, value in holder.items()}
        holder.clear()
        holder.update(entries)


def is_near(path: str, place: str) -> bool:
    """True if ``path`` is the place, holds it, or is beside it under the same target."""
    if place.startswith(path):
        return True
    holder = re.sub(r"(\.[^.\[]+)?(\[\d+\])+$|\.[^.\[]+$", "", place)
    # Beside a target there are only other targets, and the one that was added.
    return path.startswith((place, "stesp") if holder == place else holder)


@pytest.mark.filterwarnings("ignore::UserWarning")  # a number in a wrong place may be doubted
@many
@given(plan=plans(), data=st.data())
def test_a_broken_plan_is_refused_at_its_path(
    plan: dict[str, Any], data: st.DataObject, untouched: Untouched
) -> None:
    """A plan with a fault is refused with the fault's path and nothing touched, or is valid."""
    broken = copy.deepcopy(plan)
    holder, key, place = data.draw(st.sampled_from(list(places(broken))))
    break_at(holder, key, data.draw)
    try:
        schedule = from_plan(make_optimizer(), broken)
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        path, colon, _ = str(error.args[0]).partition(": ")
        assert colon
        assert path == "plan" or is_near(path, place), (path, place)
        optimizer = make_optimizer()
        with untouched(optimizer), pytest.raises(type(error)):
            from_plan(optimizer, broken)
    else:
        assert list(broken) == schedule.schedule_names
        to_plan(schedule)


def test_the_proof_has_no_blind_spot() -> None:
    """The helper of the test above takes a neighbour for the place, and no other member."""
    assert is_near("clip.curve.steps", "clip.curve.stesp")
    assert is_near("clip", "clip.curve")
    assert is_near("clip.curve.boundaries", "clip.curve.curves[1]")
    assert not is_near("lr", "clip.curve")
    assert not is_near("lr.curve", "clip")
    assert not is_near("clip.curve.curves[0]", "clip.curve.curves[1].steps")
