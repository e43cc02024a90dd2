"""The how-to pages are complete, and the page of threads shows tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = {page.stem: page.read_text(encoding="utf-8") for page in (DOCS / "howto").glob("*.md")}
INDEX = PAGES.pop("index")

# Words that readers search for, and the page that must have them.
WORDS = {
    "warmup": "warmup_stable_decay",
    "yaml": "config_files",
    "hydra": "config_files",
    "tensorboard": "log_values",
    "wandb": "log_values",
    "dropout": "dropout",
    "freeze": "freeze_and_thaw",
    "gan": "gan",
    "tokens": "epochs_samples_tokens",
    "ema": "ema_decay",
    "accumulation": "gradient_accumulation",
}


def test_each_page_is_in_the_index_and_its_menu() -> None:
    """A page is linked in a table of the index, and listed in its toctree."""
    assert [name for name in PAGES if f"]({name}.md)" not in INDEX] == []
    assert [name for name in PAGES if f"\n{name}\n" not in INDEX] == []


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_begins_with_its_question_a_program_and_its_picture(name: str) -> None:
    """The first block trains, and the page's picture is the next thing after it."""
    heading, _, rest = PAGES[name].partition("\n\n")
    assert heading.startswith("# ")
    assert rest.startswith("This page shows ")
    block, _, after = rest.partition("```python\n")[2].partition("\n```\n\n")
    assert "import torch_schedule_anything as tsa" in block
    assert "optimizer.step()" in block
    assert "schedule.step()" in block
    assert re.match(rf"!\[[^\]]+\]\(\.\./_static/generated/howto_{name}\.svg\)\n", after)


def test_a_word_that_readers_search_for_is_in_a_title_or_heading() -> None:
    """A page that answers a search has the word in one of its headings."""
    for word, name in WORDS.items():
        headings = "\n".join(re.findall(r"(?m)^#+ (.*)$", PAGES[name]))
        assert re.search(rf"\b{word}\b", headings, re.IGNORECASE), word


def test_every_thread_has_a_link_and_a_test() -> None:
    """The page shows exactly the tests that the files have, and links each thread by its number."""
    page = (DOCS / "threads.md").read_text(encoding="utf-8")
    shown = re.findall(r"literalinclude\} \.\./(.*)\n:language: python\n:pyobject: (\w+)", page)
    tests = {(file, name) for file, name in shown if name.startswith("test_")}
    files = sorted({file for file, _ in shown})
    in_files = {
        (file, node.name)
        for file in files
        for node in ast.parse((ROOT / file).read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    assert tests == in_files
    linked = set(re.findall(r"https://github\.com/[\w-]+/(?:pytorch-)?(\w+)/issues/(\d+)", page))
    assert linked == {tuple(name.split("_")[1:]) for _, name in tests}
