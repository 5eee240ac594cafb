import numpy as np
import torch
from torch import nn

from fcn_plugin.paper.peak_memory import PeakMemory


def test_what_is_alive():
    outside = torch.zeros(1000)
    with PeakMemory() as memory:
        first = outside + 1
        assert memory.current == 4000
        view = first.view(10, 100).t()  # of the same memory
        assert memory.current == 4000
        second = view.to(torch.float64)
        assert memory.current == 12000
        del first
        assert memory.current == 12000  # the view still needs it
        del view
        assert memory.current == 8000
        second.add_(1).relu_()
        outside.mul_(2)  # what was there before is not counted
        assert memory.current == 8000
        del second
        assert memory.current == 0
    assert memory.peak == 12000


def test_a_network_keeps_two_maps_at_a_time():
    network = nn.Sequential(*(nn.Conv2d(4, 4, 3, padding=1) for _ in range(5)))
    image = torch.zeros(1, 4, 10, 10)
    with torch.no_grad(), PeakMemory() as memory:
        network(image)
    assert memory.peak == 2 * image.nbytes and memory.current == 0
    with PeakMemory() as memory:
        result = network(image)
    assert memory.peak == 5 * image.nbytes  # for the backward pass
    del result


def test_each_run_counts_for_itself():
    with PeakMemory() as one:
        kept = torch.ones(100)
    with PeakMemory() as other:
        torch.ones(50)
    assert (one.peak, other.peak) == (400, 200)
    del kept
    assert one.current == 0


def test_what_comes_from_outside_of_torch_counts():
    with PeakMemory() as memory:
        first = torch.tensor([1.0, 2.0])
        assert memory.current == 8
        second = torch.from_numpy(np.zeros(10, dtype=np.float32))
        assert memory.current == 48
        del first, second
        assert memory.current == 0
