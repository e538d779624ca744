"""The native surface, ``<base_url>qpi/v1/``: every address, who may use it, and the one service call behind it."""
