from __future__ import annotations

from benchmarks.house import circles, floors, squashed, statements


def test_floors_are_the_longest_chain() -> None:
    assert floors({"a": {"b", "d"}, "b": {"c"}, "c": {"d"}, "d": set(), "e": {"d"}}) == 4


def test_a_circle_is_found_and_is_one_floor() -> None:
    graph = {"top": {"a"}, "a": {"b"}, "b": {"c"}, "c": {"a", "low"}, "low": set()}
    assert list(circles(graph)) == [["a", "b", "c"]]
    assert floors(graph) == 3


def test_two_packages_that_share_no_circle_of_modules_may_be_one() -> None:
    graph = {"x.a": {"y.a"}, "y.a": set(), "y.b": {"x.b"}, "x.b": set()}
    assert list(circles(graph)) == []
    assert list(circles(squashed(graph, lambda module: module[0]))) == [["x", "y"]]


def test_a_docstring_is_no_statement() -> None:
    source = '"""What it is."""\nfor x in y:\n    """None either."""\n    if x: print(x)\n'
    assert statements(source.encode()) == 3
