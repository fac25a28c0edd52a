"""Unix sockets below directories of any depth: the kernel takes 107 bytes of path, and there may be more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["ADDRESS_BYTES_MAX", "socket_address"]

ADDRESS_BYTES_MAX: Final = 107
"""sockaddr_un.sun_path on Linux has 108 bytes, the NUL at the end included (unix(7))."""


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """An address for `bind` and `connect` that means `path`; valid inside the block.

    A path that is too long is reached through a descriptor of its directory.

    Raises:
        OSError: its directory can't be opened, or its last part alone is too long.
    """
    if len(os.fsencode(path)) <= ADDRESS_BYTES_MAX:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        address = f"/proc/self/fd/{directory}/{path.name}"
        if len(os.fsencode(address)) > ADDRESS_BYTES_MAX:
            raise OSError(f"{path}: the name of the socket is too long: choose a shorter control.socket")
        yield address
    finally:
        os.close(directory)
