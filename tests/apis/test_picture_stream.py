"""Which pictures come out of what is put in, under which names."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mmppc.apis.picture_stream import PictureStream
from tests.apis.tiny_networks import save_picture, scene


def write_video(path: Path, frames: int = 7) -> Path:
    """Frame k is grey, of value 20 k (but for what compressing changes)."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (32, 24))
    for k in range(frames):
        writer.write(np.full((24, 32, 3), 20 * k, np.uint8))
    writer.release()
    return path


def test_a_folder_with_its_subfolders(pictures: Path) -> None:
    stream = PictureStream(pictures)
    assert stream.total == 3
    found = list(stream)
    assert [item.sample_id for item in found] == ['Käse 1', 'b', 'sub dir/Größe']
    assert found[2].path == pictures / 'sub dir' / 'Größe.png'
    assert (found[1].read() == scene(2, 56, 40)[..., ::-1]).all()  # BGR


def test_paths_and_arrays_in_a_list(pictures: Path) -> None:
    array = scene(5)
    stream = PictureStream([str(pictures / 'b.PNG'), array])
    assert stream.total == 2
    found = list(stream)
    assert [(item.sample_id, item.path) for item in found] == [
        ('b', pictures / 'b.PNG'),
        ('000001', None),
    ]
    assert (found[1].read() == array).all()


def test_a_generator_is_taken_one_by_one() -> None:
    taken = []

    def arrays():
        for k in range(1000000):
            taken.append(k)
            yield scene(k)

    stream = PictureStream(arrays())
    assert stream.total is None
    iterator = iter(stream)
    assert [next(iterator).sample_id for _ in range(3)] == ['000000', '000001', '000002']
    assert taken == [0, 1, 2]


@pytest.mark.parametrize(('step', 'expected'), [(1, range(7)), (3, (0, 3, 6)), (9, (0,))])
def test_frames_of_a_video(tmp_path: Path, step: int, expected) -> None:
    path = write_video(tmp_path / 'Zug fährt.avi')
    stream = PictureStream(path, frame_step=step)
    assert stream.total == len(expected)
    frames = [(item.sample_id, item.video, item.read()) for item in stream]
    assert [name for name, _, _ in frames] == [f'Zug fährt/{k:06d}' for k in expected]
    assert {video for _, video, _ in frames} == {'Zug fährt'}
    for (_, _, frame), k in zip(frames, expected):
        assert frame.shape == (24, 32, 3)
        assert abs(frame.mean() - 20 * k) < 3


def test_frames_that_nobody_reads_do_not_hold_others_up(tmp_path: Path) -> None:
    stream = PictureStream(write_video(tmp_path / 'a.avi'))
    means = [item.read().mean() for k, item in enumerate(stream) if k == 5]
    assert means == [pytest.approx(100, abs=3)]


def test_what_is_no_video_says_so_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / 'a.mp4'
    path.write_bytes(b'no video')
    (only,) = PictureStream(path)
    with pytest.raises(ValueError, match=r'a\.mp4: no frame can be read'):
        only.read()


def test_a_broken_picture_is_named_when_it_is_read(tmp_path: Path) -> None:
    path = save_picture(tmp_path / 'a.png', scene(1))
    path.write_bytes(path.read_bytes()[:100])
    (only,) = PictureStream(path)
    with pytest.raises(ValueError, match=r'a\.png: not a picture that can be read'):
        only.read()


def test_names_that_would_collide_are_refused(tmp_path: Path) -> None:
    first = save_picture(tmp_path / 'x' / 'a.png', scene(1))
    second = save_picture(tmp_path / 'y' / 'a.bmp', scene(2))
    with pytest.raises(ValueError, match=r"a\.bmp: its name 'a' is taken by .*a\.png"):
        list(PictureStream([first, second]))
    names = [item.sample_id for item in PictureStream(tmp_path)]
    assert names == ['x/a', 'y/a']
    # A video's frames lie below its name, so a picture may have it too.
    video = write_video(tmp_path / 'a.avi', frames=1)
    assert [item.sample_id for item in PictureStream([first, video])] == ['a', 'a/000000']


def test_wrong_inputs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='no such picture, video or folder'):
        PictureStream(tmp_path / 'missing.jpg')
    with pytest.raises(ValueError, match='no picture in this folder'):
        PictureStream(tmp_path)
    with pytest.raises(ValueError, match='frame_step=0'):
        PictureStream([], frame_step=0)
    for wrong in (3, [3], [None], [[scene(1)]]):
        with pytest.raises(ValueError, match='expected a path of a picture, video or folder'):
            PictureStream(wrong)
    for array in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), scene(1)[..., :2]):
        (only,) = PictureStream(array)
        with pytest.raises(ValueError, match=r'inputs\[0\]: array .* expected \(H, W, 3\) uint8'):
            only.read()


def test_folders_that_are_left_out(pictures: Path) -> None:
    stream = PictureStream(pictures, leave_out=[pictures / 'sub dir', pictures.parent])
    assert [item.sample_id for item in stream] == ['Käse 1', 'b']
    assert PictureStream(pictures / 'sub dir', leave_out=[pictures]).total == 1  # asked for by name
    with pytest.raises(ValueError, match='no picture in this folder'):
        PictureStream(pictures, leave_out=[pictures])
