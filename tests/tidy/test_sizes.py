"""Files and functions stay small enough to be read at one go."""

import ast
from collections.abc import Iterator

from tests.tidy.tree import Module, modules

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 60


def test_no_file_is_longer_than_the_limit() -> None:
    lengths = {str(module): module.text.count("\n") for module in modules()}
    assert {path: lines for path, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_no_function_is_longer_than_the_limit() -> None:
    lengths = {name: lines for module in modules() for name, lines in function_lengths(module)}
    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES_MAX} == {}


def function_lengths(module: Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{module}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1 - docstring_lines(node)


def docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the docstring: what is well explained is not longer for it."""
    if ast.get_docstring(node) is None:
        return 0
    text = node.body[0]
    assert text.end_lineno is not None
    return text.end_lineno - text.lineno + 1
