"""What the wheel holds, and what can be done where nothing but the wheel is installed."""

import json

from segue.broker import __version__
from tests.integration.packaging.installed import Environment, Wheel
from tests.tidy.tree import SOURCE_FOLDERS


def test_the_wheel_has_one_name_at_the_top_besides_its_metadata(wheel: Wheel) -> None:
    assert {name.partition("/")[0] for name in wheel.names} == {"segue", f"segue-{__version__}.dist-info"}


def test_every_source_file_is_in_the_wheel(wheel: Wheel) -> None:
    paths = [path for folder in SOURCE_FOLDERS for path in (wheel.source / folder).rglob("*.py")]
    assert {f"segue/{path.relative_to(wheel.source)}" for path in paths} - wheel.names == set()


def test_the_wheel_says_that_it_is_typed(wheel: Wheel) -> None:
    typed = {f"segue/{folder}/py.typed" for folder in SOURCE_FOLDERS}
    assert typed - wheel.names == set()


def test_nothing_of_ours_is_at_the_top_of_site_packages(environment: Environment) -> None:
    ours = {*SOURCE_FOLDERS, "conf", "systemd", "tests"}
    assert ours & {path.stem for path in environment.site_packages.iterdir()} == set()


def test_the_command_prints_the_version(environment: Environment) -> None:
    assert environment.segue("--version").split() == ["segue", __version__]


def test_the_package_is_a_command_too(environment: Environment) -> None:
    assert environment.run_python("-m", "segue.broker", "--version").split() == ["segue", __version__]


def test_the_installed_metadata_has_the_same_version(environment: Environment) -> None:
    assert (
        environment.run_python("-c", "from importlib.metadata import version; print(version('segue'))")
        == f"{__version__}\n"
    )


def test_every_installed_module_can_be_imported_without_an_extra(environment: Environment) -> None:
    program = """
import importlib, json, pathlib, segue
root = pathlib.Path(list(segue.__path__)[0]).parent
names = [".".join(path.relative_to(root).with_suffix("").parts) for path in root.glob("segue/**/*.py")]
names = sorted(name.removesuffix(".__init__") for name in names if not name.endswith("__main__"))
names.remove("segue.protocols.http.httptools_heads")  # the extra fast-http
for name in names:
    importlib.import_module(name)
print(json.dumps(names))
"""
    assert {"segue.broker", "segue.storage", "segue.bench"} <= set(json.loads(environment.run_python("-c", program)))


def test_the_command_line_does_not_import_trio_before_it_has_to(environment: Environment) -> None:
    program = "import sys, segue.broker.cli; print('trio' in sys.modules, 'cryptography' in sys.modules)"
    assert environment.run_python("-c", program) == "False False\n"


def test_the_default_configuration_is_installed_as_it_is_in_the_repository(
    environment: Environment, wheel: Wheel
) -> None:
    assert installed_data(environment, "conf", "segue.toml") == (wheel.source / "conf" / "segue.toml").read_text()


def test_the_systemd_unit_is_installed_as_it_is_in_the_repository(environment: Environment, wheel: Wheel) -> None:
    assert (
        installed_data(environment, "systemd", "segue.service")
        == (wheel.source / "systemd" / "segue.service").read_text()
    )


def installed_data(environment: Environment, folder: str, name: str) -> str:
    program = (
        f"from importlib.resources import files; print(files('segue.{folder}').joinpath('{name}').read_text(), end='')"
    )
    return environment.run_python("-c", program)
