"""What has become of one push: an answer's status, or why there was none."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

__all__ = ["Outcome", "PushError"]

_BUSY = frozenset({429, 502, 503, 504})


class PushError(Exception):
    """There is no answer. The text is made for whoever configured the push queue."""

    def __init__(self, text: str, *, retry: bool = True) -> None:
        """`retry`: see `Outcome`."""
        super().__init__(text)
        self.retry = retry


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one push.

    Attributes:
        status: of HTTP; 0 where there was no answer.
        text: in words.
        retry: False when another try can't end otherwise: the URL is to be changed, or the settings.
    """

    status: int
    text: str
    retry: bool = True

    @classmethod
    def answered(cls, status: int) -> Outcome:
        """There was an answer. Its reason phrase is ours: what the peer writes there may be anything."""
        try:
            return cls(status, HTTPStatus(status).phrase)
        except ValueError:
            return cls(status, f"Status {status}")

    @classmethod
    def failed(cls, error: PushError) -> Outcome:
        """There was none."""
        return cls(0, str(error), error.retry)

    @property
    def says_busy(self) -> bool:
        """True when it speaks of the endpoint as a whole, which is down, or asks to be left alone; see breaker.py.

        Any other answer, also a refusal, is of this message: the endpoint is there.
        """
        return (not self.status and self.retry) or self.status in _BUSY
