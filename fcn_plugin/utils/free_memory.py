"""How much memory is free on a device."""

from __future__ import annotations

import re
from pathlib import Path

import torch

#: Where Linux tells what is free, and a container what it may use and uses.
MEMINFO, CONTAINER = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


def free_memory(device: torch.device) -> int:
    """Bytes that are free on a device; on a CPU, also what Linux would free, within the limit of a container.

    Raises:
        ValueError: where nothing tells.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    found = MEMINFO.is_file() and re.search(r"MemAvailable:\s+(\d+) kB", MEMINFO.read_text())
    if device.type != "cpu" or not found:
        raise ValueError(f"how much memory is free on {device.type} is known on Linux and CUDA alone")
    free = 1024 * int(found[1])
    limit, used = CONTAINER / "memory.max", CONTAINER / "memory.current"
    if limit.is_file() and used.is_file() and limit.read_text().strip().isdigit():
        free = min(free, int(limit.read_text()) - int(used.read_text()))
    return max(0, free)
