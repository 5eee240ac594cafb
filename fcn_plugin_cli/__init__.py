"""The command ``fcn``: parsers that import nothing but the standard library, and what they call in ``fcn_plugin``.

It is a package of its own because importing ``fcn_plugin`` registers its components, and with them the whole toolbox.
Its name comes after ``fcn_plugin`` in the alphabet: of the packages of a distribution, MMEngine takes the first for the
one that has the configs.
"""
