"""``python -m fcn_plugin`` is ``fcn``."""

from fcn_plugin_cli.main import main

if __name__ == "__main__":
    main()
