"""What `fcn plot` does."""

from fcn_plugin.cli import run

if __name__ == "__main__":
    run("plot")
