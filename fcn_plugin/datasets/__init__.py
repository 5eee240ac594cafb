from .camvid import CamVidDataset
from .seeded_sampler import SeededInfiniteSampler, SeedTransforms
from .shapes import ShapesDataset

__all__ = ["CamVidDataset", "SeedTransforms", "SeededInfiniteSampler", "ShapesDataset"]
