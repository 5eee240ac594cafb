"""Configs that cannot be read."""

from .case import Bad

TABLE = [
    Bad("missing", "there is no config gone.py", command="train gone.py"),
    Bad("no-python", "the config config.py is not valid Python: ", config="model = dict("),
    Bad(
        "not-installed",
        "the config config.py imports what is not installed",
        config="custom_imports = dict(imports=['nowhere'])",
    ),
]
