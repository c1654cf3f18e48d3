"""Geometry of images, and marks of where pixels came from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from archspec.errors import ArchspecError
from archspec.image import INTERPOLATIONS, Image, Mark
from tests.parts.pictures import box, encoded, noise, places, resized, smooth


@pytest.fixture(params=["array", "pillow"])
def held(request):
    """Makes an image of an array, held in one way or the other."""
    return (lambda array: Image(array)) if request.param == "array" else lambda a: Image(Pillow.fromarray(a))


def test_an_image_has_height_and_width_however_it_is_held(held):
    image = held(noise(5, 7))
    assert (image.height, image.width) == (5, 7)
    np.testing.assert_array_equal(image.array, noise(5, 7))
    assert image.pillow.size == (7, 5)


def test_a_crop_takes_what_it_says(held):
    view = held(encoded(20, 30)).crop(3, 5, 8, 9)
    assert (view.height, view.width) == (8, 9)
    assert box(view) == (3, 5, False)
    assert box(view.mirrored()) == (3, 5, True)
    assert box(view.mirrored().crop(1, 2, 4, 4)) == (4, 5 + 9 - 2 - 4, True)


@pytest.mark.parametrize("corner", [(-1, 0, 4, 4), (0, -1, 4, 4), (3, 0, 4, 4), (0, 5, 4, 4), (0, 0, 7, 4)])
def test_a_crop_beyond_the_image_is_an_error(held, corner):
    with pytest.raises(ArchspecError, match="does not fit in an image of 6x8"):
        held(noise(6, 8)).crop(*corner)


def test_padding_is_black(held):
    padded = held(noise(4, 6)).padded(2)
    np.testing.assert_array_equal(padded.array, np.pad(noise(4, 6), ((2, 2), (2, 2), (0, 0))))


@pytest.mark.parametrize("name", INTERPOLATIONS)
@pytest.mark.parametrize("size", [(13, 11), (50, 70)])
def test_resizing_is_torchvisions_or_pillows(held, name, size):
    array = smooth(30, 40)
    np.testing.assert_array_equal(held(array).resized(*size, name).array, resized(array, *size, name))


def triangle(x):
    return np.clip(1 - abs(x), 0, None)


def cubic(x):
    """Keys' filter with a = -0.5."""
    x = abs(x)
    return np.where(x < 1, (1.5 * x - 2.5) * x * x + 1, np.where(x < 2, ((-0.5 * x + 2.5) * x - 4) * x + 2, 0))


def weights(before, after, filter, reach):
    """after x before: each pixel is a mean of those around its middle, over a filter as wide as what it stands for."""
    scale = before / after
    wide = max(scale, 1)
    middles = (np.arange(after) + 0.5) * scale
    found = filter((np.arange(before) + 0.5 - middles[:, None]) / wide)
    found[abs(np.arange(before) + 0.5 - middles[:, None]) >= reach * wide] = 0
    return found / found.sum(1, keepdims=True)


@pytest.mark.parametrize(
    ("name", "filter", "reach", "most"), [("bilinear", triangle, 1, 1.2), ("cubic", cubic, 2, 2.5)]
)
@pytest.mark.parametrize("size", [(13, 11), (50, 70), (29, 80), (224, 224)])
def test_resizing_averages_by_its_filter(name, filter, reach, most, size):
    """In exact numbers; each of two passes rounds to a level, halves up, and to neither side otherwise."""
    array = 64 + noise(60, 90) // 2  # so that neither pass is cut to 0 to 255
    down, across = weights(60, size[0], filter, reach), weights(90, size[1], filter, reach)
    expected = np.einsum("ay,bx,yxc->abc", down, across, array.astype(float)).clip(0, 255)
    apart = Image(array).resized(*size, name).array - expected
    assert abs(apart).max() < most and abs(apart).mean() < 0.4 and abs(apart.mean()) < 0.1


def test_shrinking_is_antialiased():
    """Each pixel of a half is a mean over weights 1 3 3 1 by 8 in both directions, away from the border."""
    array = noise(16, 16)
    weights = np.array([1, 3, 3, 1]) / 8
    found = Image(array).resized(8, 8).array
    for y, x in [(2, 3), (5, 5)]:
        patch = array[2 * y - 1 : 2 * y + 3, 2 * x - 1 : 2 * x + 3].astype(float)
        expected = np.einsum("i,j,ijc->c", weights, weights, patch)
        np.testing.assert_allclose(found[y, x], expected, atol=1.01)


def test_resizing_to_its_own_size_changes_nothing():
    image = Image(noise(6, 8)).wait((1.0,))
    assert image.resized(6, 8) is image


def test_a_warp_forgets_places_but_not_what_was_drawn():
    image = Image(noise(6, 8)).wait((0.25,)).wait((), placed=False)
    for other in (image.resized(3, 4), image.warped(image.array)):
        assert [(one.drawn, one.mark) for one in other.waiting] == [((0.25,), None), ((), None)]
    assert image.waiting[0].mark == Mark(6, 8)
    moved = image.resized(3, 4).crop(0, 0, 2, 2).mirrored().padded(1)
    assert [one.mark for one in moved.waiting] == [None, None]


def test_an_image_is_not_changed_in_place():
    array = noise(6, 8)
    image = Image(array).wait()
    image.mirrored(), image.crop(1, 1, 2, 2), image.padded(3), image.resized(3, 3)
    np.testing.assert_array_equal(array, noise(6, 8))
    assert image.waiting[0].mark == Mark(6, 8)


moves = st.lists(
    st.tuples(st.just("wait"))
    | st.tuples(st.just("flip"))
    | st.tuples(st.just("pad"), st.integers(1, 4))
    | st.tuples(st.just("crop"), *[st.floats(0, 1)] * 4),
    max_size=9,
)


def moved(image, name, numbers):
    """The image after one move; what pads waits, as the transform does, so that its mark tells the border."""
    if name == "wait":
        return image.wait()
    if name == "flip":
        return image.mirrored()
    if name == "pad":
        return image.wait().padded(*numbers)
    height, width = 1 + int(numbers[0] * (image.height - 1)), 1 + int(numbers[1] * (image.width - 1))
    top, left = int(numbers[2] * (image.height - height)), int(numbers[3] * (image.width - width))
    return image.crop(top, left, height, width)


@given(moves, st.integers(1, 12), st.integers(1, 12), st.booleans())
@settings(max_examples=80, deadline=None)
def test_marks_tell_where_pixels_were(moves, height, width, pillow):
    """An image of places goes along from every wait on; a mark tells the place of every pixel that is none of a border.

    Places begin at 1, so that black is the pixel of a border.
    """

    def fresh(height, width):
        array = encoded(height + 1, width + 1)[1:, 1:]
        return Image(Pillow.fromarray(array) if pillow else array)

    image, along = fresh(height, width), []
    for name, *numbers in moves:
        if name in ("wait", "pad"):
            along.append(fresh(image.height, image.width))
        image = moved(image, name, numbers)
        along = [moved(frame, name, numbers) if name != "wait" else frame for frame in along]
    inside = np.ones((image.height, image.width), bool)
    for one, frame in reversed(list(zip(image.waiting, along, strict=True))):
        mark = one.mark
        rows = np.add.outer(mark.top + np.arange(image.height), np.zeros(image.width, int))
        columns = np.add.outer(np.zeros(image.height, int), mark.left + mark.sign * np.arange(image.width))
        inside &= (rows >= 0) & (rows < mark.height) & (columns >= 0) & (columns < mark.width)
        found_rows, found_columns = places(frame.array)
        np.testing.assert_array_equal(found_rows, (rows + 1) * inside)
        np.testing.assert_array_equal(found_columns, (columns + 1) * inside)
