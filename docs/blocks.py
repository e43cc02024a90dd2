"""Pytest plugin that runs the blocks of README.md and of every page of the documentation.

    PYTHONPATH=docs pytest -p blocks README.md docs

The ```python blocks of one page share a namespace, so a page reads as one program, and run in a
temporary folder. A first block needs nothing from before it. Warnings are errors, by
pyproject.toml. Names are bound per page and not per block: run a whole page, not one block of it.

A ```python message block warns or raises. The ```text block after it is the message: in full,
except where it has an ellipsis (…).
"""

import os
import re
import traceback
import warnings
from pathlib import Path

import pytest
from sybil import Document, Example, Region, Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

ROOT = Path(__file__).resolve().parent.parent
MESSAGE = re.compile(
    r"^```python message\n(?P<code>.*?)^```\n\s*^```text\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


@pytest.fixture(scope="module")
def temporary_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    before = os.getcwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


def find_messages(document: Document):
    for match in MESSAGE.finditer(document.text):
        yield Region(match.start(), match.end(), match.groupdict(), check_message)


def check_message(example: Example) -> str | None:
    """Return the difference between the message and the text on the page, if there is one."""
    code = compile(example.parsed["code"], example.path, "exec")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            exec(code, example.namespace)
        except Exception as error:
            messages = [error]
        else:
            messages = [warning.message for warning in caught]
    lines = [traceback.format_exception_only(message)[-1] for message in messages]
    said, expected = (" ".join(text.split()) for text in ("".join(lines), example.parsed["text"]))
    pattern = ".*".join(map(re.escape, expected.split("…")))
    if re.fullmatch(pattern, said) is None:
        return f"The page has:\n{expected}\nThe message is:\n{said}"
    return None


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), find_messages],
    path=str(ROOT),
    patterns=["README.md", "docs/*.md", "docs/*/*.md"],
    fixtures=["temporary_folder"],
).pytest()
