"""Random sequences of build, step, save, load, join and copy give the values of arithmetic."""

from __future__ import annotations

import copy
from typing import Any

import torch
from cases import EXHAUSTIVE
from helpers import held, put
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from torch.nn import Parameter
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR

import tsa_core

RATES = {"lr": 0.5, "weight_decay": 0.25, "clip": 2.0, "betas[0]": 0.5}
# The rates are powers of two, so initial value × rate^t is exact and can be compared exactly.
VALUES = st.sampled_from([0.25, 0.5, 0.0625, 0.75, 0.375])


class ExpectedValues:
    """The expected values, computed from initial values and from how often each target moved."""

    def __init__(self) -> None:
        self.initial_values: list[dict[str, float]] = []
        self.num_moves: dict[str, int] = {}
        # True per group and target if the group joined and has not moved: it holds its own value.
        self.just_joined: list[dict[str, bool]] = []

    def of(self, i: int, target: str) -> float:
        value = self.initial_values[i][target]
        if target not in self.num_moves or self.just_joined[i].get(target):
            return value
        return value * RATES[target] ** self.num_moves[target]


class Interleavings(RuleBasedStateMachine):
    """Curve schedules, ``LambdaLR`` and ``ExponentialLR`` drive four targets in any sequence."""

    @initialize(groups=st.lists(st.tuples(VALUES, VALUES, VALUES, VALUES), min_size=1, max_size=3))
    def start(self, groups: list[tuple[float, float, float, float]]) -> None:
        self.expected = ExpectedValues()
        self.schedules: dict[str, Any] = {}
        self.closed_to_new_groups = False
        self.saved: Any = None
        self.optimizer = torch.optim.AdamW([self.group(*groups[0])])
        for values in groups[1:]:
            self.optimizer.add_param_group(self.group(*values))
        self.optimizer.step()

    def group(self, lr: float, weight_decay: float, clip: float, beta: float) -> dict[str, Any]:
        self.expected.initial_values.append(
            {"lr": lr, "weight_decay": weight_decay, "clip": clip, "betas[0]": beta}
        )
        self.expected.just_joined.append({})
        return {
            "params": [Parameter(torch.ones(1))],
            "lr": lr,
            "weight_decay": weight_decay,
            "clip": clip,
            "betas": (beta, 0.999),
        }

    # "target" is a keyword of Hypothesis's rule, so the rules take a target_name.
    @rule(
        target_name=st.sampled_from(sorted(RATES)),
        kind=st.sampled_from(["curve", "LambdaLR", "ExponentialLR"]),
    )
    def build(self, target_name: str, kind: str) -> None:
        rate = RATES[target_name]
        if kind == "ExponentialLR" and target_name in self.schedules:
            return  # it computes from the present value, so it would not start at the initial one
        if kind == "curve":
            schedule: Any = tsa_core.CurveSchedule(self.optimizer, lambda t: rate**t, target_name)
        elif kind == "LambdaLR":
            schedule = put(
                self.optimizer, target_name, lambda proxy: LambdaLR(proxy, lambda t: rate**t)
            )
        else:
            schedule = put(self.optimizer, target_name, lambda proxy: ExponentialLR(proxy, rate))
        self.schedules[target_name] = schedule
        self.closed_to_new_groups |= kind != "curve"
        self.expected.num_moves[target_name] = 0
        for joined in self.expected.just_joined:
            joined[target_name] = False

    @precondition(lambda self: self.schedules)
    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        target_name = data.draw(st.sampled_from(sorted(self.schedules)))
        self.optimizer.step()
        self.schedules[target_name].step()
        self.expected.num_moves[target_name] += 1
        for joined in self.expected.just_joined:
            joined[target_name] = False

    @rule()
    def save(self) -> None:
        states = {name: copy.deepcopy(s.state_dict()) for name, s in self.schedules.items()}
        self.saved = (
            copy.deepcopy(self.optimizer.state_dict()),
            states,
            dict(self.schedules),
            copy.deepcopy(self.expected),
        )

    @precondition(lambda self: self.saved is not None)
    @rule(optimizer_first=st.booleans())
    def load(self, optimizer_first: bool) -> None:
        optimizer_state, states, schedules, expected = self.saved
        num_groups = len(self.optimizer.param_groups)
        if schedules != self.schedules or len(expected.initial_values) != num_groups:
            return
        if optimizer_first:
            self.optimizer.load_state_dict(copy.deepcopy(optimizer_state))
        for name, state in states.items():
            self.schedules[name].load_state_dict(copy.deepcopy(state))
        if not optimizer_first:
            self.optimizer.load_state_dict(copy.deepcopy(optimizer_state))
        self.expected = copy.deepcopy(expected)

    @precondition(lambda self: not self.closed_to_new_groups)
    @rule(values=st.tuples(VALUES, VALUES, VALUES, VALUES))
    def join(self, values: tuple[float, float, float, float]) -> None:
        if len(self.optimizer.param_groups) == 5:
            return
        self.optimizer.add_param_group(self.group(*values))
        for name in self.schedules:
            self.expected.just_joined[-1][name] = True

    @rule()
    def duplicate(self) -> None:
        self.optimizer, self.schedules, self.saved = copy.deepcopy(
            (self.optimizer, self.schedules, self.saved)
        )
        self.optimizer.step()  # a copy of an optimizer, in torch too, does not know that it stepped

    @invariant()
    def groups_and_schedules_give_the_expected_values(self) -> None:
        if not hasattr(self, "optimizer"):
            return
        for target in RATES:
            expected = [
                self.expected.of(i, target) for i in range(len(self.optimizer.param_groups))
            ]
            assert held(self.optimizer, target) == expected
            schedule = self.schedules.get(target)
            if isinstance(schedule, tsa_core.CurveSchedule):
                assert schedule.get_last_lr() == expected


class TestInterleavings(Interleavings.TestCase):  # type: ignore[name-defined,misc]
    """Groups and schedules hold the expected values after any sequence of operations."""

    settings = settings(max_examples=400 if EXHAUSTIVE else 30, stateful_step_count=30)
