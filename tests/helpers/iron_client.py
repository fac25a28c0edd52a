"""A client of the IronMQ gateway that says exactly what a test wants, and hears statuses and objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from tests.helpers.http_client import Answer, HttpClient, request

__all__ = ["PROJECT", "IronClient"]

PROJECT = "5127bf043264140e863e2283"
_TOKEN = "Authorization: OAuth guest"


class IronClient:
    """One connection, for one project."""

    def __init__(self, client: HttpClient, project: str = PROJECT) -> None:
        self.client = client
        self.project = project

    def ask(
        self, method: str, path: str, members: object = None, *lines: str, query: Mapping[str, str] | None = None
    ) -> Answer:
        """`path`: below the project; its segments are to be quoted already."""
        self.send(method, path, members, *lines, query=query)
        return self.client.answer(method)

    def send(
        self, method: str, path: str, members: object = None, *lines: str, query: Mapping[str, str] | None = None
    ) -> None:
        """As `ask`, for who does not wait for the answer."""
        body = b"" if members is None else json.dumps(members).encode()
        arguments = "&".join(f"{quote(name)}={quote(value)}" for name, value in (query or {}).items())
        target = f"/3/projects/{self.project}/{path}" + (f"?{arguments}" if arguments else "")
        kind = ["Content-Type: application/json"] if body else []
        self.client.send(request(target, _TOKEN, *kind, *lines, method=method, body=body))

    def said(self, method: str, path: str, members: object = None, status: int = 200, **query: str) -> Any:
        """The object that is answered; the status has to be this one."""
        answer = self.ask(method, path, members, query=query)
        assert answer.status == status, answer.body
        assert answer.headers["content-type"] == "application/json"
        return json.loads(answer.body)

    def post(self, queue: str, *bodies: str, **more: Any) -> list[str]:
        """Put messages on a queue; returns their ids."""
        messages = [{"body": body, **more} for body in bodies]
        ids: list[str] = self.said("POST", f"queues/{queue}/messages", {"messages": messages}, 201)["ids"]
        return ids

    def reserve(self, queue: str, n: int = 1, **more: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.said("POST", f"queues/{queue}/reservations", {"n": n, **more})["messages"]
        return found

    def peek(self, queue: str, n: int = 1) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.said("GET", f"queues/{queue}/messages", n=str(n))["messages"]
        return found

    def size(self, queue: str) -> int:
        size: int = self.said("GET", f"queues/{queue}")["queue"]["size"]
        return size
