"""Time, memory and compute of a config's network, also against pytorch-fcn, and where its time goes."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from benchmarks.main import main

    main()
