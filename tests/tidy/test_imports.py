"""What import-linter can't say about who imports whom."""

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from tests.tidy.tree import Module, source_modules

SANS_IO = {
    *("codec", "destination", "escaping", "frames", "framing", "head", "header_rules", "headers", "heart_beat"),
    *("answer_writer", "parser", "request", "state", "transfer"),
}
SHARED = {"segue.broker.names"}
"""What the codecs may import of the broker; it is held to the same rule."""


def test_codecs_import_only_the_standard_library_their_own_protocol_and_what_all_share() -> None:
    assert [place for module in source_modules() for place in foreign_imports(module)] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert cycle({name_of(module): set(imports(module)) for module in source_modules()}) == []


def cycle(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def foreign_imports(module: Module) -> Iterator[str]:
    is_codec = module.path.parts[0] == "protocols" and not SANS_IO.isdisjoint(module.path.with_suffix("").parts)
    if not is_codec and name_of(module) not in SHARED:
        return
    own = ".".join(name_of(module).split(".")[:3]) if is_codec else name_of(module)
    for name in set(imports(module)) - SHARED:
        if name.partition(".")[0] not in sys.stdlib_module_names and not f"{name}.".startswith(f"{own}."):
            yield f"{module}: {name}"


def imports(module: Module) -> Iterator[str]:
    """Modules that are imported when the program runs, at the top or in a function: types alone don't count."""
    known = {name_of(other) for other in source_modules()}
    for node in running_nodes(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in known else node.module for name in names)


def running_nodes(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    children = ast.iter_child_nodes(node)
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        children = iter(node.orelse)
    for child in children:
        yield from running_nodes(child)


def name_of(module: Module) -> str:
    return ".".join(["segue", *module.path.with_suffix("").parts]).removesuffix(".__init__")
