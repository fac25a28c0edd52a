"""The client by which messages are pushed: one POST, to an address that was looked at before.

A name is resolved once. Every address that it leads to has to be one that may be connected to (networks.py), and then
one of just these is connected to: there is no second look-up that could say something else. Redirects are not followed,
and no proxy is asked, for both would choose the address anew.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import trio

from segue.protocols.push.exchange import exchange
from segue.protocols.push.networks import AddressRules
from segue.protocols.push.outcome import Outcome, PushError
from segue.protocols.push.resolver import Endpoint, Resolve
from segue.protocols.push.target import InvalidTargetError, Target

__all__ = ["PushClient"]

_ENDPOINTS_MAX: Final = 4
"""Addresses of a name that are tried, each for its share of what time is left."""


class PushClient:
    """See the module."""

    def __init__(self, rules: AddressRules, resolve: Resolve, ca_files: Sequence[Path] = ()) -> None:
        """`ca_files`: certificates (PEM) of authorities that are trusted besides those of the system."""
        self._rules = rules
        self._resolve = resolve
        self._ca_files = ca_files
        self._tls: ssl.SSLContext | None = None

    async def load_authorities(self) -> ssl.SSLContext:
        """Read whom to trust, which takes some ten milliseconds; it is done at the first push by TLS at the latest.

        Raises:
            OSError: a file can't be read, or holds no certificate.
        """
        if self._tls is None:
            self._tls = await trio.to_thread.run_sync(_tls_context, self._ca_files)
        return self._tls

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Outcome:
        """Push a body to a URL. Whatever goes wrong is in what is returned.

        Args:
            url: http or https.
            headers: what the request has besides those that frame it.
            body: of the request.
            seconds: for how long, from the look-up of the name to the status of the answer.
        """
        with trio.move_on_after(seconds):
            try:
                return Outcome.answered(await self._post(_target(url), headers, body))
            except PushError as error:
                return Outcome.failed(error)
        return Outcome(0, f"No answer within {seconds:g} s")

    async def _post(self, target: Target, headers: Mapping[str, str], body: bytes) -> int:
        stream: trio.abc.Stream = await self._connect(await self._endpoints(target))
        try:
            if target.secure:
                stream = await self._shake_hands(stream, target)
            return await exchange(stream, target, headers, body)
        finally:
            await trio.aclose_forcefully(stream)

    async def _endpoints(self, target: Target) -> list[Endpoint]:
        try:
            endpoints = await self._resolve(target.host, target.port)
        except (OSError, UnicodeError):  # the latter of names that can't be: the resolver encodes them
            endpoints = []
        if not endpoints:
            raise PushError(f"No address is known for '{target.host}'")
        for endpoint in endpoints:
            kind = self._rules.refusal(endpoint.sockaddr[0])
            if kind is not None:
                # The address itself is not told: what names lead to in here is nobody's business out there.
                text = f"'{target.host}' has a {kind} address, which push.allow_addresses does not allow"
                raise PushError(text, retry=False)
        return endpoints[:_ENDPOINTS_MAX]

    async def _connect(self, endpoints: list[Endpoint]) -> trio.SocketStream:
        failure = "No connection: time-out"
        for tried, endpoint in enumerate(endpoints):
            left = trio.current_effective_deadline() - trio.current_time()
            with trio.move_on_after(left / (len(endpoints) - tried)):
                try:
                    return await _open(endpoint)
                except OSError as error:
                    failure = _in_words(error)
        raise PushError(failure)

    async def _shake_hands(self, stream: trio.abc.Stream, target: Target) -> trio.SSLStream[trio.abc.Stream]:
        name = target.host.rstrip(".")  # as certificates have it
        context = await self.load_authorities()
        secured = trio.SSLStream(stream, context, server_hostname=name, https_compatible=True)
        try:
            await secured.do_handshake()
        except trio.BrokenResourceError as error:
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                text = f"The certificate is not valid: {error.__cause__.verify_message}"
                raise PushError(text) from None
            raise PushError("There is no TLS connection") from None
        return secured


def _tls_context(ca_files: Sequence[Path]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    for file in ca_files:
        context.load_verify_locations(file)
    return context


def _target(url: str) -> Target:
    try:
        return Target.parse(url)
    except InvalidTargetError as error:
        raise PushError(f"The URL {error}", retry=False) from None


async def _open(endpoint: Endpoint) -> trio.SocketStream:
    connection = trio.socket.socket(endpoint.family, trio.socket.SOCK_STREAM)
    try:
        await connection.connect(endpoint.sockaddr)
    except BaseException:
        connection.close()
        raise
    return trio.SocketStream(connection)


def _in_words(error: OSError) -> str:
    return f"No connection: {os.strerror(error.errno) if error.errno else 'it failed'}"
