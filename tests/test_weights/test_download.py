import hashlib
import re
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
import torch
from testing import weight_files as files
from testing.small_release import serving
from testing.utils import ROOT

from fcn_plugin.models.necks import FCConvNeck
from fcn_plugin.weights import download
from fcn_plugin.weights.checkpoint import WeightsError
from fcn_plugin.weights.download import local_file, resolve


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """PyTorch's cache of downloads, empty."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    with serving(folder) as server:
        yield folder, server


def test_downloaded_once_and_checked_against_its_name(cache, site):
    folder, server = site
    digits = hashlib.sha256(b"weights").hexdigest()[:8]
    (folder / f"vgg-{digits}.pth").write_bytes(b"weights")
    for _ in range(2):
        path = local_file(server.url(f"vgg-{digits}.pth"))
        assert path == cache / f"vgg-{digits}.pth" and path.read_bytes() == b"weights"
    assert [path for path, _ in server.requests] == [f"/vgg-{digits}.pth"]


def test_a_file_that_is_not_what_its_name_says_is_not_kept(cache, site):
    folder, server = site
    (folder / "vgg-00b39a1b.pth").write_bytes(b"something else")
    with pytest.raises(WeightsError, match="vgg-00b39a1b.pth could not be downloaded from http.*hash"):
        local_file(server.url("vgg-00b39a1b.pth"))
    assert not list(cache.iterdir())


def test_missing_on_the_server_or_no_server(cache, site):
    _, server = site
    for url in (server.url("none.pth"), "http://127.0.0.1:9/none.pth"):
        with pytest.raises(WeightsError, match="none.pth could not be downloaded.*(404|refused)"):
            local_file(url)
    assert not list(cache.iterdir())


def test_init_cfg_downloads(cache, site):
    folder, server = site
    tensors = files.reference_weights()
    torch.save(files.torchvision_names(tensors), folder / "vgg.pth")
    neck = FCConvNeck(files.CHANNELS[-1], files.FC, init_cfg=dict(type="Pretrained", checkpoint=server.url("vgg.pth")))
    neck.init_weights()
    assert torch.equal(neck.fc6.weight, tensors["fc6.weight"]) and torch.equal(neck.fc7.bias, tensors["fc7.bias"])
    assert (cache / "vgg.pth").is_file() and [path for path, _ in server.requests] == ["/vgg.pth"]


def test_names_of_model_zoos(monkeypatch):
    monkeypatch.setitem(download.ZOOS, "torchvision", lambda: {"vgg16": "https://x.org/vgg16-397923af.pth", "alex": ""})
    assert resolve("torchvision://vgg16") == "https://x.org/vgg16-397923af.pth"
    assert resolve("mmcls://vgg16_bn").endswith("vgg16_bn_batch256_imagenet_20210208-7e55cd29.pth")
    assert resolve("open-mmlab://vgg16_caffe").endswith("vgg16_caffe-292e1171.pth")
    assert resolve("weights/vgg16.pth") is None
    with pytest.raises(WeightsError, match="torchvision:// has no model 'vgg15'; its VGGs: vgg16$"):
        resolve("torchvision://vgg15")
    with pytest.raises(WeightsError, match="s3://x: expected a path, http://"):
        resolve("s3://x")

    def without():
        raise ModuleNotFoundError("No module named 'torchvision'", name="torchvision")

    monkeypatch.setitem(download.ZOOS, "torchvision", without)
    with pytest.raises(WeightsError, match="torchvision://vgg16 needs torchvision: install it, or give the file's URL"):
        resolve("torchvision://vgg16")


def test_missing_path():
    with pytest.raises(FileNotFoundError, match="there is no weight file none.pth"):
        local_file("none.pth")


class TestPublished:
    """Files under addresses that others can change on the way: their checksums are known."""

    NAMES = ["bvlc_reference_caffenet.caffemodel", "bvlc_googlenet.caffemodel"]

    def test_the_defaults_of_the_configs(self):
        """Each one over http is checked."""
        configs = [file for file in (ROOT / "configs/_base_/models").glob("*.py")]
        defaults = {one.split("/")[-1] for file in configs for one in re.findall(r"http://[^'\"\s]+", file.read_text())}
        assert defaults == set(self.NAMES) == set(download.PUBLISHED)
        assert all(re.fullmatch("[0-9a-f]{40}", digest) for digest in download.PUBLISHED.values())

    @pytest.mark.parametrize("name", NAMES)
    def test_another_file_is_refused_and_removed(self, name, cache, site, monkeypatch):
        folder, server = site
        (folder / name).write_bytes(b"something else")
        with pytest.raises(WeightsError, match=f"{name} could not be downloaded .*: its sha1 hash is .*, expected "):
            local_file(server.url(name))
        assert not list(cache.iterdir())
        monkeypatch.setitem(download.PUBLISHED, name, hashlib.sha1(b"something else").hexdigest())
        assert local_file(server.url(name)).read_bytes() == b"something else"

    def test_unknown_files_over_http(self, cache, site, caplog, monkeypatch):
        folder, server = site
        (folder / "own.pth").write_bytes(b"weights")
        said = []
        monkeypatch.setattr(download, "print_log", lambda text, **_: said.append(text))
        local_file(server.url("own.pth"))
        assert len(said) == 1 and "its checksum is not known here" in said[0]


def test_a_connection_that_breaks_off_leaves_nothing(cache):
    """Also where neither name nor list has a checksum."""

    class Broken(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"x" * 400)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Broken) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        with pytest.raises(WeightsError, match="the connection broke off after 400 of 1,000 bytes"):
            local_file(f"http://127.0.0.1:{server.server_port}/own.pth")
        thread.join()
    assert not list(cache.iterdir())
