# PYTHON_ARGCOMPLETE_OK
"""What `fcn new-dataset` does."""

from fcn_plugin_cli.main import run

if __name__ == "__main__":
    run("new-dataset")
