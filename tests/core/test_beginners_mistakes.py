"""A beginner's mistake is an error or a warning whose remedy works."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from helpers import Untouched, adamw, advance, held, put_curve, same, sgd

from tsa_core import SynchronousSchedule, extend_optimizer

# The name that was written, and the entry that was meant.
MEANT = {
    "wd": "weight_decay",
    "learning_rate": "lr",
    "beta1": "betas[0]",
    "beta2": "betas[1]",
    "momentum": "betas[0]",
}


@pytest.mark.parametrize("name", MEANT)
def test_another_name_of_a_hyperparameter_leads_to_its_entry(
    name: str, untouched: Untouched
) -> None:
    """An unknown target leads to the entry that was meant, and last to a new entry."""
    optimizer = adamw({}, {})
    says = (
        f"'{name}' is not in param groups 0, 1; did you mean '{re.escape(MEANT[name])}'"
        ".*The group has.*itself does not read"
    )
    with untouched(optimizer), pytest.raises(KeyError, match=says):
        put_curve(optimizer, name)
    put_curve(optimizer, MEANT[name])


each_way = pytest.mark.parametrize("wrap", [same, lambda each: SynchronousSchedule([each])])


@each_way
def test_a_loss_that_is_taken_for_a_step_is_refused(wrap: Any, untouched: Untouched) -> None:
    """``step(loss)`` with a tensor is a ``TypeError`` that names metrics."""
    schedule = wrap(put_curve(sgd()))
    says = "metric.* ReduceLROnPlateau"
    with untouched(schedule.optimizer), pytest.raises(TypeError, match=says):
        schedule.step(torch.tensor(0.3))
    advance(schedule)
    assert held(schedule.optimizer) == [0.25]


@each_way
@pytest.mark.filterwarnings("error")
def test_a_step_back_to_a_fraction_may_be_a_metric(wrap: Any, untouched: Untouched) -> None:
    """A number that goes back to a fraction is a warning, and ``step()`` is the remedy.

    Steps forward to a fraction, and back to a whole number, are silent.
    """
    schedule = wrap(put_curve(sgd()))
    for t in (6.5, 7, 0, 2.25, 7):
        schedule.step(t)
    with pytest.warns(UserWarning, match=r"0\.3 goes back from step 7 .* call step\(\)") as caught:
        schedule.step(0.3)
    assert caught[0].filename == __file__
    assert schedule.last_epoch == 0.3  # a position can be meant
    schedule.step(7)
    with untouched(schedule.optimizer), pytest.raises(UserWarning, match="metric"):
        schedule.step(0.3)
    advance(schedule)
    assert schedule.last_epoch == 8


def test_learning_rates_that_are_not_there_lead_to_the_schedule() -> None:
    """``get_last_lr`` of an optimizer without ``lr`` leads to ``get_last_schedule``."""
    optimizer = sgd({"temperature": 2.0})
    sync = SynchronousSchedule([put_curve(optimizer, "temperature")])
    del optimizer.param_groups[0]["lr"]
    with pytest.raises(KeyError, match=r"get_last_schedule\(name\) with one of"):
        sync.get_last_lr()
    assert sync.get_last_schedule("temperature") == [2.0]


@pytest.mark.parametrize("call", [put_curve, lambda o, name: extend_optimizer(o, name, 1)])
def test_the_key_of_1_2_3_is_not_an_entry(call: Any, untouched: Untouched) -> None:
    """``schedule_namespaces``, which 1.2.3 keeps in the groups, cannot be scheduled or added."""
    optimizer = sgd()
    with untouched(optimizer), pytest.raises(ValueError, match="choose a different name"):
        call(optimizer, "schedule_namespaces")
