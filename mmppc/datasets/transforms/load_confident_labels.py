"""Loading of IRN's confident labels."""

from __future__ import annotations

from pathlib import Path

from mmseg.registry import TRANSFORMS

from mmppc.datasets.transforms.load_confident_maps import label_file
from mmppc.datasets.transforms.load_index_mask import LoadIndexMask


@TRANSFORMS.register_module()
class LoadConfidentLabels(LoadIndexMask):
    """Read ``<label_dir>/<sample_id>.png``, a label map that ``ConfidentLabelHook`` made; 255 where unsure.

    Otherwise as :class:`LoadIndexMask`, whatever true masks the data set has.

    Args:
        label_dir: Folder of the label maps; None for that of ``ConfidentLabelHook``, which says so here.
        num_classes: 1+C, the background included. By default what the dataset says.
    """

    def __init__(self, label_dir: str | None = None, num_classes: int | None = None) -> None:
        super().__init__(num_classes)
        self.label_dir = None if label_dir is None else Path(label_dir)

    def transform(self, results: dict) -> dict:
        results['seg_map_path'] = str(label_file(self, results['sample_id'], '.png'))
        return super().transform(results)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(label_dir={str(self.label_dir or "")!r})'
