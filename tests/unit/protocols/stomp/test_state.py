"""Every pair of state and input."""

from __future__ import annotations

from itertools import product

import pytest

from segue.protocols.stomp.errors import ErrorCode, StompMisuseError, StompProtocolError
from segue.protocols.stomp.frames import CLIENT_COMMANDS, SERVER_COMMANDS
from segue.protocols.stomp.state import TRANSITIONS, Action, ConnectionState, Signal, State
from tests.unit.protocols.stomp.reference_page import codes_in, table

COMMANDS = sorted(CLIENT_COMMANDS | SERVER_COMMANDS)
WORK = {
    "SEND": Action.PUBLISH,
    "SUBSCRIBE": Action.SUBSCRIBE,
    "UNSUBSCRIBE": Action.UNSUBSCRIBE,
    "ACK": Action.ACKNOWLEDGE,
    "NACK": Action.RETURN,
    "BEGIN": Action.BEGIN,
    "COMMIT": Action.COMMIT,
    "ABORT": Action.ABORT,
}


def in_state(state: State) -> ConnectionState:
    connection = ConnectionState()
    connection.state = state
    return connection


def expected(state: State, command: str) -> tuple[Action, State] | None:
    """What the specifications say, put another way than the table does; None for a broken rule."""
    match state:
        case State.CONNECTING:
            return (Action.LOG_IN, State.LOGIN) if command in ("CONNECT", "STOMP") else None
        case State.LOGIN:
            return None
        case State.CONNECTED if command == "DISCONNECT":
            return Action.SAY_GOODBYE, State.CLOSED
        case State.CONNECTED:
            return (WORK[command], State.CONNECTED) if command in WORK else None
        case State.CLOSED:
            return Action.IGNORE, State.CLOSED


@pytest.mark.parametrize(("state", "command"), list(product(State, COMMANDS)))
def test_every_command_in_every_state_does_what_the_specification_says(state: State, command: str) -> None:
    connection = in_state(state)
    outcome = expected(state, command)
    if outcome is None:
        with pytest.raises(StompProtocolError) as refused:
            connection.receive(command)
        assert refused.value.code is ErrorCode.UNEXPECTED_COMMAND
        assert command in refused.value.body
        assert connection.state is state
    else:
        assert (connection.receive(command), connection.state) == outcome


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("signal", [Signal.FAILED, Signal.ENDED])
def test_every_connection_can_fail_and_end(state: State, signal: Signal) -> None:
    connection = in_state(state)
    assert connection.signal(signal) is (Action.IGNORE if state is State.CLOSED else Action.GIVE_UP)
    assert connection.state is State.CLOSED


def test_a_login_is_accepted_once() -> None:
    connection = in_state(State.LOGIN)
    assert connection.signal(Signal.ACCEPTED) is Action.GREET
    assert connection.state is State.CONNECTED
    with pytest.raises(StompMisuseError):
        connection.signal(Signal.ACCEPTED)
    with pytest.raises(StompMisuseError):
        ConnectionState().signal(Signal.ACCEPTED)


def test_a_login_that_is_accepted_too_late_changes_nothing() -> None:
    connection = in_state(State.CLOSED)
    assert connection.signal(Signal.ACCEPTED) is Action.IGNORE
    assert connection.state is State.CLOSED


def test_a_connection_begins_with_connect() -> None:
    assert ConnectionState().state is State.CONNECTING


def test_the_table_has_no_pair_that_is_not_an_input() -> None:
    assert {trigger for _, trigger in TRANSITIONS} <= {*COMMANDS, *Signal}


def test_each_reason_is_named() -> None:
    reasons = {}
    for state, command in (
        (State.CONNECTING, "SEND"),
        (State.LOGIN, "SEND"),
        (State.CONNECTED, "CONNECT"),
        (State.CONNECTED, "MESSAGE"),
    ):
        with pytest.raises(StompProtocolError) as refused:
            in_state(state).receive(command)
        reasons[state, command] = refused.value.body
    assert len(set(reasons.values())) == 4
    assert reasons[State.CONNECTING, "SEND"] == "The first frame is CONNECT or STOMP, not SEND"


def test_the_reference_page_has_every_command() -> None:
    assert sorted(name for commands, _ in table("Commands") for name in codes_in(commands)) == COMMANDS
