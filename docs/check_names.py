"""Fail unless every public name is on a written page, and in the API of the built site.

Also fail unless the page of the design has every room.

python docs/check_names.py docs/_build/html
"""

from __future__ import annotations

import re
import sys
import zlib
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

HERE = Path(__file__).resolve().parent
# torch_schedule_anything has the names of these.
MODULES = ("tsa_core", "tsa_builtins", "tsa_builtins.curves")
NOT_WRITTEN = {"api", "api.md", "_build"}  # made from docstrings


def main(site: Path) -> None:
    pages = [
        page.read_text()
        for page in HERE.rglob("*.md")
        if page.relative_to(HERE).parts[0] not in NOT_WRITTEN
    ]
    written = set(re.findall(r"\w+", "\n".join(pages)))
    documented = names_in(site / "objects.inv")
    missing = [
        f"{module}.{name} is {where}"
        for module in MODULES
        for name in import_module(module).__all__
        for where, names in (
            ("on no written page", {f"{module}.{word}" for word in written}),
            ("not in the API", documented),
        )
        if f"{module}.{name}" not in names
    ]
    design = (HERE / "contribute" / "design.md").read_text()
    missing += [
        f"{package}.{module.name} is not in design.md"
        for package in ("tsa_core", "tsa_builtins")
        for module in iter_modules(import_module(package).__path__)
        if re.search(rf"(?m)^    {module.name}(/|\.py) ", design) is None
    ]
    if missing:
        raise SystemExit("\n".join(missing))


def names_in(inventory: Path) -> set[str]:
    """The names in Sphinx's inventory: four lines of text, then compressed, one name per line."""
    compressed = inventory.read_bytes().split(b"\n", 4)[4]
    return {line.split(" ", 1)[0] for line in zlib.decompress(compressed).decode().splitlines()}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
