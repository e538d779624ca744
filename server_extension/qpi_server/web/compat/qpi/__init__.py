"""QPI's HTTP surface under ``<base_url>qpi/api/``: its routes, its PocketBase collections, its words."""
