"""The endpoints that are pushed to: how many pushes at a time, and which are left alone because they do not answer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

import trio

from segue.protocols.push.breaker import Breaker, BreakerStatistics, Circuit
from segue.protocols.push.outcome import Outcome

if TYPE_CHECKING:
    from segue.broker.log_lines import Log

__all__ = ["Endpoints", "Post", "shown_url"]

Post: TypeAlias = Callable[[str, Mapping[str, str], bytes, float], Awaitable[Outcome]]
"""`PushClient.post`."""
_BREAKERS_MAX: Final = 10_000
"""Endpoints that have failed lately; beyond that, who has failed first is taken for sound."""


class Endpoints:
    """Of all push queues."""

    def __init__(
        self, post: Post, monotonic: Callable[[], float], log: Log, *, timeout_seconds: float, in_flight_max: int
    ) -> None:
        self._post = post
        self._monotonic = monotonic
        self._log = log
        self._timeout_seconds = timeout_seconds
        self._limiter = trio.CapacityLimiter(in_flight_max)
        self._breakers: OrderedDict[str, Breaker] = OrderedDict()

    @property
    def in_flight(self) -> int:
        """Pushes that are under way."""
        return self._limiter.borrowed_tokens

    async def push(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome | float:
        """Push to a URL, when it is its turn.

        Returns:
            What has become of it; or in how many seconds to ask again, because the endpoint is left alone.
        """
        async with self._limiter:
            breaker = self._breakers.setdefault(url, Breaker())
            wait = breaker.admit(self._monotonic())
            if wait:
                return wait
            try:
                outcome = await self._post(url, headers, body, self._timeout_seconds)
            except Exception as error:  # noqa: BLE001 - a fault of ours costs one push, not the broker
                self._log.crash("internal.error", error)
                outcome = Outcome(0, "Internal error")
            self._note(url, breaker, outcome)
        return outcome

    def circuits(self) -> dict[str, BreakerStatistics]:
        """The endpoints that have failed lately, by URL."""
        now = self._monotonic()
        return {url: breaker.statistics(now) for url, breaker in self._breakers.items() if not breaker.is_blank}

    def _note(self, url: str, breaker: Breaker, outcome: Outcome) -> None:
        now = self._monotonic()
        before = breaker.statistics(now)
        if outcome.says_busy:
            breaker.fail(now)
        elif outcome.status:
            breaker.succeed()
        else:
            breaker.withdraw(now)
        after = breaker.statistics(now)
        shown = shown_url(url)
        if after.opened != before.opened:
            self._log.warning("push.circuit_opened", url=shown, seconds=after.wait_seconds, reason=outcome.text)
        elif after.circuit is Circuit.CLOSED and before.circuit is not Circuit.CLOSED:
            self._log.info("push.circuit_closed", url=shown)
        self._keep(url, breaker)

    def _keep(self, url: str, breaker: Breaker) -> None:
        if breaker.is_blank:
            self._breakers.pop(url, None)
        else:
            self._breakers[url] = breaker
            if len(self._breakers) > _BREAKERS_MAX:
                self._breakers.popitem(last=False)


def shown_url(url: str) -> str:
    """A URL for logs: what stands behind its question mark may be a password."""
    return url.partition("?")[0]
