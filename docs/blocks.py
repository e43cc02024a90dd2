"""Pytest plugin that runs every ```python block of README.md and docs/*.md.

    PYTHONPATH=docs pytest -p blocks README.md docs

The blocks of one page share a namespace, so a page reads as one program, and run in a temporary
folder. Warnings are errors, by pyproject.toml. Names are bound per page and not per block: run a
whole page, not one block of it.
"""

import os
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def temporary_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    before = os.getcwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser()],
    path=str(ROOT),
    patterns=["README.md", "docs/*.md"],
    fixtures=["temporary_folder"],
).pytest()
