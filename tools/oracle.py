"""What `fcn oracle` does."""

from fcn_plugin.cli import run

if __name__ == "__main__":
    run("oracle")
