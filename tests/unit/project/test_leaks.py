"""The plugin that every test runs under finds what a test leaves behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TESTS = """
import asyncio, socket, subprocess, sys, threading
import pytest

kept = []

def test_nothing():
    async def main():
        await asyncio.create_task(asyncio.sleep(0))
        await asyncio.to_thread(threading.get_ident)
    asyncio.run(main())
    subprocess.run([sys.executable, "-c", ""], check=True)
    socket.socket().close()

def test_a_task():
    async def main():
        kept.append(asyncio.create_task(asyncio.Event().wait()))
    asyncio.run(main())

def test_a_thread():
    threading.Thread(target=threading.Event().wait, daemon=True).start()

def test_a_process():
    kept.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))

def test_a_socket():
    kept.append(socket.socket())
"""
MODULE = """
import socket
import pytest

@pytest.fixture(scope="module")
def shared():
    return [socket.socket()]

def test_what_a_fixture_of_the_module_keeps(shared):
    pass
"""


def test_what_is_left_behind_fails(tmp_path: Path) -> None:
    for name, tests in {"test_one.py": TESTS, "test_two.py": MODULE}.items():
        (tmp_path / name).write_text(tests)
    plain = [
        "-c",
        os.devnull,
        f"--rootdir={tmp_path}",
        "-p",
        "no:cacheprovider",
        "-W",
        "ignore::pytest.PytestAssertRewriteWarning",
    ]
    command = [sys.executable, "-m", "pytest", "-q", *plain, "-p", "tests.support.leaks", "-o", "leak_grace_s=0.2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [*command, tmp_path], capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert "6 passed, 5 errors" in ran.stdout, ran.stdout + ran.stderr
    accused = dict(re.findall(r"^_+ ERROR at teardown of (\w+) _+\n[^\n]+:\n(.*)$", ran.stdout, re.MULTILINE))
    signs = {
        "test_a_task": "<Task pending", "test_a_thread": "<Thread(", "test_a_process": "psutil.Process(",
        "test_a_socket": "socket:[", "test_what_a_fixture_of_the_module_keeps": "socket:[",
    }  # fmt: skip
    assert accused.keys() == signs.keys()
    assert all(accused[test].startswith(sign) for test, sign in signs.items())
