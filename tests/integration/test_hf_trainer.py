"""Hugging Face's Trainer, with ``optimizers=(optimizer, schedule)``."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import training_plan as plan
from torch.optim.lr_scheduler import ReduceLROnPlateau
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

import torch_schedule_anything as tsa

SAVED_AT = 8


class Recorder(TrainerCallback):
    """A callback that records the values before each step, and clips by them."""

    def __init__(self) -> None:
        self.values_by_step: plan.ValuesByStep = {}
        self.tokens_by_step: dict[int, int] = {}

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.values_by_step[state.global_step] = plan.values_of(kwargs["optimizer"])
        self.tokens_by_step[state.global_step] = state.num_input_tokens_seen

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        plan.clip_gradients(kwargs["optimizer"])


class RecorderThatReplans(Recorder):
    """The same, and it replans the learning rate before one of the steps."""

    def __init__(self, replan_at: int) -> None:
        super().__init__()
        self.replan_at = replan_at

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.replan_at:
            plan.replan(kwargs["lr_scheduler"])
        super().on_step_begin(args, state, control, **kwargs)


class RecorderThatSteps(Recorder):
    """The same, and it steps the schedule in every batch, besides the Trainer."""

    def on_substep_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        kwargs["lr_scheduler"].step()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        kwargs["lr_scheduler"].step()


def make_trainer(
    folder: Path,
    rows: Sequence[torch.Tensor],
    make_schedule: Callable[[Any, Callable[[], Trainer]], Any],
    recorder: Recorder,
    **arguments: Any,
) -> Trainer:
    """``make_schedule`` gets the optimizer, and a function that returns the Trainer."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=32,
            hidden_size=8,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=8,
        )
    )
    optimizer = plan.make_optimizer(model.model.parameters(), model.lm_head.parameters())
    trainer = Trainer(
        model,
        TrainingArguments(
            output_dir=str(folder),
            max_steps=plan.STEPS,
            max_grad_norm=0.0,  # the callback clips instead
            logging_steps=1,
            save_steps=SAVED_AT,
            report_to="none",
            use_cpu=True,
            dataloader_pin_memory=False,
            disable_tqdm=True,
            **arguments,
        ),
        train_dataset=[{"input_ids": row, "labels": row} for row in rows],
        optimizers=(optimizer, make_schedule(optimizer, lambda: trainer)),
        callbacks=[recorder],
    )
    return trainer


def resumable_run(make: Callable[[Path], tuple[Trainer, Recorder]], folder: Path) -> Any:
    """The trainer and the records of a whole run, which a resumed one repeats exactly."""
    trainer, whole = make(folder / "whole")
    trainer.train()
    resumed_trainer, resumed = make(folder / "resumed")
    resumed_trainer.train(resume_from_checkpoint=str(folder / "whole" / f"checkpoint-{SAVED_AT}"))
    later = range(SAVED_AT, plan.STEPS)
    assert resumed.values_by_step == {t: whole.values_by_step[t] for t in later}
    assert resumed.tokens_by_step == {t: whole.tokens_by_step[t] for t in later}
    plan.assert_same_weights(trainer.model, resumed_trainer.model)
    return trainer, whole


def without_clock(folder: Path, lr_member: Callable[[Any], Any] | None) -> Any:
    """A Trainer, and its records, of a plan in the Trainer's steps; ``None`` leaves lr alone."""

    def make_schedule(optimizer: Any, get_trainer: Any) -> Any:
        members = plan.other_schedules(optimizer)
        return tsa.SynchronousSchedule([*members, *([lr_member(optimizer)] if lr_member else [])])

    torch.manual_seed(0)
    rows, recorder = torch.randint(0, 32, (64, 6)), Recorder()
    trainer = make_trainer(folder, rows, make_schedule, recorder, per_device_train_batch_size=8)
    return trainer, recorder


def with_clock(folder: Path, make_schedule: Callable[..., Any], **arguments: Any) -> Any:
    """A Trainer of two batches per step, each one row, and its records."""
    rows = [torch.arange(length) + i for i, length in enumerate(plan.LENGTHS)]
    sizes = {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 2}
    recorder = RecorderThatSteps()
    return make_trainer(folder, rows, make_schedule, recorder, **sizes, **arguments), recorder


@pytest.mark.parametrize("lr_member", [plan.lr_schedule, None])
def test_a_trainer_run_stays_on_the_plan_and_resumes_to_the_same_weights(
    tmp_path: Path, lr_member: Callable[[Any], Any] | None
) -> None:
    """Under the Trainer values and logs follow the plan, and a checkpoint resumes exactly."""
    trainer, whole = resumable_run(lambda folder: without_clock(folder, lr_member), tmp_path)
    plan.assert_run_on_plan(whole.values_by_step, None if lr_member else list(plan.LR))
    logged = [entry["learning_rate"] for entry in trainer.state.log_history if "loss" in entry]
    # The Trainer logs each step with the learning rate of that step.
    expected = [plan.expected_lr(t)[0] if lr_member else plan.LR[0] for t in range(plan.STEPS)]
    assert logged == pytest.approx(expected, rel=1e-12)


def test_a_plateau_member_under_the_trainer_is_refused(tmp_path: Path) -> None:
    """A ReduceLROnPlateau among the members raises at the first step: it gets no metrics."""
    # The Trainer passes metrics only if its scheduler itself is a ReduceLROnPlateau.
    trainer, _ = without_clock(tmp_path, ReduceLROnPlateau)
    with pytest.raises(TypeError, match="takes metrics"):
        trainer.train()


def test_a_plan_with_a_clock_counts_the_steps_of_the_trainer(tmp_path: Path) -> None:
    """With accumulated batches a plan counts optimizer steps, however often it is stepped."""

    def on_steps(optimizer: Any, get_trainer: Any) -> Any:
        return plan.make_schedule_on_steps(optimizer)

    _, whole = resumable_run(lambda folder: with_clock(folder, on_steps), tmp_path)
    plan.assert_run_on_plan(whole.values_by_step)


def test_a_plan_in_tokens_counts_the_tokens_of_the_trainer(tmp_path: Path) -> None:
    """A plan in tokens goes by the tokens that the Trainer has seen, and resumes."""

    def in_tokens(optimizer: Any, get_trainer: Any) -> Any:
        return plan.make_schedule_in_tokens(
            optimizer, lambda: get_trainer().state.num_input_tokens_seen
        )

    trainer, whole = resumable_run(
        lambda folder: with_clock(folder, in_tokens, include_num_input_tokens_seen="all"), tmp_path
    )
    assert whole.tokens_by_step[0] == 0
    assert trainer.state.num_input_tokens_seen == plan.TOKENS
    counts = [*whole.tokens_by_step.values(), plan.TOKENS]
    assert len({after - before for before, after in itertools.pairwise(counts)}) > 1
    for t, values in whole.values_by_step.items():
        plan.assert_on_plan_in_tokens(values, whole.tokens_by_step[t])
    plan.assert_on_plan_in_tokens(plan.values_of(trainer.optimizer), plan.TOKENS)


def random_rows() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randint(0, 32, (64, 6))


@pytest.mark.parametrize("replan_at", [SAVED_AT - 3, SAVED_AT, SAVED_AT + 3])
def test_a_replanned_run_of_the_trainer_resumes_to_the_same_weights(
    tmp_path: Path, replan_at: int
) -> None:
    """A callback replans before, at or after the checkpoint, and the resumed run is the same."""

    def make(folder: Path) -> tuple[Trainer, Recorder]:
        recorder = RecorderThatReplans(replan_at)
        trainer = make_trainer(
            folder,
            random_rows(),
            lambda optimizer, _: plan.choosing(plan="saved")([plan.make_schedule(optimizer)]),
            recorder,
        )
        return trainer, recorder

    _, whole = resumable_run(make, tmp_path)
    assert list(whole.values_by_step) == list(range(plan.STEPS))
    for t, values in whole.values_by_step.items():
        plan.assert_on_plan(values, t, lr=plan.expected_replanned_lr(t, replan_at))


def test_the_trainer_hides_warnings_of_a_change_and_obeys_a_choice(tmp_path: Path) -> None:
    """The Trainer drops the warnings of another plan and lr. A choice in a subclass holds."""

    def trainer_of(folder: str, steps: int, **choices: Any) -> Trainer:
        def make_schedule(optimizer: Any, get_trainer: Any) -> Any:
            for group in optimizer.param_groups:
                group["lr"] *= steps / plan.STEPS
            linear = tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.0, 0, steps)
            return plan.choosing(**choices)([linear])

        return make_trainer(tmp_path / folder, random_rows(), make_schedule, Recorder())

    def last_rates(**choices: Any) -> list[float]:
        """Those of a run under twice the rates, in a plan of twice the steps."""
        trainer = trainer_of("resumed", 2 * plan.STEPS, **choices)
        trainer.train(resume_from_checkpoint=checkpoint)
        return plan.values_of(trainer.optimizer)["lr"]

    trainer_of("whole", plan.STEPS).train()
    checkpoint = str(tmp_path / "whole" / f"checkpoint-{SAVED_AT}")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert last_rates() == [lr / 2 for lr in plan.LR]
        assert last_rates(initial="code") == list(plan.LR)
    assert not [each for each in caught if "saved" in str(each.message)]
    assert last_rates(plan="saved", initial="saved") == [0.0, 0.0]
    for choices in ({"plan": "same"}, {"plan": "saved", "initial": "same"}):
        with pytest.raises(ValueError, match="the code"):
            last_rates(**choices)
