"""What a salvage could not bring along, written into the catalog that it made: `lost` in the table `meta`.

A queue never skips a number by itself. So a store that was salvaged has to say which ones are gone, or every check
would find them missing.
"""

from __future__ import annotations

import json
from typing import Final

from segue.storage.tools.catalog_image import CatalogImage
from segue.storage.tools.ranges import Ranges, normal

__all__ = ["LOST_KEY", "lost_of", "lost_value"]

LOST_KEY: Final = "lost"


def lost_value(lost: dict[int, Ranges]) -> str:
    """Ranges by log as text: a JSON object."""
    return json.dumps({str(log): ranges for log, ranges in lost.items() if ranges}, separators=(",", ":"))


def lost_of(image: CatalogImage) -> dict[int, Ranges]:
    """The reverse; empty for a store that was never salvaged."""
    found = json.loads(image.meta.get(LOST_KEY, "{}"))
    return {int(log): normal((first, last) for first, last in ranges) for log, ranges in found.items()}
