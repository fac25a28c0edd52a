"""Heads as the full reader has them."""

from __future__ import annotations

from dataclasses import replace

from segue.protocols.stomp.head import read_head
from segue.protocols.stomp.limits import Limits


def test_before_the_login_no_head_is_that_of_a_send() -> None:
    head = read_head(b"SEND\ndestination:/queue/a\ncontent-length:3", None, Limits())
    assert (head.send, head.length) == (None, -1)


def test_a_frame_before_the_login_may_have_what_its_head_leaves_of_the_limit() -> None:
    limits = replace(Limits(), login_frame_bytes_max=100)
    assert read_head(b"CONNECT\nhost:a", None, limits).body_bytes_max == 100 - len("CONNECT\nhost:a")
