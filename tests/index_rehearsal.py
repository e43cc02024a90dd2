"""Install from a local index with the names of PyPI: `python tests/index_rehearsal.py dist`.

`nox -s release_check` runs it. The index holds our wheels, and empty wheels for the releases that
PyPI already has under the same names. An empty wheel also stands for torch, so pip downloads
nothing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

RELEASES_ON_PYPI = {"tsa_core": "0.0.1", "torch_schedule_anything": "1.2.3"}


def main(dist: Path) -> None:
    ours = sorted(dist.glob("*.whl"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        index = folder / "index"
        index.mkdir()
        for wheel in ours:
            shutil.copy(wheel, index)
        for package, version in RELEASES_ON_PYPI.items():
            write_wheel(index, package, version)
        write_wheel(index, "torch", "2.0.0")

        result = install(folder / "complete", index, "torch-schedule-anything")
        assert result.returncode == 0, result.stderr
        for wheel in ours:
            check_installed(wheel, folder / "complete")

        # The tsa-core on PyPI belongs to another project, so pip must not install it for ours.
        (core,) = dist.glob("tsa_core-*.whl")
        (index / core.name).unlink()
        version = core.name.split("-")[1]
        result = install(folder / "without", index, f"torch-schedule-anything=={version}")
        assert result.returncode != 0, "pip installed the tsa-core of another project"
        assert f"tsa-core=={version}" in result.stderr, result.stderr
    print(f"pip installs our {len(ours)} wheels from an index that also has {RELEASES_ON_PYPI}")


def write_wheel(index: Path, package: str, version: str) -> None:
    """Write the wheel of an empty distribution into ``index``."""
    stem = f"{package}-{version}"
    files = {
        f"{package}/__init__.py": "",
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any",
    }
    files[f"{stem}.dist-info/RECORD"] = "".join(f"{name},,\n" for name in files)
    with zipfile.ZipFile(index / f"{stem}-py3-none-any.whl", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def install(folder: Path, index: Path, requirement: str) -> subprocess.CompletedProcess[str]:
    """Let pip install ``requirement`` into ``folder``, with ``index`` as its only source."""
    arguments = ["--no-index", "--find-links", str(index), "--target", str(folder), requirement]
    return subprocess.run(
        [sys.executable, "-m", "pip", "--isolated", "install", *arguments],
        capture_output=True,
        text=True,
    )


def check_installed(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if not name.endswith("/RECORD"):  # pip adds lines to this file
                installed = (folder / name).read_bytes()
                assert installed == archive.read(name), f"{name} is not from {wheel.name}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
