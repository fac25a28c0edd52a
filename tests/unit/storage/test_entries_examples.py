"""The worked examples in docs/formats are what the code writes and reads."""

from __future__ import annotations

import re
from pathlib import Path
from zlib import crc32

from segue.storage.catalog_rows import checksum
from segue.storage.entries import (
    BATCH_HEADER_SIZE,
    Enqueue,
    Settle,
    batch_header,
    decode_entries,
    enqueue_entry,
    parse_batch_header,
    settle_entry,
)
from segue.storage.record import decode, encode, prefix, verify
from segue.storage.segment import row_checksum

FORMATS = Path(__file__).parents[3] / "docs/formats"
SALT = 0x0123456789ABCDEF
RECORD = encode(*prefix(1_700_000_000_000, b"a:b\ncontent-length:2\n\n"), b"hi")


def example(page: str, kind: str) -> str:
    found = re.search(rf"^```{kind}\n(.*?)^```", (FORMATS / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert found is not None
    return found.group(1)


def test_the_example_of_a_record_is_that_record() -> None:
    data = bytes.fromhex(example("record.md", "hex record"))
    assert data == RECORD
    assert verify(data)
    assert decode(data)[:2] == (1_700_000_000_000, 0)
    assert decode(data).body == b"hi"


def test_the_example_of_a_batch_is_that_batch() -> None:
    data = bytes.fromhex(example("journal.md", "hex batch"))
    parts = [enqueue_entry([(1, 1)], [RECORD]), settle_entry(2, [(1, 1)])]
    assert data == batch_header(2, parts, 0, (1 << 64) - 1, SALT) + b"".join(parts)
    header = parse_batch_header(data)
    assert header is not None
    assert (header.size, header.crc, header.salt) == (160, crc32(data[12:]), SALT)
    entries = list(decode_entries(data[BATCH_HEADER_SIZE:], header.entries))
    assert entries == [Enqueue(((1, 1),), [RECORD]), Settle(2, [(1, 1)])]


def test_the_example_of_a_segment_row_has_the_right_checksum() -> None:
    assert int(example("segment.md", "value segment-row")) == row_checksum(SALT, 1, 1, 1, 1, 0)


def test_the_examples_of_catalog_rows_have_the_right_checksums() -> None:
    rows = {line.split()[0]: int(line.split()[-1]) for line in example("catalog.md", "value catalog-rows").splitlines()}
    assert rows == {
        "log": checksum("log", 1, 2, '{"kind": "queue"}'),
        "cursor": checksum("cursor", 2, 1, 2, 16386, b"", b"", "{}"),
        "segment": checksum("segment", 1, 1, 1, "segments/1/1-1.db", 1, len(RECORD), 1_700_000_000_000, 32768),
        "loose": checksum("loose", 1, 1, 1, 1, len(RECORD), 1_700_000_000_000),
    }
