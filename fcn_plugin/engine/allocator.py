"""Memory that is freed and asked for again, kept by the process."""

from __future__ import annotations

import ctypes
import os
import platform

# names of <malloc.h>
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> bool:
    """Make glibc keep the memory that is freed, for what is allocated next; for processes that compute on the CPU.

    By default, it gives each large tensor back to the system as soon as it is freed, and each new one comes page by
    page, zeroed: every iteration pays for it anew, which takes up to a third of its time where page faults are slow, as
    on virtual machines. With this, the process keeps what it has needed at most.

    What the user has set is left as it is: glibc's variables (``MALLOC_...``, ``GLIBC_TUNABLES``), or another allocator
    (``LD_PRELOAD``).

    Returns:
        bool: whether anything was set; False on systems without glibc.
    """
    if platform.libc_ver()[0] != "glibc" or any(
        name.startswith(("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")) for name in os.environ
    ):
        return False
    libc = ctypes.CDLL(None)
    never = ctypes.c_int(-1)
    return bool(libc.mallopt(M_MMAP_MAX, 0) and libc.mallopt(M_TRIM_THRESHOLD, never))
