"""Transforms of images, each against another way to compute it."""

import itertools
import math
import sys
import types
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from pydantic import ValidationError

from archspec.data.pipeline import Pipeline, batched
from archspec.draw import Draw
from archspec.errors import ArchspecError
from archspec.image import Image
from archspec.parts.transform.area_crop import AreaCrop
from archspec.parts.transform.crop import CenterCrop, RandomCrop
from archspec.parts.transform.erase import RandomErase
from archspec.parts.transform.flip import Flip
from archspec.parts.transform.lighting import VALUES, VECTORS, Components, PcaLighting
from archspec.parts.transform.mean import Normalize, SubtractMean
from archspec.parts.transform.pad import Pad
from archspec.parts.transform.photometric import Photometric
from archspec.parts.transform.resize import Resize
from archspec.parts.transform.rotate import Rotate
from archspec.parts.transform.trivial_augment import OPERATIONS, TrivialAugment, operated
from tests.parts.pictures import box, draws, encoded, noise, resized, smooth, spread

# torchvision's compiled operations do not load beside a CPU-only torch, and its transforms need none of them.
sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))
from torchvision.transforms import InterpolationMode, autoaugment  # noqa: E402
from torchvision.transforms.v2 import functional as V  # noqa: E402

CPU = torch.device("cpu")


def floats(transforms, images, fitted=(), key="test"):
    """What a list of transforms makes of images, N x 3 x H x W of float64."""
    pipeline = Pipeline(transforms, fitted)
    made = [pipeline(Image(image), key, number) for number, image in enumerate(images)]
    return pipeline.floats(batched(made, [0] * len(made)), torch.float64).numpy()


def planes(image):
    """An image as 3 x H x W of float64."""
    return image.transpose(2, 0, 1).astype(np.float64)


# Resizing.


@pytest.mark.parametrize(
    ("before", "fields", "after"),
    [
        ((300, 400), {"shorter": 256}, (256, 341)),  # 341.33
        ((400, 300), {"shorter": 256}, (341, 256)),
        ((300, 500), {"shorter": 256}, (256, 426)),  # 426.67: rounded down, as torchvision and fb.resnet.torch
        ((256, 300), {"shorter": 256}, (256, 300)),
        ((100, 100), {"shorter": 224}, (224, 224)),
        ((500, 1), {"shorter": 2}, (1000, 2)),
        ((300, 400), {"size": [256, 128]}, (256, 128)),
    ],
)
@pytest.mark.parametrize("how", ["bilinear", "nearest", "cubic", "area", "lanczos"])
def test_resize_is_torchvisions_or_pillows(before, fields, after, how):
    image = smooth(*before)
    found = Resize(**fields, interpolation=how)(Image(image), Draw("x"))
    np.testing.assert_array_equal(found.array, resized(image, *after, how))


@pytest.mark.parametrize("how", ["bilinear", "cubic"])
def test_resize_is_torchvisions_of_floats(how):
    image = smooth(61, 83)
    found = Resize(shorter=24, interpolation=how)(Image(image), Draw("x")).array
    mode = {"bilinear": InterpolationMode.BILINEAR, "cubic": InterpolationMode.BICUBIC}[how]
    expected = V.resize(torch.from_numpy(planes(image)) / 255, [24], mode, antialias=True) * 255
    np.testing.assert_allclose(planes(found), expected.clamp(0, 255).numpy(), atol=1.01)


def test_a_range_of_sides_is_drawn_with_both_ends():
    resize = Resize(shorter=[6, 10])
    found = Counter(resize(Image(noise(20, 40)), draw).height for draw in draws(500))
    assert sorted(found) == [6, 7, 8, 9, 10]
    assert sum((count - 100) ** 2 / 100 for count in found.values()) < 18.5  # one in 1000, of 4 degrees
    assert resize.central() == Resize(shorter=6)
    assert Resize(shorter=6).central() == Resize(shorter=6)


@pytest.mark.parametrize("fields", [{}, {"shorter": 2, "size": [2, 2]}, {"shorter": [3, 2]}, {"size": [2]}])
def test_what_is_no_resize(fields):
    with pytest.raises(ValidationError):
        Resize.model_validate(fields)


# Crops and flips.


@pytest.mark.parametrize(("offsets", "places"), [("inclusive", 33), ("exclusive", 32)])
def test_a_random_crop_of_224_from_256(offsets, places):
    crop = RandomCrop(size=224, offsets=offsets)
    image = Image(encoded(256, 256))
    found = [crop(image, draw) for draw in draws(1500)]
    tops, lefts = zip(*((int(one.array[0, 0, 0]), int(one.array[0, 0, 1])) for one in found), strict=True)
    for side in (tops, lefts):
        counts = Counter(side)
        assert sorted(counts) == list(range(places))
        chi_squared = sum((count - 1500 / places) ** 2 / (1500 / places) for count in counts.values())
        assert chi_squared < 63  # one in 1000, of 32 degrees
    assert len(set(zip(tops, lefts, strict=True))) > 700  # both are drawn
    assert box(found[0]) == (tops[0], lefts[0], False)


@pytest.mark.parametrize(("offsets", "size"), [("inclusive", 6), ("exclusive", 6), ("exclusive", 5)])
def test_a_random_crop_that_has_one_place(offsets, size):
    crop = RandomCrop(size=size, offsets=offsets)
    assert {box(crop(Image(encoded(6, 6)), draw)) for draw in draws(20)} == {(0, 0, False)}


@pytest.mark.parametrize("offsets", ["inclusive", "exclusive"])
@pytest.mark.parametrize("size", [(5, 9), (9, 5), (3, 3)])
def test_a_crop_that_does_not_fit(offsets, size):
    for transform in (RandomCrop(size=6, offsets=offsets), CenterCrop(size=6)):
        with pytest.raises(ArchspecError, match="does not fit"):
            transform(Image(noise(*size)), Draw("x"))


@pytest.mark.parametrize(
    ("before", "size", "corner"),
    [((256, 256), 224, (16, 16)), ((256, 341), 224, (16, 58)), ((7, 8), 4, (1, 2)), ((4, 4), 4, (0, 0))],
)
def test_a_center_crop(before, size, corner):
    assert box(CenterCrop(size=size)(Image(encoded(*before)), Draw("x"))) == (*corner, False)
    assert RandomCrop(size=size, offsets="inclusive").central() == CenterCrop(size=size)


@pytest.mark.parametrize(("p", "low", "high"), [(0.0, 0, 0), (1.0, 1000, 1000), (0.5, 448, 552), (0.2, 158, 242)])
def test_a_flip(p, low, high):
    found = [box(Flip(p=p)(Image(encoded(2, 3)), draw)) for draw in draws(1000)]
    assert {one[:2] for one in found} == {(0, 0)}
    assert low <= sum(mirrored for _, _, mirrored in found) <= high
    assert Flip(p=p).central() is None


# GoogLeNet's crop.


def area_crop(**fields):
    given = {"area": [0.08, 1.0], "aspect": [3 / 4, 4 / 3], "aspect_drawn": "log_uniform", "size": 24}
    return AreaCrop.model_validate(given | {"interpolation": "bilinear"} | fields)


def boxes(part, height, width, count=1000):
    return [part._box(width, height, draw) for draw in draws(count)]


ASPECTS = {
    "log_uniform": lambda v: math.log(4 * v) / math.log(16),
    "uniform": lambda v: (v - 1 / 4) / (4 - 1 / 4),
    "uniform_swapped": lambda v: ((v - 1 / 4) + (4 - 1 / v)) / (4 - 1 / 4) / 2,
}
"""For each way to draw an aspect between 1/4 and 4, how likely it is to be below a value."""


@pytest.mark.parametrize("drawn", ASPECTS)
def test_areas_are_uniform_and_aspects_as_told(drawn):
    """In an image so large that rounding does not matter, and of areas so small that every shape fits."""
    part = area_crop(area=[0.02, 0.2], aspect=[1 / 4, 4.0], aspect_drawn=drawn)
    found = boxes(part, 40_000, 40_000, 3000)
    assert spread([wide * high / 40_000**2 for _, _, wide, high in found], lambda v: (v - 0.02) / 0.18) < 1.95
    aspects = [wide / high for _, _, wide, high in found]
    assert {name for name, below in ASPECTS.items() if spread(aspects, below) < 1.95} == {drawn}
    assert spread([left / (40_000 - wide + 1) for left, _, wide, _ in found], lambda v: v) < 1.95
    assert spread([top / (40_000 - high + 1) for _, top, _, high in found], lambda v: v) < 1.95


def test_a_shape_lies_in_the_image_and_keeps_its_ranges():
    for left, top, wide, high in boxes(area_crop(), 90, 120, 400):
        assert 0 <= left <= 120 - wide and 0 <= top <= 90 - high
        assert 0.07 < wide * high / (90 * 120) <= 1 and 0.7 < wide / high < 1.42


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(10, 400, (193, 0, 13, 10)), (400, 10, (0, 193, 10, 13)), (100, 120, (0, 0, 120, 100))],
)
def test_where_no_shape_fits_the_middle_is_taken(height, width, expected):
    """As torchvision: the largest middle part of an allowed aspect. Shapes of the whole area hardly ever fit."""
    found = Counter(boxes(area_crop(area=[1.0, 1.0]), height, width, 40))
    assert found.most_common(1)[0][0] == expected and found[expected] > 30


def test_the_part_is_resized_as_torchvision_does():
    image = smooth(50, 70)
    part = area_crop()
    for draw in draws(10):
        found = part(Image(image), draw).array
        left, top, wide, high = part._box(70, 50, Draw(*draw.key))
        expected = V.resized_crop(torch.from_numpy(image).permute(2, 0, 1), top, left, high, wide, [24, 24])
        np.testing.assert_array_equal(planes(found), expected)


def test_interpolations_of_a_list_are_equally_likely():
    """Squares of four values that each filter enlarges differently."""
    names = ["bilinear", "area", "nearest", "cubic"]
    image = Image(smooth(8, 8))
    part = area_crop(area=[1, 1], aspect=[1, 1], interpolation=names)
    known = {area_crop(area=[1, 1], aspect=[1, 1], interpolation=n)(image, Draw("x")).array.tobytes(): n for n in names}
    found = Counter(known[part(image, draw).array.tobytes()] for draw in draws(400))
    assert len(known) == 3 and sum(found.values()) == 400  # area and nearest are the same where images grow
    assert abs(found["bilinear"] - 100) < 30 and abs(found["cubic"] - 100) < 30


def test_the_middle_of_an_area_crop():
    image = smooth(60, 80)
    found = area_crop().central()(Image(image), Draw("x")).array
    expected = V.center_crop(V.resize(torch.from_numpy(image).permute(2, 0, 1), [24]), [24, 24])
    np.testing.assert_array_equal(planes(found), expected)


@pytest.mark.parametrize("fields", [{"area": [0.5, 0.1]}, {"aspect": [2, 1]}, {"area": [0, 1]}, {"interpolation": []}])
def test_what_is_no_area_crop(fields):
    with pytest.raises(ValidationError):
        area_crop(**fields)


# Warps of bytes.


@pytest.mark.parametrize("how", ["nearest", "bilinear", "cubic"])
def test_rotate_is_pillows_by_a_uniform_angle(how):
    image = smooth(20, 30)
    rotate = Rotate(degrees=15.0, interpolation=how, fill=7)
    angles = [Draw(*draw.key).uniform(-15, 15) for draw in draws(300)]
    assert spread(angles, lambda v: (v + 15) / 30) < 1.95
    for draw, angle in zip(draws(5), angles, strict=False):
        mode = {"nearest": 0, "bilinear": 2, "cubic": 3}[how]
        expected = Pillow.fromarray(image).rotate(angle, mode, fillcolor=(7, 7, 7))
        np.testing.assert_array_equal(rotate(Image(image), draw).array, np.asarray(expected))
    assert rotate.central() is None


def test_a_rotation_is_counter_clockwise():
    image = np.zeros((9, 9, 3), np.uint8)
    image[4, 8] = 255  # on the right
    turned = [Rotate(degrees=90.0, interpolation="nearest", fill=0)(Image(image), draw) for draw in draws(40)]
    for draw, one in zip(draws(40), turned, strict=True):
        angle = math.radians(draw.uniform(-90, 90))
        rows, columns = one.array[:, :, 0].nonzero()
        if len(rows):
            assert rows.mean() == pytest.approx(4 - 4 * math.sin(angle), abs=1.01)
            assert columns.mean() == pytest.approx(4 + 4 * math.cos(angle), abs=1.01)
    assert sum(one.array.any() for one in turned) > 30


NAMES = {
    "identity": "Identity",
    "shear_x": "ShearX",
    "shear_y": "ShearY",
    "translate_x": "TranslateX",
    "translate_y": "TranslateY",
    "rotate": "Rotate",
    "brightness": "Brightness",
    "colour": "Color",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "posterize": "Posterize",
    "solarize": "Solarize",
    "auto_contrast": "AutoContrast",
    "equalize": "Equalize",
}
"""Operations by their names in torchvision."""


@pytest.mark.parametrize("name", NAMES)
def test_operations_of_trivial_augment_are_torchvisions_at_every_level(name):
    """torchvision's strengths are floats of 32 bits; here they are exact. Translations are counted the other way."""
    image = Pillow.fromarray(noise(40, 52))
    rounded, signed = autoaugment.TrivialAugmentWide()._augmentation_space(31)[NAMES[name]]
    for level, sign in itertools.product(range(31), (1, -1) if signed else (1,)):
        strength = 0.0
        if rounded.dim():
            first, last = rounded[0].item(), np.round(rounded[-1].item(), 6)
            exact = (first * (30 - level) + last * level) / 30
            strength = sign * (rounded[level].item() if name == "posterize" else exact)
            assert strength == pytest.approx(sign * rounded[level].item(), rel=1e-6)
        strength = -strength if name.startswith("translate") else strength
        expected = autoaugment._apply_op(image, NAMES[name], strength, InterpolationMode.NEAREST, None)
        found = image if name == "identity" else operated(image, name, level, sign)
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected), f"{name} {level} {sign}")


def test_trivial_augment_draws_operation_level_and_sign_alike():
    assert list(NAMES) == OPERATIONS
    seen = []
    for draw in draws(1400):
        seen.append((draw.integer(0, 13), draw.integer(0, 30), draw.integer(0, 1)))
    for place, count in enumerate((14, 31, 2)):
        found = Counter(one[place] for one in seen)
        assert len(found) == count and sum((n - 1400 / count) ** 2 * count / 1400 for n in found.values()) < 59.7
    image = smooth(24, 24)
    for draw, (operation, level, minus) in list(zip(draws(60), seen, strict=False)):
        name = OPERATIONS[operation]
        held = Pillow.fromarray(image)
        expected = held if name == "identity" else operated(held, name, level, -1 if minus else 1)
        np.testing.assert_array_equal(TrivialAugment()(Image(image), draw).array, np.asarray(expected))
    assert TrivialAugment().central() is None


# Colours.


def lighting(**fields):
    return PcaLighting.model_validate({"std": 0.1, "magnitude": "eigenvalue"} | fields)


AUTHOR = {
    "values": [(stdev / 255) ** 2 for stdev in (121.78006099, 37.09388853, 19.72083305)],
    "vectors": [
        [-0.56351045, -0.71257945, 0.41795513],
        [-0.57618440, -0.02354167, -0.81698062],
        [-0.59200296, 0.70119634, 0.39731118],
    ],
}
"""Of cuda-convnet2, largest first."""


@pytest.mark.parametrize(
    ("fields", "shift"),
    [
        ({}, 5.55),  # 0.1 * 0.2175 * 255 grey levels
        ({"magnitude": "stdev"}, 11.9),
        ({"components": AUTHOR}, 5.82),
        ({"components": AUTHOR, "magnitude": "stdev"}, 12.18),  # 0.1 * 121.78
        ({"components": AUTHOR, "scale": 255.0}, 1483.0),  # the printed formula on pixels from 0 to 255
    ],
)
def test_the_typical_shift_of_lighting(fields, shift):
    """The deviation, along the first component, of what is added to 2000 grey images."""
    part = lighting(**fields)
    vectors = np.array(fields.get("components", {}).get("vectors", VECTORS))
    added = floats([part], [np.full((1, 1, 3), 128, np.uint8)] * 2000)[:, :, 0, 0] - 128
    along = added @ vectors[:, 0]
    assert along.std() == pytest.approx(shift, rel=0.05)
    assert abs(along.mean()) < 3.3 * shift / math.sqrt(2000)


@pytest.mark.parametrize("magnitude", ["eigenvalue", "stdev"])
@pytest.mark.parametrize("rescale", [True, False])
@pytest.mark.parametrize("components", ["imagenet", AUTHOR, "fitted"])
def test_lighting_is_the_printed_formula(magnitude, rescale, components):
    """Krizhevsky et al. 2012, section 4.1, one image and one component at a time."""
    images = [noise(4, 5, seed) for seed in range(3)]
    part = lighting(magnitude=magnitude, rescale=rescale, components=components, std=0.2, scale=2.0)
    values, vectors = (AUTHOR["values"], AUTHOR["vectors"]) if components != "imagenet" else (VALUES, VECTORS)
    fitted = {"values": torch.tensor(values).double(), "vectors": torch.tensor(vectors).double()}
    found = floats([part], images, [fitted if components == "fitted" else {}])
    for number, image in enumerate(images):
        draw = Draw("test", number, "pca_lighting", 0)
        expected = planes(image)
        for value, vector in zip(values, np.transpose(vectors), strict=True):
            size = math.sqrt(value) if magnitude == "stdev" else value * 2.0
            expected += 255 * 0.2 * draw.normal() * size * vector[:, None, None]
        np.testing.assert_allclose(found[number], expected / (1.2 if rescale else 1), rtol=1e-6, atol=1e-5)


def test_components_of_imagenet_are_the_authors():
    np.testing.assert_allclose(np.transpose(VECTORS) @ VECTORS, np.eye(3), atol=2e-4)
    np.testing.assert_allclose(VALUES, AUTHOR["values"], rtol=0.26)
    assert (abs((np.array(VECTORS) * AUTHOR["vectors"]).sum(0)) > 0.99).all()


@pytest.mark.parametrize("cuts", [[8], [3, 5], [1] * 8])
@pytest.mark.parametrize("data", range(4))
def test_components_that_are_fitted(cuts, data):
    """Against numpy, of the covariance of all pixels at once; a vector's sign is by its sum."""
    mixing = np.random.default_rng(data).normal(size=(3, 3)) / 4
    images = 128 + np.stack([np.tensordot(mixing, planes(noise(9, 11, seed)) - 128, 1) for seed in range(8)])
    batches = iter(torch.from_numpy(images).float().split(cuts))
    part = lighting(components="fitted")
    assert part.fits and not lighting().fits and not lighting(components=AUTHOR).fits
    found = part.fit(batches)
    values, vectors = np.linalg.eigh(np.cov(images.transpose(1, 0, 2, 3).reshape(3, -1) / 255, ddof=0))
    np.testing.assert_allclose(found["values"], values[::-1], rtol=1e-5)
    expected = vectors[:, ::-1] * np.sign(vectors[:, ::-1].sum(0))
    np.testing.assert_allclose(found["vectors"], expected, atol=1e-5)


def test_components_need_three_of_everything():
    for wrong in ({"values": [1.0, 2.0], "vectors": VECTORS}, {"values": VALUES, "vectors": [VALUES]}):
        with pytest.raises(ValidationError):
            Components.model_validate(wrong)


@pytest.mark.parametrize("order", ["random", "fixed"])
def test_photometric_is_torchvisions(order):
    part = Photometric(brightness=0.5, contrast=0.4, saturation=0.3, order=order)
    images = [smooth(12, 10, seed) for seed in range(24)]
    found = floats([part], images)
    seen = set()
    for number, image in enumerate(images):
        draw = Draw("test", number, "photometric", 0)
        factors = [draw.uniform(1 - a, 1 + a) for a in (0.5, 0.4, 0.3)]
        turns = draw.order(3) if order == "random" else [0, 1, 2]
        seen.add(tuple(turns))
        expected = torch.from_numpy(planes(image)) / 255
        change = [V.adjust_brightness, V.adjust_contrast, V.adjust_saturation]
        for which in turns:
            expected = change[which](expected, factors[which])
        np.testing.assert_allclose(found[number], expected.numpy() * 255, atol=0.1)  # its shares of grey are rounded
    assert len(seen) == (1 if order == "fixed" else 6)
    assert part.central() is None


def test_photometric_by_its_formulas():
    """One of the three at a time: from black, from the mean grey, from the pixel's grey; cut to 0 to 255."""
    image = noise(5, 6)
    pixels = planes(image)
    grey = np.einsum("chw,c->hw", pixels, [0.299, 0.587, 0.114])
    for which, base in enumerate([0.0, grey.mean(), grey]):
        amounts = [1.0 if k == which else 0.0 for k in range(3)]
        part = Photometric(brightness=amounts[0], contrast=amounts[1], saturation=amounts[2], order="fixed")
        found = floats([part], [image] * 4)
        for number in range(4):
            draw = Draw("test", number, "photometric", 0)
            factor = [draw.uniform(0, 2) if k == which else draw.uniform(1, 1) for k in range(3)][which]
            np.testing.assert_allclose(found[number], np.clip(base + factor * (pixels - base), 0, 255), atol=1e-9)


# Means.


@pytest.mark.parametrize("cuts", [[7], [3, 4], [1] * 7])
def test_means_of_the_data(cuts):
    images = np.stack([planes(noise(6, 8, seed)) for seed in range(7)])
    for per, axes in [("pixel", 0), ("channel", (0, 2, 3))]:
        found = SubtractMean(per=per).fit(iter(torch.from_numpy(images).float().split(cuts)))["mean"]
        np.testing.assert_allclose(found, images.mean(axes), rtol=1e-6)


def test_a_channel_mean_counts_images_alike_and_a_pixel_mean_needs_one_size():
    images = [torch.full((1, 3, 2, 2), 10.0), torch.full((1, 3, 8, 8), 30.0)]
    assert SubtractMean(per="channel").fit(images)["mean"].tolist() == [20.0] * 3
    with pytest.raises(ValueError, match="differ in size"):
        SubtractMean(per="pixel").fit(images)


def test_a_mean_per_channel_given_or_learnt():
    image = noise(4, 5)
    expected = planes(image) - np.array([1.5, 20.0, 3.0])[:, None, None]
    given = SubtractMean(per="channel", values=[1.5, 20.0, 3.0])
    assert not given.fits and not given.placed
    np.testing.assert_allclose(floats([given], [image])[0], expected)
    learnt = {"mean": torch.tensor([1.5, 20.0, 3.0])}
    np.testing.assert_allclose(floats([SubtractMean(per="channel")], [image], [learnt])[0], expected)
    with pytest.raises(ValidationError):
        SubtractMean(per="pixel", values=[1.0, 2.0, 3.0])


@pytest.mark.parametrize("size", [(9, 12), (8, 12), (9, 10)])
def test_a_mean_per_pixel_falls_back_to_channels_for_each_image_by_itself(size):
    """An image of another size, or resized after, is given channel means; others of its group are not touched by it."""
    mean = np.random.default_rng(1).random((3, 8, 10)) * 255
    part, fitted = SubtractMean(per="pixel"), [{"mean": torch.from_numpy(mean)}, {}]
    fits, other = noise(8, 10, 1), noise(*size, 2)
    crop = RandomCrop(size=6, offsets="inclusive")
    found = floats([part, crop], [fits, other], fitted)
    np.testing.assert_allclose(found[0], floats([part, crop], [fits], fitted)[0])
    places = []
    for number, (height, width) in enumerate([(8, 10), size]):
        draw = Draw("test", number, "random_crop", 0)
        places.append((draw.integer(0, height - 6), draw.integer(0, width - 6)))
    (top, left), (y, x) = places
    np.testing.assert_allclose(found[0], (planes(fits) - mean)[:, top : top + 6, left : left + 6])
    flat = mean.mean((1, 2))[:, None, None]
    np.testing.assert_allclose(found[1], (planes(other) - flat)[:, y : y + 6, x : x + 6])
    warped = floats([part, Resize(size=[6, 6])], [fits], fitted)[0]
    np.testing.assert_allclose(warped, planes(resized(fits, 6, 6)) - flat)


def test_a_border_that_does_not_wait_has_no_mean():
    mean = {"mean": torch.full((3, 4, 5), 100.0)}
    image = SubtractMean(per="pixel")(Image(noise(4, 5)), Draw("x")).padded(1)
    found = Pipeline([SubtractMean(per="pixel")], [mean]).floats(batched([image], [0]))[0].numpy()
    np.testing.assert_allclose(found, np.pad(planes(noise(4, 5)) - 100, ((0, 0), (1, 1), (1, 1))))


def test_normalize():
    image = noise(4, 5)
    part = Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    expected = V.normalize(torch.from_numpy(planes(image)) / 255, part.mean, part.std).numpy()
    np.testing.assert_allclose(floats([part], [image])[0], expected, rtol=1e-12)


# Borders and holes.


@pytest.mark.parametrize(
    ("transforms", "border"),
    [
        ([Pad(size=2, fill=7.5)], [7.5] * 3),
        ([Pad(size=2, fill="mean")], [0.0] * 3),  # there is no mean
        ([SubtractMean(per="channel", values=[10.0, 20.0, 30.0]), Pad(size=2, fill="mean")], [0.0] * 3),
        ([SubtractMean(per="channel", values=[10.0, 20.0, 30.0]), Pad(size=2, fill=-5.0)], [-5.0] * 3),
        ([Pad(size=2, fill="mean"), SubtractMean(per="channel", values=[10.0, 20.0, 30.0])], [0.0] * 3),
        ([Pad(size=2, fill=0.0), SubtractMean(per="channel", values=[10.0, 20.0, 30.0])], [-10.0, -20.0, -30.0]),
        ([Pad(size=2, fill="mean"), Normalize(mean=[0.1, 0.2, 0.3], std=[0.5, 0.5, 0.5])], [0.0] * 3),
        ([Pad(size=2, fill=255.0), Normalize(mean=[0.5] * 3, std=[0.5] * 3)], [1.0] * 3),
    ],
)
def test_the_fill_of_a_border(transforms, border):
    image = noise(4, 5)
    found = floats(transforms, [image])[0]
    inside = np.s_[:, 2:-2, 2:-2]
    assert found.shape == (3, 8, 9)
    edge = np.ones((3, 8, 9), bool)
    edge[inside] = False
    np.testing.assert_allclose(found[edge].reshape(3, -1), np.repeat(np.array(border)[:, None], 52, 1), atol=1e-5)
    without = [one for one in transforms if not isinstance(one, Pad)]
    np.testing.assert_allclose(found[inside], floats(without, [image])[0], atol=1e-6)


def erased_boxes(part, height, width, count=1000):
    return [part._box(height, width, draw) for draw in draws(count)]


def test_random_erase_is_torchvisions():
    """Zhong et al. 2020, algorithm 1: area uniform, the logarithm of height by width uniform, somewhere inside."""
    part = RandomErase(p=1.0, area=[0.02, 0.2], fill=0.0)
    found = erased_boxes(part, 4000, 4000)
    sides = [(bottom - top, right - left) for top, left, bottom, right in found]
    assert spread([h * w / 4000**2 for h, w in sides], lambda v: (v - 0.02) / 0.18) < 1.95
    assert spread([h / w for h, w in sides], lambda v: math.log(v / 0.3) / math.log(11)) < 1.95
    tops = [top / (4001 - high) for (top, *_), (high, _) in zip(found, sides, strict=True)]
    assert spread(tops, lambda v: v) < 1.95
    half = erased_boxes(RandomErase(p=0.5, fill=0.0), 40, 40)
    assert 448 <= sum(any(one) for one in half) <= 552
    assert not any(map(any, erased_boxes(RandomErase(p=0.0, fill=0.0), 40, 40)))
    assert part.central() is None


@pytest.mark.parametrize(("fill", "value"), [(9.0, [9.0] * 3), ("mean", [10.0, 20.0, 30.0])])
def test_what_is_erased_is_filled(fill, value):
    part = RandomErase(p=0.7, fill=fill)
    images = [noise(12, 15, seed) for seed in range(20)]
    mean = SubtractMean(per="channel", values=[10.0, 20.0, 30.0])
    found = floats([part, mean], images) + np.array([10, 20, 30])[:, None, None]
    for number, image in enumerate(images):
        box = part._box(12, 15, Draw("test", number, "random_erase", 0))
        top, left, bottom, right = map(int, box)
        expected = planes(image)
        expected[:, top:bottom, left:right] = np.array(value)[:, None, None]
        np.testing.assert_allclose(found[number], expected, atol=1e-9)


@pytest.mark.parametrize(
    "part",
    [
        lambda: Pad(size=0, fill=0.0),
        lambda: Pad(size=2, fill="black"),
        lambda: Pad.model_validate({"size": 2}),
        lambda: RandomErase(p=1.5, fill=0.0),
        lambda: RandomErase(p=0.5, fill=300.0),
        lambda: Normalize(mean=[0.0] * 3, std=[0.0] * 3),
        lambda: PcaLighting(std=0.1, magnitude="variance"),
        lambda: PcaLighting.model_validate({"std": 0.1}),
    ],
)
def test_what_is_no_transform(part):
    with pytest.raises(ValidationError):
        part()
