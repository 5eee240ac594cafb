"""``python -m fcn_plugin`` is ``fcn``."""

from .cli import main

if __name__ == "__main__":
    main()
