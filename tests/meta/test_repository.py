"""What README, form for reports, Read the Docs and how-to pages say is so, and is complete."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
import textwrap
from importlib import metadata
from pathlib import Path

import pytest
import torch
import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text("utf-8")
NOXFILE = (ROOT / "noxfile.py").read_text("utf-8")


# -- the README ------------------------------------------------------------------------------------


def test_the_pictures_are_current(tmp_path: Path) -> None:
    """The pictures in the repository have the values of the schedules that the README builds."""
    script = str(DOCS / "readme_picture.py")
    subprocess.run([sys.executable, script, str(tmp_path)], check=True, stdout=subprocess.DEVNULL)
    for name in ("readme-light.svg", "readme-dark.svg"):
        drawn, kept = (folder / name for folder in (tmp_path, DOCS / "_static"))
        assert drawn.read_bytes() == kept.read_bytes(), "run `python docs/readme_picture.py`"
        assert f"docs/_static/{name}" in README


def test_every_link_leads_to_a_file() -> None:
    """Each link into the repository names a file that is there."""
    targets = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", README)
    targets += re.findall(r'(?:src|srcset)="([^"]+)"', README)
    assert len(targets) > 10
    assert [target for target in targets if not (ROOT / target).is_file()] == []


def test_the_install_lines_name_folders_of_all_distributions() -> None:
    """Each distribution comes from its folder, so pip asks the index for none of them."""
    commands = re.findall(r"(?m)^pip install (\./packages/.*)$", README)
    folders = [set(re.findall(r"\./packages/([\w-]+)", command)) for command in commands]
    assert folders
    assert folders == [{path.name for path in (ROOT / "packages").iterdir()}] * len(folders)
    assert all((ROOT / "packages" / name / "pyproject.toml").is_file() for name in folders[0])


def test_every_session_is_in_the_noxfile() -> None:
    """Each ``nox -s NAME`` of the README is a session."""
    sessions = set(re.findall(r"nox -s (\w+)", README))
    assert {"demo", "tests"} <= sessions
    assert sessions <= set(re.findall(r"(?m)^def (\w+)\(session", NOXFILE))


# -- the form for reports --------------------------------------------------------------------------

FORM = (ROOT / ".github" / "ISSUE_TEMPLATE" / "bug_report.yml").read_text("utf-8")


def test_the_command_of_the_form_prints_the_versions() -> None:
    """The command that a reporter is asked to run prints this library's version and torch's."""
    (command,) = re.findall(r"`(python -c [^`]*)`", FORM)
    _, *arguments = shlex.split(" ".join(command.split()))
    printed = subprocess.check_output([sys.executable, *arguments], text=True).split()
    assert printed[:2] == [metadata.version("torch-schedule-anything"), torch.__version__]


def test_the_minimal_run_of_the_form_runs() -> None:
    """The program that a reporter starts from runs as it is."""
    (program,) = re.findall(r"value: \|\n((?: {8}.*\n|\n)+)", FORM)
    exec(textwrap.dedent(program), {})


# -- Read the Docs ---------------------------------------------------------------------------------


def test_read_the_docs_builds_the_site_with_the_commands_of_nox() -> None:
    """The pictures are drawn and the pages are built by the same commands, in the same order."""
    (session,) = (
        node
        for node in ast.parse(NOXFILE).body
        if isinstance(node, ast.FunctionDef) and node.name == "site"
    )
    calls = [
        node
        for node in ast.walk(session)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "run_in_environment"
    ]
    jobs = yaml.safe_load((ROOT / ".readthedocs.yaml").read_text())["build"]["jobs"]
    commands = [shlex.split(command) for command in jobs["build"]["html"]]
    assert commands[-1].pop() == "$READTHEDOCS_OUTPUT/html"
    assert commands == [
        [word.value for word in call.args if isinstance(word, ast.Constant)]
        for call in sorted(calls, key=lambda call: call.lineno)
    ]


# -- the how-to pages, and the page of threads -----------------------------------------------------

PAGES = {page.stem: page.read_text("utf-8") for page in (DOCS / "howto").glob("*.md")}
INDEX = PAGES.pop("index")


def test_each_page_is_in_the_index_and_its_menu() -> None:
    """A page is linked in a table of the index, and listed in its toctree."""
    assert [name for name in PAGES if f"]({name}.md)" not in INDEX] == []
    assert [name for name in PAGES if f"\n{name}\n" not in INDEX] == []


@pytest.mark.parametrize("page", [*sorted(PAGES), "plans"])
def test_a_program_with_a_picture_is_complete(page: str) -> None:
    """A block before the picture of its values trains; with it a how-to page answers at once."""
    text = PAGES.get(page) or (DOCS / f"{page}.md").read_text("utf-8")
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
    page = (DOCS / "contribute" / "threads.md").read_text("utf-8")
    tests = {(file, name) for name, file in re.findall(r"\[`(\w+)`\]\(\.\./\.\./(.*)\)", page)}
    in_files = {
        (file, node.name)
        for file in {file for file, _ in tests}
        for node in ast.parse((ROOT / file).read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    assert tests == in_files
    linked = set(re.findall(r"https://github\.com/[\w-]+/(?:pytorch-)?(\w+)/issues/(\d+)", page))
    assert linked == {tuple(name.split("_")[1:]) for _, name in tests}
