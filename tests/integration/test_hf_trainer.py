"""Hugging Face's Trainer, with ``optimizers=(optimizer, schedule)``."""

from __future__ import annotations

from collections.abc import Callable
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


class ValueRecorder(TrainerCallback):
    """A callback that records the optimizer's values before each step, and clips by them."""

    def __init__(self) -> None:
        self.values_by_step: dict[int, dict[str, list[float]]] = {}

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.values_by_step[state.global_step] = plan.values_of(kwargs["optimizer"])

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        plan.clip_gradients(kwargs["optimizer"])


def make_trainer(
    folder: Path, lr_member: Callable[[Any], Any] | None
) -> tuple[Trainer, ValueRecorder]:
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
    tokens = torch.randint(0, 32, (64, 6))
    optimizer = plan.make_optimizer(model.model.parameters(), model.lm_head.parameters())
    members = plan.other_schedules(optimizer)
    if lr_member is not None:
        members.append(lr_member(optimizer))
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=plan.STEPS,
        per_device_train_batch_size=8,
        max_grad_norm=0.0,  # the callback clips instead
        logging_steps=1,
        save_steps=SAVED_AT,
        report_to="none",
        use_cpu=True,
        dataloader_pin_memory=False,
        disable_tqdm=True,
    )
    recorder = ValueRecorder()
    trainer = Trainer(
        model,
        arguments,
        train_dataset=[{"input_ids": row, "labels": row} for row in tokens],
        optimizers=(optimizer, tsa.SynchronousSchedule(members)),
        callbacks=[recorder],
    )
    return trainer, recorder


@pytest.mark.parametrize("lr_member", [plan.lr_schedule, None])
def test_a_trainer_run_stays_on_the_plan_and_resumes_to_the_same_weights(
    tmp_path: Path, lr_member: Callable[[Any], Any] | None
) -> None:
    """Under the Trainer values and logs follow the plan, and a checkpoint resumes exactly."""
    constant_lr = None if lr_member else list(plan.LR)
    trainer, whole = make_trainer(tmp_path / "whole", lr_member)
    trainer.train()

    plan.assert_run_on_plan(whole.values_by_step, constant_lr)
    logged = [entry["learning_rate"] for entry in trainer.state.log_history if "loss" in entry]
    # The Trainer logs each step with the learning rate of that step.
    expected = [plan.expected_lr(t)[0] if lr_member else plan.LR[0] for t in range(plan.STEPS)]
    assert logged == pytest.approx(expected, rel=1e-12)

    resumed_trainer, resumed = make_trainer(tmp_path / "resumed", lr_member)
    checkpoint = tmp_path / "whole" / f"checkpoint-{SAVED_AT}"
    resumed_trainer.train(resume_from_checkpoint=str(checkpoint))

    assert list(resumed.values_by_step) == list(range(SAVED_AT, plan.STEPS))
    for t, values in resumed.values_by_step.items():
        plan.assert_on_plan(values, t, constant_lr)
    plan.assert_same_weights(trainer.model, resumed_trainer.model)


def test_a_plateau_member_under_the_trainer_is_refused(tmp_path: Path) -> None:
    """A ReduceLROnPlateau among the members raises at the first step: it gets no metrics."""
    # The Trainer passes metrics only if its scheduler itself is a ReduceLROnPlateau.
    trainer, _ = make_trainer(tmp_path, ReduceLROnPlateau)
    with pytest.raises(TypeError, match="takes metrics"):
        trainer.train()
