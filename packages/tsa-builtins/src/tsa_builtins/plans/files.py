"""A plan in a file: YAML, JSON or TOML, in which no entry appears twice."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any


class PlanError(Exception):
    """A plan cannot be read, built or followed. The message is for its author."""


def read_plan(path: str) -> Any:
    """Return the data in the file at ``path``, or of the standard input if it is ``-``.

    Raises:
        PlanError: the file is not there, cannot be parsed, or has an entry twice; or its parser is
            not installed. The message begins with the path, and the line and column if known.
    """
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text("utf-8-sig")
    except OSError as error:
        raise PlanError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise PlanError(f"{path}: expected text in UTF-8: {error}") from None
    suffix = Path(path).suffix.lower()
    parse = PARSERS.get(suffix) or (_parse_json if _is_json(text) else _parse_yaml)
    try:
        return parse(path, text)
    except RecursionError:
        raise PlanError(f"{path}: nested too deep") from None
    except ValueError as error:  # such as a date that no calendar has
        raise PlanError(f"{path}: {error}") from None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _parse_json(path: str, text: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(pairs)
        for key in entries if len(entries) < len(pairs) else ():
            if [name for name, _ in pairs].count(key) > 1:
                raise PlanError(f"{path}: {key!r} appears twice in the same dict; {ONCE}")
        return entries

    try:
        return json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise PlanError(f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from None


ONCE = "a parser would silently take the last one"


def _parse_yaml(path: str, text: str) -> Any:
    yaml = _imported("yaml", path, "PyYAML")
    try:
        for key in _repeated(yaml.compose(text, yaml.SafeLoader), set()):
            raise PlanError(f"{_place(path, key)}: {key.value!r} appears twice; {ONCE}")
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        what = getattr(error, "problem", None) or " ".join(str(error).split())
        raise PlanError(f"{_place(path, error)}: not YAML: {what}") from None


def _place(path: str, what: Any) -> str:
    """Return the path with the line and column of a node or an error of PyYAML, if it has one."""
    mark = getattr(what, "start_mark", None) or getattr(what, "problem_mark", None)
    return path if mark is None else f"{path}:{mark.line + 1}:{mark.column + 1}"


def _repeated(node: Any, seen: set[int]) -> Iterator[Any]:
    """Yield the keys that stand a second time in their dict. An alias is looked at once."""
    if id(node) in seen or not isinstance(getattr(node, "value", None), list):
        return
    seen.add(id(node))
    keys = set()
    for each in node.value:
        key, value = each if isinstance(each, tuple) else (None, each)
        if key is not None and isinstance(key.value, str):
            if key.value in keys:
                yield key
            keys.add(key.value)
        yield from _repeated(value, seen)


def _parse_toml(path: str, text: str) -> Any:
    tomllib = _imported("tomllib", path, "Python 3.11")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{path}: not TOML: {error}") from None


def _imported(module: str, path: str, needed: str) -> Any:
    """Return a module that this package does not need otherwise."""
    try:
        return import_module(module)
    except ModuleNotFoundError:
        hint = f"pip install {needed}, or write" if module == "yaml" else "write"
        raise PlanError(
            f"{path}: needs {needed}, which is not installed; {hint} the plan as JSON"
        ) from None


PARSERS: Mapping[str, Callable[[str, str], Any]] = {
    ".json": _parse_json,
    ".yaml": _parse_yaml,
    ".yml": _parse_yaml,
    ".toml": _parse_toml,
}
"""How a file is read, by the end of its name. Any other is JSON if it can be, else YAML."""
