"""What the inferencers share: pictures in, batches through the network, files and results out."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
import warnings
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.infer import BaseInferencer
from mmengine.logging import print_log
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import CheckpointLoader, _load_checkpoint_to_model
from mmengine.structures import LabelData
from mmengine.visualization import Visualizer
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from rich.progress import track
from torch import nn

from mmppc.apis.class_names import classes_and_palette
from mmppc.apis.given_tags import GivenTags
from mmppc.apis.jobs import Job, Request, Result
from mmppc.apis.network_settings import as_config, as_device
from mmppc.apis.output_folder import OutputFolder, Stored, picture_stream
from mmppc.apis.picture_stream import Inputs, Picture, PictureStream
from mmppc.storage.seeds import Seed
from mmppc.utils.checkpoint import check_checkpoint_fits, unwrap_model
from mmppc.utils.model_digest import weights_digest
from mmppc.utils.network_config import (
    bare_model,
    picture_pipeline,
    pipeline_config,
    prepare_picture,
    samples_of,
    tta_model,
)
from mmppc.utils.worker_pool import WorkerPool, result_of

# Pictures of one size go through the network together; this many times the batch size are looked at for them.
_WINDOW = 4


class PictureInferencer(BaseInferencer):
    """Base of :class:`CAMInferencer` and :class:`SegInferencer`.

    Differs from MMEngine's in that it works picture by picture: memory does not grow with their number.

    Args:
        model: Config file, ``Config`` or dict; a config that ``tools/test.py --tta`` has left in a work folder too.
        weights: Checkpoint, read without executing anything it contains. None for random weights, with a warning.
        device: Any device of PyTorch; None for ``'cuda'`` where there is one, else ``'cpu'``.
        tta: Use the test-time augmentation that the config describes.
        classes: Names of the classes, background first, or the file that lists them; by default the checkpoint's, else
            the config's.
        palette: Colours (R, G, B) of the classes; by default as stored with the classes, else VOC's.
        scope: Registry that names in the config refer to.
        show_progress: Show a progress bar when called; :meth:`iterate` never does.

    Raises:
        FileNotFoundError: There is no such config or checkpoint.
        ValueError: The config or the device does not do, or the checkpoint is of another network.
    """

    kinds: tuple[str, ...] = ('masks', 'overlays')
    """Kinds of files that can be written."""

    def __init__(
        self,
        model: str | os.PathLike | Config | dict,
        weights: str | os.PathLike | None = None,
        device: str | torch.device | None = None,
        *,
        tta: bool = False,
        classes: Sequence[str] | str | os.PathLike | None = None,
        palette: Sequence[Sequence[int]] | None = None,
        scope: str = 'mmseg',
        show_progress: bool = True,
    ) -> None:
        self.tta = tta
        self._given_classes = classes
        self._given_palette = palette
        self.broken: list[dict[str, str]] = []
        """Of the latest call with ``skip_broken``: ``sample_id`` and ``error`` of the pictures left out."""
        self.device = as_device(device)
        init_default_scope(scope)
        super().__init__(
            model=as_config(model),
            weights=None if weights is None else str(weights),
            device=str(self.device),
            scope=scope,
            show_progress=show_progress,
        )

    @functools.cached_property
    def _window(self) -> Visualizer:
        return Visualizer()

    @property
    def network(self) -> nn.Module:
        """The network without the wrapper for test-time augmentation."""
        return unwrap_model(self.model)

    def __call__(  # type: ignore[override]
        self,
        inputs: Inputs,
        tags: Any = None,
        batch_size: int = 1,
        out_dir: str | os.PathLike = '',
        **options: Any,
    ) -> list[Result] | list[SegDataSample]:
        """The results of all pictures as a list; arguments and errors as of :meth:`iterate`."""
        stream = picture_stream(inputs, options.get('frame_step', 1), out_dir)
        results = self.iterate(stream, tags, batch_size, out_dir, **options)
        if not self.show_progress:
            return list(results)
        return list(track(results, 'Inference', total=stream.total))

    @abstractmethod
    def iterate(self, inputs: Inputs | PictureStream, *args: Any, **options: Any) -> Iterator[Any]:
        """Results one after the other, in the order of the pictures."""

    def forward(self, inputs: dict | tuple, **kwargs: Any) -> Any:
        """The network's predictions of a batch."""
        with warnings.catch_warnings():
            # mmseg says so of every new size of picture.
            warnings.filterwarnings('ignore', message='When align_corners=True')
            return super().forward(inputs, **kwargs)

    def visualize(
        self, inputs: list, preds: Any, show: bool = False, **kwargs: Any
    ) -> list[np.ndarray]:
        """The overlay of each result; with ``show`` in a window too.

        Args:
            inputs: Pictures (H, W, 3) uint8 BGR.
            preds: Their results, as :meth:`iterate` gives them.
            show: Show them in a window each.
            kwargs: ``wait_time``: seconds until the next one, 0 to wait for a key.
        """
        sheets = [
            self.draw(np.ascontiguousarray(bgr[..., ::-1]), pred)
            for bgr, pred in zip(inputs, preds)
        ]
        if show:
            for sheet, pred in zip(sheets, preds):
                self._window.show(sheet, pred['sample_id'], kwargs.get('wait_time', 0))
        return sheets

    def postprocess(
        self,
        preds: Any,
        visualization: list[np.ndarray],
        return_datasample: bool = False,
        **kwargs: Any,
    ) -> Any:
        """MMEngine's last step; here :meth:`iterate` has done all."""
        return preds

    # What the two kinds of networks do differently.

    @abstractmethod
    def draw(self, picture: np.ndarray, result: Mapping[str, Any]) -> np.ndarray:
        """Picture (H, W, 3) uint8 RGB and what was found in it, side by side, (h, w, 3) uint8 RGB."""

    @abstractmethod
    def _read_sample(self, job: Job, sample: SegDataSample, request: Any) -> Result:
        """The result of a prediction, with the mask before any CRF."""

    @abstractmethod
    def _refinement(self, job: Job, request: Any) -> tuple[Callable, tuple]:
        """A function of the module and its arguments, which make the refined mask (H, W) of a job's result."""

    @abstractmethod
    def _restore(self, job: Job, stored: Stored, request: Any) -> Result:
        """The result of a picture whose files are finished."""

    def _seed(self, job: Job) -> Seed | None:
        """The maps to store."""
        return None

    # What they share.

    def _stream(
        self, pictures: PictureStream, tags: GivenTags, request: Any, output: OutputFolder | None
    ) -> Iterator[Any]:
        self.broken = []
        size = request.batch_size if request.batch_size == 1 else _WINDOW * request.batch_size
        window: list[Job] = []
        pending: deque[tuple[Job, Future[np.ndarray] | None]] = deque()
        index = -1
        workers = request.crf_workers if request.crf else 0
        with WorkerPool(workers) as pool:
            for index, picture in enumerate(pictures):
                job = self._open(picture, tags.of(index, picture), request, output)
                if job is None:
                    continue
                window.append(job)
                if len(window) == size:
                    pending += self._predict(window, request, pool)
                    window = []
                while len(pending) > 2 * workers:
                    yield self._close(*pending.popleft(), request, output)
            tags.check_all_used(index + 1)
            pending += self._predict(window, request, pool)
            while pending:
                yield self._close(*pending.popleft(), request, output)

    def _open(
        self, picture: Picture, tags: np.ndarray | None, request: Any, output: OutputFolder | None
    ) -> Job | None:
        """The job of a picture, read unless its files are finished; None if it is broken and may be left out."""
        job = Job(picture, tags, {})
        if output is not None:
            job.record = output.record(picture, tags)
            stored = output.finished(picture, job.record)
            if stored is not None and not request.must_run:
                job.stored = stored
                return job
        try:
            job.pixels = picture.read()
        except (ValueError, OSError) as error:
            if not request.skip_broken:
                raise
            self.broken.append(dict(sample_id=picture.sample_id, error=str(error)))
            print_log(f'left out: {error}', logger='current', level=logging.WARNING)
            return None
        return job

    def _predict(
        self, jobs: list[Job], request: Any, pool: WorkerPool
    ) -> list[tuple[Job, Future[np.ndarray] | None]]:
        """Run the network on the jobs that need it, pictures of one size together."""
        groups: dict[Any, list[tuple[Job, dict]]] = {}
        for job in jobs:
            if job.pixels is not None:
                data = self._prepare(job)
                groups.setdefault(_shapes(data), []).append((job, data))
        for group in groups.values():
            for start in range(0, len(group), request.batch_size):
                part = group[start : start + request.batch_size]
                samples = self.forward(self.collate_fn([data for _, data in part]))
                for (job, _), sample in zip(part, samples):
                    job.sample = sample
        started: list[tuple[Job, Future[np.ndarray] | None]] = []
        for job in jobs:
            future = None
            if job.stored is not None:
                job.result = self._restore(job, job.stored, request)
            else:
                assert job.sample is not None
                job.result = self._read_sample(job, job.sample, request)
                if request.crf is not None:
                    function, arguments = self._refinement(job, request)
                    future = pool.submit(function, *arguments)
                if not request.return_datasamples:
                    job.sample = None  # all classes at full size: large
            started.append((job, future))
        return started

    def _prepare(self, job: Job) -> dict[str, Any]:
        assert job.pixels is not None
        path = job.picture.path
        data = prepare_picture(
            self.pipeline,
            job.pixels,
            sample_id=job.picture.sample_id,
            img_path=None if path is None else str(path),
        )
        if job.tags is not None:
            for sample in samples_of(data):
                sample.gt_tags = LabelData(label=torch.from_numpy(job.tags))
        return data

    def _close(
        self, job: Job, future: Future[np.ndarray] | None, request: Any, output: OutputFolder | None
    ) -> Any:
        """Finish a job: its refined mask, its files; what is handed to the caller."""
        result = job.result
        name = job.picture.sample_id
        result['files'] = {} if output is None else output.paths(name)
        result['finished'] = job.stored is not None
        if job.stored is not None:
            return result
        if future is not None:
            try:
                result['mask'] = result_of(future)
            except ValueError as error:
                raise ValueError(f'{name}: {error}') from error
        sheet = None
        if request.return_vis or request.show or 'overlays' in request.what:
            assert job.pixels is not None
            sheet = self.visualize(
                [job.pixels], [result], request.show, wait_time=request.wait_time
            )[0]
        if output is not None:
            record = {**job.record, **self._facts(result)}
            output.write(name, record, mask=result['mask'], overlay=sheet, seed=self._seed(job))
        if request.return_vis:
            result['overlay'] = sheet
        if not request.return_datasamples:
            return result
        assert job.sample is not None
        return self._finish_sample(job.sample, result)

    def _finish_sample(self, sample: SegDataSample, result: Result) -> SegDataSample:
        """The prediction with the mask of the result."""
        sample.pred_sem_seg.data = torch.from_numpy(result['mask']).long()[None]
        return sample

    def _facts(self, result: Result) -> dict[str, Any]:
        """What of a result is recorded with its files."""
        return {}

    def _check_what(
        self, batch_size: int, what: Sequence[str] | None, out_dir: str | os.PathLike
    ) -> tuple[str, ...]:
        """The kinds of files to write; ValueError on wrong arguments."""
        if batch_size < 1:
            raise ValueError(f'batch_size={batch_size}: expected at least 1')
        kinds = self.kinds if what is None else tuple(dict.fromkeys(what))
        unknown = [kind for kind in kinds if kind not in self.kinds]
        if unknown or not kinds:
            raise ValueError(
                f'what={list(kinds)}: expected some of {", ".join(self.kinds)}, which are what '
                f'{type(self).__name__} makes'
            )
        return kinds if str(out_dir) else ()

    def _origin(self, request: Request) -> dict[str, Any]:
        """What every file depends on besides its picture and tags."""
        text = json.dumps(self._settings, sort_keys=True, default=str)
        return {
            'weights': weights_digest(self.network),
            'settings': hashlib.blake2b(text.encode(), digest_size=8).hexdigest(),
            'tta': self.tta,
            'crf': request.crf or 'none',
            'classes': list(self.classes),
            'palette': [list(map(int, colour)) for colour in self.palette],
        }

    # MMEngine's steps of the construction.

    def _init_model(self, cfg: Any, weights: str | None, device: str = 'cpu') -> nn.Module:
        checkpoint = None
        if weights is not None:
            checkpoint = CheckpointLoader.load_checkpoint(weights, 'cpu', logger='silent')
        self._check_config(cfg)
        settings = tta_model(cfg) if self.tta else bare_model(cfg)
        settings.pop('pretrained', None)
        self._settings = [settings, pipeline_config(cfg, tta=self.tta)]
        # mmseg's networks read nested settings as attributes.
        model = MODELS.build(ConfigDict(settings))
        self._load_weights_to_model(model, checkpoint, cfg)
        self.weights = '' if weights is None else Path(weights).name
        number = cast(int, unwrap_model(model).num_classes)
        self.classes, self.palette = classes_and_palette(
            cfg, checkpoint, number, self._given_classes, self._given_palette
        )
        if self.device.type == 'cpu':
            model = revert_sync_batchnorm(model)
        return model.to(device).eval()

    def _load_weights_to_model(self, model: nn.Module, checkpoint: dict | None, cfg: Any) -> None:
        """Load weights that fit the network, all of them."""
        if checkpoint is None:
            print_log(
                'no weights are given: the network is a random one',
                logger='current',
                level=logging.WARNING,
            )
            return
        check_checkpoint_fits(model, checkpoint, 'the checkpoint')
        _load_checkpoint_to_model(unwrap_model(model), checkpoint)

    @abstractmethod
    def _check_config(self, cfg: Any) -> None:
        """ValueError if the config is of a network of another kind."""

    def _init_pipeline(self, cfg: Any) -> Callable:
        return picture_pipeline(cfg, tta=self.tta)

    def _init_collate(self, cfg: Any) -> Callable:
        return pseudo_collate

    def _init_visualizer(self, cfg: Any) -> None:
        """None is needed: overlays are drawn by :meth:`draw`."""


def _shapes(data: Mapping[str, Any]) -> tuple:
    """Sizes of what goes into the network; pictures with equal ones can share a batch."""
    inputs = data['inputs']
    variants: Iterable = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    return tuple(tuple(variant.shape) for variant in variants)
