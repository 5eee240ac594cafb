# PYTHON_ARGCOMPLETE_OK
"""What `fcn export` does."""

from fcn_plugin_cli.main import run

if __name__ == "__main__":
    run("export")
