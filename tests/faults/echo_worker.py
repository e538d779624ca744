"""A worker for tests: it answers with its process id and the question; ``hang`` and ``die`` it does."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    while head := sys.stdin.buffer.read(8):
        question = sys.stdin.buffer.read(int.from_bytes(head, "big"))
        if question == b"hang":
            signal.pause()
        if question == b"die":
            os._exit(1)
        answer = str(os.getpid()).encode() + b" " + question
        sys.stdout.buffer.write(len(answer).to_bytes(8, "big") + answer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
