"""Members of open lists: found by entry point; broken ones and two of one name are told of, and disturb nobody."""

from __future__ import annotations

from pathlib import Path
from typing import TypeGuard

import pytest

from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.core.plugins import OURS, Plugins
from tests.support.packages import a_package

GROUP = "qpi.tests"


def _is_text(thing: object) -> TypeGuard[str]:
    return isinstance(thing, str)


MEMBERS: Plugins[str] = Plugins(GROUP, "pebble", _is_text, "a text")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def refusal(name: str) -> Rejected:
    with pytest.raises(Rejected) as caught:
        MEMBERS.load(name)
    return caught.value


def test_a_member_is_loaded_by_its_name(packages: Path) -> None:
    a_package(packages, "a-lab", {GROUP: {"digits": "string:digits"}})
    assert MEMBERS.names() == ["digits"]
    assert MEMBERS.load("digits") == "0123456789"
    assert [(member.package, member.problem) for member in MEMBERS.checked()] == [("a-lab", "")]


def test_an_unknown_name_lists_what_is_there(packages: Path) -> None:
    a_package(packages, "a-lab", {GROUP: {"digits": "string:digits"}})
    error = refusal("letters")
    assert error.message == "There is no pebble 'letters'. Installed: digits. To get it: install its package."
    assert error.code == "unknown_pebble"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("no_such_module:X", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'."),
        ("string:nothing", "cannot be loaded: AttributeError"),
        ("leaves:X", "cannot be loaded: SystemExit: no licence. Update or uninstall its package, a-lab."),
        ("string:capwords", "(string:capwords) is not a text. Update or uninstall its package, a-lab."),
        ("no_such_module:X [fast]", "Install it with: pip install 'a-lab[fast]'"),
    ],
)
def test_a_broken_one_is_told_of_by_name_and_disturbs_nobody(packages: Path, value: str, said: str) -> None:
    (packages / "leaves.py").write_text("raise SystemExit('no\\n licence')")
    a_package(packages, "a-lab", {GROUP: {"bad": value, "digits": "string:digits"}})
    error = refusal("bad")
    assert error.code == "broken_pebble"
    assert "The pebble 'bad'" in error.message
    assert said in error.message
    assert {member.name: member.problem for member in MEMBERS.checked()} == {"bad": error.message, "digits": ""}
    assert MEMBERS.load("digits")


def test_of_two_with_one_name_neither_is_taken(packages: Path) -> None:
    a_package(packages, "a-lab", {GROUP: {"digits": "string:digits", "letters": "string:ascii_letters"}})
    a_package(packages, "b-lab", {GROUP: {"digits": "string:hexdigits"}})
    message = refusal("digits").message
    assert all(named in message for named in ("'digits'", "a-lab (string:digits)", "b-lab (string:hexdigits)"))
    assert [bool(member.problem) for member in MEMBERS.members()] == [True, True, False]
    assert MEMBERS.load("letters")


def test_the_projects_own_keep_their_names(packages: Path) -> None:
    a_package(packages, OURS, {GROUP: {"digits": "string:digits"}})
    a_package(packages, "b-lab", {GROUP: {"digits": "string:hexdigits"}})
    assert MEMBERS.load("digits") == "0123456789"
    assert [(member.package, bool(member.problem)) for member in MEMBERS.members()] == [(OURS, False), ("b-lab", True)]
