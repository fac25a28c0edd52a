"""What every file says about itself, and what no file says."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.tidy.tree import ROOT, Module, modules, source_modules, text_files

# Put together here, so that this file does not contain what it looks for.
FORBIDDEN_TEXT = {
    "a path of somebody's machine": re.compile(r"(?<![\w.])/(work|root|tmp|home)/\w"),
    "the host of a package registry": re.compile(r"\b(pypi|pythonhosted|npmjs|rubygems)\.(org|com)\b"),
    "something left to be done": re.compile("\\b(" + "TO" + "DO|FIX" + "ME|XX" + "X)\\b"),
}
# Whatever pytest and unittest call the ways around a test.
WAYS_AROUND = re.compile(r"(pytest|unittest)\.(\w+\.)*(\w*skip\w*|xfail|expectedFailure)", re.IGNORECASE)


def test_every_module_says_what_it_is_responsible_for() -> None:
    assert [str(module) for module in modules() if not ast.get_docstring(module.tree)] == []


def test_every_public_module_lists_what_is_public() -> None:
    public = [module for module in source_modules() if not is_private(module) and defines_something(module)]
    assert [str(module) for module in public if exported(module) is None] == []


def test_everything_that_is_listed_as_public_exists() -> None:
    missing = {str(module): set(exported(module) or ()) - set(top_level_names(module)) for module in source_modules()}
    assert {path: names for path, names in missing.items() if names} == {}


def test_no_file_holds_forbidden_text() -> None:
    assert list(forbidden_text()) == []


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    tests = [module for module in modules() if module.path.parts[0] == "tests"]
    assert [place for module in tests for place in ways_around(module)] == []


def test_no_unit_or_property_test_sleeps_by_the_wall_clock() -> None:
    quick = [module for module in modules() if module.path.parts[:2] in (("tests", "unit"), ("tests", "property"))]
    assert [
        str(module) for module in quick if re.search(r"\btime\.sleep\b|from time import .*sleep", module.text)
    ] == []


def test_every_link_in_the_documentation_leads_to_a_file() -> None:
    pages = [path for path in text_files() if path.suffix == ".md"]
    assert [f"{page}: {link}" for page in pages for link in dead_links(page)] == []


def is_private(module: Module) -> bool:
    return any(part.startswith("_") and not part.startswith("__") for part in module.path.parts)


def defines_something(module: Module) -> bool:
    return any(not isinstance(node, ast.Expr) for node in module.tree.body)


def exported(module: Module) -> list[str] | None:
    for node in module.tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            names = ast.literal_eval(getattr(node, "value"))  # noqa: B009 - either kind of assignment has one
            assert isinstance(names, list)
            return names
    return None


def top_level_names(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def forbidden_text() -> Iterator[str]:
    for path in text_files():
        text = (ROOT / path).read_text(encoding="utf-8")
        for what, pattern in FORBIDDEN_TEXT.items():
            yield from (f"{path}: {what}: {match.group()}" for match in pattern.finditer(text))


def ways_around(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and WAYS_AROUND.fullmatch(ast.unparse(node)):
            yield f"{module}:{node.lineno} {node.attr}"


def dead_links(page: Path) -> Iterator[str]:
    text = re.sub(r"^```.*?^```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in link and not link.startswith("mailto:") and not (ROOT / page.parent / link).exists():
            yield link
