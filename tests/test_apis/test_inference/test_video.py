import numpy as np
import pytest
from testing.inference_files import files_below, picture, read_video, write_video

from fcn_plugin.apis.inference import video
from fcn_plugin.apis.inference.video import batches_of_frames, open_video, writing_video


@pytest.mark.parametrize("size, lengths", [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (8, [5])])
def test_frames(size, lengths, tmp_path):
    """All of them, in order."""
    write_video(tmp_path / "clip.avi")
    batches = list(batches_of_frames(open_video(tmp_path / "clip.avi"), size))
    assert [len(batch) for batch in batches] == lengths
    frames = [frame for batch in batches for frame in batch]
    distances = [[np.abs(frame.astype(int) - picture(i)).mean() for i in range(5)] for frame in frames]
    assert np.argmin(distances, axis=1).tolist() == [0, 1, 2, 3, 4] and np.diag(distances).max() < 12


@pytest.mark.parametrize(
    "size, fps, suffix",
    [((40, 48), 12.5, ".mp4"), ((41, 48), 12, ".avi"), ((40, 47), 25, ".avi"), ((300, 2), 30, ".mp4")],
)
def test_written(size, fps, suffix, tmp_path):
    """Of the same size and speed, also with odd sides, which FFmpeg would cut."""
    with writing_video(tmp_path / "folder" / "a.b", fps, size) as append:
        for number in range(6):
            append(np.full((*size, 3), 40 * number, np.uint8))
        assert all(name.startswith("folder/.") for name in files_below(tmp_path))
    assert files_below(tmp_path) == {f"folder/a.b{suffix}"}
    frames, written_fps = read_video(tmp_path / f"folder/a.b{suffix}")
    assert written_fps == pytest.approx(fps) and [frame.shape for frame in frames] == [(*size, 3)] * 6
    assert np.abs([frame.mean() - 40 * number for number, frame in enumerate(frames)]).max() < 5


def test_without_ffmpeg(tmp_path, monkeypatch):
    monkeypatch.setattr(video.cv2.videoio_registry, "getWriterBackends", lambda: [video.cv2.CAP_OPENCV_MJPEG])
    with writing_video(tmp_path / "a", 10, (40, 48)) as append:
        append(picture())
    assert files_below(tmp_path) == {"a.avi"} and len(read_video(tmp_path / "a.avi")[0]) == 1


@pytest.mark.parametrize("size", [(40, 48), (41, 48)])
def test_interrupted(size, tmp_path):
    with pytest.raises(KeyboardInterrupt), writing_video(tmp_path / "a", 10, size) as append:
        append(picture(size=size))
        raise KeyboardInterrupt
    assert files_below(tmp_path) == set()


def test_frame_of_another_size(tmp_path):
    with writing_video(tmp_path / "a", 10, (40, 48)) as append:
        append(picture())
        with pytest.raises(ValueError, match="a frame has 20x30 pixels, not 48x40"):
            append(picture(size=(30, 20)))
    assert len(read_video(tmp_path / "a.mp4")[0]) == 1


def test_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match="no video of 48x40 pixels and 0 frames per second can be written"):
        with writing_video(tmp_path / "a", 0, (40, 48)):
            pass
    assert files_below(tmp_path) == set()


def test_no_video(tmp_path):
    (tmp_path / "clip.avi").write_bytes(b"no video")
    with pytest.raises(ValueError, match="no video that can be read"):
        open_video(tmp_path / "clip.avi")
