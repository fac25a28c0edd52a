"""Metrics as Prometheus reads them: what its own parser refuses, a scrape refuses."""

from __future__ import annotations

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

__all__ = ["families_of"]


def families_of(text: str) -> list[Metric]:
    """All families of a scrape."""
    return list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]
