"""A flipped bit anywhere is detected or harmless: never fewer messages in silence, never other bytes (invariant 13)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.storage.sample import Found, Sample, look_at


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return Sample.make(tmp_path_factory.mktemp("sample"))


def in_order(found: Found, expected: dict[str, dict[int, bytes]]) -> bool:
    """All of `expected` was delivered, or is in quarantine and was reported."""
    if found.refused:
        return True
    for name, records in expected.items():
        delivered, aside = found.records.get(name, {}), found.set_aside.get(name, set())
        assert all(records[seq] == data for seq, data in delivered.items()), "never other bytes, nothing settled"
        if not delivered.keys() | aside >= records.keys() or (aside and not found.faults):
            return False
    return True


def check(sample: Sample, path: str, bit: int, root: Path) -> None:
    found = look_at(sample.disk.flipped(root / "flipped", path, bit))
    if in_order(found, sample.after):
        return
    # A flip in the last batch of the journal looks like the torn tail of a crash: it can't be told from one.
    assert path.startswith("journal/")
    assert in_order(found, sample.before), f"bit {bit} of {path}"


KINDS = {"catalog.db": 60, "catalog.db-wal": 40, "journal/": 60, "segments/": 80}


def flips(sample: Sample, kind: str, count: int, seed: int) -> list[tuple[str, int]]:
    """Bits of the files of a kind: half of them among bytes that are not zero, as most of a file may be."""
    rng = random.Random(seed)
    chosen = []
    for path in [path for path in sample.files if path == kind or (kind.endswith("/") and path.startswith(kind))]:
        data = (sample.disk.root / path).read_bytes()
        written = [at for at, octet in enumerate(data) if octet]
        for _ in range(count // 2 if written else 0):
            chosen += [(path, 8 * rng.choice(written) + rng.randrange(8)), (path, rng.randrange(8 * len(data)))]
    return rng.sample(chosen, min(count, len(chosen)))


def test_the_sample_has_something_in_every_kind_of_file(sample: Sample) -> None:
    found = look_at(sample.disk.copy(sample.disk.root.parent / "copy"))
    assert found.records == sample.after
    assert all(flips(sample, kind, 2, 0) for kind in KINDS)
    assert sum(path.startswith("segments/") for path in sample.files) >= 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_is_detected_or_harmless(sample: Sample, kind: str, tmp_path: Path) -> None:
    for path, bit in flips(sample, kind, KINDS[kind], seed=1):
        check(sample, path, bit, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(2, 10))
def test_many_flipped_bits_are_detected_or_harmless(sample: Sample, kind: str, seed: int, tmp_path: Path) -> None:
    for path, bit in flips(sample, kind, 500, seed):
        check(sample, path, bit, tmp_path)
