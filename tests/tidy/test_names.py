"""Names are the field's nouns, tests are named after sentences and unit tests after the file that they test."""

import ast
import itertools
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.tidy.tree import ROOT, Module, modules

# Words that say that something is done, but not what.
FORBIDDEN_WORDS = {"manager", "managers", "helper", "helpers", "util", "utils", "utility", "utilities"}


def test_no_name_has_a_word_that_says_nothing() -> None:
    assert [place for place, name in all_names() if FORBIDDEN_WORDS & set(words(name))] == []


def test_no_handler_is_without_a_noun() -> None:
    assert [place for place, name in all_names() if words(name) in (["handler"], ["handlers"])] == []


def test_the_name_of_a_test_is_a_sentence() -> None:
    tests = [(place, name) for place, name in all_names() if name.startswith("test_") and " " in place]
    assert [place for place, name in tests if len(words(name)) < 4] == []


def test_a_unit_test_stands_where_the_file_that_it_tests_stands() -> None:
    unit = Path("tests/unit")
    tests = [module.path.relative_to(unit) for module in modules() if module.path.is_relative_to(unit)]
    assert [str(path) for path in tests if path.name.startswith("test_") and not is_mirrored(path)] == []


def is_mirrored(test: Path) -> bool:
    """Whether test_name.py, or test_name_aspect.py, has a name.py (or a package called name) at its own path."""
    subject = test.stem.removeprefix("test_").split("_")
    candidates = ["_".join(subject[:count]) for count in range(1, len(subject) + 1)]
    folder = ROOT / test.parent
    return any((folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file() for name in candidates)


@cache
def all_names() -> tuple[tuple[str, str], ...]:
    """(where, name) of every file, class and function."""
    # tests/helpers is the one folder that is called so: DESIGN names it.
    files = ((str(module), module.path.stem) for module in modules())
    return (*files, *itertools.chain.from_iterable(map(definitions, modules())))


def definitions(module: Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{module}:{node.lineno} {node.name}", node.name


def words(name: str) -> list[str]:
    """`StompFrontend` and `stomp_frontend` both are [stomp, frontend]."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)]
