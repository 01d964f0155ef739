"""Pseudo masks written while seeds walk over a network's affinities."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import barrier, is_main_process
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.registry import HOOKS
from mmseg.structures import SegDataSample

from mmppc.datasets.voc import voc_palette
from mmppc.hooks.finished_pictures import FinishedPicturesHook
from mmppc.refinement.masks import REPORT
from mmppc.storage.atomic import atomic_write
from mmppc.storage.masks import load_mask, mask_meta, save_mask


@HOOKS.register_module()
class PseudoMaskHook(FinishedPicturesHook):
    """Writes ``pred_sem_seg`` of every picture of the test set as palette PNG ``<out_dir>/<sample_id>.png``.

    **Finished pictures are not run again.** A picture is finished if its mask can be read, was made by the same
    weights, model and test pipeline under the same ``meta`` (the PNG says so in a text chunk), and is not older than
    its seed. Metrics get the masks of finished pictures from their files. ``<out_dir>/masks.json`` records how the
    masks were made, and the metrics' results.

    Args:
        out_dir: Folder of the masks; None for ``masks`` in the runner's work folder.
        seed_dir: Folder of the seeds that the pictures walk with, to notice newer ones; None not to look.
        overwrite: Run and write all pictures, finished or not.
        meta: Conditions to record in each mask.

    Raises:
        FileExistsError: Before testing, if ``out_dir`` holds masks that another tool has made.
        ValueError: While testing, if a dataset gives no ``sample_id``.
    """

    def __init__(
        self,
        out_dir: str | None = None,
        seed_dir: str | None = None,
        overwrite: bool = False,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__('masks', '.png', out_dir, overwrite, meta)
        self.seed_dir = None if seed_dir is None else Path(seed_dir)
        self.classes: tuple[str, ...] = ()
        self.palette: Any = None

    def before_test_epoch(self, runner: Runner) -> None:
        """Look at the folder and the data set, then leave only unfinished pictures to the test loop."""
        info = runner.test_loop.dataloader.dataset.metainfo
        self.classes = tuple(info['classes'])
        self.palette = info.get('palette') or voc_palette(len(self.classes))
        dataset = runner.test_loop.dataloader.dataset
        folder = Path(self.given_out_dir or Path(runner.work_dir) / self.folder)
        self._check_folder(folder, dataset)
        barrier()  # all have read the former report
        super().before_test_epoch(runner)
        if is_main_process():
            self._report(len(dataset), {}, complete=False)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Wait for all ranks, then record how the masks were made."""
        barrier()
        if is_main_process():
            self._report(len(runner.test_loop.dataloader.dataset), metrics or {}, complete=True)

    def write(self, sample: SegDataSample) -> None:
        """Write the mask of a prediction."""
        path = self.path_of(sample.get('sample_id'), sample.get('img_path'))
        mask = sample.pred_sem_seg.data[0].to(torch.uint8).cpu().numpy()
        save_mask(path, mask, self.palette, meta=self.origin)

    def is_finished(self, info: Mapping[str, Any]) -> bool:
        """Whether the mask can be read, is of this origin and not older than its seed."""
        path = self.path_of(info.get('sample_id'), info.get('img_path'))
        try:
            if not self.same_origin(mask_meta(path)):
                return False
        except (FileNotFoundError, ValueError):
            return False
        if self.seed_dir is None:
            return True
        seed = self.seed_dir / f'{info["sample_id"]}.npz'
        return seed.is_file() and seed.stat().st_mtime_ns <= path.stat().st_mtime_ns

    def restore(self, sample: SegDataSample) -> None:
        """Give a data sample the mask that was written of it."""
        mask = load_mask(self.path_of(sample.sample_id, None), len(self.classes))
        sample.pred_sem_seg = PixelData(data=torch.from_numpy(mask).long()[None])

    def _report(self, pictures: int, metrics: Mapping[str, Any], *, complete: bool) -> None:
        report = {
            'made_by': type(self).__name__,
            **self.origin,
            'classes': list(self.classes),
            'pictures': pictures,
            'metrics': {key: _plain(value) for key, value in metrics.items()},
            'complete': complete,
        }
        with atomic_write(self.out_dir / REPORT, 'w') as file:
            json.dump(report, file, indent=2, ensure_ascii=False)

    def _check_folder(self, folder: Path, dataset: Any) -> None:
        if self.overwrite:
            return
        report, found = folder / REPORT, None
        if report.is_file():
            try:
                found = json.loads(report.read_text(encoding='utf-8')).get('made_by')
            except ValueError as error:
                raise ValueError(
                    f'{report}: not JSON ({error}); delete it with its masks'
                ) from error
        elif not any(
            (folder / f'{dataset.get_data_info(index).get("sample_id")}{self.suffix}').is_file()
            for index in range(len(dataset))
        ):
            return
        if found != type(self).__name__:
            raise FileExistsError(
                f'{report}: field made_by: found {found!r}, expected {type(self).__name__!r}: the '
                'masks there were made otherwise; give another out_dir, or overwrite=True'
            )


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, type(None))) else float(value)
