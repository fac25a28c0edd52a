"""`segue storage`: look into a data directory, and bring a damaged one to safety. Nothing in it is changed."""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from segue.broker.cli.arguments import COMMON_EXIT_CODES, add_action, add_json, add_place, read_settings, whole
from segue.broker.cli.failure import CommandFailure
from segue.broker.cli.text import age, count, message_range, printable, size, table
from segue.broker.exit_codes import ExitCode

if TYPE_CHECKING:
    from segue.storage.tools.check import CheckReport
    from segue.storage.tools.finding import Progress
    from segue.storage.tools.salvage import SalvageReport

__all__ = ["add_arguments"]

_STORE_EXIT_CODES: Final = (*COMMON_EXIT_CODES, ExitCode.STORE_NEWER_FORMAT, ExitCode.STORE_UNUSABLE)
_STORE_NAMES: Final = {"catalog.db", "journal", "segments"}
_AS_OWNER: Final = "run the command under the account that owns the store, or as root"
_NEXT_STEPS: Final = {
    errno.EACCES: _AS_OWNER,
    errno.EPERM: _AS_OWNER,
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path",
    errno.EISDIR: "give a file of segments/ or journal/ in it",
    errno.ENOSPC: "make room, or choose a path on another file system",
    errno.EDQUOT: "make room, or choose a path on another file system",
    errno.EROFS: "choose a path on a file system that can be written",
}
_BODY_BYTES_SHOWN: Final = 1000
_BAR_SECONDS: Final = 0.1
_LOST_SHOWN_MAX: Final = 50
_LOG_COLUMNS: Final = ("log", "kind", "name", "head", "owed", "cursors", "segments", "loose", "in journal")
_CURSOR_COLUMNS: Final = ("cursor", "log", "name", "next", "holes", "set aside", "owed")
_SEGMENT_COLUMNS: Final = ("segment", "messages", "owed", "fill", "bytes", "file", "age")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    text = "check every checksum and invariant of a data directory, stopped or running"
    check = add_action(actions, "check", text, _check, (*_STORE_EXIT_CODES, ExitCode.CHECK_FOUND_DAMAGE))
    text = "what a data directory holds: logs, cursors, segments with fill and age"
    show = add_action(actions, "show", text, _show, (*_STORE_EXIT_CODES, ExitCode.STORE_DAMAGED))
    for action in (check, show):
        add_place(action)
        add_json(action)
    _add_dump(actions)
    _add_salvage(actions)


def _add_dump(actions: Any) -> None:
    text = "what stands in one segment or one file of the journal, message by message"
    codes = (ExitCode.OK, ExitCode.USAGE, ExitCode.STORE_NEWER_FORMAT, ExitCode.STORE_UNUSABLE)
    dump = add_action(actions, "dump", text, _dump, (*codes, ExitCode.CHECK_FOUND_DAMAGE, ExitCode.INTERRUPTED))
    dump.add_argument("file", metavar="FILE", type=Path, help="segments/LOG/FIRST-LAST.db, or journal/LSN.journal")
    dump.add_argument(
        "--body-bytes",
        metavar="N",
        type=whole(0),
        default=_BODY_BYTES_SHOWN,
        help="how much of each body is shown (default: %(default)s)",
    )
    add_json(dump)


def _add_salvage(actions: Any) -> None:
    text = "bring what is readable of a damaged store into a new one, and list what is not"
    codes = (ExitCode.OK, ExitCode.REFUSED, ExitCode.USAGE, ExitCode.STORE_NEWER_FORMAT, ExitCode.STORE_UNUSABLE)
    all_codes = (*codes, ExitCode.SALVAGE_INCOMPLETE, ExitCode.INTERRUPTED)
    salvage = add_action(actions, "salvage", text, _salvage, all_codes)
    salvage.add_argument("source", metavar="SOURCE", type=Path, help="the damaged data directory; it stays as it is")
    salvage.add_argument("target", metavar="TARGET", type=Path, help="the new one; nothing may be there yet")
    add_json(salvage)


# Actions.


def _check(arguments: argparse.Namespace) -> int:
    from segue.storage.tools.check import check_store

    root = _directory(read_settings(arguments).storage.data_directory)
    with _store_errors(root), _bar("check") as progress:
        report = check_store(root, progress)
    if arguments.json:
        print(json.dumps(report.as_dict(), indent=2))
    else:
        _print_check(report)
    return ExitCode.CHECK_FOUND_DAMAGE if report.is_damaged else ExitCode.OK


def _show(arguments: argparse.Namespace) -> int:
    from segue.storage.errors import RecordDamagedError
    from segue.storage.tools.show import show_store

    root = _directory(read_settings(arguments).storage.data_directory)
    try:
        with _store_errors(root):
            shown = show_store(root)
    except (RecordDamagedError, ValueError) as error:
        problem = f"{root}: the journal contradicts itself: {error}"
        raise CommandFailure(ExitCode.STORE_DAMAGED, "damaged-store", problem, "see `segue storage check`") from error
    if arguments.json:
        print(json.dumps(shown, indent=2))
    else:
        _print_store(shown)
    return ExitCode.OK


def _dump(arguments: argparse.Namespace) -> int:
    from segue.storage.tools.dump import UnknownFileError, dump_file

    is_damaged = False
    try:
        with _store_errors(arguments.file):
            for part in dump_file(arguments.file):
                is_damaged |= part["type"] == "damage"
                shown = _shown_part(part, arguments.body_bytes)
                print(json.dumps(shown) if arguments.json else _part_text(shown))
    except UnknownFileError as error:
        step = "give a file of segments/ or journal/ in a data directory"
        raise CommandFailure(ExitCode.USAGE, "unknown-file", str(error), step) from error
    return ExitCode.CHECK_FOUND_DAMAGE if is_damaged else ExitCode.OK


def _salvage(arguments: argparse.Namespace) -> int:
    import trio

    from segue.storage.lock import holder_of
    from segue.storage.tools.salvage import salvage_store

    source, target = _directory(arguments.source, "give the damaged data directory"), arguments.target.absolute()
    if (pid := holder_of(source)) is not None:
        problem = f"{source}: process {pid} runs on this data directory"
        raise CommandFailure(ExitCode.REFUSED, "in-use", problem, "stop it first, or salvage a copy")
    with _store_errors(target):
        is_free = not os.path.lexists(target) or not os.listdir(target)
    if not is_free:
        problem = f"{target}: there is something already"
        raise CommandFailure(ExitCode.REFUSED, "in-use", problem, "choose a path where there is nothing")
    with _store_errors(source), _bar("salvage") as progress:
        report = trio.run(lambda: salvage_store(source, target, _definition_of, progress))
    if arguments.json:
        print(json.dumps(report.as_dict(), indent=2))
    else:
        _print_salvage(report)
    return ExitCode.OK if report.is_complete else ExitCode.SALVAGE_INCOMPLETE


# Errors and progress.


def _directory(path: Path, next_step: str = "say where it is, with --data") -> Path:
    """The path of a store, made absolute."""
    with _store_errors(path):
        names = set(os.listdir(path))
    if not names & _STORE_NAMES:
        problem = f"{path}: no store of Segue is in this directory"
        raise CommandFailure(ExitCode.STORE_UNUSABLE, "directory-unusable", problem, next_step)
    return path.absolute()


@contextmanager
def _store_errors(path: Path) -> Iterator[None]:
    """Say in the command line's words what is wrong with a store."""
    from segue.storage.errors import NewerFormatError

    try:
        yield
    except NewerFormatError as error:
        raise CommandFailure(ExitCode.STORE_NEWER_FORMAT, error.code, str(error)) from error
    except BrokenPipeError:
        raise  # that is about our output
    except OSError as error:
        problem = f"{error.filename or path}: {error.strerror or error}"
        step = _NEXT_STEPS.get(error.errno or 0, "see the kernel's log")
        raise CommandFailure(ExitCode.STORE_UNUSABLE, "directory-unusable", problem, step) from error


@contextmanager
def _bar(label: str) -> Iterator[Progress | None]:
    from segue.bench.progress import ProgressBar

    if not sys.stderr.isatty():
        yield None
        return
    bar = ProgressBar(sys.stderr, label)
    drawn = 0.0

    def show(done: int, total: int, what: str) -> None:
        nonlocal drawn
        now = time.monotonic()
        if now - drawn >= _BAR_SECONDS:
            drawn = now
            bar.show(done, total, printable(what))

    try:
        yield show
    finally:
        bar.clear()


def _definition_of(record: bytes) -> dict[str, Any] | None:
    """What a log is that has lost its name, by one of its messages: the queue that this was sent to, or a bucket."""
    from segue.broker.headers import read_headers
    from segue.broker.message import Encoding, decode
    from segue.broker.schedule.bucket import definition_of_lost

    if decode(record).encoding == Encoding.SCHEDULED:
        return definition_of_lost(record)
    destinations = [value for name, value in read_headers(decode(record).headers) if name == "destination"]
    destination = destinations[0] if destinations else ""
    name = destination.removeprefix("/queue/")
    return {"kind": "queue", "name": name} if name and name != destination else None


# Text.


def _print_check(report: CheckReport) -> None:
    counts = report.counts
    running = f", while process {report.pid} runs on it" if report.pid is not None else ""
    print(f"{printable(report.directory)}{running}")
    for finding in report.findings:
        print(f"{'DAMAGE' if finding.is_damage else 'note'}  {finding.kind.value}: {printable(str(finding))}")
    print(
        f"{count(counts.logs)} logs, {count(counts.cursors)} cursors, {count(counts.owed)} messages owed; looked at "
        f"{count(counts.segments)} segments, {count(counts.blocks)} blocks with {count(counts.messages)} messages "
        f"({size(counts.bytes)}), {count(counts.journal_batches)} journal batches with "
        f"{count(counts.journal_messages)} messages"
    )
    if report.is_damaged:
        print("the store is damaged; `segue storage salvage` brings what is readable into a new one")
    else:
        print("no damage")


def _print_store(shown: dict[str, Any]) -> None:
    journal, catalog = shown["journal"], shown["catalog"]
    running = f"process {shown['pid']} runs on it" if shown["pid"] is not None else "no daemon runs on it"
    print(f"{printable(shown['directory'])}: {running}")
    print(
        f"journal: {journal['files']} files, {size(journal['bytes'])}; {count(journal['batches'])} batches from LSN "
        f"{journal['replayed_from']} to {journal['position']}, {journal['gaps']} gaps"
    )
    if not catalog["whole"]:
        print("the catalog is damaged: what is shown is not all; see `segue storage check`")
    logs = shown["logs"]
    print("\n" + table(_LOG_COLUMNS, map(_log_row, logs), right=(0, 3, 4, 5, 6, 7, 8)))
    cursors = [_cursor_row(log, cursor) for log in logs for cursor in log["cursors"]]
    print("\n" + table(_CURSOR_COLUMNS, cursors, right=(0, 1, 3, 4, 5, 6)))
    segments = [_segment_row(segment) for log in logs for segment in log["segments"]]
    if segments:
        print("\n" + table(_SEGMENT_COLUMNS, segments, right=range(1, len(_SEGMENT_COLUMNS))))


def _log_row(log: dict[str, Any]) -> list[str]:
    numbers = (log["head"], log["owed"], len(log["cursors"]), len(log["segments"]), log["loose"]["messages"])
    return [str(log["id"]), log["kind"], log["name"], *map(count, numbers), count(log["journal_messages"])]


def _cursor_row(log: dict[str, Any], cursor: dict[str, Any]) -> list[str]:
    name = str(cursor["definition"].get("name", log["name"]))
    numbers = (cursor["next"], cursor["holes"], cursor["quarantined"], cursor["owed"])
    return [str(cursor["id"]), str(log["id"]), name, *map(count, numbers)]


def _segment_row(segment: dict[str, Any]) -> list[str]:
    fill = segment["owed"] / segment["messages"] if segment["messages"] else 0.0
    return [
        segment["path"],
        count(segment["messages"]),
        count(segment["owed"]),
        f"{fill:.0%}",
        size(segment["bytes"]),
        size(segment["file_bytes"]),
        age(max(0.0, time.time() - segment["written_ms"] / 1000)),
    ]


def _shown_part(part: dict[str, Any], body_bytes: int) -> dict[str, Any]:
    """A part of a file as plain values."""
    if part["type"] != "message":
        return part
    from segue.broker.headers import read_headers
    from segue.broker.message import PERSISTENT
    from segue.protocols.control.message import show_body

    record = part["record"]
    return {
        "type": "message",
        "log": part["log"],
        "seq": part["seq"],
        "accepted_ms": record.accepted_ms,
        "expires_ms": record.expires_ms,
        "persistent": bool(record.flags & PERSISTENT),
        "headers": read_headers(record.headers),
        **show_body(record.body, body_bytes),
    }


def _part_text(part: dict[str, Any]) -> str:
    if part["type"] == "message":
        from segue.broker.cli.messages import message_text

        return message_text(part)
    if part["type"] == "damage":
        where = f"offset {part['offset']}, {part['bytes']} bytes: " if part["offset"] >= 0 else ""
        return f"DAMAGE  {where}{printable(part['problem'])}"
    values = ", ".join(f"{name} {value}" for name, value in part.items() if name != "type")
    return printable(f"{part['type']}: {values}")


def _print_salvage(report: SalvageReport) -> None:
    counts = report.counts
    for finding in report.findings:
        print(f"{'DAMAGE' if finding.is_damage else 'note'}  {finding.kind.value}: {printable(str(finding))}")
    for lost in report.lost[:_LOST_SHOWN_MAX]:
        print(f"LOST  {printable(lost.name)} (log {lost.log}): {message_range(lost.first, lost.last)}")
    if len(report.lost) > _LOST_SHOWN_MAX:
        print(f"LOST  and {count(len(report.lost) - _LOST_SHOWN_MAX)} more ranges; --json lists all of them")
    for log, name in report.renamed.items():
        print(f"RENAMED  the definition of log {log} is lost: it is queue '{printable(name)}' now")
    if report.may_repeat:
        print("REPEATS  acknowledgements may be lost: messages may come again, marked as redelivered")
    print(
        f"{printable(report.target)}: {count(counts.logs)} logs, {count(counts.cursors)} cursors, "
        f"{count(counts.messages)} messages ({size(counts.bytes)})"
    )
    print("everything was brought along" if report.is_complete else "not everything could be brought along: see above")
