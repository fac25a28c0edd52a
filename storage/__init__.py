"""Durable logs on disk: journal, segments, catalog and cursors."""
