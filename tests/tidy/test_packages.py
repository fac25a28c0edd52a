"""What setup.cfg, .importlinter and .typing list is what is there."""

import ast
from collections.abc import Iterator
from configparser import ConfigParser
from fnmatch import fnmatch
from pathlib import Path

from tests.tidy.tree import ROOT, SOURCE_FOLDERS, source_modules


def test_every_folder_with_code_is_listed_as_a_package() -> None:
    assert package_folders() - listed_packages() == set()


def test_every_listed_package_is_a_folder_with_an_init_file() -> None:
    assert [name for name in listed_packages() if not (ROOT / folder_of(name) / "__init__.py").is_file()] == []


def test_every_data_file_of_a_package_is_installed() -> None:
    assert [str(path) for path in data_files() if not is_package_data(path)] == []


def test_every_entry_point_names_a_class_or_function_of_ours() -> None:
    lines = [line for section in config("setup.cfg")["options.entry_points"].values() for line in section.splitlines()]
    targets = [line.partition("=")[2].strip() for line in lines if line]
    assert [target for target in targets if not exists(target)] == []


def test_the_type_checker_finds_every_source_folder() -> None:
    links = {path.name: path.resolve() for path in (ROOT / ".typing/segue").iterdir()}
    assert links == {name: ROOT / name for name in SOURCE_FOLDERS}


def test_every_front_end_is_kept_apart_from_the_others() -> None:
    front_ends = {f"segue.protocols.{path.parent.name}" for path in (ROOT / "protocols").glob("*/server.py")}
    assert front_ends <= set(config(".importlinter")["importlinter:contract:frontends"]["modules"].split())


def config(name: str) -> ConfigParser:
    parser = ConfigParser()
    parser.read(ROOT / name, encoding="utf-8")
    return parser


def package_folders() -> set[str]:
    return {f"segue.{'.'.join(module.path.parent.parts)}" for module in source_modules()}


def listed_packages() -> set[str]:
    return set(config("setup.cfg")["options"]["packages"].split())


def folder_of(package: str) -> str:
    return package.removeprefix("segue.").replace(".", "/")


def data_files() -> Iterator[Path]:
    """Files in the packages that are neither code nor for who works in the checkout: relative to the root."""
    for package in listed_packages():
        folder = Path(folder_of(package))
        files = [path for path in (ROOT / folder).iterdir() if path.is_file() and path.name != "Makefile"]
        yield from (folder / path.name for path in files if path.suffix not in (".py", ".md"))


def is_package_data(path: Path) -> bool:
    patterns = config("setup.cfg")["options.package_data"].get(f"segue.{'.'.join(path.parent.parts)}", "")
    return any(fnmatch(path.name, pattern) for pattern in patterns.split())


def exists(target: str) -> bool:
    module, _, name = target.partition(":")
    path = ROOT / folder_of(module)
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return file.is_file() and name in {*names_in(ast.parse(file.read_text(encoding="utf-8")))}


def names_in(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
