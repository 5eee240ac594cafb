import os
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
{before}
def block():  # of 64 MiB, written, and freed
    bytearray(b"1") * (64 << 20)
block()
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    block()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults)
"""
KEEP = "from fcn_plugin.engine.allocator import keep_freed_memory; kept = keep_freed_memory()"


def run(before, **environment):
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "GLIBC_", "LD_PRELOAD"))}
    command = [sys.executable, "-c", PROGRAM.format(before=before)]
    output = subprocess.run(command, env={**clean, **environment}, capture_output=True, text=True, check=True).stdout
    kept, faults = output.split()[-2:]
    return kept == "True", int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="without glibc, nothing is set")
def test_freed_memory_comes_back_without_page_faults():
    assert run("kept = False")[1] > 1000  # ten times 64 MiB by the page, of whatever size
    kept, faults = run(KEEP)
    assert kept and faults < 100
    kept, faults = run(KEEP, MALLOC_ARENA_MAX="2")
    assert not kept and faults > 1000, "what the user has set was overruled"
