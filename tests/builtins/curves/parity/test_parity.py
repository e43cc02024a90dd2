"""The tables in docs/curves.md, against recorded values of other libraries and against torch."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from torch.optim import lr_scheduler

from tsa_builtins import curves

HERE = Path(__file__).parent
PAGE = HERE.parents[3] / "docs" / "curves.md"

# A row is a call, perhaps with the last step at which both agree, and the expression.
ROW = re.compile(
    r"^\| `(?P<call>[^`]+)`(, to step `(?P<last>[^`]+)`|, forever)? "
    r"\| `(?P<expression>[^`]+)` \|$",
    re.MULTILINE,
)
ROWS = [row.groupdict() for row in ROW.finditer(PAGE.read_text("utf-8"))]

TABLES = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(HERE.glob("*.json"))}
CASES = {case["call"]: case for table in TABLES.values() for case in table["cases"]}
TORCH_CALLS = {case["call"] for case in TABLES["torch"]["cases"]}


def test_the_page_has_every_curve() -> None:
    """docs/curves.md writes every public curve as a call with its arguments."""
    makers = set(curves.__all__) - {"Curve", "from_dict", "to_dict"}
    assert [name for name in sorted(makers) if f"`{name}(" not in PAGE.read_text("utf-8")] == []


def compare(row: dict[str, str], theirs: list[float]) -> None:
    """Compare to 1e-12 of the largest value: near 0, sums of other libraries round as much."""
    symbols = CASES[row["call"]]["symbols"]
    initial = symbols.get("lr", next(iter(symbols.values())))
    if row["last"] is not None:
        theirs = theirs[: eval(row["last"], dict(symbols)) + 1]
    curve = eval(row["expression"], {**vars(curves), **symbols})
    ours = [initial * curve(t) for t in range(len(theirs))]
    assert ours == pytest.approx(theirs, rel=0, abs=1e-12 * max(theirs))


def test_every_row_has_its_numbers_and_every_number_its_row() -> None:
    """The tables in the docs and the recorded tables have the same calls."""
    assert {row["call"] for row in ROWS} == set(CASES)
    assert sorted(TABLES) == ["dinov2", "optax", "timm", "torch", "transformers"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['call']} = {row['expression']}")
def test_an_expression_has_the_values_of_the_call_beside_it(row: dict[str, str]) -> None:
    """They are those recorded, to the step that the row names, and those of the torch installed."""
    call, symbols, recorded = (CASES[row["call"]][key] for key in ("call", "symbols", "values"))
    compare(row, recorded)
    if row["last"] is not None:  # and it is the last step that agrees
        with pytest.raises(AssertionError):
            compare({**row, "last": "10_000"}, recorded)
    if call in TORCH_CALLS:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=symbols["lr"])
        schedule = eval(call, {**vars(lr_scheduler), **symbols, "opt": optimizer})
        theirs = [optimizer.param_groups[0]["lr"]]
        for _ in recorded[1:]:
            optimizer.step()
            schedule.step()
            theirs.append(optimizer.param_groups[0]["lr"])
        compare(row, theirs)
