"""@stomp/stompjs in a page of Chromium. By hand (`make test-browser`): no package registry has a browser.

Debian's `chromium-headless-shell` is driven by playwright-core.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.broker_process import BrokerProcess
from tests.interop.node_packages import NODE, install

__all__: list[str] = []

_SOURCE = Path(__file__).parent / "browser"
_SECONDS_MAX = 60.0


@pytest.fixture(scope="module")
def seen(request: pytest.FixtureRequest, module_broker: BrokerProcess) -> dict[str, Any]:
    """What the pages have seen, by their origin: `friend` is on this machine, `stranger` is not."""
    browser = shutil.which("chromium-headless-shell")
    assert browser is not None, "apt-get install chromium-headless-shell"
    folder = install(request.config, "browser", _SOURCE)
    host, port = module_broker.http_address
    done = subprocess.run(
        [NODE, _SOURCE / "pages.mjs", browser, f"ws://{host}:{port}/ws"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_page_publishes_and_consumes_and_beats_its_heart(seen: dict[str, Any]) -> None:
    friend = seen["friend"]
    assert friend["bodies"] == ["größer €", "300000 octets", "in a transaction"]
    assert friend["beats"] == 3


def test_a_page_that_connects_again_gets_what_it_has_not_acknowledged(seen: dict[str, Any]) -> None:
    assert seen["friend"]["again"] == ["true", "300000 octets"]


def test_both_ends_close_cleanly(seen: dict[str, Any]) -> None:
    assert [(close["code"], close["wasClean"]) for close in seen["friend"]["closes"]] == [(1000, True), (1000, True)]


def test_a_page_of_somebody_else_can_not_connect(seen: dict[str, Any], module_broker: BrokerProcess) -> None:
    """Fault 85."""
    assert [close["code"] for close in seen["stranger"]["closes"]] == [1006]
    module_broker.wait_for_log("request.refused .*code=foreign-origin")
