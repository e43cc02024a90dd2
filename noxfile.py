"""Each session checks one promise of this project. `nox -l` lists them.

One invocation builds the distributions once. The sessions test the built wheels: no session that
installs them has the sources on its path. `tests`, `demo` and `docs` share one environment.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"  # so that pip installs, as for most users
nox.options.sessions = ["tests"]

# nox looks for uv, to offer it, and would say "uv binary not found." to everyone without it.
logging.getLogger("nox").addFilter(lambda record: "uv binary" not in record.getMessage())

ROOT = Path(__file__).parent
DIST = ROOT / "dist"
SITE = "docs/_build/html"
DISTRIBUTIONS = ("tsa-core", "tsa-builtins", "torch-schedule-anything")
PACKAGES = tuple(name.replace("-", "_") for name in DISTRIBUTIONS)
SUITE = ("tests/core", "tests/builtins", "tests/meta")
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")

# Makes a wheel by PEP 517. Its arguments are the folder of the sources and that of the wheel.
BUILD_WHEEL = (
    "import os, sys; from hatchling.build import build_wheel; "
    "os.chdir(sys.argv[1]); build_wheel(sys.argv[2])"
)

ON_ALL_CORES = ("-n", "auto")  # pytest-xdist
BY_FILE = (*ON_ALL_CORES, "--dist", "loadfile")  # the blocks of a page share their names

# A session with this tag has to pass before a change is merged: .ci/run, in 30 minutes.
CHANGE = ("change",)

# Pages with blocks that need the packages of the session `frameworks`, which runs them.
FRAMEWORK_PAGES = ("docs/frameworks.md", "docs/howto/log_values.md", "docs/plans.md")

# (Python, torch), and the tag: the oldest of both, the newest of both, and pairs between them.
MATRIX = [
    ("3.10", "2.0.1", CHANGE),
    ("3.10", "2.2.2", ()),
    ("3.11", "2.4.1", ()),
    ("3.12", "2.6.0", ()),
    ("3.12", "2.9.1", ()),
    ("3.13", "2.13.0", ()),
    ("3.13", "2.15.0", CHANGE),
    ("3.14", "2.15.0", ()),
]

# By the name of its schema, the files that other services read.
SCHEMAS = {
    "citation-file-format": ("CITATION.cff",),
    "readthedocs": (".readthedocs.yaml",),
    "github-issue-config": (".github/ISSUE_TEMPLATE/config.yml",),
    "github-issue-forms": (
        ".github/ISSUE_TEMPLATE/bug_report.yml",
        ".github/ISSUE_TEMPLATE/feature_request.yml",
    ),
    "github-workflows": (
        ".github/workflows/ci.yml",
        ".github/workflows/release.yml",
        ".github/workflows/weekly.yml",
    ),
}

EXAMPLES = {
    "weight_decay_and_lr": ("--epochs", "6"),
    "batch_size_schedule": ("--epochs", "6"),
    "gradient_norm_threshold": ("--steps", "150"),
    "beta_vae": ("--epochs", "30"),
    "hf_trainer_gpt": ("--steps", "80"),
    "lightning_digits": ("--epochs", "6"),
    "fsdp2_two_processes": ("--epochs", "4"),
}


@nox.session
def build(session: nox.Session) -> None:
    """Six files, three wheels and three sdists, are complete and build from one another."""
    install_group(session, "build")
    shutil.rmtree(DIST, ignore_errors=True)
    # nox's uv backend sets UV_PYTHON. hatch would install its build requirements into that Python.
    hatch_env = {"UV_PYTHON": None}
    session.run("hatch", "build", "--all", env=hatch_env)
    session.run("python", "tests/check_dist.py", str(DIST), env=hatch_env)
    files = sorted(map(str, DIST.iterdir()))
    session.run("twine", "check", "--strict", *files)
    session.run("check-wheel-contents", *(file for file in files if file.endswith(".whl")))


@nox.session(reuse_venv=True)
def environment(session: nox.Session) -> None:
    """Build the wheels and install them where `tests`, `demo` and `docs` run, a line per stage."""
    core = nox.project.load_toml(ROOT / "packages" / "tsa-core" / "pyproject.toml")
    tools = ("hatchling>=1.27", "pip", *requirements("test"), *requirements("demo"))
    log = install_log(session)
    log.unlink(missing_ok=True)
    add(session, "torch", core["project"]["dependencies"], session.install)
    add(session, "the tools of tests and demo", tools, session.install)
    session.log("Building the wheels of this project, and installing them.")
    with quietly(session) as options:
        wheels = log.with_name("wheels")
        shutil.rmtree(wheels, ignore_errors=True)
        for distribution in DISTRIBUTIONS:
            source = str(ROOT / "packages" / distribution)
            session.run("python", "-c", BUILD_WHEEL, source, str(wheels), **options)
        built = wheel_files(wheels, DISTRIBUTIONS)
        # The version of a wheel stays the same while its sources change, and pip would keep an
        # installed one of the same version.
        session.install("--force-reinstall", "--no-deps", *built, **options)
        session.install(*built, **options)  # what they need besides torch


@nox.session(venv_backend="none", requires=["environment"])
def tests(session: nox.Session) -> None:
    """The whole suite passes against the built wheels, on this Python and the torch pip chooses.

    So do the examples in docstrings. The last line counts both.
    """
    # As modules with doctests, the conftest.py of two folders would have one name.
    doctests = ("--doctest-modules", "--ignore-glob=*conftest.py", "--pyargs", *PACKAGES[:2])
    report = Path(session.create_tmp()) / "report.xml"
    report.unlink(missing_ok=True)
    atexit.register(print_sum, report)  # after nox's own last lines
    suite = (*ON_ALL_CORES, f"--junit-xml={report}", *SUITE, *doctests)
    run_in_environment(session, "pytest", *suite, *session.posargs)


@nox.session(venv_backend="none", requires=["environment"])
def exhaustive(session: nox.Session) -> None:
    """Every name passes with every value, which takes hours, weekly: `tests` takes a sample."""
    session.env["EXHAUSTIVE"] = "1"  # tests/cases.py
    run_in_environment(session, "pytest", *ON_ALL_CORES, *SUITE, *session.posargs)


@nox.session(venv_backend="none", requires=["environment"])
def demo(session: nox.Session) -> None:
    """A real model trains on real data under four schedules, and resumes to the same weights."""
    command = ("python", "-u", "examples/train_digits.py")  # each line as it comes
    run_in_environment(session, *command, *session.posargs, log=False)


@nox.session
def workspace(session: nox.Session) -> None:
    """The shared environment has the sources as they are, also after a change."""
    session.install("nox", "pytest>=8")
    session.run("pytest", "--confcutdir=tests/workspace", "tests/workspace")  # no torch here


# `tests` runs the same suites, so .ci/run has only the distribution that must not need the others.
@nox.session(requires=["build"], reuse_venv=False)
@nox.parametrize(
    "distribution",
    [
        nox.param("tsa-core", id="tsa-core", tags=CHANGE),
        nox.param("tsa-builtins", id="tsa-builtins"),
        nox.param("torch-schedule-anything", id="torch-schedule-anything"),
    ],
)
def isolated(session: nox.Session, distribution: str) -> None:
    """Each distribution works with only what it declares, and passes its own tests.

    With the core alone, a small framework trains too.
    """
    needed = DISTRIBUTIONS[: DISTRIBUTIONS.index(distribution) + 1]
    install_wheels(session, *needed)
    install_group(session, "test")
    folder = SUITE[DISTRIBUTIONS.index(distribution)]
    # torch.compile does not depend on what else is installed, and `tests` and `matrix` compile.
    skip = "--ignore-glob=*test_compiled_*"
    session.run("pytest", *ON_ALL_CORES, skip, folder, *session.posargs)
    if distribution == "tsa-core":
        session.run("python", "examples/small_framework.py")


@nox.session(requires=["build"], reuse_venv=False, venv_backend="uv|virtualenv")
@nox.parametrize(
    "python,torch",
    [nox.param(py, torch, id=f"py{py}-torch{torch}", tags=tags) for py, torch, tags in MATRIX],
)
def matrix(session: nox.Session, torch: str) -> None:
    """The suite passes from the oldest Python and torch to the newest."""
    # torch < 2.3 was compiled for NumPy 1 and cannot load NumPy 2.
    numpy = ("numpy<2",) if torch.startswith(("2.0.", "2.1.", "2.2.")) else ()
    install_wheels(session, *DISTRIBUTIONS, extra=(f"torch=={torch}", *numpy))
    install_group(session, "test", extra=numpy)
    session.run("pytest", *ON_ALL_CORES, *SUITE, *session.posargs)


@nox.session(tags=CHANGE, requires=["build"], reuse_venv=False)
def types(session: nox.Session) -> None:
    """Sources pass mypy strictly; users of the wheels see every type, in mypy and pyright."""
    install_wheels(session, *DISTRIBUTIONS)
    install_group(session, "types")
    for distribution, package in zip(DISTRIBUTIONS, PACKAGES):
        session.run("mypy", f"packages/{distribution}/src/{package}")
    session.run("mypy", "tests/typed_user.py")
    session.run("pyright", "tests/typed_user.py")
    for package in PACKAGES:
        session.run("pyright", "--verifytypes", package, "--ignoreexternal")


@nox.session(tags=CHANGE)
def lint(session: nox.Session) -> None:
    """The code keeps to the style and the import layers, and declares everything it imports."""
    install_group(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    for schema, files in SCHEMAS.items():
        session.run("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)
    sources = {package: f"packages/{name}/src" for name, package in zip(DISTRIBUTIONS, PACKAGES)}
    session.run("lint-imports", env={"PYTHONPATH": ":".join(sources.values())})
    for distribution, package in zip(DISTRIBUTIONS, PACKAGES):
        with session.chdir(f"packages/{distribution}"):
            session.run(
                "deptry", "src", "--known-first-party", package,
                "--package-module-name-map", "tsa-core=tsa_core,tsa-builtins=tsa_builtins",
                # torch-schedule-anything has an extra for drawing, but tsa_core imports matplotlib.
                "--per-rule-ignores", "DEP002=matplotlib",
            )  # fmt: skip


@nox.session(venv_backend="none", requires=["environment"])
def site(session: nox.Session) -> None:
    """The site builds without a warning, in a minute: docs/_build/html. Code draws its pictures."""
    pip = partial(run_in_environment, session, "python", "-m", "pip", "install")
    add(session, "the tools of the site", requirements("docs"), pip)
    shutil.rmtree(SITE, ignore_errors=True)  # a page that is gone leaves no file behind
    run_in_environment(session, "python", "docs/draw.py")
    run_in_environment(
        session, "sphinx-build", "-nW", "--keep-going", "-E", "-q", "-b", "html", "docs", SITE
    )
    atexit.register(print, f"The site: {ROOT / SITE / 'index.html'}")  # after nox's last lines


@nox.session(tags=CHANGE, venv_backend="none", requires=["site"])
def docs(session: nox.Session) -> None:
    """Every block of the documentation runs, and the site has what readers look for.

    Warnings are errors. Every link within the site has a target, every public name is on the site,
    and the search finds the pages that answer.
    """
    run_in_environment(session, "python", "docs/check_names.py", SITE)
    run_in_environment(session, "pytest", "-q", "tests/site", env={"SITE": SITE})
    skip = [f"--ignore={page}" for page in FRAMEWORK_PAGES]
    blocks = ("-p", "blocks", *BY_FILE, *skip, "README.md", "docs")
    run_in_environment(session, "pytest", *blocks, env={"PYTHONPATH": "docs"})


@nox.session(tags=CHANGE, requires=["build"], reuse_venv=False)
def frameworks(session: nox.Session) -> None:
    """Trainer, Lightning, Accelerate and Ignite keep to the plan at each step, and resume."""
    install_wheels(session, *DISTRIBUTIONS)
    install_group(session, "frameworks")
    pages = ("tests/integration", *FRAMEWORK_PAGES)
    session.run("pytest", "-p", "blocks", *BY_FILE, *pages, env={"PYTHONPATH": "docs"})


@nox.session(tags=CHANGE, requires=["build"], reuse_venv=False)
def distributed(session: nox.Session) -> None:
    """Two processes hold the same values, and their checkpoints resume: DDP, FSDP2, ZeRO."""
    install_wheels(session, *DISTRIBUTIONS)
    install_group(session, "distributed")
    session.run("pytest", "tests/distributed", *session.posargs)


@nox.session(tags=CHANGE, requires=["build"], reuse_venv=False)
def examples(session: nox.Session) -> None:
    """Each example on real data shows what it claims, in its short form."""
    install_wheels(session, *DISTRIBUTIONS)
    install_group(session, "examples")
    for name, short_form in EXAMPLES.items():
        session.run("python", f"examples/{name}.py", *short_form)


@nox.session(requires=["build"], reuse_venv=False)
def studies(session: nox.Session) -> None:
    """The studies run in full, or go on after an interrupt: nox -s studies -- [NAME ...]."""
    install_wheels(session, *DISTRIBUTIONS)
    install_group(session, "studies")
    session.run("python", "studies/run.py", *session.posargs)
    session.run("python", "studies/pages.py")


@nox.session(tags=CHANGE, requires=["build"], reuse_venv=False)
def studies_short(session: nox.Session) -> None:
    """In short forms of the studies, every value follows its plan, and the runs repeat."""
    install_wheels(session, *DISTRIBUTIONS)
    install_group(session, "studies")
    session.run("python", "studies/check.py")


@nox.session(requires=["build"], reuse_venv=False)
def bench(session: nox.Session) -> None:
    """A step is timed against torch, a bare loop and other libraries: nox -s bench -- FOLDER."""
    results = Path(session.posargs[0] if session.posargs else "benchmarks/results")
    install_wheels(session, *DISTRIBUTIONS)
    install_group(session, "bench")
    session.run("python", "benchmarks/step_cost.py", str(results / "torch_schedule_anything.json"))
    for group in PROJECT["dependency-groups"]:
        kind, _, peer = group.partition("-")
        if kind == "peer":
            # Each library gets a separate environment, because their requirements can conflict and
            # the predecessor has the same name as this project.
            environment = Path(session.create_tmp()) / peer
            session.run("python", "-m", "venv", "--clear", str(environment))
            python = str(environment / "bin" / "python")
            needed = nox.project.dependency_groups(PROJECT, group)
            session.run(python, "-m", "pip", "install", "--quiet", *needed, external=True)
            result = str(results / f"peer_{peer}.json")
            session.run(python, "benchmarks/peers.py", peer, result, external=True)
    # Without a FOLDER, the results are the project's, and the documentation shows them.
    pages = [] if session.posargs else ["docs/contribute/measurements.md"]
    session.run("python", "benchmarks/table.py", str(results), *pages)


@nox.session(tags=CHANGE, requires=["build"], reuse_venv=False)
def release_check(session: nox.Session) -> None:
    """The files in dist/ can be published: they fit together, break no caller, and install."""
    install_group(session, "release")
    session.run("python", "tests/check_release.py", str(DIST))
    session.run("python", "tests/index_rehearsal.py", str(DIST))


@nox.session(venv_backend="none")
def bump(session: nox.Session) -> None:
    """Set the version of all three, their pins, and CITATION.cff: nox -s bump -- 2.0.1."""
    (version,) = session.posargs
    for distribution, package in zip(DISTRIBUTIONS, PACKAGES):
        folder = ROOT / "packages" / distribution
        module = folder / "src" / package / "__init__.py"
        substitute(module, r'(?m)^__version__ = ".*"$', f'__version__ = "{version}"')
        substitute(folder / "pyproject.toml", r'"(tsa-[a-z]+)==[^"]*"', rf'"\1=={version}"')
    substitute(ROOT / "CITATION.cff", r"(?m)^version: .*$", f"version: {version}")


# -- helpers -----------------------------------------------------------------------------------


def requirements(group: str) -> list[str]:
    return list(nox.project.dependency_groups(PROJECT, group))


def install_group(session: nox.Session, group: str, extra: tuple[str, ...] = ()) -> None:
    session.install(*requirements(group), *extra)


def wheel_files(folder: Path, distributions: Sequence[str]) -> list[str]:
    # By file, because on PyPI tsa-core is another project and torch-schedule-anything is 1.x.
    return [str(next(folder.glob(f"{name.replace('-', '_')}-*.whl"))) for name in distributions]


def install_wheels(session: nox.Session, *distributions: str, extra: tuple[str, ...] = ()) -> None:
    session.install(*wheel_files(DIST, distributions), *extra)


def program(session: nox.Session, name: str) -> str:
    """A program of the environment that the session `environment` made."""
    scripts = "Scripts" if os.name == "nt" else "bin"
    return str(Path(session.env_dir).resolve().with_name("environment") / scripts / name)


def run_in_environment(session: nox.Session, name: str, *args: str, **options: Any) -> None:
    session.run(program(session, name), *args, external=True, **options)


def install_log(session: nox.Session) -> Path:
    return Path(session.env_dir).resolve().with_name("environment") / "install.log"


def add(
    session: nox.Session, what: str, needed: Sequence[str], install: Callable[..., object]
) -> None:
    """Install into the shared environment what is not there yet, and say which it was."""
    # Without an index, pip asks no network.
    command = (program(session, "python"), "-m", "pip", "install", "--dry-run", "--no-index")
    tried = subprocess.run([*command, *needed], check=False, capture_output=True, text=True)
    if tried.returncode == 0 and "Would install" not in tried.stdout:
        session.log(f"Already there: {what}.")
        return
    session.log(f"Installing {what}, which can take minutes. The log: {install_log(session)}")
    with quietly(session) as options:
        install(*needed, **options)


@contextmanager
def quietly(session: nox.Session) -> Iterator[dict[str, Any]]:
    """The options of a command that writes to the log of the environment only."""
    path = install_log(session)
    with path.open("a") as file:
        try:
            yield {"log": False, "silent": False, "stdout": file, "stderr": subprocess.STDOUT}
        except CommandFailed:
            session.error(f"The installation failed. Its log is {path}")


def print_sum(report: Path) -> None:
    """Print how many tests passed, failed and were skipped, from a report in JUnit's format."""
    if not report.exists():  # pytest refused its arguments
        return
    for suite in ElementTree.parse(report).iter("testsuite"):
        count = {name: int(suite.attrib[name]) for name in ("failures", "errors", "skipped")}
        passed = int(suite.attrib["tests"]) - sum(count.values())
        counts = ", ".join(f"{number:,} {name}" for name, number in count.items())
        minutes, seconds = divmod(round(float(suite.attrib["time"])), 60)
        print(f"Tests: {passed:,} passed, {counts}, in {minutes} min {seconds} s.")


def substitute(path: Path, pattern: str, replacement: str) -> None:
    path.write_text(re.sub(pattern, replacement, path.read_text()))
