"""Errors of the input on the command line."""

import numpy as np
import pytest
from mmcv.transforms import Compose
from PIL import Image

from mmppc.utils.runner import use_tta
from mmppc.utils.user_errors import DEBUG, _message, user_errors
from tests.utils.shipped import read


def test_the_message_of_a_loading_worker_is_freed_from_its_stack_trace():
    text = (
        'Caught ValueError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n'
        '  File "worker.py", line 1, in loop\n    raise ValueError(x)\nValueError: a.jpg: truncated\nsecond line\n'
    )
    assert _message(ValueError(text)) == 'a.jpg: truncated\nsecond line'


def test_debugging_keeps_the_stack_trace(monkeypatch):
    monkeypatch.setenv(DEBUG, '1')
    with pytest.raises(ValueError, match='as it was'), user_errors():
        raise ValueError('as it was')


@pytest.mark.parametrize('tta', [False, True])
@pytest.mark.parametrize('name', ['resnet38_toy', 'resnet38_voc', 'efficientnet-lite0_laptop'])
def test_a_truncated_picture_is_named_whatever_the_pipeline(tmp_path, capsys, name, tta):
    path = tmp_path / 'cut.jpg'
    noise = np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    cfg = read(f'deeplab-largefov_{name}')
    if tta:
        use_tta(cfg)
    pipeline = Compose(cfg.test_dataloader.dataset.pipeline)
    assert pipeline({'img_path': str(path)})
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SystemExit), user_errors():
        pipeline({'img_path': str(path)})
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith(f'error: {path}: not a picture that can be read, or truncated')
