"""Hugging Face's Trainer, with ``optimizers=(optimizer, schedule)``."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from functools import partial
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

# From the optimizer, and a function that returns the Trainer, to the schedule.
MakeSchedule = Callable[[Any, Callable[[], Trainer]], Any]

# The schedule is stepped in every batch, which is one row of another length.
ACCUMULATED = {
    "in_every_batch": True,
    "per_device_train_batch_size": 1,
    "gradient_accumulation_steps": 2,
}


class Recorder(TrainerCallback):
    """A callback that records the values before each step, and clips by them.

    It can step the schedule in every batch, besides the Trainer.
    """

    def __init__(self, in_every_batch: bool) -> None:
        self.in_every_batch = in_every_batch
        self.values_by_step: dict[int, plan.Values] = {}
        self.tokens_by_step: dict[int, int] = {}

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.values_by_step[state.global_step] = plan.values_of(kwargs["optimizer"])
        self.tokens_by_step[state.global_step] = state.num_input_tokens_seen

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        plan.clip_gradients(kwargs["optimizer"])

    def on_substep_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.in_every_batch:
            kwargs["lr_scheduler"].step()

    on_step_end = on_substep_end


def make_trainer(
    folder: Path, make_schedule: MakeSchedule, in_every_batch: bool = False, **arguments: Any
) -> Trainer:
    """A Trainer of a small Llama, with a ``recorder``."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "intermediate_size": 16, "max_position_embeddings": 8}
    layers = {"num_hidden_layers": 1, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=32, **sizes, **layers))
    optimizer = torch.optim.AdamW(
        plan.param_groups(model.model.parameters(), model.lm_head.parameters())
    )
    rows = list(torch.randint(0, 32, (64, 6)))
    if "gradient_accumulation_steps" in arguments:
        rows = [torch.arange(length) + i for i, length in enumerate(plan.LENGTHS)]
    recorder = Recorder(in_every_batch)
    trainer = Trainer(
        model,
        TrainingArguments(
            output_dir=str(folder),
            max_steps=plan.STEPS,
            max_grad_norm=0.0,  # the callback clips instead
            logging_steps=1,
            save_steps=plan.SAVED_AT,
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
    trainer.recorder = recorder
    return trainer


def resumable_run(folder: Path, make_schedule: MakeSchedule, **settings: Any) -> Trainer:
    """A whole run, which a resumed one repeats exactly."""
    whole, resumed = (
        make_trainer(folder / name, make_schedule, **settings) for name in ("whole", "resumed")
    )
    whole.train()
    resumed.train(resume_from_checkpoint=str(folder / "whole" / f"checkpoint-{plan.SAVED_AT}"))
    plan.assert_resumed(
        *((each.recorder.values_by_step, each.model.state_dict()) for each in (resumed, whole))
    )
    assert resumed.recorder.tokens_by_step.items() <= whole.recorder.tokens_by_step.items()
    return whole


@pytest.mark.parametrize(
    ("make_schedule", "settings", "lr_multiple"),
    [
        (lambda o, _: plan.make_schedule(o), {}, plan.lr_multiple),
        (lambda o, _: plan.make_schedule(o, lr=[]), {}, lambda t: 1.0),
        (lambda o, _: plan.make_schedule_on_steps(o), ACCUMULATED, plan.lr_multiple),
    ],
)
def test_a_trainer_run_stays_on_the_plan_and_resumes_to_the_same_weights(
    tmp_path: Path, make_schedule: MakeSchedule, settings: Any, lr_multiple: Any
) -> None:
    """So do the logs, also with a clock, if accumulated batches step the schedule too."""
    trainer = resumable_run(tmp_path, make_schedule, **settings)
    values_by_step = trainer.recorder.values_by_step
    plan.assert_run_on_plan(values_by_step, lr_multiple)
    logged = [entry["learning_rate"] for entry in trainer.state.log_history if "loss" in entry]
    # The Trainer logs each step with the learning rate of that step.
    assert logged == [values["lr"][0] for values in values_by_step.values()]


def test_a_plateau_member_under_the_trainer_is_refused(tmp_path: Path) -> None:
    """A ReduceLROnPlateau among the members raises at the first step: it gets no metrics."""
    # The Trainer passes metrics only if its scheduler itself is a ReduceLROnPlateau.
    trainer = make_trainer(tmp_path, lambda o, _: plan.make_schedule(o, lr=[ReduceLROnPlateau(o)]))
    with pytest.raises(TypeError, match="takes metrics"):
        trainer.train()


def test_a_plan_in_tokens_counts_the_tokens_of_the_trainer(tmp_path: Path) -> None:
    """A plan in tokens goes by the tokens that the Trainer has seen, and resumes."""

    def in_tokens(optimizer: Any, get_trainer: Any) -> Any:
        return plan.make_schedule_in_tokens(
            optimizer, lambda: get_trainer().state.num_input_tokens_seen
        )

    settings = {**ACCUMULATED, "include_num_input_tokens_seen": "all"}
    trainer = resumable_run(tmp_path, in_tokens, **settings)
    counts = [*trainer.recorder.tokens_by_step.values(), trainer.state.num_input_tokens_seen]
    assert (counts[0], counts[-1]) == (0, plan.TOKENS)
    assert len({after - before for before, after in itertools.pairwise(counts)}) > 1
    values_by_step = [*trainer.recorder.values_by_step.values(), plan.values_of(trainer.optimizer)]
    for values, tokens in zip(values_by_step, counts, strict=True):
        plan.assert_on_plan_in_tokens(values, tokens)


def test_the_trainer_hides_warnings_of_a_change_and_obeys_a_choice(tmp_path: Path) -> None:
    """The Trainer drops the warnings of another plan and lr. A choice in a subclass holds."""

    def last_rates(steps: int, checkpoint: str | None = None, **choices: Any) -> list[float]:
        """Those of a run in a plan of so many steps, under rates that are in proportion."""

        def make_schedule(optimizer: Any, get_trainer: Any) -> Any:
            for group in optimizer.param_groups:
                group["lr"] *= steps / plan.STEPS
            linear = tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.0, 0, steps)
            return plan.choosing(**choices)([linear])

        trainer = make_trainer(tmp_path, make_schedule)
        trainer.train(resume_from_checkpoint=checkpoint)
        return plan.values_of(trainer.optimizer)["lr"]

    assert last_rates(plan.STEPS) == [0.0, 0.0]
    resume = partial(last_rates, 2 * plan.STEPS, str(tmp_path / f"checkpoint-{plan.SAVED_AT}"))
    rates = list(plan.INITIAL["lr"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert resume() == [lr / 2 for lr in rates]
        assert resume(initial="code") == rates
    assert not [each for each in caught if "saved" in str(each.message)]
    assert resume(plan="saved", initial="saved") == [0.0, 0.0]
    for choices in ({"plan": "same"}, {"plan": "saved", "initial": "same"}):
        with pytest.raises(ValueError, match="the code"):
            resume(**choices)
