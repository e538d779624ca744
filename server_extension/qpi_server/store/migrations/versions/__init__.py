"""One module a schema version; the revision is its number."""
