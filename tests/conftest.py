"""What holds for every test: how Hypothesis looks for examples, and in which pieces several processes share a run."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

# No deadline, nor one for making examples: cores are shared by whatever runs, and no test of ours asserts on time.
settings.register_profile("segue", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
# Chosen by `make test-long` for the property tests.
settings.register_profile("long", parent=settings.get_profile("segue"), max_examples=2000)
settings.load_profile("segue")

_SINGLY: Final = ("tests/faults/", "tests/property/", "tests/integration/tutorial/")
"""Tests here are slow and share nothing: each goes to whichever process is free."""
_BY_FILE: Final = (
    "tests/faults/test_damaged_store.py",
    "tests/faults/storage/test_damaged_files.py",
    "tests/property/storage/test_bit_flips.py",
)
"""But for these: they damage copies of one store, which is made once."""
_TOGETHER: Final = ("tests/integration/packaging/", "tests/tidy/")
"""These share what takes longer to make than all of them to run: a wheel that is installed, the source as trees."""
_QUICK: Final = ("tests/unit/", "tests/helpers/", "tests/tidy/")


class Shares(LoadScopeScheduling):  # type: ignore[misc]
    """What one process takes at a time: a file, whose tests may share a daemon, unless the folder says otherwise."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        # The order of the tests is the order of the shares; xdist would begin with those that have most tests.
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(_SINGLY) and not nodeid.startswith(_BY_FILE):
            return nodeid
        if nodeid.startswith(_TOGETHER):
            return next(folder for folder in _TOGETHER if nodeid.startswith(folder))
        return nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Shares:
    return Shares(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is slow comes first, or at the end one process has a minute of work and the others have none."""
    items.sort(key=lambda item: item.nodeid.startswith(_QUICK))
