from .check_picture import CheckPicture
from .copy_image import CopyImage
from .load_bands import LoadBands
from .load_labels import LoadLabels
from .random_translate import RandomTranslate

__all__ = ["CheckPicture", "CopyImage", "LoadBands", "LoadLabels", "RandomTranslate"]
