"""Views of an image, by pixels that tell their places."""

import numpy as np
import pytest

from archspec.draw import Draw
from archspec.errors import ArchspecError
from archspec.image import Image
from archspec.parts.protocol.crops import FullyConvolutional, GoogLeNet144, TenCrop, TenRandomCrops
from archspec.parts.protocol.whole import CenterCropView, Whole
from tests.parts.pictures import box, draws, encoded, resized, smooth

CORNERS = {
    (256, 256): [(0, 0), (0, 32), (32, 0), (32, 32), (16, 16)],
    (256, 341): [(0, 0), (0, 117), (32, 0), (32, 117), (16, 58)],
    (300, 256): [(0, 0), (0, 32), (76, 0), (76, 32), (38, 16)],
    (224, 224): [(0, 0)] * 5,
}


def views(protocol, height, width):
    return protocol.views(Image(encoded(height, width)), Draw("test", 0))


@pytest.mark.parametrize("size", CORNERS)
def test_ten_crops_are_corners_and_centre_and_their_mirrors(size):
    found = [box(view) for view in views(TenCrop(size=224), *size)]
    assert found == [(*place, mirrored) for mirrored in (False, True) for place in CORNERS[size]]
    assert {(view.height, view.width) for view in views(TenCrop(size=224), *size)} == {(224, 224)}


@pytest.mark.parametrize("protocol", [TenCrop(size=224), TenRandomCrops(size=224), CenterCropView(size=224)])
@pytest.mark.parametrize("size", [(200, 256), (256, 223)])
def test_a_view_that_does_not_fit(protocol, size):
    with pytest.raises(ArchspecError, match="does not fit"):
        views(protocol, *size)


def test_ten_random_crops_are_anywhere_and_mirrored_by_a_coin():
    image = Image(encoded(8, 9))
    found = [box(view) for draw in draws(200) for view in TenRandomCrops(size=6, count=5).views(image, draw)]
    assert len(found) == 1000
    assert set(found) == {(y, x, mirrored) for y in range(3) for x in range(4) for mirrored in (False, True)}
    assert len(views(TenRandomCrops(size=6), 8, 8)) == 10
    assert [box(view) for view in views(TenRandomCrops(size=6), 8, 8)] == [
        box(view) for view in views(TenRandomCrops(size=6), 8, 8)
    ]


def test_whole_and_centre():
    assert [box(view) for view in views(Whole(), 32, 40)] == [(0, 0, False)]
    assert views(Whole(), 32, 40)[0].array.shape == (32, 40, 3)
    assert [box(view) for view in views(CenterCropView(size=224), 256, 341)] == [(16, 58, False)]


OFFSETS = {
    256: [(0, 0), (0, 32), (32, 0), (32, 32), (16, 16)],
    288: [(0, 0), (0, 64), (64, 0), (64, 64), (32, 32)],
    320: [(0, 0), (0, 96), (96, 0), (96, 96), (48, 48)],
    352: [(0, 0), (0, 128), (128, 0), (128, 128), (64, 64)],
}
"""Top and left of the crops in a square of each side (Szegedy et al. 2014, section 7)."""
SCALES = GoogLeNet144(scales=list(OFFSETS), size=224)


@pytest.mark.parametrize("scale", OFFSETS)
@pytest.mark.parametrize("shape", ["landscape", "portrait", "square"])
def test_crops_of_googlenet(scale, shape):
    """An image whose shorter side is the scale is not resized, so that its pixels still tell their places."""
    height, width = scale + 101 * (shape == "portrait"), scale + 101 * (shape == "landscape")
    found = views(GoogLeNet144(scales=[scale], size=224), height, width)
    assert len(found) == 36 and {(view.height, view.width) for view in found} == {(224, 224)}
    squares = {
        "landscape": [(0, 0), (0, 50), (0, 101)],
        "portrait": [(0, 0), (50, 0), (101, 0)],
        "square": [(0, 0)] * 3,
    }[shape]
    for number, (top, left) in enumerate(squares):
        here = found[12 * number : 12 * number + 12]
        for half, mirrored in ((here[:6], False), (here[6:], True)):
            crops = [box(view) for view in half[:5]]
            assert crops == [(top + y, left + x, mirrored) for y, x in OFFSETS[scale]]
            whole = resized(encoded(height, width)[top : top + scale, left : left + scale], 224, 224)
            np.testing.assert_array_equal(half[5].array, whole[:, ::-1] if mirrored else whole)


@pytest.mark.parametrize(("size", "distinct"), [((300, 300), 48), ((300, 420), 144), ((420, 300), 144)])
def test_144_crops_of_which_a_square_image_has_48(size, distinct):
    found = SCALES.views(Image(smooth(*size)), Draw("test"))
    assert len(found) == 144
    assert len({view.array.tobytes() for view in found}) == distinct


def test_crops_at_a_scale_are_of_the_resized_image():
    image = smooth(150, 225)
    found = SCALES.views(Image(image), Draw("test"))
    for number, scale in enumerate(OFFSETS):
        scaled = resized(image, scale, scale * 3 // 2)
        for part, left in enumerate((0, scale // 2 // 2, scale // 2)):
            first = found[36 * number + 12 * part]
            np.testing.assert_array_equal(first.array, scaled[:224, left : left + 224])


@pytest.mark.parametrize(("mirror", "count"), [(False, 5), (True, 10)])
def test_fully_convolutional_sees_the_whole_image_at_every_size(mirror, count):
    protocol = FullyConvolutional(shorter=[224, 256, 384, 480, 640], mirror=mirror)
    image = smooth(100, 150)
    found = protocol.views(Image(image), Draw("test"))
    assert len(found) == count and protocol.fully_convolutional
    for view, shorter in zip(found, protocol.shorter, strict=False):
        np.testing.assert_array_equal(view.array, resized(image, shorter, shorter * 3 // 2))
    for view, mirrored in zip(found[:5], found[5:], strict=False):
        np.testing.assert_array_equal(mirrored.array, view.array[:, ::-1])


@pytest.mark.parametrize("protocol", [Whole(), CenterCropView(size=2), TenCrop(size=2), TenRandomCrops(size=2), SCALES])
def test_probabilities_are_averaged_unless_told_otherwise(protocol):
    assert (protocol.combine, protocol.every, protocol.prepare) == ("softmax", None, None)
    assert not protocol.fully_convolutional
