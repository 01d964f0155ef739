"""An endless shuffled stream of samples whose augmentation depends on their place in it only."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sized
from typing import Any

import torch
from mmengine.dist import get_dist_info, sync_random_seed
from mmseg.registry import DATA_SAMPLERS
from torch.utils.data import Sampler

from mmppc.datasets.sample_cache import SampleCache
from mmppc.utils.randomness import seeded


class StreamIndex(int):
    """Index of a sample that remembers its place in the stream and what its augmentation is drawn from."""

    place: int
    source: tuple[int, ...]

    def __new__(cls, index: int, place: int, source: tuple[int, ...]) -> 'StreamIndex':
        self = super().__new__(cls, index)
        self.place, self.source = place, source
        return self

    def __reduce__(self) -> tuple:
        return StreamIndex, (int(self), self.place, self.source)


class SeededPipeline:
    """Runs a dataset's pipeline on random numbers that belong to the sample, or takes the sample out of a cache.

    Args:
        pipeline: The dataset's own.
        cache: Where to look for samples of a :class:`StreamIndex` first.
    """

    def __init__(self, pipeline: Callable, cache: SampleCache | None = None) -> None:
        self.pipeline = pipeline
        self.cache = cache

    def __getattr__(self, name: str) -> Any:
        if name == 'pipeline':  # while being unpickled
            raise AttributeError(name)
        return getattr(self.pipeline, name)

    def __call__(self, results: dict) -> Any:
        index = results.get('sample_idx')
        if not isinstance(index, StreamIndex):
            return self.pipeline(results)
        results['sample_idx'] = int(index)
        if self.cache is not None:
            return self.cache.run(self.pipeline, results, index.source)
        with seeded(*index.source):
            return self.pipeline(results)


@DATA_SAMPLERS.register_module()
class SeededSampler(Sampler):
    """``InfiniteSampler`` whose samples are augmented alike, however they come to be loaded.

    The stock sampler leaves augmentation to each worker's generator, so it depends on the number of workers and
    starts anew when a run is resumed. Here a sample draws from (seed, place in the stream): the same pictures come
    out for any number of workers, and after an interruption, without loading again what was already trained on.

    With ``draws``, a sample has that many augmentations, which take turns: it draws from (draw_seed, index of the
    sample, round modulo draws), a round being once through the dataset. They are the same for every ``seed``, which
    still shuffles. So what was made of a sample can be kept and used again, by this and by other runs; the price is
    that a network sees a few augmentations of a picture over and over instead of ever new ones (docs/caching.md).

    Args:
        dataset: Dataset with a ``pipeline`` of its own; the sampler wraps it into a :class:`SeededPipeline`.
        shuffle: Shuffle each round.
        seed: Of order and augmentation; None takes a random one, equal on all ranks.
        draws: Augmentations of a sample; None for endless ones.
        draw_seed: What the augmentations are drawn from if there are ``draws``.
        cache: Options of :class:`~mmppc.datasets.sample_cache.SampleCache`, ``path`` and ``max_gb``, to keep the
            augmented samples in a file. Needs ``draws``.

    Raises:
        ValueError: The dataset is empty or has no pipeline of its own, or an option has no such value.
    """

    def __init__(
        self,
        dataset: Sized,
        shuffle: bool = True,
        seed: int | None = None,
        draws: int | None = None,
        draw_seed: int = 0,
        cache: Mapping[str, Any] | None = None,
    ) -> None:
        pipeline = getattr(dataset, 'pipeline', None)
        if not callable(pipeline):
            raise ValueError(
                f'SeededSampler needs a dataset with a pipeline of its own, got {type(dataset).__name__}; '
                'use InfiniteSampler for wrapped datasets'
            )
        if draws is not None and draws < 1:
            raise ValueError(f'SeededSampler: draws={draws}, expected at least 1, or None')
        if cache and draws is None:
            raise ValueError(
                'SeededSampler: cache needs draws, since endless augmentations never come again; '
                'expected for instance draws=5'
            )
        if isinstance(pipeline, SeededPipeline):
            pipeline = pipeline.pipeline
        dataset.pipeline = SeededPipeline(  # type: ignore[attr-defined]
            pipeline, SampleCache(**cache) if cache else None
        )
        self.size = len(dataset)
        if self.size == 0:
            raise ValueError('SeededSampler got an empty dataset')
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.draws = draws
        self.draw_seed = draw_seed
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
            index = order[place % self.size]
            if self.draws is None:
                yield StreamIndex(index, place, (self.seed, place))
            else:
                draw = place // self.size % self.draws
                yield StreamIndex(index, place, (self.draw_seed, index, draw))

    def skip(self, num_samples: int) -> None:
        """Start after the first ``num_samples`` of this rank; the training loop calls it at resume."""
        self.start = num_samples

    def set_epoch(self, epoch: int) -> None:
        """The stream has no epochs."""

    def __len__(self) -> int:
        return self.size
