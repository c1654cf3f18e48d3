"""What transforms learn from the training images, against numpy."""

import numpy as np
import pytest
import torch

from archspec.data.means import cache_folder, fitted
from archspec.errors import DataError
from archspec.image import Image
from archspec.parts.transform.crop import CenterCrop, RandomCrop
from archspec.parts.transform.erase import RandomErase
from archspec.parts.transform.flip import Flip
from archspec.parts.transform.lighting import PcaLighting
from archspec.parts.transform.mean import Normalize, SubtractMean
from archspec.parts.transform.pad import Pad
from archspec.parts.transform.resize import Resize
from archspec.recipe.files import load_recipe
from tests.parts.pictures import noise, smooth

PIXEL, CHANNEL = SubtractMean(per="pixel"), SubtractMean(per="channel")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "cache"))


class Memory:
    """Images held in memory, of which some may be damaged; it counts how often they are read."""

    classes = ("a",)

    def __init__(self, images, damaged=(), fingerprint="memory"):
        self.held, self.damaged, self.fingerprint, self.read = images, damaged, fingerprint, 0

    def __len__(self):
        return len(self.held)

    def image(self, index):
        self.read += 1
        if index in self.damaged:
            raise DataError(f"image {index}: not a whole image")
        return Image(self.held[index])

    def target(self, index):
        return 0

    def name(self, index):
        return f"image {index}"


IMAGES = [smooth(12, 16, seed) for seed in range(7)]
STACKED = np.stack(IMAGES).astype(np.float64).transpose(0, 3, 1, 2)


def learnt(transforms, images=IMAGES, name="mean", **options):
    """What the last transform that learns has learnt."""
    found = fitted(transforms, Memory(images, fingerprint=str(transforms)), **options)
    assert [bool(one) for one in found] == [part.fits for part in transforms]
    return [one for one in found if one][-1][name].numpy()


@pytest.mark.parametrize(
    ("transforms", "pixels"),
    [
        ([PIXEL], STACKED),
        ([CenterCrop(size=10), PIXEL], STACKED[:, :, 1:11, 3:13]),
        ([RandomCrop(size=9, offsets="inclusive"), PIXEL], STACKED[:, :, 1:10, 3:12]),
        ([Flip(p=1.0), RandomErase(p=1.0, fill=0.0), PIXEL], STACKED),
        ([PcaLighting(std=9.0, magnitude="stdev"), PIXEL], STACKED),
        ([PIXEL, RandomCrop(size=9, offsets="inclusive")], STACKED),
        ([Pad(size=2, fill="mean"), RandomCrop(size=12, offsets="inclusive"), CHANNEL], STACKED[:, :, :, 2:14]),
        ([Pad(size=2, fill=40.0), PIXEL], np.pad(STACKED, ((0, 0), (0, 0), (2, 2), (2, 2)), constant_values=40)),
        (
            [Pad(size=4, fill=0.0), RandomCrop(size=16, offsets="inclusive"), PIXEL],
            np.pad(STACKED, ((0, 0), (0, 0), (4, 4), (4, 4)))[:, :, 2:18, 4:20],
        ),
    ],
)
def test_means_are_those_behind_what_comes_before(transforms, pixels):
    per = next(one.per for one in transforms if one.op == "subtract_mean")
    expected = pixels.mean(0) if per == "pixel" else pixels.mean((0, 2, 3))
    np.testing.assert_allclose(learnt(transforms), expected, rtol=1e-6)


def test_a_range_of_sizes_stands_at_its_lower_end():
    transforms = [Resize(shorter=[6, 9]), RandomCrop(size=6, offsets="inclusive"), PIXEL]
    small = [Image(image).resized(6, 8).array[:, 1:7] for image in IMAGES]
    np.testing.assert_allclose(learnt(transforms), np.mean(small, 0).transpose(2, 0, 1), rtol=1e-6)


def test_components_are_those_of_the_images_whatever_was_put_off_before():
    fits = PcaLighting(std=0.1, magnitude="eigenvalue", components="fitted")
    values, vectors = np.linalg.eigh(np.cov(STACKED.transpose(1, 0, 2, 3).reshape(3, -1) / 255, ddof=0))
    for before in ([], [PIXEL], [CHANNEL, Pad(size=3, fill=0.0)], [Normalize(mean=[0.0] * 3, std=[1.0] * 3)]):
        np.testing.assert_allclose(learnt([*before, fits], name="values"), values[::-1], rtol=1e-5)
        found = learnt([*before, fits], name="vectors")
        np.testing.assert_allclose(abs(found), abs(vectors[:, ::-1]), atol=1e-5)


@pytest.mark.parametrize("count", [1, 63, 64, 65, 128, 130])
def test_batches_of_any_number_of_images_make_one_mean(count):
    images = [noise(3, 4, seed) for seed in range(count)]
    np.testing.assert_allclose(learnt([PIXEL], images), np.mean(images, 0).transpose(2, 0, 1), rtol=1e-6)


@pytest.mark.parametrize("sizes", [[3, 4, 4, 3], [4, 4, 3], [3, 4], [4, 3, 4]])
def test_images_that_differ_in_size(sizes):
    images = [noise(size, size + 1, seed) for seed, size in enumerate(sizes)]
    expected = np.mean([image.mean((0, 1)) for image in images], 0)
    np.testing.assert_allclose(learnt([CHANNEL], images), expected, rtol=1e-6)
    with pytest.raises(DataError, match=r"`subtract_mean`: images differ in size"):
        learnt([PIXEL], images)


@pytest.mark.parametrize("damaged", [(0,), (6,), (2, 3), (0, 6), (5, 6)])
def test_damaged_images_are_left_out_where_told(damaged):
    kept = [k for k in range(7) if k not in damaged]
    with pytest.raises(DataError, match=f"image {damaged[0]}"):
        fitted([PIXEL], Memory(IMAGES, damaged))
    (found,) = fitted([PIXEL], Memory(IMAGES, damaged), skip=True)
    np.testing.assert_allclose(found["mean"], STACKED[kept].mean(0), rtol=1e-6)


def test_a_data_set_with_no_image_to_read_is_an_error():
    for part in (PIXEL, CHANNEL, PcaLighting(std=0.1, magnitude="stdev", components="fitted")):
        with pytest.raises(DataError, match="none of the training images"):
            fitted([part], Memory(IMAGES, range(7)), skip=True)


def test_an_image_that_is_too_small_for_a_crop_is_named():
    transforms = [CenterCrop(size=12), PIXEL]
    images = [*IMAGES[:2], noise(11, 16), *IMAGES[2:]]
    with pytest.raises(DataError, match="image 2: a crop of 12x12"):
        fitted(transforms, Memory(images))
    np.testing.assert_allclose(learnt(transforms, images, skip=True), STACKED[:, :, :, 2:14].mean(0), rtol=1e-6)


def test_what_was_learnt_is_kept_by_data_and_transforms():
    data = Memory(IMAGES)
    (first,) = fitted([PIXEL], data)
    assert data.read == 7
    (again,) = fitted([PIXEL], data)
    assert data.read == 7 and torch.equal(first["mean"], again["mean"])
    fitted([Flip(p=0.5), PIXEL, RandomCrop(size=4, offsets="exclusive")], data)
    assert data.read == 7  # a flip and what comes after say nothing of the mean
    for other in ([CenterCrop(size=10), PIXEL], [CenterCrop(size=9), PIXEL], [CHANNEL], [Pad(size=1, fill=0.0), PIXEL]):
        before = data.read
        fitted(other, data)
        assert data.read == before + 7
    changed = Memory(IMAGES[::-1], fingerprint="changed")
    fitted([PIXEL], changed)
    assert changed.read == 7
    assert len(list(cache_folder().iterdir())) == 6


def test_damaged_or_unwritable_caches_do_no_harm(tmp_path, monkeypatch):
    fitted([PIXEL], Memory(IMAGES))
    (kept,) = cache_folder().iterdir()
    whole = kept.read_bytes()
    for damage in (b"", whole[: len(whole) // 2]):
        kept.write_bytes(damage)
        (found,) = fitted([PIXEL], Memory(IMAGES))
        np.testing.assert_allclose(found["mean"], STACKED.mean(0), rtol=1e-6)
        assert kept.read_bytes() == whole
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "file"))
    (found,) = fitted([PIXEL], Memory(IMAGES))
    np.testing.assert_allclose(found["mean"], STACKED.mean(0), rtol=1e-6)


def test_the_folder_of_means(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("ARCHSPEC_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "archspec"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "archspec"


def test_a_mean_before_the_crop_and_one_after_it():
    """alexnet-2012 subtracts the mean of 256 x 256 at the crop's place; put behind the crop, it is that of centres."""
    recipe = load_recipe("alexnet-2012").recipe
    images = [smooth(260, 300, seed) for seed in range(2)]
    prepared = [Image(image).resized(256, 295).array[:, 19:275].transpose(2, 0, 1) for image in images]
    before = [*recipe.prepare, *recipe.augment]
    np.testing.assert_allclose(learnt(before, images), np.mean(prepared, 0), rtol=1e-6)
    after = [*recipe.prepare[:-1], *recipe.augment, recipe.prepare[-1]]
    np.testing.assert_allclose(learnt(after, images), np.mean(prepared, 0)[:, 16:240, 16:240], rtol=1e-6)
