"""What was lost is written into the catalog and read back."""

from segue.storage.tools.catalog_image import CatalogImage
from segue.storage.tools.lost import LOST_KEY, lost_of, lost_value


def test_ranges_are_read_as_they_were_written() -> None:
    lost = {1: [(1, 5), (9, 9)], 7: [(2, 3)], 8: []}
    assert lost_of(CatalogImage(meta={LOST_KEY: lost_value(lost)})) == {1: [(1, 5), (9, 9)], 7: [(2, 3)]}


def test_a_store_that_was_never_salvaged_has_lost_nothing() -> None:
    assert lost_of(CatalogImage()) == {}
