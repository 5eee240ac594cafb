import numpy as np
import pytest
from PIL import Image
from testing.inference_files import files_below, index_png, picture, read_video, write_picture, write_video

from fcn_plugin.apis.inference import run as run_module
from fcn_plugin.apis.inference.predictor import Prediction, Sample
from fcn_plugin.apis.inference.run import Inference
from fcn_plugin.apis.inference.sources import Source, find_sources
from fcn_plugin.apis.inference.writer import PredictionWriter

META = dict(classes=[str(i) for i in range(4)], palette=[[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]])
SIZES = [(40, 48), (20, 30), (40, 48), (20, 30), (40, 48), (10, 10)]


class Quarters:
    """In place of a model: classes by brightness. Notes its batches, and fails for too many pixels at once."""

    predicts_tiles = False

    def __init__(self, most=10**9):
        self.most, self.batches = most, []

    def read(self, path):
        import cv2

        image = cv2.imread(str(path))
        if image is None:
            raise KeyError("of any kind\nand of several lines")
        return self.prepare(image)

    def prepare(self, image):
        return Sample(image, dict(inputs=np.empty(image.shape)))

    def predict_outputs(self, samples, outputs=()):
        assert len({sample.sizes for sample in samples}) == 1
        self.batches.append([sample.image.shape[:2] for sample in samples])
        if sum(sample.image[..., 0].size for sample in samples) > self.most:
            raise RuntimeError("out of memory\nof some device")
        return [Prediction(sample.image.mean(-1).astype(np.uint8) // 64) for sample in samples]


@pytest.fixture
def pictures(tmp_path):
    for number, size in enumerate(SIZES):
        write_picture(tmp_path / f"in/{number}.png", number, size)
    return find_sources([str(tmp_path / "in")], tmp_path / "out")


def infer(sources, out, predictor=None, **settings):
    """The predictor, and the steps as (name, share, problem)."""
    predictor, steps = predictor or Quarters(), []
    kinds = {key: settings.pop(key) for key in ("overlays", "labels") if key in settings}
    Inference(predictor, PredictionWriter(out, META, **kinds), steps.append, **settings)(sources)
    return predictor, steps


def check_labels(out, numbers):
    for number in numbers:
        labels, _ = index_png(out / f"labels/{number}.png")
        assert np.array_equal(labels, picture(number, SIZES[number]).mean(-1).astype(np.uint8) // 64)


@pytest.mark.parametrize(
    "batch_size, lengths", [(1, [1, 1, 1, 1, 1, 1]), (2, [2, 2, 1, 1]), (3, [3, 2, 1]), (100, [3, 2, 1])]
)
def test_batches(batch_size, lengths, pictures, tmp_path):
    """Of one size each; every picture is written under its name."""
    predictor, steps = infer(pictures, tmp_path / "out", batch_size=batch_size)
    assert sorted(map(len, predictor.batches), reverse=True) == lengths
    assert sorted(step.source.name for step in steps) == list("012345")
    assert all(step.share == 1 and step.problem is step.remark is None for step in steps)
    assert files_below(tmp_path / "out") == {f"{kind}/{i}.png" for kind in ("overlays", "labels") for i in range(6)}
    check_labels(tmp_path / "out", range(6))


def test_few_wait(tmp_path, monkeypatch):
    """Of many sizes, pictures are predicted before all have been read."""
    monkeypatch.setattr(run_module, "MAX_WAITING", 2)
    for number in range(9):
        write_picture(tmp_path / f"in/{number}.png", number, (10 + number % 7, 10))
    predictor = Quarters()
    read, waited = predictor.read, []
    predictor.read = lambda path: waited.append(sum(map(len, predictor.batches))) or read(path)
    infer(find_sources([str(tmp_path / "in")], tmp_path), tmp_path / "out", predictor, batch_size=2)
    assert sum(map(len, predictor.batches)) == 9
    assert max(index - done for index, done in enumerate(waited)) <= 3


def test_broken_pictures_are_left_out(pictures, tmp_path):
    for number in (0, 3):
        (tmp_path / f"in/{number}.png").write_bytes(b"broken")
    _, steps = infer(pictures, tmp_path / "out", batch_size=2)
    problems = {step.source.name: step.problem for step in steps if step.problem}
    assert problems == {name: "'of any kind\\nand of several lines'" for name in "03"} and len(steps) == 6
    assert files_below(tmp_path / "out/labels") == {f"{i}.png" for i in (1, 2, 4, 5)}
    check_labels(tmp_path / "out", (1, 2, 4, 5))


def test_what_fails_together_is_predicted_alone(pictures, tmp_path):
    """Only what fails alone is left out."""
    predictor, steps = infer(pictures, tmp_path / "out", Quarters(most=40 * 48 - 1), batch_size=3)
    problems = {step.source.name: step.problem for step in steps if step.problem}
    assert problems == dict.fromkeys("024", "out of memory") and len(steps) == 6
    check_labels(tmp_path / "out", (1, 3, 5))
    assert sorted(map(len, predictor.batches)) == [1, 1, 1, 1, 2, 3]
    predictor, steps = infer(pictures, tmp_path / "again", Quarters(most=40 * 48), batch_size=3)
    assert not any(step.problem for step in steps)
    check_labels(tmp_path / "again", range(6))


@pytest.mark.parametrize("batch_size", [1, 3, 8])
@pytest.mark.parametrize("size", [(40, 48), (41, 47)])
def test_video(batch_size, size, tmp_path):
    """An overlay video of the same speed and size, and the indices of each frame."""
    write_video(tmp_path / "clip.avi", size=size)
    source = Source(tmp_path / "clip.avi", "city/clip")
    predictor, steps = infer([source], tmp_path / "out", batch_size=batch_size, frames=True)
    suffix = ".mp4" if size == (40, 48) else ".avi"
    names = {f"labels/city/clip.avi/{i:06d}.png" for i in range(5)}
    assert files_below(tmp_path / "out") == {f"overlays/city/clip{suffix}", *names}
    given, fps = read_video(tmp_path / "clip.avi")
    overlays, written_fps = read_video(tmp_path / f"out/overlays/city/clip{suffix}")
    assert len(overlays) == len(given) == 5 and written_fps == fps == 12
    expected = []
    for number, frame in enumerate(given):
        labels, palette = index_png(tmp_path / f"out/labels/city/clip.avi/{number:06d}.png")
        assert np.array_equal(labels, frame.mean(-1).astype(np.uint8) // 64)
        expected.append(0.5 * frame + 0.5 * np.array(palette)[labels][..., ::-1])
    others = [*given, *(one[..., ::-1] for one in expected)]
    for number, overlay in enumerate(overlays):  # of tiny pictures, compression leaves little but what is most alike
        assert overlay.shape == (*size, 3)
        assert np.argmin([np.abs(overlay - one).mean() for one in [*expected, *others]]) == number
    assert list(map(len, predictor.batches)) == [batch_size] * (5 // batch_size) + [5 % batch_size] * (
        5 % batch_size > 0
    )
    shares = [step.share for step in steps]
    assert shares == sorted(shares) and shares.count(1) == 1 and len(steps) == len(predictor.batches) + 1


def test_video_without_overlays_or_frames(tmp_path):
    write_video(tmp_path / "clip.avi", frames=2)
    source = Source(tmp_path / "clip.avi", "clip")
    infer([source], tmp_path / "a")
    assert files_below(tmp_path / "a") == {"overlays/clip.mp4"}
    infer([source], tmp_path / "b", overlays=False, frames=True)
    assert files_below(tmp_path / "b") == {"labels/clip.avi/000000.png", "labels/clip.avi/000001.png"}
    with pytest.raises(ValueError, match="of .*clip.avi nothing would be written: ask for overlays, or for its frames"):
        infer([source], tmp_path / "c", overlays=False)


def test_broken_videos(tmp_path):
    """The rest goes on; of a video that fails on the way, there is no overlay video."""
    (tmp_path / "no.avi").write_bytes(b"no video")
    write_video(tmp_path / "large.avi", size=(64, 64))
    write_video(tmp_path / "good.avi")
    sources = find_sources([str(tmp_path / "*.avi")], tmp_path / "out")
    _, steps = infer(sources, tmp_path / "out", Quarters(most=40 * 48), batch_size=2)
    problems = {step.source.name: step.problem for step in steps if step.problem}
    assert problems == {"no": "truncated, or no video that can be read", "large": "frame 0: out of memory"}
    assert files_below(tmp_path / "out") == {"overlays/good.mp4"}


def test_video_with_fewer_frames_than_it_says(tmp_path, monkeypatch):
    write_video(tmp_path / "clip.avi")
    monkeypatch.setattr("mmcv.VideoReader.frame_cnt", 9)
    _, steps = infer([Source(tmp_path / "clip.avi", "clip")], tmp_path / "out")
    assert "5 frames that can be read, where its header tells of 9" in steps[-1].remark and not steps[-1].problem
    assert all(step.remark is None for step in steps[:-1])


@pytest.mark.parametrize("batch_size", [0, -1])
def test_wrong_batch_size(batch_size, tmp_path):
    with pytest.raises(ValueError, match=f"the batch size must be at least 1, got {batch_size}"):
        infer([], tmp_path, batch_size=batch_size)


def test_frames_that_are_left_out(pictures, tmp_path):
    """Of a picture with several, the first is predicted, with a remark."""
    frames = [Image.fromarray(picture(seed)[..., ::-1]) for seed in range(3)]
    (tmp_path / "several").mkdir()
    for name in ("a.webp", "b.tif", "c.png"):
        frames[0].save(tmp_path / "several" / name, save_all=True, append_images=frames[1:], lossless=True)
    frames[0].save(tmp_path / "several/d.tif")
    _, steps = infer(find_sources([str(tmp_path / "several")], tmp_path / "out"), tmp_path / "out")
    assert {step.source.name: step.remark for step in steps} == {
        "a": "it has 3 frames, of which the first alone is predicted",
        "b": "it has 3 pages, of which the first alone is predicted",
        "c": "it has 3 frames, of which the first alone is predicted",
        "d": None,
    }
    assert not any(step.problem for step in steps)
    for name in "abcd":
        labels, _ = index_png(tmp_path / f"out/labels/{name}.png")
        assert np.array_equal(labels, picture(0).mean(-1).astype(np.uint8) // 64)
