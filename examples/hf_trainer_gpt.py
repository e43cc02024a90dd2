"""Train a small GPT that writes digits with Hugging Face's Trainer, under three schedules.

    python examples/hf_trainer_gpt.py [--steps 400]

A digit becomes 65 tokens: its name, and then its 64 pixels, row by row, in 17 shades. The GPT
learns to predict each token from those before it. The Trainer gets the optimizer and one
SynchronousSchedule through ``optimizers=``. It steps the schedule and logs the learning rate. The
schedule also drives weight decay and a label smoothing. ``compute_loss`` reads the smoothing from
the optimizer's param group.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from typing import Any

import numpy as np
import torch
import transformers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments

import torch_schedule_anything as tsa

SEED = 0
SHADES = 17
SMOOTHING = "label_smoothing"
TITLES = {
    "lr": "learning rate",
    "weight_decay": "weight decay",
    SMOOTHING: "label smoothing",
}


def load_data() -> tuple[Tensor, Tensor]:
    """Real digits as tokens, a fifth of them for the test. Names have numbers above all shades."""
    images, labels = load_digits(return_X_y=True)
    tokens = np.concatenate([SHADES + labels[:, None], images.astype(int)], axis=1)
    parts = train_test_split(tokens, test_size=0.2, random_state=SEED, stratify=labels)
    return torch.as_tensor(parts[0]), torch.as_tensor(parts[1])


def build_model() -> GPT2LMHeadModel:
    config = GPT2Config(
        vocab_size=SHADES + 10, n_positions=65, n_embd=64, n_layer=2, n_head=4,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    return GPT2LMHeadModel(config)


def build_schedule(optimizer: torch.optim.Optimizer, num_steps: int) -> tsa.SynchronousSchedule:
    """Each schedule multiplies the value that the optimizer was built with."""
    num_warmup_steps = num_steps // 10
    # The smoothing ends halfway. From then on the training loss is the loss that the test measures.
    smoothing = tsa.curves.Linear(1.0, 0.0, num_steps // 2)
    tsa.extend_optimizer(optimizer, SMOOTHING, 0.1)
    return tsa.SynchronousSchedule(
        [
            tsa.cosine_annealing_with_warmup(optimizer, 1.0, 0.01, num_warmup_steps, num_steps),
            tsa.CurveSchedule(optimizer, tsa.curves.Linear(1.0, 5.0, num_steps), "weight_decay"),
            tsa.CurveSchedule(optimizer, smoothing, SMOOTHING),
        ]
    )


def expected(num_steps: int) -> dict[str, Any]:
    """The schedules in closed form, as functions of the step, to check the run."""
    L, M = num_steps // 10, num_steps

    def lr(t: int) -> float:
        if t <= L:
            return 3e-3 * t / L
        return 3e-3 * (0.01 + 0.99 * math.cos(math.pi / 2 * (t - L) / (M - L)))

    return {
        "lr": lr,
        "weight_decay": lambda t: 0.1 * (1 + 4 * t / M),
        SMOOTHING: lambda t: 0.1 * max(0.0, 1 - t / (M // 2)),
    }


class SmoothedTrainer(Trainer):
    """A Trainer whose loss reads its smoothing from the param group, as the schedule writes it."""

    def compute_loss(self, model: nn.Module, inputs: Any, **kwargs: Any) -> Any:
        (smoothing, *_), *_ = tsa.get_param_groups_regrouped_by_key(self.optimizer, SMOOTHING)
        tokens = inputs["input_ids"]
        logits = model(input_ids=tokens).logits
        return nn.functional.cross_entropy(
            logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), label_smoothing=smoothing
        )


class Recorder(TrainerCallback):
    """A callback that records the scheduled values when a step begins."""

    def __init__(self, schedule: tsa.SynchronousSchedule) -> None:
        self.schedule = schedule
        self.values: dict[str, list[float]] = {name: [] for name in TITLES}

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        for name, (value, *_) in self.schedule.get_last_schedules().items():
            self.values[name].append(value)


@torch.no_grad()
def nats_per_pixel(model: GPT2LMHeadModel, tokens: Tensor) -> float:
    """The cross-entropy per pixel of digits that the model has not seen."""
    model.eval()
    logits = model(input_ids=tokens).logits[:, :-1]
    return nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()).item()


def nats_of_table(train_tokens: Tensor, test_tokens: Tensor) -> float:
    """The cross-entropy per pixel of a table of how often each pixel has each shade."""
    counts = 1 + nn.functional.one_hot(train_tokens[:, 1:], SHADES).sum(
        dim=0
    )  # 1 +: no chance is 0
    chances = counts / counts.sum(dim=1, keepdim=True)
    return -chances[range(64), test_tokens[:, 1:]].log().mean().item()


def draw(model: GPT2LMHeadModel) -> None:
    """Print one digit of each name, sampled from the model."""
    torch.manual_seed(SEED)
    tokens = SHADES + torch.arange(10)[:, None]
    with torch.no_grad():
        for _ in range(64):
            logits = model(input_ids=tokens).logits[:, -1, :SHADES]
            tokens = torch.cat([tokens, torch.multinomial(logits.softmax(dim=1), 1)], dim=1)
    shades = " .:-=+*#%@"
    images = tokens[:, 1:].view(10, 8, 8).tolist()
    for row in range(8):
        lines = ("".join(shades[pixel * 9 // 16] for pixel in image[row]) for image in images)
        print(" ".join(lines))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=400)
    num_steps = parser.parse_args().steps
    transformers.set_seed(SEED)
    torch.set_num_threads(1)  # because threads slow down a network this small
    train_tokens, test_tokens = load_data()
    model = build_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.1)
    schedule = build_schedule(optimizer, num_steps)
    recorder = Recorder(schedule)
    with tempfile.TemporaryDirectory() as folder:
        trainer = SmoothedTrainer(
            model,
            TrainingArguments(
                folder,
                max_steps=num_steps,
                per_device_train_batch_size=32,
                logging_steps=max(1, num_steps // 8),
                save_strategy="no",
                report_to="none",
                use_cpu=True,
                dataloader_pin_memory=False,
            ),
            train_dataset=[{"input_ids": tokens} for tokens in train_tokens],
            optimizers=(optimizer, schedule),
            callbacks=[recorder],
        )
        trainer.train()

    print(f"\n{'step':>6}" + "".join(f"{title:>18}" for title in TITLES.values()))
    for t in (*(num_steps * i // 8 for i in range(8)), num_steps - 1):
        print(f"{t:>6}" + "".join(f"{recorder.values[name][t]:>18.5f}" for name in TITLES))
    on_plan = all(
        math.isclose(value, formula(t), rel_tol=1e-12, abs_tol=1e-12)
        for name, formula in expected(num_steps).items()
        for t, value in enumerate(recorder.values[name])
    ) and all(len(values) == num_steps for values in recorder.values.values())
    reached = nats_per_pixel(model, test_tokens)
    table = nats_of_table(train_tokens, test_tokens)
    print()
    draw(model)
    print(f"\nat each of {num_steps} steps, what the formulas say: {'yes' if on_plan else 'NO'}")
    print(f"test digits: {reached:.3f} nats a pixel; {table:.3f} for a table of frequencies")
    return 0 if on_plan and reached < table else 1


if __name__ == "__main__":
    sys.exit(main())
