"""Seeds derived from the run's seed."""

from __future__ import annotations

import numpy as np


def derived_seed(*parts: int) -> int:
    """A 32-bit seed from several integers, well mixed."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
