"""Random interleavings of build, step, save, load, join and copy, against plain arithmetic."""

from __future__ import annotations

import copy
from typing import Any

import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from torch.nn import Parameter
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR

import tsa_core

RATES = {"lr": 0.5, "weight_decay": 0.25, "clip": 2.0, "betas[0]": 0.5}
# Powers of two: initial value × rate^t is exact, so every comparison is too.
VALUES = st.sampled_from([0.25, 0.5, 0.0625, 0.75, 0.375])


class Oracle:
    """What each target of each group must hold: its initial value, and how often it moved."""

    def __init__(self) -> None:
        self.initial: list[dict[str, float]] = []
        self.moved: dict[str, int] = {}
        self.joined: list[dict[str, bool]] = []  # not moved since: holds its own value

    def expected(self, i: int, target: str) -> float:
        value = self.initial[i][target]
        if target not in self.moved or self.joined[i].get(target):
            return value
        return value * RATES[target] ** self.moved[target]


class Interleavings(RuleBasedStateMachine):
    """Curve schedules, a LambdaLR and a recurrence through the factory, on four targets."""

    @initialize(groups=st.lists(st.tuples(VALUES, VALUES, VALUES, VALUES), min_size=1, max_size=3))
    def start(self, groups: list[tuple[float, float, float, float]]) -> None:
        self.oracle = Oracle()
        self.schedules: dict[str, Any] = {}
        self.closed_to_new_groups = False
        self.saved: Any = None
        self.optimizer = torch.optim.AdamW([self.group(*groups[0])])
        for values in groups[1:]:
            self.optimizer.add_param_group(self.group(*values))
        self.optimizer.step()

    def group(self, lr: float, weight_decay: float, clip: float, beta: float) -> dict[str, Any]:
        self.oracle.initial.append(
            {"lr": lr, "weight_decay": weight_decay, "clip": clip, "betas[0]": beta}
        )
        self.oracle.joined.append({})
        return {
            "params": [Parameter(torch.ones(1))],
            "lr": lr,
            "weight_decay": weight_decay,
            "clip": clip,
            "betas": (beta, 0.999),
        }

    @rule(target_name=st.sampled_from(sorted(RATES)), kind=st.sampled_from("clx"))
    def build(self, target_name: str, kind: str) -> None:
        rate = RATES[target_name]
        if kind == "x" and target_name in self.schedules:
            return  # as on lr, torch's recurrences go on from the present value
        if kind == "c":
            schedule: Any = tsa_core.CurveSchedule(self.optimizer, lambda t: rate**t, target_name)
        elif kind == "l":
            schedule = tsa_core.arbitrary_schedule_factory(
                self.optimizer,
                lambda proxy: LambdaLR(proxy, lambda t: rate**t),
                schedule_target=target_name,
            )
        else:
            schedule = tsa_core.arbitrary_schedule_factory(
                self.optimizer,
                lambda proxy: ExponentialLR(proxy, rate),
                schedule_target=target_name,
            )
        self.schedules[target_name] = schedule
        self.closed_to_new_groups |= kind != "c"
        self.oracle.moved[target_name] = 0
        for joined in self.oracle.joined:
            joined[target_name] = False

    @precondition(lambda self: self.schedules)
    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        target_name = data.draw(st.sampled_from(sorted(self.schedules)))
        self.optimizer.step()
        self.schedules[target_name].step()
        self.oracle.moved[target_name] += 1
        for joined in self.oracle.joined:
            joined[target_name] = False

    @rule()
    def save(self) -> None:
        states = {name: copy.deepcopy(s.state_dict()) for name, s in self.schedules.items()}
        self.saved = (
            copy.deepcopy(self.optimizer.state_dict()),
            states,
            dict(self.schedules),
            copy.deepcopy(self.oracle),
        )

    @precondition(lambda self: self.saved is not None)
    @rule(optimizer_first=st.booleans())
    def load(self, optimizer_first: bool) -> None:
        optimizer_state, states, schedules, oracle = self.saved
        if schedules != self.schedules or len(oracle.initial) != len(self.oracle.initial):
            return
        if optimizer_first:
            self.optimizer.load_state_dict(copy.deepcopy(optimizer_state))
        for name, state in states.items():
            self.schedules[name].load_state_dict(copy.deepcopy(state))
        if not optimizer_first:
            self.optimizer.load_state_dict(copy.deepcopy(optimizer_state))
        self.oracle = copy.deepcopy(oracle)

    @precondition(lambda self: not self.closed_to_new_groups)
    @rule(values=st.tuples(VALUES, VALUES, VALUES, VALUES))
    def join(self, values: tuple[float, float, float, float]) -> None:
        if len(self.oracle.initial) == 5:
            return
        self.optimizer.add_param_group(self.group(*values))
        for name in self.schedules:
            self.oracle.joined[-1][name] = True

    @rule()
    def duplicate(self) -> None:
        self.optimizer, self.schedules, self.saved = copy.deepcopy(
            (self.optimizer, self.schedules, self.saved)
        )
        self.optimizer.step()  # the flag that it stepped does not survive a copy, in torch either

    @invariant()
    def holds_what_the_oracle_says(self) -> None:
        if not hasattr(self, "optimizer"):
            return
        for i, group in enumerate(self.optimizer.param_groups):
            for target in RATES:
                held = group["betas"][0] if target == "betas[0]" else group[target]
                assert held == self.oracle.expected(i, target)
        for name, schedule in self.schedules.items():
            if isinstance(schedule, tsa_core.CurveSchedule):
                held = [self.oracle.expected(i, name) for i in range(len(self.oracle.initial))]
                assert schedule.get_last_lr() == held


class TestInterleavings(Interleavings.TestCase):  # type: ignore[name-defined,misc]
    """Forty random histories of up to thirty operations each."""

    settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
