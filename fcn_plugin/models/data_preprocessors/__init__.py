from .bands_data_preprocessor import BandsDataPreProcessor

__all__ = ["BandsDataPreProcessor"]
