"""Sessions in the shared environment run what is in the sources, whatever was installed before."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
INIT = Path("packages/tsa-core/src/tsa_core/__init__.py")
SCRIPTS = "Scripts" if sys.platform == "win32" else "bin"

# Prints a file of an installed package without importing it, because torch is not there.
PRINT_INSTALLED = """
import importlib.util, pathlib
print(pathlib.Path(importlib.util.find_spec("tsa_core").origin).read_text(encoding="utf-8"))
"""


@pytest.fixture(scope="module")
def new_workspace(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A copy of the packages with this noxfile, and what the first installation said.

    A small package is in the place of torch.
    """
    folder = tmp_path_factory.mktemp("workspace")
    shutil.copy(ROOT / "noxfile.py", folder)
    groups = '[dependency-groups]\ntest = ["packaging"]\ndemo = ["packaging"]\n'
    folder.joinpath("pyproject.toml").write_text(groups, encoding="utf-8")
    shutil.copytree(ROOT / "packages", folder / "packages")
    core = folder / "packages" / "tsa-core" / "pyproject.toml"
    with_torch = core.read_text(encoding="utf-8")
    assert '"torch>=2.0"' in with_torch
    core.write_text(with_torch.replace('"torch>=2.0"', '"packaging"'), encoding="utf-8")
    return folder, run_environment(folder)


def run_environment(folder: Path, status: int = 0) -> str:
    """What the session prints on both streams."""
    command = [sys.executable, "-m", "nox", "-s", "environment"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(command, cwd=folder, check=False, **streams)
    assert done.returncode == status
    return done.stdout.decode().replace(os.linesep, "\n")


def installed(folder: Path) -> str:
    python = folder / ".nox" / "environment" / SCRIPTS / "python"
    return subprocess.check_output([python, "-c", PRINT_INSTALLED], text=True)


def test_each_stage_has_a_line(new_workspace: Any) -> None:
    """The first time says what is installed, and the second time that it is there."""
    workspace, first = new_workspace
    second = run_environment(workspace)
    for stage in ("torch", "the tools of tests and demo"):
        assert f"Installing {stage}, " in first
        assert f"Already there: {stage}." not in first
        assert f"Already there: {stage}." in second
    assert "Installing " not in second
    for said in (first, second):
        assert "Building the wheels of this project" in said
        assert "uv binary" not in said
        assert "\r" not in said


def test_a_changed_source_replaces_a_wheel_of_the_same_version(new_workspace: Any) -> None:
    """A reused environment has a source that was changed or added, and none that was removed."""
    workspace, _ = new_workspace
    source = workspace / INIT
    module = source.with_name("extra_module.py")
    assert "CHANGED" not in installed(workspace)
    source.write_text(source.read_text(encoding="utf-8") + "\nCHANGED = 1\n", encoding="utf-8")
    module.touch()
    assert "Reusing existing virtual environment" in run_environment(workspace)
    assert "CHANGED = 1" in installed(workspace)
    assert list(workspace.glob(f".nox/environment/**/tsa_core/{module.name}"))
    module.unlink()
    run_environment(workspace)
    assert not list(workspace.glob(f".nox/environment/**/tsa_core/{module.name}"))


def test_a_failed_installation_names_its_log(new_workspace: Any) -> None:
    """The terminal shows where the log of a failed build is, and the log has the reason."""
    workspace, _ = new_workspace
    readme = workspace / "packages" / "tsa-core" / "README.md"
    readme.rename(readme.with_name("moved.md"))
    try:
        failed = run_environment(workspace, status=1)
    finally:
        readme.with_name("moved.md").rename(readme)
    log = workspace.resolve() / ".nox" / "environment" / "install.log"
    assert f"Its log is {log}" in failed
    assert "README.md" in log.read_text(encoding="utf-8")
    assert "Traceback" not in failed
