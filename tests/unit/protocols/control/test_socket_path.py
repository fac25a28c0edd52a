"""Unix sockets in directories with long names."""

import socket
from pathlib import Path

import pytest

from segue.protocols.control.socket_path import ADDRESS_BYTES_MAX, socket_address


def connects(path: Path) -> bool:
    """Bind at a path, connect to it, and tell whether that arrived."""
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        with socket_address(path) as address:
            listener.bind(address)
        listener.listen(1)
        with socket_address(path) as address:
            client.connect(address)
        listener.accept()[0].close()
    return path.is_socket()


def test_a_short_path_is_its_own_address() -> None:
    with socket_address(Path("data/control.sock")) as address:
        assert address == "data/control.sock"


def test_a_path_that_the_kernel_does_not_take_is_reached_all_the_same(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 60) / ("e" * 60)
    directory.mkdir(parents=True)
    path = directory / "control.sock"
    assert len(str(path)) > ADDRESS_BYTES_MAX
    assert connects(path)


def test_the_longest_path_that_the_kernel_takes_needs_no_detour(tmp_path: Path) -> None:
    path = tmp_path / ("s" * (ADDRESS_BYTES_MAX - len(str(tmp_path)) - 1))
    assert len(str(path)) == ADDRESS_BYTES_MAX
    assert connects(path)


def test_a_name_that_alone_is_too_long_is_refused_with_the_setting_to_change(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"control\.socket"), socket_address(tmp_path / ("s" * 100)):
        pass
