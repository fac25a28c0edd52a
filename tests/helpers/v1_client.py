"""A client of Segue's own API that says exactly what a test wants, and hears statuses and objects."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.helpers.http_client import Answer, HttpClient, request

__all__ = ["GUEST", "V1Client"]

GUEST = "Authorization: Basic " + base64.b64encode(b"guest:guest").decode()


class V1Client:
    """One connection."""

    def __init__(self, client: HttpClient) -> None:
        self.client = client

    def send(self, method: str, path: str, body: object = None, *lines: str) -> None:
        """Ask, and hear nothing yet. `path`: below /v1; `body`: octets as they are, anything else as JSON."""
        octets = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        if octets and not any(line.startswith("Content-Type:") for line in lines):
            kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
            lines = (*lines, f"Content-Type: {kind}")
        self.client.send(request(f"/v1/{path}", GUEST, *lines, method=method, body=octets))

    def ask(self, method: str, path: str, body: object = None, *lines: str) -> Answer:
        self.send(method, path, body, *lines)
        return self.client.answer(method)

    def said(self, method: str, path: str, body: object = None, *lines: str, status: int = 200) -> Any:
        """The object that is answered; the status has to be this one."""
        answer = self.ask(method, path, body, *lines)
        assert answer.status == status, answer.body
        return json.loads(answer.body)

    def publish(self, queue: str, *bodies: str) -> list[str]:
        """Publish messages; returns their ids."""
        said = {"messages": [{"body": body} for body in bodies]}
        return [one["id"] for one in self.said("POST", f"queues/{queue}/messages", said, status=201)["messages"]]

    def take(self, queue: str, messages_max: int = 1, **order: Any) -> list[dict[str, Any]]:
        """Take messages; returns their leases."""
        said = {"messages_max": messages_max, **order}
        leases: list[dict[str, Any]] = self.said("POST", f"queues/{queue}/leases", said)["leases"]
        return leases

    def settle(self, *settlements: dict[str, Any]) -> list[dict[str, Any]]:
        """Settle messages; returns what became of each."""
        settled = self.said("POST", "settlements", {"settlements": settlements})
        results: list[dict[str, Any]] = settled["settlements"]
        return results
