"""Flags win over the environment, that over the file, that over the defaults; and every fault is reported at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segue.broker.exit_codes import ExitCode
from segue.broker.settings import Fault, ListenAddress, Policy, Settings, SettingsError, load_settings
from segue.broker.settings.keys import keys_of, size
from segue.broker.settings.quantity import KIB, MIB
from segue.broker.settings.tree import SECTIONS

HASH = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "B" * 42 + "A"
NOTHING: Mapping[str, object] = {}


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Load a document as the file `segue.toml`."""
    monkeypatch.chdir(tmp_path)

    def load(
        text: str | bytes, environ: Mapping[str, str] | None = None, flags: Mapping[str, object] = NOTHING
    ) -> Settings:
        Path("segue.toml").write_bytes(text.encode() if isinstance(text, str) else text)
        return load_settings(Path("segue.toml"), environ or {}, flags)

    return load


@pytest.fixture
def faults(load: Callable[..., Settings]) -> Callable[..., list[str]]:
    """Load a document that can't be used, and list what is said about it."""

    def faults(
        text: str | bytes, environ: Mapping[str, str] | None = None, flags: Mapping[str, object] = NOTHING
    ) -> list[str]:
        with pytest.raises(SettingsError) as refused:
            load(text, environ, flags)
        assert str(refused.value).splitlines() == [str(fault) for fault in refused.value.faults]
        return [str(fault) for fault in refused.value.faults]

    return faults


Load = Callable[..., Settings]
Faults = Callable[..., list[str]]


def test_nothing_given_is_the_defaults() -> None:
    assert load_settings(None, {}, {}) == Settings()
    assert load_settings(None, {"PATH": "/bin", "SEGUEX": "1"}, {"storage.data_directory": None}) == Settings()


def test_a_file_wins_over_the_defaults(load: Load) -> None:
    loaded = load('[limits]\nbody_bytes_max = "1 MiB"\nlogin_seconds = "2 s"\n[stomp]\nlisten = []\n')
    assert loaded.limits.body_bytes_max == MIB
    assert loaded.limits.login_seconds == 2.0
    assert loaded.stomp.listen == ()
    assert loaded.limits.queues_max == Settings().limits.queues_max


def test_the_environment_wins_over_the_file_and_a_flag_over_both(load: Load) -> None:
    text = '[log]\nlevel = "error"\nformat = "json"\n[storage]\ndata_directory = "file"\n'
    environ = {"SEGUE_LOG__LEVEL": "debug", "SEGUE_STORAGE__DATA_DIRECTORY": "environment"}
    loaded = load(text, environ, {"storage.data_directory": "flag", "stomp.listen": "127.0.0.1:0"})
    assert (loaded.log.level, loaded.log.format) == ("debug", "json")
    assert loaded.storage.data_directory == Path("flag")
    assert loaded.stomp.listen == (ListenAddress("127.0.0.1", 0),)


def test_every_value_says_where_it_came_from(load: Load) -> None:
    text = '[log]\n\nformat = "json"\n'
    loaded = load(text, {"SEGUE_LOG__LEVEL": "debug"}, {"storage.data_directory": "x", "limits.queues_max": 5})
    assert str(loaded.origin(("log", "format"))) == "segue.toml:3"
    assert str(loaded.origin(("log", "level"))) == "SEGUE_LOG__LEVEL"
    assert str(loaded.origin(("storage", "data_directory"))) == "--data"
    assert str(loaded.origin(("limits", "queues_max"))) == "flag limits.queues_max"
    assert str(loaded.origin(("limits", "body_bytes_max"))) == "default"


def test_flags_may_be_values_as_well_as_text() -> None:
    given = {
        "storage.data_directory": Path("x"),
        "limits.queues_max": 7,
        "stomp.listen": ["127.0.0.1:1"],
        "limits.login_seconds": "2 s",
    }
    loaded = load_settings(None, {}, given)
    assert (loaded.storage.data_directory, loaded.limits.queues_max) == (Path("x"), 7)
    assert (loaded.stomp.listen, loaded.limits.login_seconds) == ((ListenAddress("127.0.0.1", 1),), 2.0)


@pytest.mark.parametrize("section", list(SECTIONS))
def test_every_setting_can_be_given_by_file_and_by_environment(section: str, load: Load) -> None:
    for key in keys_of((section,), SECTIONS[section]):
        written = key.setting.kind.toml(key.default)
        from_file = load(f"[{section}]\n{key.name} = {written}\n")
        text = written.strip("[]").replace('"', "")
        from_environment = load_settings(None, {key.environment: text}, {})
        assert from_file == from_environment == Settings()
        assert from_file.origin(key.path).given
        assert from_environment.origin(key.path).place == key.environment


def test_users_are_tables_by_name(load: Load) -> None:
    loaded = load(f'[users.alice]\npassword_hash = "{HASH}"\n[users."Bob #1"]\npassword_hash = "{HASH}"\n')
    assert list(loaded.users) == ["alice", "Bob #1"]
    assert str(loaded.users["alice"].password_hash) == HASH
    assert "BBBB" not in repr(loaded)


def test_a_user_may_come_from_the_environment_and_keeps_the_case_of_the_name() -> None:
    loaded = load_settings(None, {"SEGUE_USERS__Alice__x__PASSWORD_HASH": HASH}, {})
    assert list(loaded.users) == ["Alice__x"]


def test_policies_are_tables_by_name(load: Load) -> None:
    text = '[policies.all]\nqueues = "*"\n[policies."Big #1"]\nqueues = "x.*"\npriority = -5\nmessage_ttl_ms = "7 d"\n'
    loaded = load(text)
    assert dict(loaded.policies) == {
        "all": Policy("*"),
        "Big #1": Policy("x.*", priority=-5, message_ttl_ms=604_800_000),
    }
    assert str(loaded.origin(("policies", "Big #1", "priority"))) == "segue.toml:5"


def test_what_a_policy_leaves_out_it_does_not_say(load: Load) -> None:
    policy = load('[policies.p]\nqueues = "*"\ndead_letter = ""\ndelivery_limit = 0\n').policies["p"]
    assert (policy.dead_letter, policy.delivery_limit) == ("", 0)
    assert (policy.message_ttl_ms, policy.messages_max, policy.overflow) == (None, None, None)


def test_a_policy_may_come_from_the_environment_and_be_completed_there(load: Load) -> None:
    environ = {"SEGUE_POLICIES__All__QUEUES": "*", "SEGUE_POLICIES__All__PRIORITY": "-1"}
    assert dict(load_settings(None, environ, {}).policies) == {"All": Policy("*", -1)}
    text = "[policies.All]\ndelivery_limit = 3\n"
    assert dict(load(text, environ).policies) == {"All": Policy("*", -1, delivery_limit=3)}


def test_every_key_of_a_policy_can_be_given_by_file_and_by_environment(load: Load) -> None:
    for key in keys_of(("policies", "p"), Policy):
        written = key.setting.kind.example
        needed = {} if key.required else {"SEGUE_POLICIES__p__QUEUES": "*"}
        from_file = load(f"[policies.p]\n{key.name} = {written}\n", needed)
        text = written.strip('"')
        from_environment = load_settings(None, {key.environment: text, **needed}, {})
        assert from_file == from_environment
        assert getattr(from_file.policies["p"], key.name) is not None


def test_all_faults_of_policies_are_reported_together(faults: Faults) -> None:
    text = """\
[policies]
loose = "*"
[policies.empty]
[policies.bad]
queues = " "
priority = "high"
dead_letter = "a.*"
delivery_limit = -1
message_ttl = 5
message_ttl_ms = "3 weeks"
messages_max = true
overflow = "burst"
"""
    found = faults(text, {"SEGUE_POLICIES__other__QUEUES": " x"})
    pattern = "not a pattern on names of queues: a name"
    pattern_example = 'write for example "orders.*"'
    assert [fault.split("[policies.", 1)[1] for fault in found] == [
        'loose]: is not a table; write [policies.loose] on a line of its own, and queues = "..." below it',
        f"empty]: has no queues; {pattern_example}",
        f'bad] queues: is " ", {pattern} may not begin or end with a space; {pattern_example}',
        'bad] priority: is "high", not a whole number; write for example 0',
        (
            'bad] dead_letter: is "a.*", not the name of a queue: wildcards are for topics; '
            'write for example "dead-letters"'
        ),
        "bad] delivery_limit: is -1, outside of 0 to 1000000; write for example 100",
        "bad] message_ttl: is no setting; did you mean message_ttl_ms?",
        'bad] message_ttl_ms: is "3 weeks", of a unit that is none of ms, s, min, h, d; write for example "7 d"',
        "bad] messages_max: is true, not a whole number; write for example 100",
        'bad] overflow: is "burst", not one of drop-oldest, refuse; write for example "drop-oldest"',
        f'other] queues: is " x", {pattern} may not begin or end with a space; {pattern_example}',
    ]
    places = [f"segue.toml:{line}: " for line in (2, 3, *range(5, 13))]
    assert [fault.split("[", 1)[0] for fault in found] == [*places, "SEGUE_POLICIES__other__QUEUES: "]


def test_the_control_socket_stands_in_the_data_directory_unless_it_is_absolute() -> None:
    relative = load_settings(None, {}, {"storage.data_directory": "data"})
    assert relative.control_socket == Path("data/control.sock")
    absolute = load_settings(None, {"SEGUE_CONTROL__SOCKET": "/run/segue/control.sock"}, {})
    assert absolute.control_socket == Path("/run/segue/control.sock")


def test_all_faults_of_a_file_are_reported_in_the_order_of_its_lines(faults: Faults) -> None:
    text = """\
listen = "127.0.0.1:61613"
[storage]
journal_flie_bytes = "64 MiB"
segment_bytes_min = true
checkpoint_interval_seconds = 0
data_directory = ["x"]

[limit]
x = 1
[stomp]
body_bytes_max = "1 MiB"
dialect = "rabbit"
nonsense = 1
"""
    assert faults(text) == [
        "segue.toml:1: listen: stands outside of any section; move it below [stomp]",
        "segue.toml:3: [storage] journal_flie_bytes: is no setting; did you mean journal_file_bytes?",
        'segue.toml:4: [storage] segment_bytes_min: is true, not a number of bytes; write for example "4 MiB"',
        "segue.toml:5: [storage] checkpoint_interval_seconds: is 0 s, outside of 1 s to 3600 s; write for example 30",
        'segue.toml:6: [storage] data_directory: is a list, not a path; write for example "/var/lib/segue"',
        "segue.toml:8: [limit]: is no section; did you mean [limits]?",
        "segue.toml:11: [stomp] body_bytes_max: is no setting; move it below [limits]",
        'segue.toml:12: [stomp] dialect: is "rabbit", not one of segue, rabbitmq; write for example "segue"',
        "segue.toml:13: [stomp] nonsense: is no setting; remove it; `segue config show` lists all there are",
    ]


def test_faults_of_all_sources_are_reported_together_the_file_first(faults: Faults) -> None:
    found = faults('[log]\nlevel = "loud"\n', {"SEGUE_LOG__FORMAT": "xml"}, {"stomp.listen": "here"})
    assert found == [
        'segue.toml:2: [log] level: is "loud", not one of debug, info, warning, error; write for example "info"',
        'SEGUE_LOG__FORMAT: [log] format: is "xml", not one of text, json; write for example text',
        '--stomp: [stomp] listen: is "here", not HOST:PORT or [IPV6]:PORT; write for example 127.0.0.1:61613',
    ]


def test_a_bad_value_in_the_file_is_a_fault_also_when_it_is_overridden(faults: Faults) -> None:
    assert len(faults('[log]\nlevel = "loud"\n', {"SEGUE_LOG__LEVEL": "info"})) == 1


def test_the_error_carries_its_exit_code(load: Load) -> None:
    with pytest.raises(SettingsError) as refused:
        load("[x]\n")
    assert refused.value.exit_code is ExitCode.SETTINGS
    assert refused.value.code == "settings"


def test_a_fault_of_syntax_has_its_line_and_hides_no_fault_above_it(faults: Faults) -> None:
    found = faults('[log]\nlevel = "loud"\nformat = text\n[users.x]\n')
    assert found == [
        'segue.toml:2: [log] level: is "loud", not one of debug, info, warning, error; write for example "info"',
        'segue.toml:3: is not valid TOML: invalid value; put text into quotes, for example level = "info"',
    ]


def test_half_a_file_has_no_missing_keys_and_breaks_no_rule(faults: Faults) -> None:
    found = faults('[users.alice]\n[stomp]\nlisten = ["0.0.0.0:1"]\nx\n')
    assert [fault.split(":")[1] for fault in found] == ["4"]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ('[log]\nlevel = "info\n', ":2", "illegal character"),
        ('x = """\n', ":2", "unterminated string"),
        ("[log]\n[log]\n", ":2", "cannot declare ('log',) twice"),
        ('[log]\nlevel = "info"\nlevel = 2\n', ":3", "cannot overwrite a value"),
        ("[log\n", ":1", "expected ']'"),
        (b"[log]\n# \xff\n", ":2", "has a byte that is not UTF-8 (0xff)"),
        ("x = " + "1" * 5000, "", "is not valid TOML"),
        ("x = " + "[" * 5000, "", "has brackets nested too deep"),
        ("x = 2026-02-31\n", ":1", "invalid date"),
        (b"#" * (8 * MIB + 1), "", "is larger than 8388608 bytes"),
    ],
)
def test_a_document_that_is_not_toml_is_one_fault_with_its_line(
    text: str | bytes, line: str, problem: str, faults: Faults
) -> None:
    (fault,) = faults(text)
    assert fault.startswith(f"segue.toml{line}: ")
    assert problem.lower() in fault.lower()


def test_a_byte_order_mark_and_line_ends_of_windows_are_taken(load: Load) -> None:
    loaded = load(b'\xef\xbb\xbf[log]\r\nlevel = "debug"\r\n')
    assert loaded.log.level == "debug"
    assert str(loaded.origin(("log", "level"))) == "segue.toml:2"


def test_a_file_that_cant_be_read_is_a_fault_with_its_path(tmp_path: Path) -> None:
    for path, reason in [(tmp_path / "missing", "No such file or directory"), (tmp_path, "Is a directory")]:
        with pytest.raises(SettingsError, match=f"^{path}: can't be read: {reason}; "):
            load_settings(path, {}, {})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("storage = 3\n", "segue.toml:1: [storage]: is 3, not a section; write [storage] by itself"),
        ("[[log]]\n", "segue.toml:1: [log]: is a list, not a section; write [log] in single brackets"),
        ("users = 1\n", "segue.toml:1: [users]: is 1, not a section; write [users] by itself"),
        ("[[policies]]\n", "segue.toml:1: [policies]: is a list, not a section; write [policies] in single brackets"),
        ("[policy.x]\n", "segue.toml:1: [policy]: is no section; did you mean [policies]?"),
        ("[users.alice]\n", "segue.toml:1: [users.alice]: has no password_hash; write what `segue user hash` prints"),
    ],
)
def test_a_section_that_is_none_is_explained(text: str, fault: str, faults: Faults) -> None:
    assert faults(text) == [fault]


def test_a_section_from_nowhere_is_answered_with_those_there_are(faults: Faults) -> None:
    (fault,) = faults("[zzz]\n")
    assert fault.startswith(
        "segue.toml:1: [zzz]: is no section; "
        "there are storage, memory, limits, stomp, http, push, log, control, users, policies"
    )


def test_no_fault_repeats_what_may_be_a_password(faults: Faults) -> None:
    text = '[users]\nbob = "geheim1"\n[users.alice]\npassword = "geheim2"\npassword_hash = "geheim3"\n'
    found = faults(text, {"SEGUE_USERS__carl__PASSWORD_HASH": "geheim4"})
    assert [fault.split("; ")[0] for fault in found] == [
        "segue.toml:2: [users.bob]: is not a table",
        "segue.toml:4: [users.alice] password: is no setting",
        "segue.toml:5: [users.alice] password_hash: is not an argon2id hash ($argon2id$v=19$m=...)",
        "SEGUE_USERS__carl__PASSWORD_HASH: [users.carl] password_hash: is not an argon2id hash ($argon2id$v=19$m=...)",
    ]
    assert "geheim" not in "".join(found)


@pytest.mark.parametrize("name", ["", " alice", "alice ", "a\\nb", "a\\u202eb", "x" * 256])
@pytest.mark.parametrize(
    ("section", "key", "noun"), [("users", f'password_hash = "{HASH}"', "user"), ("policies", 'queues = "*"', "policy")]
)
def test_a_name_that_could_not_be_shown_is_no_name(
    section: str, key: str, noun: str, name: str, faults: Faults
) -> None:
    (fault,) = faults(f'[{section}."{name}"]\n{key}\n')
    assert f"is not a {noun}'s name" in fault
    assert fault.isprintable()


@pytest.mark.parametrize(
    ("variable", "fault"),
    [
        ("SEGUE_STORAGE__DATA_DIRECTROY", "[storage] data_directroy: is no setting; did you mean data_directory?"),
        ("SEGUE_STORAGE_DATA_DIRECTORY", "is no setting; did you mean SEGUE_STORAGE__DATA_DIRECTORY?"),
        ("SEGUE_STROAGE__DATA_DIRECTORY", "is no setting; did you mean SEGUE_STORAGE__DATA_DIRECTORY?"),
        ("SEGUE_LOG__", "is no setting; unset it, or write SEGUE_SECTION__KEY with a section of the settings"),
        ("SEGUE_POLICIES__ALL", "is no setting; unset it, or write SEGUE_SECTION__KEY with a section of the settings"),
        ("SEGUE_USERS__ALICE", "is no setting; unset it, or write SEGUE_SECTION__KEY with a section of the settings"),
        ("SEGUE___X", "is no setting; unset it, or write SEGUE_SECTION__KEY with a section of the settings"),
    ],
)
def test_a_misspelt_variable_is_a_fault(variable: str, fault: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(None, {variable: "x"}, {})
    assert str(refused.value) == f"{variable}: {fault}"


def test_a_variable_of_somebody_else_is_left_alone() -> None:
    assert load_settings(None, {"SEGUE_HOME": "x", "SEGUE_BENCH_BROKER": "y"}, {}) == Settings()


def test_what_a_fault_repeats_of_a_file_is_cut_and_can_be_shown(faults: Faults) -> None:
    (fault,) = faults('[log]\nlevel = "\\u001b[31m' + "x" * 1000 + '"\n')
    assert fault.isprintable()
    assert len(fault) < 250


@dataclass(frozen=True, slots=True)
class Lines:
    """A front-end from elsewhere."""

    line_bytes_max: int = size(4 * KIB, "The longest line.", minimum=80, maximum=MIB)


def test_the_section_of_another_front_end_is_read_like_ours(tmp_path: Path) -> None:
    path = tmp_path / "segue.toml"
    path.write_text('[lines]\nline_bytes_max = "1 KiB"\n')
    assert load_settings(path, {}, {}, {"lines": Lines}).section("lines") == Lines(1024)
    by_environment = load_settings(None, {"SEGUE_LINES__LINE_BYTES_MAX": "80"}, {}, {"lines": Lines})
    assert by_environment.section("lines") == Lines(80)
    assert load_settings(None, {}, {}, {"lines": Lines}).section("lines") == Lines()


def test_a_bad_value_in_the_section_of_another_front_end_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "segue.toml"
    path.write_text("[lines]\nline_bytes_max = 1\n")
    with pytest.raises(
        SettingsError, match=r"segue.toml:2: \[lines\] line_bytes_max: is 1 B, outside of 80 B to 1 MiB"
    ):
        load_settings(path, {}, {}, {"lines": Lines})


def test_a_section_is_found_by_its_name() -> None:
    loaded = Settings()
    assert [loaded.section(name) for name in SECTIONS] == [
        getattr(loaded, declared.name) for declared in fields(Settings) if declared.name in SECTIONS
    ]
    with pytest.raises(KeyError):
        loaded.section("lines")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.binary(max_size=200))
def test_any_file_is_settings_or_faults_that_can_be_shown(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "segue.toml"
    path.write_bytes(raw)
    faults: tuple[Fault, ...] = ()
    try:
        load_settings(path, {}, {}, {})
    except SettingsError as error:
        faults = error.faults
    assert all(str(fault).isprintable() for fault in faults)
