"""The states of a STOMP connection, seen from the server, and what each input does in each of them.

    CONNECTING ──CONNECT, STOMP──▶ LOGIN ──accepted──▶ CONNECTED ──DISCONNECT──▶ CLOSED
                                                                                   ▲
               any state ── what the table does not have, a failure, the end ──────┘

A client's command that is not in the table for the state that we are in breaks the protocol. After DISCONNECT, and
after an ERROR, nothing that arrives is acted on (STOMP 1.2, "DISCONNECT" and "ERROR").
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from segue.protocols.stomp.errors import ErrorCode, StompMisuseError, StompProtocolError
from segue.protocols.stomp.frames import CLIENT_COMMANDS, SERVER_COMMANDS

__all__ = ["TRANSITIONS", "Action", "ConnectionState", "Signal", "State"]


class State(Enum):
    """How far a connection has come."""

    CONNECTING = "connecting"
    LOGIN = "login"
    CONNECTED = "connected"
    CLOSED = "closed"


class Signal(Enum):
    """What happens to a connection other than a frame."""

    ACCEPTED = "accepted"
    """The login is good, and CONNECTED goes out."""
    FAILED = "failed"
    """An ERROR goes out: a broken rule, a refused login, a limit, a shutdown."""
    ENDED = "ended"
    """The client has closed its side."""


class Action(Enum):
    """What is to be done."""

    LOG_IN = "log in"
    GREET = "greet"
    PUBLISH = "publish"
    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    ACKNOWLEDGE = "acknowledge"
    RETURN = "return"
    BEGIN = "begin"
    COMMIT = "commit"
    ABORT = "abort"
    SAY_GOODBYE = "say goodbye"
    GIVE_UP = "give up"
    IGNORE = "ignore"


_WORK: Final = {
    "SEND": Action.PUBLISH,
    "SUBSCRIBE": Action.SUBSCRIBE,
    "UNSUBSCRIBE": Action.UNSUBSCRIBE,
    "ACK": Action.ACKNOWLEDGE,
    "NACK": Action.RETURN,
    "BEGIN": Action.BEGIN,
    "COMMIT": Action.COMMIT,
    "ABORT": Action.ABORT,
}

TRANSITIONS: Final[dict[tuple[State, str | Signal], tuple[Action, State]]] = {
    (State.CONNECTING, "CONNECT"): (Action.LOG_IN, State.LOGIN),
    (State.CONNECTING, "STOMP"): (Action.LOG_IN, State.LOGIN),
    (State.LOGIN, Signal.ACCEPTED): (Action.GREET, State.CONNECTED),
    **{(State.CONNECTED, command): (action, State.CONNECTED) for command, action in _WORK.items()},
    (State.CONNECTED, "DISCONNECT"): (Action.SAY_GOODBYE, State.CLOSED),
    **{(state, Signal.FAILED): (Action.GIVE_UP, State.CLOSED) for state in State if state is not State.CLOSED},
    **{(state, Signal.ENDED): (Action.GIVE_UP, State.CLOSED) for state in State if state is not State.CLOSED},
    # A login that is decided after the client has gone is one of these.
    **{(State.CLOSED, signal): (Action.IGNORE, State.CLOSED) for signal in Signal},
    **{(State.CLOSED, command): (Action.IGNORE, State.CLOSED) for command in CLIENT_COMMANDS | SERVER_COMMANDS},
}


class ConnectionState:
    """The state of one connection.

    Attributes:
        state: how far it has come. Most frames of a read are SEND and ACK: whoever takes a whole read of them may look
            at this once, since neither changes it.
    """

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state = State.CONNECTING

    def receive(self, command: str) -> Action:
        """Take a client's frame, and return what is to be done with it.

        Raises:
            StompProtocolError: the frame does not belong here. The state has not changed; FAILED is to follow.
        """
        transition = TRANSITIONS.get((self.state, command))
        if transition is None:
            raise StompProtocolError(ErrorCode.UNEXPECTED_COMMAND, _objection(self.state, command))
        action, self.state = transition
        return action

    def signal(self, signal: Signal) -> Action:
        """Take something else that happened, and return what is to be done.

        Raises:
            StompMisuseError: it can't happen in this state.
        """
        transition = TRANSITIONS.get((self.state, signal))
        if transition is None:
            raise StompMisuseError(f"{signal} in state {self.state}")
        action, self.state = transition
        return action


def _objection(state: State, command: str) -> str:
    if command in SERVER_COMMANDS:
        return f"{command} is a command of servers"
    if state is State.CONNECTING:
        return f"The first frame is CONNECT or STOMP, not {command}"
    if state is State.LOGIN:
        return f"{command} came before CONNECTED"
    return f"{command} came on a connection that is connected already"
