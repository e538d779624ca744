"""Ids and names in the client's addresses."""

from __future__ import annotations

import ast
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest

from qpi_jupyter import client
from qpi_jupyter.client.http import path
from qpi_jupyter.core.errors import Rejected


def test_every_id_in_an_address_is_quoted() -> None:
    """An id with a slash or a question mark must not lead to another route: `path` is the one way into an address."""
    found = 0
    for file in Path(client.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.JoinedStr) or not ast.unparse(node).lstrip("rf'\"").startswith("v1/"):
                continue
            for value in node.values:
                if isinstance(value, ast.FormattedValue) and ast.unparse(value.value) != "end":
                    found += 1
                    assert isinstance(value.value, ast.Call), f"{file.name}:{node.lineno}"
                    assert ast.unparse(value.value.func) == "path", f"{file.name}:{node.lineno}"
    assert found > 10


@pytest.mark.parametrize("name", ["a/b", "../v1/me", "a?b=c", "a#b", "ä ö", "%2e%2e", "a\\b", "...x"])
def test_an_id_with_anything_in_it_is_one_part_of_an_address(name: str) -> None:
    url = httpx.URL(f"http://lab/qpi/v1/jobs/{path(name)}/events")
    assert unquote(url.raw_path.decode().split("/")[4]) == name
    assert url.raw_path.count(b"/") == 5


@pytest.mark.parametrize("name", ["", " ", ".", "..", " .. "])
def test_an_id_that_means_another_place_is_refused(name: str) -> None:
    with pytest.raises(Rejected):
        path(name)
