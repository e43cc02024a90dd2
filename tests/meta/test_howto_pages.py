"""The how-to pages are complete, and the page of threads names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = {page.stem: page.read_text(encoding="utf-8") for page in (DOCS / "howto").glob("*.md")}
INDEX = PAGES.pop("index")


def test_each_page_is_in_the_index_and_its_menu() -> None:
    """A page is linked in a table of the index, and listed in its toctree."""
    assert [name for name in PAGES if f"]({name}.md)" not in INDEX] == []
    assert [name for name in PAGES if f"\n{name}\n" not in INDEX] == []


@pytest.mark.parametrize("page", [*sorted(PAGES), "plans"])
def test_a_program_with_a_picture_is_complete(page: str) -> None:
    """A block before the picture of its values trains; with it a how-to page answers at once."""
    text = PAGES.get(page) or (DOCS / f"{page}.md").read_text(encoding="utf-8")
    pictures = re.findall(r"\n```\n\n!\[[^\]]+\]\(\S*_static/generated/howto_\w+\.svg\)\n", text)
    assert pictures
    for before in text.split("_static/generated/howto_")[:-1]:
        block = before.rpartition("```python\n")[2].partition("\n```\n")[0]
        assert "import torch_schedule_anything as tsa" in block
        assert "optimizer.step()" in block
        assert "schedule.step()" in block
    if page in PAGES:
        heading, _, rest = text.partition("\n\n")
        assert heading.startswith("# ")
        assert rest.startswith("This page shows ")
        _, _, after = rest.partition("```python\n")[2].partition("\n```\n\n")
        assert after.startswith("![")


def test_every_thread_has_a_link_and_a_test() -> None:
    """The page names exactly the tests that the files have, and links each thread by its number."""
    page = (DOCS / "contribute" / "threads.md").read_text(encoding="utf-8")
    tests = {(file, name) for name, file in re.findall(r"\[`(\w+)`\]\(\.\./\.\./(.*)\)", page)}
    files = sorted({file for file, _ in tests})
    in_files = {
        (file, node.name)
        for file in files
        for node in ast.parse((ROOT / file).read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    assert tests == in_files
    linked = set(re.findall(r"https://github\.com/[\w-]+/(?:pytorch-)?(\w+)/issues/(\d+)", page))
    assert linked == {tuple(name.split("_")[1:]) for _, name in tests}
