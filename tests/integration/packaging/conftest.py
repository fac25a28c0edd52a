"""The wheel and the environment that it is installed into: made once, they take a while."""

import pytest

from tests.integration.packaging.installed import Environment, Wheel, build_wheel


@pytest.fixture(scope="package")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="package")
def environment(wheel: Wheel, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    environment = Environment.make(tmp_path_factory.mktemp("environment"))
    environment.install(wheel.path)
    return environment
