"""The exit codes of `segue`: what a script or an init system may conclude from each.

The one list. docs/reference/exit-codes.md says the same, and a test compares the two. Codes never change their meaning;
a new condition gets a new number. 64-78 (sysexits.h), 126 and up (shells, signals) and 200 and up (systemd) are left
alone, except where their meaning is exactly ours.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ExitCode"]


class ExitCode(IntEnum):
    """Why the process ended.

    Attributes:
        meaning: one sentence for the documentation and for `segue help`.
        restart_helps: whether starting the same command again, unchanged, can succeed. An init system should not
            restart on the others: they wait for a human.
    """

    meaning: str
    restart_helps: bool

    def __new__(cls, number: int, meaning: str, restart_helps: bool = False) -> ExitCode:
        """Make a member from its number, and hang the text onto it."""
        code = int.__new__(cls, number)
        code._value_ = number
        code.meaning = meaning
        code.restart_helps = restart_helps
        return code

    OK = 0, "Done."
    # Also what Python ends with after an uncaught exception: nothing more precise is known.
    REFUSED = 1, "Refused, or not possible as things are: the data directory is in use, there is no such queue.", True
    # argparse and every shell builtin use 2.
    USAGE = 2, "The command line is wrong; nothing was done."
    SETTINGS = 3, "The settings have faults; each was printed with its file and line."
    STORE_DAMAGED = 4, "The store is damaged, and the daemon will not serve less than it once confirmed."
    STORE_NEWER_FORMAT = 5, "The store was written by a newer Segue; nothing in it was changed."
    STORE_UNUSABLE = (
        6,
        "The data directory cannot be used: missing, read-only, of another owner, or full of other files.",
    )
    # What the kernel still holds of the failed write is unknown, so the process must end; a new one reads the disk.
    DISK_FAILED = 7, "A write or a sync of the journal failed; nothing of that batch was confirmed.", True
    LISTEN_FAILED = 8, "A listener could not be opened: the address is taken, or not of this machine.", True
    UNREACHABLE = 9, "No daemon answered on the control socket.", True
    CHECK_FOUND_DAMAGE = 10, "`segue storage check` found damage and listed it."
    SALVAGE_INCOMPLETE = 11, "`segue storage salvage` finished, and listed what could not be read."
    # EX_SOFTWARE of sysexits.h.
    INTERNAL = 70, "An error in Segue itself; the log has the event `internal.error`.", True
    # What shells report for SIGINT: 128 + 2.
    INTERRUPTED = 130, "Interrupted from the keyboard before it was done.", True
