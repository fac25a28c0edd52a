"""What a request may measure."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes, but for the number of headers.

    Attributes:
        target_bytes_max: of the request target: path and query.
        header_count_max: headers of a request.
        head_bytes_max: of the request line and all headers.
        body_bytes_max: of a body as it is without its transfer coding.
    """

    target_bytes_max: int = 8 << 10
    header_count_max: int = 64
    head_bytes_max: int = 16 << 10
    body_bytes_max: int = 16 << 20
