"""Pushing to real sockets. Fault 102: what leads to addresses that are not everybody's is refused."""

from __future__ import annotations

import socket
from ipaddress import ip_network
from pathlib import Path

import pytest
import trio

from segue.protocols.push.client import PushClient
from segue.protocols.push.networks import AddressRules
from segue.protocols.push.outcome import Outcome
from segue.protocols.push.resolver import Endpoint, Resolve, SystemResolver
from tests.unit.protocols.push.certificates import Authority
from tests.unit.protocols.push.receiver import OK, receiver, resolver_of

LOOPBACK = [ip_network("127.0.0.0/8")]
PATIENCE = 60.0


def client_of(resolve: Resolve | None = None, *, allowed: bool = True, ca_file: Path | None = None) -> PushClient:
    rules = AddressRules(LOOPBACK if allowed else ())
    return PushClient(rules, resolve or SystemResolver(), () if ca_file is None else (ca_file,))


async def test_a_message_is_posted_as_it_is() -> None:
    async with receiver() as server:
        client = client_of(resolver_of(["127.0.0.1"]))
        headers = {"Content-Type": "text/plain; encoding=utf-8", "X-Name": "é"}
        outcome = await client.post(f"http://a.example:{server.port}/p?q=1", headers, b"\x00body\r\n", PATIENCE)
        assert outcome == Outcome(200, "OK")
        [(method, target, sent, body)] = server.requests
        assert (method, target, body) == ("POST", "/p?q=1", b"\x00body\r\n")
        assert sent == {
            "host": f"a.example:{server.port}",
            "content-type": "text/plain; encoding=utf-8",
            "x-name": "é",
            "content-length": "7",
            "connection": "close",
        }


async def test_what_frames_the_request_is_not_taken_from_the_caller() -> None:
    async with receiver() as server:
        headers = {"Host": "other", "content-length": "3", "Transfer-Encoding": "chunked", "EXPECT": "100-continue"}
        outcome = await client_of().post(f"http://127.0.0.1:{server.port}/", headers, b"12345", PATIENCE)
        assert outcome.status == 200
        [(_, _, sent, body)] = server.requests
        assert body == b"12345"
        assert sent["host"] == f"127.0.0.1:{server.port}"
        assert "transfer-encoding" not in sent
        assert "expect" not in sent


@pytest.mark.parametrize("headers", [{"A b": "c"}, {"A": "b\r\nC: d"}, {"A": "\x00"}, {"é": "b"}, {"": "b"}])
async def test_a_header_that_is_none_is_not_sent(headers: dict[str, str]) -> None:
    async with receiver() as server:
        outcome = await client_of().post(f"http://127.0.0.1:{server.port}/", headers, b"", PATIENCE)
        assert outcome == Outcome(0, "A header can't be sent by HTTP", retry=False)
        assert not server.requests


async def test_a_large_body_is_sent_whole() -> None:
    async with receiver() as server:
        body = bytes(range(256)) * 4096
        assert (await client_of().post(f"http://127.0.0.1:{server.port}/", {}, body, PATIENCE)).status == 200
        assert server.requests[0][3] == body


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "0x7f000001", "2130706433", "127.1", "0177.0.0.1",
     "localhost", "0.0.0.0", "10.0.0.1", "[64:ff9b::7f00:1]", "[::]"],
)  # fmt: skip
async def test_an_address_in_any_form_that_is_not_everybodys_is_refused(host: str) -> None:
    async with receiver() as server:
        outcome = await client_of(allowed=False).post(f"http://{host}:{server.port}/", {}, b"", PATIENCE)
        assert outcome.status == 0
        assert "push.allow_addresses" in outcome.text
        assert not outcome.retry
        assert not server.connections


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://1.1.1.1/", "gopher://1.1.1.1/", "1.1.1.1", ""])
async def test_a_url_that_is_not_of_http_is_refused(url: str) -> None:
    outcome = await client_of(resolver_of()).post(url, {}, b"", PATIENCE)
    assert (outcome.status, outcome.retry) == (0, False)
    assert outcome.text.startswith("The URL")


async def test_a_name_of_which_one_address_is_refused_is_refused() -> None:
    async with receiver() as server:
        resolve = resolver_of(["1.1.1.1", "127.0.0.1"])
        outcome = await client_of(resolve, allowed=False).post(f"http://a.example:{server.port}/", {}, b"", PATIENCE)
        assert outcome == Outcome(
            0, "'a.example' has a loopback address, which push.allow_addresses does not allow", retry=False
        )
        assert not server.connections


async def test_what_a_name_is_led_to_after_the_look_up_is_not_connected_to() -> None:
    """Rebinding."""
    async with receiver() as good, receiver(address="127.0.0.2", port=good.port) as bad:
        rules = AddressRules([ip_network("127.0.0.1/32")])
        client = PushClient(rules, resolver_of(["127.0.0.1"], ["127.0.0.2"]))
        url = f"http://a.example:{good.port}/"
        assert (await client.post(url, {}, b"", PATIENCE)).status == 200
        assert "loopback" in (await client.post(url, {}, b"", PATIENCE)).text
        assert (good.connections, bad.connections) == (1, 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with receiver() as bad:
        location = f"Location: http://127.0.0.1:{bad.port}/".encode()
        async with receiver(b"HTTP/1.1 %d Moved\r\n%b\r\nContent-Length: 0\r\n\r\n" % (status, location)) as server:
            outcome = await client_of().post(f"http://127.0.0.1:{server.port}/", {}, b"", PATIENCE)
            assert outcome.status == status
        assert not bad.connections


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async with receiver() as server:
        resolve = resolver_of(["127.0.0.3", "127.0.0.1"])
        assert (await client_of(resolve).post(f"http://a.example:{server.port}/", {}, b"", PATIENCE)).status == 200


async def test_a_name_without_addresses_is_a_failure_that_may_pass() -> None:
    async def nothing(_host: str, _port: int) -> list[Endpoint]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    outcome = await client_of(nothing).post("http://a.example/", {}, b"", PATIENCE)
    assert outcome == Outcome(0, "No address is known for 'a.example'")


async def test_a_name_that_can_not_be_has_no_addresses() -> None:
    outcome = await client_of().post(f"http://{'x' * 64}.example/", {}, b"", PATIENCE)
    assert outcome.text.startswith("No address is known")


async def test_a_port_where_nobody_listens_is_a_failure_that_may_pass() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    await listeners[0].aclose()
    outcome = await client_of().post(f"http://127.0.0.1:{port}/", {}, b"", PATIENCE)
    assert outcome == Outcome(0, "No connection: Connection refused")


async def test_an_endpoint_that_does_not_answer_in_time_is_a_failure_that_may_pass() -> None:
    async def never(_stream: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    async with receiver(never) as server:
        outcome = await client_of().post(f"http://127.0.0.1:{server.port}/", {}, b"", 0.05)
        assert outcome == Outcome(0, "No answer within 0.05 s")


async def test_a_look_up_that_takes_too_long_is_a_failure_that_may_pass() -> None:
    async def never(_host: str, _port: int) -> list[Endpoint]:
        await trio.sleep_forever()
        raise AssertionError

    assert await client_of(never).post("http://a.example/", {}, b"", 0.01) == Outcome(0, "No answer within 0.01 s")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"", "The connection was closed without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-", "The connection was closed without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "The answer is not HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * (80 << 10), "The head of the answer has more than 65536 bytes"),
        (b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" * 5000, "The head of the answer has more than 65536 bytes"),
    ],
)
async def test_what_is_no_answer_is_a_failure_that_may_pass(answer: bytes, text: str) -> None:
    async with receiver(answer) as server:
        outcome = await client_of().post(f"http://127.0.0.1:{server.port}/", {}, b"", PATIENCE)
        assert outcome == Outcome(0, text)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 202 Yes\r\nContent-Length: 0\r\n\r\n", Outcome(202, "Accepted")),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", Outcome(200, "OK")),
        (b"HTTP/1.1 500 <b>peer's words</b>\r\nContent-Length: 100\r\n\r\n", Outcome(500, "Internal Server Error")),
        (b"HTTP/1.1 299 What\r\nTransfer-Encoding: chunked\r\n\r\nzz", Outcome(299, "Status 299")),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, Outcome(200, "OK")),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (1 << 20), Outcome(200, "OK")),
    ],
)
async def test_only_the_status_of_an_answer_counts(answer: bytes, expected: Outcome) -> None:
    async with receiver(answer) as server:
        assert await client_of().post(f"http://127.0.0.1:{server.port}/", {}, b"", PATIENCE) == expected


async def test_an_answer_before_the_body_was_read_counts() -> None:
    async def refuse(stream: trio.abc.Stream) -> None:
        await stream.send_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        await trio.sleep_forever()

    async with receiver(refuse, reads=False) as server:
        body = b"x" * (16 << 20)
        assert (await client_of().post(f"http://127.0.0.1:{server.port}/", {}, body, PATIENCE)).status == 413


async def test_a_certificate_of_a_known_authority_for_the_name_is_taken(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with receiver(tls=authority.server("a.example")) as server:
        client = client_of(resolver_of(["127.0.0.1"]), ca_file=authority.file)
        assert (await client.post(f"https://a.example:{server.port}/", {}, b"body", PATIENCE)).status == 200
        assert server.requests[0][3] == b"body"


@pytest.mark.parametrize(
    ("name", "expired", "known", "why"),
    [
        ("b.example", False, True, "Hostname mismatch"),
        ("a.example", True, True, "certificate has expired"),
        ("a.example", False, False, "unable to get local issuer certificate"),
    ],
)
async def test_a_certificate_that_proves_nothing_is_refused(
    tmp_path: Path, name: str, expired: bool, known: bool, why: str
) -> None:
    authority = Authority(tmp_path)
    async with receiver(tls=authority.server(name, expired=expired)) as server:
        client = client_of(resolver_of(["127.0.0.1"]), ca_file=authority.file if known else None)
        outcome = await client.post(f"https://a.example:{server.port}/", {}, b"body", PATIENCE)
        assert outcome.text.startswith(f"The certificate is not valid: {why}")
        assert outcome.retry
        assert not server.requests


@pytest.mark.parametrize("text", [None, "no certificate"])
async def test_a_file_without_certificates_is_refused(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "authority.pem"
    if text is not None:
        file.write_text(text)
    with pytest.raises(OSError, match=r"."):
        await client_of(ca_file=file).load_authorities()


async def test_a_server_without_tls_is_not_taken_for_one_with_it() -> None:
    async def chat(stream: trio.abc.Stream) -> None:
        await stream.send_all(b"220 ready\r\n")

    async with receiver(chat, reads=False) as server:
        outcome = await client_of().post(f"https://127.0.0.1:{server.port}/", {}, b"", PATIENCE)
        assert outcome == Outcome(0, "There is no TLS connection")
