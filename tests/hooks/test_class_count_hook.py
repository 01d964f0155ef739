"""ClassCountHook: data and network must agree on the classes."""

from types import SimpleNamespace

import pytest
from mmengine.model import BaseTTAModel, MMDistributedDataParallel
from torch import nn

from mmppc.hooks import ClassCountHook

CLASSES = ('background', 'cat', 'dog')


class Network(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.decode_head = nn.Module()
        self.decode_head.num_classes = num_classes

    def test_step(self, data):
        """Makes it a network that test-time augmentation accepts."""


class Merge(BaseTTAModel):
    def merge_preds(self, data_samples_list):
        return data_samples_list


def distributed(network):
    """The wrapper as the hook sees it; a real one needs a process group."""
    wrapper = MMDistributedDataParallel.__new__(MMDistributedDataParallel)
    nn.Module.__init__(wrapper)
    wrapper.module = network
    return wrapper


def run(stage, model, metainfo=None):
    loader = SimpleNamespace(
        dataset=SimpleNamespace(metainfo={'classes': CLASSES} if metainfo is None else metainfo)
    )
    runner = SimpleNamespace(model=model, **{f'{stage}_dataloader': loader})
    getattr(ClassCountHook(), f'before_{stage}')(runner)


@pytest.mark.parametrize('stage', ['train', 'val', 'test'])
@pytest.mark.parametrize('number', [2, 4])
@pytest.mark.parametrize(
    'wrap', [nn.Identity(), distributed, lambda n: Merge(module=n), lambda n: distributed(Merge(n))]
)
def test_another_number_of_classes_is_refused(stage, number, wrap):
    run(stage, wrap(Network(3)))
    with pytest.raises(ValueError) as caught:
        run(stage, wrap(Network(number)))
    assert str(caught.value) == (
        f'{stage}_dataloader.dataset has 3 classes (background, cat, dog), the model has {number}: set '
        'model.decode_head.num_classes=3, or give the dataset the classes that the model knows'
    )


def test_what_cannot_be_compared_passes():
    run('train', nn.Linear(1, 1))
    run('train', Network(5), metainfo={})
