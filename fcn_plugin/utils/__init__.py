"""What MMEngine expects of a package whose models its hub builds."""

from __future__ import annotations

from mmengine.registry import DefaultScope
from mmseg.utils import register_all_modules as register_toolbox


def register_all_modules(init_default_scope: bool = True) -> None:
    """Register the components of the toolbox and, by being imported, those of this package.

    Called by ``mmengine.hub.get_model``, in the scope ``fcn_plugin``.

    Args:
        init_default_scope (bool): make ``mmseg`` the default scope, unless there is one.
    """
    register_toolbox(init_default_scope=init_default_scope and DefaultScope.get_current_instance() is None)
