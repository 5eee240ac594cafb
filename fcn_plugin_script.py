"""The script ``fcn``: outside the package, which imports PyTorch and the toolbox, for seconds, to register itself."""

import importlib.util
from pathlib import Path


def main() -> None:
    """Run ``fcn_plugin/cli.py`` without importing the package: it does so itself once a subcommand is chosen."""
    path = Path(importlib.util.find_spec("fcn_plugin").origin).with_name("cli.py")
    spec = importlib.util.spec_from_file_location("fcn_plugin_cli", path)
    cli = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(cli)
    cli.main()
