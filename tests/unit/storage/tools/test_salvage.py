"""Salvage brings along what can be read, byte for byte, and lists what can't; the damaged store stays as it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from segue.storage.catalog import CATALOG
from segue.storage.errors import NewerFormatError
from segue.storage.tools.check import check_store
from segue.storage.tools.finding import FindingKind
from segue.storage.tools.salvage import SalvageReport, salvage_store
from segue.storage.tools.show import show_store
from tests.unit.storage.tools.damage import edit, flip, overwrite, replace_bytes
from tests.unit.storage.tools.stores import Content, body_of, open_shelf, read_content

SEGMENT = "segments/1/1001-2000.db"
ORDERS = ("{'kind': 'queue', 'name': 'orders'}", "{'kind': 'queue'}")


class Salvaged:
    """What came of a salvage."""

    def __init__(self, report: SalvageReport, content: Content) -> None:
        self.report = report
        self.content = content
        self.lost = {(lost.name, lost.first, lost.last) for lost in report.lost}

    @property
    def names(self) -> set[str]:
        return {log for log, _ in self.content}


async def salvage(root: Path, **options: Any) -> Salvaged:
    """Salvage a store, see that the new one is sound, and read it as a daemon would."""
    target = root.with_name("target")
    before = files_of(root)
    report = await salvage_store(root, target, **options)
    assert files_of(root) == before
    checked = check_store(target)
    assert not checked.is_damaged, checked.findings
    assert not target.with_name("target.unfinished").exists()
    return Salvaged(report, await read_content(target))


def files_of(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def start_of(root: Path) -> int:
    return int(show_store(root)["journal"]["replayed_from"])


def journal_of(root: Path) -> Path:
    return min(path for path in (root / "journal").iterdir() if not path.name.startswith("free"))


@pytest.mark.parametrize("name", ["stopped", "crashed"])
async def test_a_sound_store_is_brought_along_whole(name: str, stopped_store: Path, crashed_store: Path) -> None:
    # Both are asked for: a fixture that is requested from inside an async test can't run an event loop of its own.
    root = {"stopped": stopped_store, "crashed": crashed_store}[name]
    found = await salvage(root)
    assert found.report.is_complete
    assert found.report.findings == []
    assert found.content == await read_content(root)


async def test_deliveries_numbers_and_the_next_id_survive(crashed_store: Path) -> None:
    await salvage(crashed_store)
    before, after = show_store(crashed_store), show_store(crashed_store.with_name("target"))
    for old, new in zip(before["logs"], after["logs"], strict=True):
        assert (old["id"], old["head"], old["definition"], old["owed"]) == (
            new["id"], new["head"], new["definition"], new["owed"],
        )  # fmt: skip
        assert [cursor["next"] for cursor in old["cursors"]] == [cursor["next"] for cursor in new["cursors"]]
        assert [cursor["holes"] for cursor in old["cursors"]] == [cursor["holes"] for cursor in new["cursors"]]
    async with open_shelf(crashed_store.with_name("target"), crash=True) as shelf:
        new_queue = shelf.queue("new")
        assert new_queue.log.id > max(log["id"] for log in before["logs"])


async def test_a_damaged_record_is_lost_and_its_neighbours_are_not(stopped_store: Path) -> None:
    replace_bytes(stopped_store / SEGMENT, body_of(1, 1234), body_of(1, 1234).replace(b".", b"!", 1))
    expected = await read_content(stopped_store)
    found = await salvage(stopped_store)
    assert found.lost == {("orders", 1234, 1234)}
    assert not found.report.is_complete
    assert not found.report.may_repeat
    assert found.content == expected
    assert 1234 not in found.content[ORDERS]


@pytest.mark.parametrize("page", [1, 2, 3])
async def test_a_damaged_page_of_a_segment_costs_no_more_than_the_page(stopped_store: Path, page: int) -> None:
    whole = await read_content(stopped_store)
    with overwrite(stopped_store / SEGMENT) as data:
        data[(page - 1) * 16384 : page * 16384] = Random(page).randbytes(16384)
    found = await salvage(stopped_store)
    lost = {seq for _, first, last in found.lost for seq in range(first, last + 1)}
    assert len(lost) <= 9 * 64
    assert found.content[ORDERS] == {seq: record for seq, record in whole[ORDERS].items() if seq not in lost}


async def test_a_segment_that_is_missing_is_listed_as_a_range(stopped_store: Path) -> None:
    (stopped_store / SEGMENT).unlink()
    found = await salvage(stopped_store)
    assert found.lost == {("orders", 1001, 2000)}
    assert len(found.content[ORDERS]) == 2092


async def test_a_damaged_batch_in_the_middle_of_the_journal_is_skipped_and_told(crashed_store: Path) -> None:
    whole = await read_content(crashed_store)
    flip(journal_of(crashed_store), start_of(crashed_store) + 60)
    found = await salvage(crashed_store)
    assert [finding.kind for finding in found.report.findings] == [FindingKind.JOURNAL]
    assert found.report.may_repeat
    assert set(found.content[ORDERS]) == set(whole[ORDERS]) - set(range(3001, 3101))
    assert "{'kind': 'queue', 'name': 'late'}" in found.names


async def test_a_number_that_a_lost_message_had_is_never_given_again(crashed_store: Path) -> None:
    flip(journal_of(crashed_store), start_of(crashed_store) + 60)
    await salvage(crashed_store)
    async with open_shelf(crashed_store.with_name("target"), crash=True) as shelf:
        assert shelf.store.logs[1].head > 3100
        await shelf.fill(shelf.store.logs[1], 3)
    (note,) = (f for f in check_store(crashed_store.with_name("target")).findings if f.log == 1)
    assert note.kind is FindingKind.LOST


async def test_what_comes_again_says_that_it_may_be_a_repeat(crashed_store: Path) -> None:
    flip(journal_of(crashed_store), start_of(crashed_store) + 60)
    await salvage(crashed_store)
    async with open_shelf(crashed_store.with_name("target"), crash=True) as shelf:
        assert all(cursor.maybe == cursor.log.head for cursor in shelf.store.cursors.values())


async def test_without_a_catalog_logs_come_from_the_journal_and_from_segments(crashed_store: Path) -> None:
    whole = await read_content(crashed_store)
    (crashed_store / CATALOG).unlink()
    found = await salvage(crashed_store)
    assert found.report.may_repeat
    # Here the journal still has everything since the beginning, so nothing is missing.
    assert all(whole[key].items() <= found.content[key].items() for key in whole)


async def test_without_a_catalog_and_a_journal_segments_become_queues(stopped_store: Path) -> None:
    whole = await read_content(stopped_store)
    (stopped_store / CATALOG).unlink()
    for path in (stopped_store / "journal").iterdir():
        path.unlink()
    found = await salvage(stopped_store)
    assert found.report.renamed == {1: "recovered-1"}
    ((key, records),) = found.content.items()
    assert "recovered-1" in key[0]
    assert records == {seq: whole[ORDERS].get(seq, records[seq]) for seq in range(1, 3001)}


async def test_a_log_without_a_name_is_described_by_its_messages(stopped_store: Path) -> None:
    (stopped_store / CATALOG).unlink()
    for path in (stopped_store / "journal").iterdir():
        path.unlink()
    seen: list[bytes] = []

    def describe(record: bytes) -> dict[str, Any]:
        seen.append(record)
        return {"kind": "queue", "name": "found"}

    found = await salvage(stopped_store, describe=describe)
    assert found.report.renamed == {1: "found"}
    assert body_of(1, 1) in seen[0]


async def test_two_logs_never_get_the_same_name(stopped_store: Path) -> None:
    with edit(stopped_store / CATALOG) as catalog:
        catalog.execute("UPDATE log SET definition='{}' WHERE id=1")
    found = await salvage(stopped_store, describe=lambda record: {"kind": "queue", "name": "quiet"})
    assert found.report.renamed == {1: "quiet.recovered-1"}
    assert len(found.names) == 3


async def test_a_queue_that_has_lost_its_cursor_keeps_its_messages(stopped_store: Path) -> None:
    with edit(stopped_store / CATALOG) as catalog:
        catalog.execute("UPDATE cursor SET next=next+1 WHERE id=2")
    found = await salvage(stopped_store)
    assert found.report.may_repeat
    assert set(found.content[ORDERS]) == set(range(1, 3101))


async def test_a_torn_end_of_the_journal_is_no_loss(crashed_store: Path) -> None:
    position = int(show_store(crashed_store)["journal"]["position"])
    flip(journal_of(crashed_store), position - 4096 + 45)
    found = await salvage(crashed_store)
    assert found.report.is_complete


async def test_segments_that_a_checkpoint_left_behind_make_up_for_a_lost_batch(crashed_store: Path) -> None:
    start = start_of(crashed_store)
    whole = await read_content(crashed_store)
    async with open_shelf(crashed_store, crash=True) as shelf:
        orders = shelf.store.logs[1]
        await shelf.fill(orders, 400)
        before = (crashed_store / CATALOG).read_bytes(), (journal_of(crashed_store)).read_bytes()
        await shelf.checkpoint()
    # As if the checkpoint had died before its commit: the segment is there, the catalog and the journal are old.
    (crashed_store / CATALOG).write_bytes(before[0])
    journal_of(crashed_store).write_bytes(before[1])
    for name in (f"{CATALOG}-wal", f"{CATALOG}-shm"):
        (crashed_store / name).unlink(missing_ok=True)
    flip(journal_of(crashed_store), start + 60)
    found = await salvage(crashed_store)
    assert set(whole[ORDERS]) <= set(found.content[ORDERS]) | set(range(1, 20))
    assert found.lost == set()


async def test_what_an_earlier_salvage_lost_is_not_lost_again(stopped_store: Path) -> None:
    (stopped_store / SEGMENT).unlink()
    await salvage(stopped_store)
    first = stopped_store.with_name("first")
    stopped_store.with_name("target").rename(first)
    again = await salvage(first)
    assert again.report.is_complete
    assert len(again.content[ORDERS]) == 2092


async def test_a_newer_format_is_refused_and_nothing_is_left(stopped_store: Path) -> None:
    with edit(stopped_store / CATALOG) as catalog:
        catalog.execute("PRAGMA user_version=2")
    target = stopped_store.with_name("target")
    with pytest.raises(NewerFormatError):
        await salvage_store(stopped_store, target)
    assert not target.exists()
    assert not target.with_name("target.unfinished").exists()


async def test_a_report_is_json(stopped_store: Path) -> None:
    (stopped_store / SEGMENT).unlink()
    found = await salvage(stopped_store)
    shown = json.loads(json.dumps(found.report.as_dict()))
    assert (shown["complete"], shown["lost"][0]["first"]) == (False, 1001)


async def test_progress_goes_up_to_the_end(crashed_store: Path) -> None:
    seen: list[tuple[int, int]] = []
    await salvage(crashed_store, progress=lambda done, total, what: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] <= seen[-1][1]


# -- any damage


def flip_a_bit(data: bytearray, random: Random) -> None:
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def clear_a_sector(data: bytearray, random: Random) -> None:
    at = random.randrange(len(data)) & ~511
    data[at : at + 512] = bytes(len(data[at : at + 512]))


def fill_a_page_with_noise(data: bytearray, random: Random) -> None:
    at = random.randrange(len(data)) & ~4095
    data[at : at + 4096] = random.randbytes(len(data[at : at + 4096]))


def cut_it_short(data: bytearray, random: Random) -> None:
    del data[random.randrange(len(data)) :]


DAMAGES = (flip_a_bit, clear_a_sector, fill_a_page_with_noise, cut_it_short)


async def see_what_damage_does(original: Path, damage: Callable[[bytearray, Random], None], seed: int) -> None:
    """One damage in one file: it is found or harmless, and salvage loses only what it lists."""
    random = Random(seed)
    whole = await read_content(original)
    victim = random.choice([p for p in files_of(original) if p.name != "LOCK" and "free-" not in p.name])
    root = Path(shutil.copytree(original, original.with_name(f"damaged-{seed}")))
    if victim.suffix == ".journal":
        # Most of it is old, or was never written: the damage has to hit what counts.
        shown = show_store(original)["journal"]
        with overwrite(root / victim.relative_to(original)) as data:
            part = data[shown["replayed_from"] : shown["position"]]
            damage(part, random)
            data[shown["replayed_from"] : shown["position"]] = part
    else:
        with overwrite(root / victim.relative_to(original)) as data:
            damage(data, random)
    checked = check_store(root)
    found = await salvage(root)
    shutil.rmtree(root.with_name("target"))
    shutil.rmtree(root)
    if not checked.is_damaged:
        is_the_end = any(finding.kind is FindingKind.TORN for finding in checked.findings)
        assert found.content == whole or is_the_end or victim.suffix == ".journal"
    if found.report.is_complete and victim.suffix != ".journal":
        assert found.content == whole
    lost = {(name, seq) for name, first, last in found.lost for seq in range(first, last + 1)}
    for key, records in found.content.items():
        for seq, record in records.items():
            assert whole.get(key, {}).get(seq, record) == record
    if not found.report.may_repeat and victim.suffix != ".journal":
        for (log, cursor), records in whole.items():
            missing = records.keys() - found.content[log, cursor].keys()
            assert all(any(f"'{name}'" in log for name, number in lost if number == seq) for seq in missing)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_is_found_or_harmless_and_nothing_is_lost_in_silence(
    damage: Callable[[bytearray, Random], None], seed: int, crashed_store: Path
) -> None:
    await see_what_damage_does(crashed_store, damage, seed)


@pytest.mark.long
@pytest.mark.parametrize("damage", DAMAGES)
async def test_hundreds_of_damages_are_found_or_harmless(
    damage: Callable[[bytearray, Random], None], crashed_store: Path
) -> None:
    for seed in range(100, 250):
        await see_what_damage_does(crashed_store, damage, seed)
