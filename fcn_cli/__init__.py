"""The command ``fcn``: parsers that import nothing but the standard library, and what they call in ``fcn_plugin``.

It is a package of its own because importing ``fcn_plugin`` registers its components, and with them the whole toolbox.
"""
