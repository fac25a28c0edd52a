"""The rules between settings: the defaults keep them, and each that is broken is reported where it was broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.broker.settings import Settings, SettingsError, load_settings
from segue.broker.settings.rules import RULES

HASH = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "B" * 42 + "A"


def broken(tmp_path: Path, text: str) -> str:
    path = tmp_path / "segue.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as refused:
        load_settings(path, {}, {})
    return str(refused.value).removeprefix(f"{tmp_path}/")


def test_the_defaults_keep_every_rule() -> None:
    assert [rule.check(Settings()) for rule in RULES] == [None] * len(RULES)


def test_a_journal_file_that_is_no_whole_number_of_blocks_is_refused(tmp_path: Path) -> None:
    assert broken(tmp_path, "[storage]\njournal_file_bytes = 67108865\n") == (
        "segue.toml:2: [storage] journal_file_bytes: is 67108865 bytes, not a whole number of blocks of 4 KiB; "
        'write "64 MiB"'
    )


def test_a_batch_that_fits_into_no_journal_file_is_refused(tmp_path: Path) -> None:
    assert broken(tmp_path, '[storage]\nbatch_bytes_max = "40 MiB"\n') == (
        "segue.toml:2: [storage] batch_bytes_max: storage.journal_file_bytes (64 MiB) is less than "
        "storage.batch_bytes_max and limits.transaction_bytes_max together (72 MiB): a batch lies in one journal file; "
        "raise journal_file_bytes, or lower one of the two"
    )


def test_a_journal_without_room_for_a_checkpoint_is_refused(tmp_path: Path) -> None:
    assert broken(tmp_path, '[storage]\ncheckpoint_journal_bytes = "256 MiB"\n') == (
        "segue.toml:2: [storage] checkpoint_journal_bytes: storage.journal_bytes_max (256 MiB) is less than "
        "storage.checkpoint_journal_bytes and storage.journal_file_bytes together (320 MiB): "
        'publishers would stand still at every checkpoint; raise journal_bytes_max to "320 MiB" or more'
    )


@pytest.mark.parametrize(
    ("section", "lines", "lesser", "greater"),
    [
        ("memory", ["", 'low_water_bytes = "1 GiB"'], "low_water_bytes", "high_water_bytes"),
        ("memory", ["", 'transactions_bytes_max = "145 MiB"'], "transactions_bytes_max", "low_water_bytes"),
        ("limits", ["", 'body_bytes_max = "33 MiB"'], "body_bytes_max", "transaction_bytes_max"),
        ("limits", ["prefetch_max = 10", "prefetch_default = 11"], "prefetch_default", "prefetch_max"),
        ("stomp", ["", 'header_line_bytes_max = "65 KiB"'], "header_line_bytes_max", "header_block_bytes_max"),
        ("stomp", ["", 'login_frame_bytes_max = "65 KiB"'], "login_frame_bytes_max", "header_block_bytes_max"),
    ],
)
def test_the_lesser_of_two_must_not_be_the_greater(
    section: str, lines: list[str], lesser: str, greater: str, tmp_path: Path
) -> None:
    fault = broken(tmp_path, "\n".join([f"[{section}]", *lines]))
    assert fault.startswith(f"segue.toml:3: [{section}] {lesser}: {section}.{lesser} (")
    assert f"is more than {section}.{greater} (" in fault
    assert fault.endswith("; lower the one or raise the other")


def test_a_rule_over_two_sections_is_reported_at_the_one_that_was_given(tmp_path: Path) -> None:
    fault = broken(
        tmp_path,
        '[memory]\nlow_water_bytes = "16 MiB"\ntransactions_bytes_max = "16 MiB"\n'
        '[limits]\ntransaction_bytes_max = "33 MiB"\n',
    )
    assert fault.startswith("segue.toml:5: [limits] transaction_bytes_max: limits.transaction_bytes_max (33 MiB)")


@pytest.mark.parametrize("address", ["0.0.0.0:61613", "[::]:61613", "192.0.2.1:61613"])
def test_a_listener_off_loopback_without_users_is_refused_with_the_reason_and_the_next_step(
    address: str, tmp_path: Path
) -> None:
    fault = broken(tmp_path, f'[stomp]\nlisten = ["127.0.0.1:1", "{address}"]\n')
    assert fault.startswith(
        f"segue.toml:2: [stomp] listen: {address} can be reached from other machines, and no user is configured"
    )
    assert "segue user hash" in fault


def test_a_listener_off_loopback_by_flag_is_refused_just_so() -> None:
    with pytest.raises(SettingsError, match=r"^--stomp: \[stomp\] listen: 0\.0\.0\.0:1 can be reached"):
        load_settings(None, {}, {"stomp.listen": "0.0.0.0:1"})


def test_with_a_user_every_listener_is_allowed() -> None:
    loaded = load_settings(None, {"SEGUE_USERS__alice__PASSWORD_HASH": HASH}, {"stomp.listen": "0.0.0.0:1"})
    assert str(loaded.stomp.listen[0]) == "0.0.0.0:1"


def test_no_rule_is_checked_against_the_default_of_a_key_that_is_at_fault(tmp_path: Path) -> None:
    text = '[limits]\nprefetch_max = 10\nprefetch_default = true\n[stomp]\nlisten = ["0.0.0.0:1"]\n[users.alice]\n'
    lines = broken(tmp_path, text).splitlines()
    assert len(lines) == 2
    assert "prefetch_default: is true" in lines[0]
    assert "has no password_hash" in lines[1]
