"""What a source of weights is: names to recognise it by, a way to the reference's names, and what its use needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor


class WeightSource(ABC):
    """A naming of weights, recognised by its content.

    Attributes:
        name (str): what the source is called in messages and in the ``meta`` of an imported checkpoint.
    """

    name: str

    @abstractmethod
    def recognises(self, tensors: Mapping[str, Tensor]) -> bool:
        """Whether these weights, by name, are of this source."""

    @abstractmethod
    def reference_names(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights under the reference's layer names (``conv1_1.weight``).

        Raises:
            WeightsError: if they are not those of a network that is known here.
        """

    @abstractmethod
    def meta(self, tensors: Mapping[str, Tensor], checksums: Mapping[str, str]) -> dict:
        """What is known of the weights' use.

        Args:
            tensors (Mapping): the weights, under the source's names.
            checksums (Mapping): ``sha256`` and ``md5`` of their file, to know published files by.

        Returns:
            dict: ``preprocessing``, the input that the weights expect (``bgr_to_rgb``, ``mean``, ``std``), and
            ``skip_scales``, the constants on the skips, fine to coarse; each only if it is known.
        """
