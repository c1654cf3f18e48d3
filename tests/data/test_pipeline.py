"""Work that was put off against the same work done in order."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.data.pipeline import Pipeline, batched
from archspec.image import Image
from archspec.parts.transform.area_crop import AreaCrop
from archspec.parts.transform.crop import RandomCrop
from archspec.parts.transform.erase import RandomErase
from archspec.parts.transform.flip import Flip
from archspec.parts.transform.lighting import PcaLighting
from archspec.parts.transform.mean import Normalize, SubtractMean
from archspec.parts.transform.pad import Pad
from archspec.parts.transform.resize import Resize
from archspec.recipe.files import load_recipe
from tests.data.in_order import InOrder
from tests.parts.pictures import noise, smooth


def both(transforms, images, means=None, dtype=torch.float64):
    """What the pipeline makes of a group, and what the transforms make one after the other of each image."""
    means = means or {}
    fitted = [{"mean": torch.from_numpy(means[k])} if k in means else {} for k in range(len(transforms))]
    pipeline = Pipeline(transforms, fitted)
    made = [pipeline(Image(image), 3, number) for number, image in enumerate(images)]
    found = pipeline.floats(batched(made, [0] * len(made)), dtype)
    in_order = InOrder(transforms, means)
    return found, np.stack([in_order(image, 3, number) for number, image in enumerate(images)])


def mean_of(height, width):
    return np.random.default_rng(8).random((3, height, width)) * 255


RECIPES = {
    "alexnet-2012": ([(300, 400), (260, 256), (500, 310)], {2: mean_of(256, 256)}),
    "alexnet-caffe": ([(300, 400), (260, 256)], {1: mean_of(256, 256)}),
    "googlenet-2014": ([(300, 400), (250, 200), (160, 180)], {}),
    "googlenet-caffe-quick": ([(300, 400), (260, 256)], {}),
    "modern": ([(300, 400), (250, 200), (160, 180), (90, 100)], {}),
    "quick": ([(32, 32)] * 3, {0: np.array([120.0, 110.0, 100.0])}),
    "resnet-2015-cifar": ([(32, 32)] * 8, {0: mean_of(32, 32)}),
    "resnet-2015-cifar-110": ([(32, 32)] * 2, {0: mean_of(32, 32)}),
    "resnet-2015-imagenet": ([(300, 400), (260, 256)], {4: mean_of(224, 224)}),
    "torchvision-classic": ([(300, 400), (250, 200)], {}),
}


@pytest.mark.parametrize("name", RECIPES)
def test_training_images_of_recipes(name):
    recipe = load_recipe(name).recipe
    sizes, means = RECIPES[name]
    images = [smooth(*size, seed) for seed, size in enumerate(sizes)]
    transforms = [*recipe.prepare, *recipe.augment, *recipe.normalize]
    found, expected = both(transforms, images, means)
    if name in ("alexnet-2012", "alexnet-caffe", "resnet-2015-cifar", "resnet-2015-imagenet"):
        assert expected.min() < -50  # a mean was subtracted
    tolerance = 0.1 if name == "googlenet-2014" else 1e-5  # torchvision rounds its shares of grey
    np.testing.assert_allclose(found.numpy(), expected, atol=tolerance)
    single, _ = both(transforms, images, means, torch.float32)
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single, found, atol=1e-3)


def test_training_images_of_cifar_by_hand():
    """He et al. 2015, section 4.2: the mean subtracted, 4 pixels of zeros, a crop of 32 or its mirror image."""
    recipe = load_recipe("resnet-2015-cifar").recipe
    mean, image = mean_of(32, 32), noise(32, 32)
    found, _ = both([*recipe.prepare, *recipe.augment], [image] * 40, {0: mean})
    padded = np.pad(image.transpose(2, 0, 1) - mean, ((0, 0), (4, 4), (4, 4)))
    crops = {}
    for top in range(9):
        for left in range(9):
            crop = padded[:, top : top + 32, left : left + 32]
            crops[np.round(crop, 3).tobytes()] = (top, left, False)
            crops[np.round(crop[:, :, ::-1], 3).tobytes()] = (top, left, True)
    places = [crops[np.round(one, 3).tobytes()] for one in found.numpy()]
    assert len(set(places)) > 25


@st.composite
def chains(draw):
    """A list of transforms that fit each other, the side of the images they end with, and their means."""
    height, width = draw(st.integers(7, 12)), draw(st.integers(7, 12))
    start, found, means = (height, width), [], {}
    for name in draw(st.lists(st.sampled_from(["mean", "pad", "crop", "flip", "erase", "light"]), max_size=7)):
        fill = draw(st.sampled_from(["mean", 0.0, -7.5, 90.0]))
        if name == "mean" and not means:
            exact = draw(st.booleans())
            means[len(found)] = mean_of(height, width) if exact else mean_of(height + 1, width)
            found.append(SubtractMean(per="pixel"))
        elif name == "pad":
            size = draw(st.integers(1, 3))
            found.append(Pad(size=size, fill=fill))
            height, width = height + 2 * size, width + 2 * size
        elif name == "crop":
            side = draw(st.integers(max(3, min(height, width) - 5), min(height, width)))
            found.append(RandomCrop(size=side, offsets="inclusive"))
            height = width = side
        elif name == "flip":
            found.append(Flip(p=0.5))
        elif name == "erase":
            found.append(RandomErase(p=0.8, fill=fill))
        elif name == "light":
            found.append(PcaLighting(std=1.0, magnitude="eigenvalue"))
    if draw(st.booleans()):
        found.append(Normalize(mean=[0.5, 0.4, 0.3], std=[0.3, 0.2, 0.1]))
    return found, start, means


@given(chains())
@settings(max_examples=60, deadline=None)
def test_work_that_was_put_off_is_as_if_done_in_order(chain):
    transforms, size, means = chain
    if any(one.op == "subtract_mean" for one in transforms):  # what two subtractions take to 0 is another matter
        transforms = [one for one in transforms if one.op != "normalize"]
    found, expected = both(transforms, [noise(*size, seed) for seed in range(3)], means)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)


def test_a_new_transform_changes_nobody_elses_draws():
    image = Image(noise(40, 40))
    crop, flip, resize = RandomCrop(size=30, offsets="inclusive"), Flip(p=0.5), Resize(size=[40, 40])
    second = RandomCrop(size=20, offsets="inclusive")
    for number in range(20):
        key = (1, 0, number, 0)
        plain = Pipeline([crop, second])(image, *key).array
        np.testing.assert_array_equal(Pipeline([Flip(p=0.0), resize, crop, second])(image, *key).array, plain)
        mirrored = Pipeline([crop, flip])(image, *key).array
        expected = Pipeline([crop])(image, *key).array
        assert any(np.array_equal(mirrored, one) for one in (expected, expected[:, ::-1]))


def test_a_second_use_of_a_transform_draws_anew():
    pipeline = Pipeline([Flip(p=0.5), Flip(p=0.5)])
    assert pipeline.keys == [("flip", 0), ("flip", 1)]
    image = noise(2, 3)
    found = [np.array_equal(pipeline(Image(image), number).array, image) for number in range(200)]
    assert 70 < sum(found) < 130


def test_what_is_drawn_depends_on_the_key_alone():
    recipe = load_recipe("googlenet-2014").recipe
    image = Image(smooth(80, 90))
    pipeline = Pipeline(recipe.augment)
    first = [pipeline(image, 7, 0, number, 0) for number in range(6)]
    again = [Pipeline(recipe.augment)(image, 7, 0, number, 0) for number in reversed(range(6))][::-1]
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.array, two.array)
        assert one.waiting == two.waiting
    others = [pipeline(image, *key) for key in [(8, 0, 0, 0), (7, 1, 0, 0), (7, 0, 0, 1)]]
    drawn = {one.waiting[0].drawn for one in [*first, *others]}
    assert len(drawn) == 9


def test_a_batch_holds_bytes_and_what_waits():
    pipeline = Pipeline([SubtractMean(per="channel", values=[1.0, 2.0, 3.0]), Pad(size=1, fill=0.0), Flip(p=1.0)])
    images = [pipeline(Image(noise(4, 5, seed)), seed) for seed in range(3)]
    batch = batched(images, [4, 0, 9], ["a.jpg: an empty file"])
    assert batch.pixels.dtype == torch.uint8 and batch.pixels.shape == (3, 6, 7, 3) and len(batch) == 3
    assert batch.targets.tolist() == [4, 0, 9] and batch.bad == ["a.jpg: an empty file"]
    assert [one.shape for one in batch.drawn] == [(3, 0), (3, 0)]
    assert batch.marks[0].tolist() == [[0] * 5] * 3  # a mean per channel asks for no places
    assert batch.marks[1].tolist() == [[4, 5, -1, 5, -1]] * 3
    assert pipeline.floats(batch).shape == (3, 3, 6, 7)


def test_after_a_warp_there_is_no_mark():
    pipeline = Pipeline([SubtractMean(per="pixel"), Resize(size=[4, 4])])
    batch = batched([pipeline(Image(noise(6, 6)), 0), pipeline(Image(noise(4, 4)), 1)], [0, 0])
    assert batch.marks[0].tolist() == [[0] * 5, [4, 4, 0, 0, 1]]


def test_an_area_crop_of_its_own_size_is_exact():
    part = AreaCrop(area=[1, 1], aspect=[1, 1], aspect_drawn="uniform", size=9, interpolation="bilinear")
    np.testing.assert_array_equal(Pipeline([part])(Image(noise(9, 9)), 0).array, noise(9, 9))
