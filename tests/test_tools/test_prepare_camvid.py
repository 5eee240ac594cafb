"""tools/prepare_camvid.py on a release of its full length, with frames of one colour, and wrong inputs."""

import pytest
from PIL import Image
from testing.utils import run_tool

COUNTS = dict(train=367, val=101, test=233)


def test_the_tool(tmp_path):
    source, root = tmp_path / "CamVid", tmp_path / "data/camvid"
    for split, count in COUNTS.items():
        for folder, mode in ((split, "RGB"), (f"{split}annot", "L")):
            (source / folder).mkdir(parents=True)
            for i in range(count):
                Image.new(mode, (480, 360)).save(source / folder / f"{split}_{i}.png", compress_level=1)
        lines = (
            f"/SegNet/CamVid/{split}/{split}_{i}.png /SegNet/CamVid/{split}annot/{split}_{i}.png" for i in range(count)
        )
        (source / f"{split}.txt").write_text("\n".join(lines))
    outcome = run_tool("prepare_camvid.py", source, root, "--check", cwd=tmp_path)
    assert outcome.returncode == 1 and f"{root}/ImageSets/Segmentation/train.txt is missing" in outcome.stdout
    assert not root.exists()
    outcome = run_tool("prepare_camvid.py", source, root, "--workers", 1, cwd=tmp_path).check()
    assert "701 of 701 frames to write" in outcome.stdout and outcome.stdout.endswith(f"{root} is complete.\n")
    assert len(list((root / "JPEGImages").iterdir())) == len(list((root / "SegmentationClass").iterdir())) == 701
    outcome = run_tool("prepare_camvid.py", source, root, cwd=tmp_path).check()
    assert outcome.stdout.endswith(f"Nothing to do: {root} is complete.\n")
    assert (
        run_tool("prepare_camvid.py", source, root, "--check", cwd=tmp_path).check().stdout.endswith("is complete.\n")
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["nowhere"], "there is no nowhere/train.txt: give the folder CamVid of the SegNet tutorial"),
        (["nowhere", "file"], "file is a file: give a directory"),
        (["nowhere", "--workers", "0"], "expected 1 worker or more, got 0"),
    ],
)
def test_wrong_input(tmp_path, refuses, arguments, message):
    (tmp_path / "file").touch()
    refuses(message, "prepare", "camvid", *arguments)
