"""Install from an index as PyPI will be: `python tests/index_rehearsal.py dist`.

Run by `nox -s release_check`. On the index are our wheels, stand-ins for what other projects have
there under the same names, and one for torch, so that nothing is downloaded.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

TAKEN = {"tsa_core": "0.0.1", "torch_schedule_anything": "1.2.3"}  # names and versions on PyPI


def main(dist: Path) -> None:
    ours = sorted(dist.glob("*.whl"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        index = folder / "index"
        index.mkdir()
        for wheel in ours:
            shutil.copy(wheel, index)
        for package, version in TAKEN.items():
            write_wheel(index, package, version)
        write_wheel(index, "torch", "2.0.0")

        site = install(folder / "complete", index, "torch-schedule-anything")
        for wheel in ours:
            check_installed(wheel, site)

        # The other project's tsa-core must not fill in for ours.
        (core,) = index.glob("tsa_core-[!0]*.whl")
        core.unlink()
        version = ours[0].name.split("-")[1]
        try:
            install(folder / "without", index, f"torch-schedule-anything=={version}")
        except subprocess.CalledProcessError as error:
            assert f"tsa-core=={version}" in error.stderr, error.stderr
        else:
            raise AssertionError("without our tsa-core, another project's was installed")
    print(f"pip installs our {len(ours)} wheels, beside {TAKEN}")


def write_wheel(index: Path, package: str, version: str) -> None:
    """An empty distribution."""
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


def install(environment: Path, index: Path, requirement: str) -> Path:
    """Where pip put ``requirement`` in a new environment, with ``index`` for all it knows."""
    venv.create(environment, with_pip=True)
    python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    arguments = ["--isolated", "install", "--no-index", "--find-links", str(index), requirement]
    subprocess.run(
        [python, "-m", "pip", *arguments], check=True, capture_output=True, text=True, cwd=index
    )
    show = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return Path(subprocess.run(show, check=True, capture_output=True, text=True).stdout.strip())


def check_installed(wheel: Path, site: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if not name.endswith("/RECORD"):  # pip adds its own lines
                assert (site / name).read_bytes() == archive.read(name), f"{name} is another's"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
