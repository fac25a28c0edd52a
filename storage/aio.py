"""One asynchronous write at a time, waited for with a limit: Linux AIO through ctypes.

A lone message costs a write of 4 KiB that takes some 150 µs. Handing it to the journal's thread and back costs two
thread hops and a wake-up of the event loop, as much CPU again and 60 µs. Writing it on the event loop's own thread
costs none of that, but a disk that stalls would stall the broker. So the loop submits the write to the kernel and
waits for it at most a moment; when it takes longer, the thread takes over the waiting.

The standard library has no call for this. The kernel's interface (io_setup(2), io_submit(2), io_getevents(2)) is
stable; where it is missing (another kernel, another machine type, a sandbox) `AsyncWriter.open` returns None.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
from typing import Final

__all__ = ["AsyncWriter"]

_NUMBERS: Final = {"x86_64": (206, 207, 208, 209), "aarch64": (0, 1, 4, 2)}
"""io_setup, io_destroy, io_getevents, io_submit (asm/unistd.h)."""
_IOCB_CMD_PWRITE: Final = 1


class _Iocb(ctypes.Structure):
    """struct iocb of linux/aio_abi.h, little-endian."""

    _fields_ = (
        ("data", ctypes.c_uint64),
        ("key", ctypes.c_uint32),
        ("rw_flags", ctypes.c_uint32),
        ("opcode", ctypes.c_uint16),
        ("priority", ctypes.c_int16),
        ("descriptor", ctypes.c_uint32),
        ("buffer", ctypes.c_uint64),
        ("size", ctypes.c_uint64),
        ("offset", ctypes.c_int64),
        ("reserved", ctypes.c_uint64),
        ("flags", ctypes.c_uint32),
        ("result_descriptor", ctypes.c_uint32),
    )


class _Event(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_uint64),
        ("iocb", ctypes.c_uint64),
        ("result", ctypes.c_int64),
        ("result2", ctypes.c_int64),
    )


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class AsyncWriter:
    """Writes to descriptors that are open with O_DIRECT and O_DSYNC. At most one write is under way.

    Made once, and not for each file, and never given back to the kernel: that takes some 40 ms (io_destroy(2) waits
    until no processor can be using it).
    """

    def __init__(self, numbers: tuple[int, int, int, int]) -> None:
        """Use `open`."""
        # PyDLL keeps the GIL: submitting takes 20 µs, and letting go of the GIL and taking it back can take more.
        # Waiting lets go of it.
        self._submit_call = ctypes.PyDLL(None, use_errno=True).syscall
        self._wait_call = ctypes.CDLL(None, use_errno=True).syscall
        self._numbers = numbers
        self._context = ctypes.c_ulong(0)
        if self._submit_call(numbers[0], 1, ctypes.byref(self._context)) != 0:
            raise OSError(ctypes.get_errno(), "io_setup failed")
        self._iocb = _Iocb(opcode=_IOCB_CMD_PWRITE)
        self._list = (ctypes.POINTER(_Iocb) * 1)(ctypes.pointer(self._iocb))
        self._event = _Event()
        self._event_at = ctypes.byref(self._event)
        self._limit = _Timespec()
        self._limit_at = ctypes.byref(self._limit)
        self._held: memoryview | None = None
        self._result = 0

    @classmethod
    def open(cls) -> AsyncWriter | None:
        """A writer, or None where the kernel offers none."""
        numbers = _NUMBERS.get(platform.machine())
        if numbers is None or platform.system() != "Linux":
            return None
        with contextlib.suppress(IndexError):
            return _idle.pop()
        try:
            return cls(numbers)
        except OSError:
            return None

    def submit(self, descriptor: int, offset: int, data: memoryview) -> None:
        """Begin to write `data`, page-aligned in memory and on disk.

        Raises:
            OSError: nothing was begun.
        """
        assert self._held is None
        self._iocb.descriptor = descriptor
        self._iocb.buffer = ctypes.addressof(ctypes.c_char.from_buffer(data))
        self._iocb.size = len(data)
        self._iocb.offset = offset
        if self._submit_call(self._numbers[3], self._context, 1, self._list) != 1:
            raise OSError(ctypes.get_errno(), "io_submit failed")
        self._held = data  # the kernel reads from it until the write is done

    def wait(self, seconds: float | None) -> int:
        """Wait for the write that was submitted, for ever when `seconds` is None.

        Returns:
            How many bytes are durable, fewer than were submitted after a short write; -1 when it is under way. Once
            it is done, the same again.

        Raises:
            OSError: it failed.
        """
        if self._held is None:
            return self._result
        limit = None
        if seconds is not None:
            self._limit.nanoseconds = int(seconds * 1e9)
            limit = self._limit_at
        while (count := self._wait_call(self._numbers[2], self._context, 1, 1, self._event_at, limit)) < 0:
            number = ctypes.get_errno()
            if number != errno.EINTR:
                raise OSError(number, os.strerror(number))
        if count == 0:
            return -1
        self._held = None
        self._result = int(self._event.result)
        if self._result < 0:
            raise OSError(-self._result, os.strerror(-self._result))
        return self._result

    def give_back(self) -> None:
        """Whoever called `open` needs it no more; the next caller gets it."""
        if self._held is None:
            _idle.append(self)


_idle: Final[list[AsyncWriter]] = []
"""Given back, for stores that this process opens later."""
