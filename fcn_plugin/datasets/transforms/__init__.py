from .load_labels import LoadLabels
from .random_translate import RandomTranslate

__all__ = ["LoadLabels", "RandomTranslate"]
