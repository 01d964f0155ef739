"""An endless shuffled stream of samples whose augmentation depends on their place in it only."""

import itertools
from collections.abc import Callable, Iterator, Sized
from typing import Any

import torch
from mmengine.dist import get_dist_info, sync_random_seed
from mmseg.registry import DATA_SAMPLERS
from torch.utils.data import Sampler

from mmppc.utils.randomness import seeded


class StreamIndex(int):
    """Index of a sample that remembers its place in the stream and the stream's seed."""

    place: int
    seed: int

    def __new__(cls, index: int, place: int, seed: int) -> 'StreamIndex':
        self = super().__new__(cls, index)
        self.place, self.seed = place, seed
        return self

    def __reduce__(self) -> tuple:
        return StreamIndex, (int(self), self.place, self.seed)


class SeededPipeline:
    """Runs a dataset's pipeline on random numbers drawn from the sample's place in the stream."""

    def __init__(self, pipeline: Callable) -> None:
        self.pipeline = pipeline

    def __getattr__(self, name: str) -> Any:
        if name == 'pipeline':  # while being unpickled
            raise AttributeError(name)
        return getattr(self.pipeline, name)

    def __call__(self, results: dict) -> Any:
        index = results.get('sample_idx')
        if not isinstance(index, StreamIndex):
            return self.pipeline(results)
        results['sample_idx'] = int(index)
        with seeded(index.seed, index.place):
            return self.pipeline(results)


@DATA_SAMPLERS.register_module()
class SeededSampler(Sampler):
    """``InfiniteSampler`` whose samples are augmented alike, however they come to be loaded.

    The stock sampler leaves augmentation to each worker's generator, so it depends on the number of workers and
    starts anew when a run is resumed. Here a sample draws from (seed, place in the stream): the same pictures come
    out for any number of workers, and after an interruption, without loading again what was already trained on.

    Args:
        dataset: Dataset with a ``pipeline`` of its own; the sampler wraps it into a :class:`SeededPipeline`.
        shuffle: Shuffle each round.
        seed: Of order and augmentation; None takes a random one, equal on all ranks.
    """

    def __init__(self, dataset: Sized, shuffle: bool = True, seed: int | None = None) -> None:
        pipeline = getattr(dataset, 'pipeline', None)
        if not callable(pipeline):
            raise ValueError(
                f'SeededSampler needs a dataset with a pipeline of its own, got {type(dataset).__name__}; '
                'use InfiniteSampler for wrapped datasets'
            )
        if not isinstance(pipeline, SeededPipeline):
            dataset.pipeline = SeededPipeline(pipeline)  # type: ignore[attr-defined]
        self.size = len(dataset)
        if self.size == 0:
            raise ValueError('SeededSampler got an empty dataset')
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.rank, self.world_size = get_dist_info()
        self.start = 0

    def __iter__(self) -> Iterator[int]:
        return itertools.islice(
            self._stream(), self.start * self.world_size + self.rank, None, self.world_size
        )

    def _stream(self) -> Iterator[StreamIndex]:
        """The samples of all ranks, without end."""
        generator = torch.Generator()
        generator.manual_seed(self.seed)
        for place in itertools.count():
            if place % self.size == 0:
                order = list(range(self.size))
                if self.shuffle:
                    order = torch.randperm(self.size, generator=generator).tolist()
            yield StreamIndex(order[place % self.size], place, self.seed)

    def skip(self, num_samples: int) -> None:
        """Start after the first ``num_samples`` of this rank; the training loop calls it at resume."""
        self.start = num_samples

    def set_epoch(self, epoch: int) -> None:
        """The stream has no epochs."""

    def __len__(self) -> int:
        return self.size
