"""The scope ``fcn_plugin``, so that other projects' configs can inherit from ``fcn_plugin::FOLDER/CONFIG.py``.

MMEngine looks the package up in a table of its own, and builds what such a config inherits in the scope of that name,
for which it imports this module. The components themselves are in the toolbox's registries, the parents of these: what
is ours, MMSegmentation's or MMEngine's is found in this scope.
"""

from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import Registry
from mmseg import registry as toolbox

SCOPE = "fcn_plugin"
MODULE2PACKAGE[SCOPE] = SCOPE

#: By name, as in the toolbox: ``MODELS``, ``DATASETS``, ...
REGISTRIES = {
    name: Registry(parent.name, parent=parent, scope=SCOPE, locations=[SCOPE, "mmseg.engine", "mmseg.visualization"])
    for name in toolbox.__all__
    if isinstance(parent := getattr(toolbox, name), Registry)
}
