"""Draw the README's picture from the README's code, once for light pages and once for dark ones.

    python docs/readme_picture.py [FOLDER]

Writes readme-light.svg and readme-dark.svg to docs/_static/ by default. The picture has the values
of the first ``SynchronousSchedule`` that the README's blocks build. It is written without a library
for pictures, so that it has the same bytes everywhere, and a test compares them.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import torch_schedule_anything as tsa

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"

NUM_STEPS = 200
WIDTH, HEIGHT = 720, 320
COLUMNS = 2
GAP, TOP, LEFT, BOTTOM = 28, 30, 44, 24  # around the lines of one panel

# By target: how the README drives it.
KINDS = {
    "lr": "a built-in",
    "weight_decay": "another built-in",
    "betas[0]": "a curve of yours",
    "gradient_clip_threshold": "torch's StepLR",
}
THEMES = {
    "light": {"ink": "#1f2328", "faint": "#59636e", "rule": "#d1d9e0"},
    "dark": {"ink": "#f0f6fc", "faint": "#9198a1", "rule": "#3d444d"},
}
LINES = {
    "light": ["#0969da", "#bc4c00", "#1a7f37", "#8250df"],
    "dark": ["#6cb6ff", "#f0a04b", "#6bc46d", "#c297ff"],
}


def first_schedule() -> tsa.SynchronousSchedule:
    """Run the README's blocks up to the one that builds a ``SynchronousSchedule``."""
    namespace: dict[str, Any] = {}
    for block in re.findall(r"(?ms)^```python\n(.*?)^```$", README.read_text(encoding="utf-8")):
        exec(block, namespace)
        if isinstance(namespace.get("schedule"), tsa.SynchronousSchedule):
            return namespace["schedule"]
    raise LookupError("no block of the README builds a SynchronousSchedule named `schedule`")


def draw(values: dict[str, list[float]], theme: str) -> str:
    """The SVG of one panel per target, in two columns."""
    assert values.keys() == KINDS.keys(), f"KINDS lacks one of {list(values)}"
    rows = -(-len(values) // COLUMNS)
    width = (WIDTH - (COLUMNS - 1) * GAP) / COLUMNS
    height = (HEIGHT - (rows - 1) * GAP / 2) / rows
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img">',
        "<title>Four scheduled values over the steps of one run</title>",
        '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14">',
    ]
    for i, (target, line) in enumerate(values.items()):
        x = i % COLUMNS * (width + GAP)
        y = i // COLUMNS * (height + GAP / 2)
        parts.append(f'<g transform="translate({x:.1f} {y:.1f})">')
        parts += panel(target, line, width, height, THEMES[theme], LINES[theme][i])
        parts.append("</g>")
    return "\n".join([*parts, "</g>", "</svg>", ""])


def panel(
    target: str, line: list[float], width: float, height: float, ink: dict[str, str], color: str
) -> list[str]:
    """The lines of SVG for one target: its name, its axes, and its values."""
    low, high = min(line), max(line)
    right, floor = width - 8, height - BOTTOM

    def place(t: int, value: float) -> str:
        x = LEFT + (right - LEFT) * t / (len(line) - 1)
        y = floor - (floor - TOP) * (value - low) / (high - low)
        return f"{x:.1f},{y:.1f}"

    def text(x: float, y: float, words: str, role: str, anchor: str) -> str:
        place_of_text = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
        return f'<text {place_of_text} fill="{ink[role]}">{words}</text>'

    points = " ".join(place(t, value) for t, value in enumerate(line))
    return [
        text(LEFT, 14, f'<tspan font-weight="bold">{target}</tspan>', "ink", "start"),
        f'<path d="M{LEFT},{TOP}V{floor:.1f}H{right:.1f}" fill="none" stroke="{ink["rule"]}"/>',
        text(LEFT - 6, TOP + 4, f"{high:.3g}", "faint", "end"),
        text(LEFT - 6, floor + 4, f"{low:.3g}", "faint", "end"),
        text(LEFT, height - 6, "0", "faint", "middle"),
        text((LEFT + right) / 2 - 12, height - 6, KINDS[target], "ink", "middle"),
        text(right, height - 6, f"step {len(line) - 1}", "faint", "end"),
        f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2.5" '
        'stroke-linejoin="round"/>',
    ]


def main(folder: Path = HERE / "_static") -> None:
    seen = tsa.preview(first_schedule(), num_steps=NUM_STEPS + 1).values
    # The values of the first param group, because the README's optimizer has one.
    values = {target: [groups[0] for groups in steps] for target, steps in seen.items()}
    for theme in THEMES:
        path = folder / f"readme-{theme}.svg"
        path.write_text(draw(values, theme), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
