"""Time, memory and compute of a config's network, also against pytorch-fcn, and where its time goes."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

if __name__ == "__main__":
    if not (ROOT / "benchmarks").is_dir():
        sys.exit("error: benchmarks/ is not installed with the package: run tools/benchmark.py of the repository")
    sys.path.insert(0, str(ROOT))
    from benchmarks.main import main

    main()
