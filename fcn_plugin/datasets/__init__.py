from .camvid import CamVidDataset
from .orientation_batch_sampler import OrientationBatchSampler
from .sbd import SBDDataset
from .seeded_sampler import SeededDefaultSampler, SeededInfiniteSampler, SeedTransforms
from .shapes import ShapesDataset
from .transforms import LoadLabels, RandomTranslate

__all__ = [
    "CamVidDataset",
    "LoadLabels",
    "OrientationBatchSampler",
    "RandomTranslate",
    "SBDDataset",
    "SeedTransforms",
    "SeededDefaultSampler",
    "SeededInfiniteSampler",
    "ShapesDataset",
]
