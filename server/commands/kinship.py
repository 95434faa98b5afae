"""Ties the life of a child process to that of its parent."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> Callable[[], None] | None:
    """What a child runs before its program, so that it is asked to end when this process dies, even of `kill -9`.

    None where the kernel has no such thing: only Linux does.
    """
    if sys.platform != "linux":
        return None
    libc, parent = ctypes.CDLL(None, use_errno=True), os.getpid()  # nothing is imported or loaded in the child

    def ask_to_end() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it has died already
            os._exit(1)

    return ask_to_end
