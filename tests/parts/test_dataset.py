"""Datasets: files of CIFAR, folders of images of every kind, and drawn shapes."""

import io
from collections import Counter

import numpy as np
import pytest
from litdata.streaming.writer import BinaryWriter
from PIL import Image as Pillow
from PIL import PngImagePlugin
from pydantic import ValidationError

from archspec.data.loader import loaded
from archspec.errors import DataError
from archspec.parts.dataset.cifar import Cifar10, Cifar100
from archspec.parts.dataset.folder import ImageFolder, ImageNet, decoded
from archspec.parts.dataset.litdata import LitData
from archspec.parts.dataset.synthetic import CLASSES, Synthetic
from tests.parts.pictures import noise, smooth

# CIFAR.


def records(count, classes, seed, labels=1):
    """Labels and planes, as the files hold them, and the images and targets in them."""
    images = np.stack([noise(32, 32, 100 * seed + k) for k in range(count)])
    targets = np.arange(count) * 7 % classes
    columns = [np.full((count, 1), 19)] * (labels - 1) + [targets[:, None]]
    rows = np.concatenate([*columns, images.transpose(0, 3, 1, 2).reshape(count, -1)], 1).astype(np.uint8)
    return rows.tobytes(), images, targets.tolist()


@pytest.fixture
def cifar10(tmp_path):
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    found = {}
    for number, name in enumerate([*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]):
        data, images, targets = records(4, 10, number)
        (folder / name).write_bytes(data)
        found[name] = images, targets
    (folder / "batches.meta.txt").write_text("\n".join("abcdefghij") + "\n\n")
    return tmp_path, found


def check(images, expected, targets):
    assert len(images) == len(targets)
    assert [images.target(k) for k in range(len(images))] == targets
    for k, image in enumerate(expected):
        np.testing.assert_array_equal(images.image(k).array, image)


@pytest.mark.parametrize("inside", [True, False])
def test_cifar10(cifar10, inside):
    folder, files = cifar10
    folder = folder / "cifar-10-batches-bin" if inside else folder
    train, test = (Cifar10().images(split, folder) for split in ("train", "test"))
    batches = [files[f"data_batch_{k}.bin"] for k in range(1, 6)]
    check(train, np.concatenate([images for images, _ in batches]), [t for _, found in batches for t in found])
    check(test, *files["test_batch.bin"])
    assert list(train.classes) == list("abcdefghij")
    assert train.fingerprint != test.fingerprint
    assert train.fingerprint == Cifar10().images("train", folder).fingerprint
    assert "3" in train.name(3)


def test_the_last_5000_are_left_out(tmp_path):
    for name, count in [(f"data_batch_{k}.bin", 10_000) for k in range(1, 6)] + [("test_batch.bin", 1)]:
        with (tmp_path / name).open("wb") as file:
            file.truncate(count * 3073)
    assert len(Cifar10(train_on="first_45k").images("train", tmp_path)) == 45_000
    assert len(Cifar10(train_on="first_45k").images("test", tmp_path)) == 1
    assert list(Cifar10().images("test", tmp_path).classes) == list("0123456789")


def test_cifar100_by_its_fine_labels(tmp_path):
    for name, seed in (("train.bin", 1), ("test.bin", 2)):
        (tmp_path / name).write_bytes(records(5, 100, seed, labels=2)[0])
    (tmp_path / "fine_label_names.txt").write_text("".join(f"class {k}\n" for k in range(100)))
    for split, seed in (("train", 1), ("test", 2)):
        found = Cifar100().images(split, tmp_path)
        check(found, *records(5, 100, seed, labels=2)[1:])
        assert found.classes[99] == "class 99"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: data[:-1], r"data_batch_2.bin: 12,291 bytes, expected a multiple of 3,073"),
        (lambda data: b"", r"data_batch_2.bin: 0 bytes"),
        (lambda data: data[:3073] + b"\x0a" + data[3074:], r"a label is 10, expected at most 9"),
        (None, r"data_batch_2.bin: no such file"),
    ],
)
def test_damaged_files_are_told(cifar10, spoil, message):
    folder, _ = cifar10
    file = folder / "cifar-10-batches-bin" / "data_batch_2.bin"
    data = file.read_bytes()
    file.unlink()
    if spoil:
        file.write_bytes(spoil(data))
    with pytest.raises(DataError, match=message):
        Cifar10().images("train", folder)
    assert len(Cifar10().images("test", folder)) == 4


@pytest.mark.parametrize(
    ("name", "hint"), [(None, "unpack it"), ("cifar-10-python.tar.gz", "packed"), ("data_batch_1", "Python")]
)
def test_a_folder_without_the_binary_files(tmp_path, name, hint):
    if name:
        (tmp_path / name).write_bytes(b"?")
    for part in (Cifar10(), Cifar100()):
        with pytest.raises(DataError, match="holds no test") as caught:
            part.images("train", tmp_path)
        assert hint in caught.value.hint


# Folders.


def save(folder, name, image, **options):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def of_mode(mode, array):
    return Pillow.fromarray(array).convert(mode)


PICTURE = smooth(6, 9)
GREY = PICTURE[:, :, 0]


def test_classes_are_numbered_by_name_and_images_sorted(tmp_path):
    for number, name in enumerate(
        ["train/b/2.png", "train/b/deep/1.PNG", "train/a/1.jpg", "train/c/1.ppm", "val/a/9.png"]
    ):
        save(tmp_path, name, Pillow.fromarray(noise(4, 4, number)))
    (tmp_path / "train" / "b" / "notes.txt").write_text("not an image")
    (tmp_path / "train" / "list.txt").write_text("not a class")
    for part in (ImageFolder(), ImageNet()):
        train = part.images("train", tmp_path)
        assert list(train.classes) == ["a", "b", "c"]
        assert [train.target(k) for k in range(len(train))] == [0, 1, 1, 2]
        assert [train.name(k).removeprefix(f"{tmp_path}/") for k in range(4)] == [
            "train/a/1.jpg",
            "train/b/2.png",
            "train/b/deep/1.PNG",
            "train/c/1.ppm",
        ]
        np.testing.assert_array_equal(train.image(2).array, noise(4, 4, 1))
        assert len(part.images("test", tmp_path)) == 1
    before = train.fingerprint
    assert before == ImageFolder().images("train", tmp_path).fingerprint
    save(tmp_path, "train/c/1.ppm", Pillow.fromarray(noise(4, 5)))
    assert before != ImageFolder().images("train", tmp_path).fingerprint


@pytest.mark.parametrize("name", ["val", "test", "validation"])
def test_names_of_the_folder_to_test_on(tmp_path, name):
    save(tmp_path, f"{name}/a/1.png", Pillow.fromarray(PICTURE))
    assert len(ImageFolder().images("test", tmp_path)) == 1
    with pytest.raises(DataError, match=f"has no folder train, found {name}"):
        ImageFolder().images("train", tmp_path)


def test_folders_without_images_or_classes(tmp_path):
    with pytest.raises(DataError, match="found nothing"):
        ImageFolder().images("test", tmp_path)
    (tmp_path / "train").mkdir()
    with pytest.raises(DataError, match="holds no folders of classes"):
        ImageFolder().images("train", tmp_path)
    (tmp_path / "train" / "a").mkdir()
    (tmp_path / "train" / "a" / "1.txt").write_text("?")
    with pytest.raises(DataError, match="a: holds no images"):
        ImageFolder().images("train", tmp_path)


def transparent(array, alpha):
    return Pillow.fromarray(np.concatenate([array, alpha[:, :, None]], 2))


ALPHA = np.tile(np.array([0, 128, 255], np.uint8), (6, 3))
ON_BLACK = PICTURE * (ALPHA[:, :, None] / 255)


def grey(array):
    return np.repeat(array[:, :, None], 3, 2)


def palette_with_a_transparent_colour():
    """Index 1 of the palette is not to be seen."""
    image = Pillow.fromarray(np.tile(np.array([0, 1, 2], np.uint8), (6, 3)), "P")
    image.putpalette([10, 20, 30, 200, 200, 200, 70, 80, 90])
    image.info["transparency"] = 1
    return image


THREE = np.tile(np.array([[10, 20, 30], [0, 0, 0], [70, 80, 90]]), (6, 3, 1))
DEEP = (GREY.astype(np.uint16) << 8) + 77
SEEN = {
    "grey.png": (of_mode("L", PICTURE), {}, grey(np.asarray(of_mode("L", PICTURE)))),
    "grey.jpg": (Pillow.fromarray(np.full((6, 9), 90, np.uint8)), {}, np.full((6, 9, 3), 90)),
    "bits.png": (Pillow.fromarray(GREY > 120), {}, grey((GREY > 120) * 255)),
    "rgba.png": (transparent(PICTURE, ALPHA), {}, ON_BLACK),
    "grey-alpha.png": (
        Pillow.fromarray(np.stack([GREY, ALPHA], 2), "LA"),
        {},
        grey(GREY * (ALPHA / 255)),
    ),
    "palette.png": (of_mode("P", PICTURE), {}, np.asarray(of_mode("P", PICTURE).convert("RGB"))),
    "palette.gif": (of_mode("P", PICTURE), {}, np.asarray(of_mode("P", PICTURE).convert("RGB"))),
    "transparent.png": (palette_with_a_transparent_colour(), {}, THREE),
    "cmyk.jpg": (Pillow.new("CMYK", (9, 6), (0, 255, 255, 0)), {"quality": 100}, np.full((6, 9, 3), [255, 0, 0])),
    "cmyk.tif": (Pillow.new("CMYK", (9, 6), (255, 0, 0, 0)), {}, np.full((6, 9, 3), [0, 255, 255])),
    "deep.png": (Pillow.fromarray(DEEP), {}, grey(GREY)),
    "deep.tif": (Pillow.fromarray(DEEP), {}, grey(GREY)),
    "deeper.tif": (Pillow.fromarray(DEEP.astype(np.int32)), {}, grey(GREY)),
    "rgb.webp": (Pillow.fromarray(PICTURE), {"lossless": True}, PICTURE),
    "rgb.bmp": (Pillow.fromarray(PICTURE), {}, PICTURE),
}


@pytest.mark.parametrize("name", SEEN)
def test_every_kind_of_image_becomes_rgb(tmp_path, name):
    image, options, expected = SEEN[name]
    found = decoded(save(tmp_path, name, image, **options))
    assert found.array.dtype == np.uint8 and (found.height, found.width) == (6, 9)
    np.testing.assert_allclose(found.array, expected, atol=0 if name.startswith("deep") else 1.01)


def test_big_endian_images_of_16_bits(tmp_path):
    deep = Pillow.frombytes("I;16B", (9, 6), DEEP.astype(">u2").tobytes())
    found = decoded(save(tmp_path, "deep.tif", deep))
    np.testing.assert_array_equal(found.array, grey(GREY))


def test_one_colour_of_a_png_that_is_transparent(tmp_path):
    image = Pillow.fromarray(THREE.astype(np.uint8))
    path = save(tmp_path, "rgb.png", image, transparency=(70, 80, 90))
    expected = THREE.copy()
    expected[:, 2::3] = 0
    np.testing.assert_array_equal(decoded(path).array, expected)
    path = save(tmp_path, "grey.png", Pillow.fromarray(THREE[:, :, 0].astype(np.uint8)), transparency=70)
    np.testing.assert_array_equal(decoded(path).array, grey(expected[:, :, 0]))


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.transpose(1, 0, 2)),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: a[::-1, ::-1].transpose(1, 0, 2)),
        (8, lambda a: np.rot90(a, 1)),
    ],
)
def test_images_are_turned_as_their_exif_data_say(tmp_path, orientation, turned):
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path, "turned.png", Pillow.fromarray(PICTURE), exif=exif)
    np.testing.assert_array_equal(decoded(path).array, turned(PICTURE))


def encoded_as(form):
    held = io.BytesIO()
    Pillow.fromarray(noise(40, 40)).save(held, form)
    return held.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "an empty file"),
        (b"not an image", "not a whole image"),
        (encoded_as("JPEG")[:700], "not a whole image"),
        (encoded_as("PNG")[:2000], "not a whole image"),
        (encoded_as("PNG")[:30], "not a whole image"),
        (encoded_as("PNG")[:1000] + bytes(200) + encoded_as("PNG")[1200:], "not a whole image"),
        (None, "no such file"),
    ],
)
def test_damaged_images_are_told_by_name(tmp_path, data, message):
    path = tmp_path / "a.jpg"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(DataError, match=message) as caught:
        decoded(path)
    assert str(path) in str(caught.value)


def test_text_in_a_png_does_no_harm(tmp_path):
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "x" * 1000)
    path = save(tmp_path, "a.png", Pillow.fromarray(PICTURE), pnginfo=notes)
    np.testing.assert_array_equal(decoded(path).array, PICTURE)


# Drawn shapes.


def synthetic(split="train", size=(16, 16), **fields):
    return Synthetic.model_validate({"train": 60, "test": 30} | fields).images(split, None, size)


def test_shapes_are_a_function_of_split_and_number():
    one, two = synthetic(), synthetic()
    backwards = [two.image(k).array for k in reversed(range(60))][::-1]
    for k, later in enumerate(backwards):
        np.testing.assert_array_equal(one.image(k).array, later)
    longer = synthetic(train=600)
    np.testing.assert_array_equal(longer.image(7).array, one.image(7).array)
    assert len({one.image(k).array.tobytes() for k in range(60)}) == 60
    test = synthetic("test")
    assert not np.array_equal(test.image(0).array, one.image(0).array)
    assert len({data.fingerprint for data in (one, test, longer, synthetic(noise=1.0), synthetic(size=(8, 8)))}) == 5
    assert one.fingerprint == two.fingerprint


def test_shapes_are_balanced():
    for split, count in (("train", 6), ("test", 3)):
        images = synthetic(split)
        found = Counter(images.target(k) for k in range(len(images)))
        assert found == dict.fromkeys(range(10), count)
    assert len(CLASSES) == 10 and not Synthetic.needs_folder


def test_shapes_have_the_networks_size_unless_told_otherwise():
    assert synthetic(size=(20, 20)).image(0).array.shape == (20, 20, 3)
    given = Synthetic(size=12).images("train", None, (20, 20))
    assert given.image(3).array.shape == (12, 12, 3)


def test_a_shape_stands_out_from_its_ground():
    """Without noise, the middle of a disc and the corners differ by a colour."""
    images = synthetic(size=(32, 32), noise=0.0, train=3000)
    for k in range(0, 3000, 10):
        disc = images.image(k).array.astype(float)
        corners = disc[[0, 0, -1, -1], [0, -1, 0, -1]].mean(0)
        assert np.abs(disc[15:17, 15:17].mean((0, 1)) - corners).mean() > 40


def test_noise_has_its_deviation():
    quiet, loud = synthetic(noise=0.0, size=(32, 32)), synthetic(noise=10.0, size=(32, 32))
    apart = [loud.image(k).array.astype(float) - quiet.image(k).array for k in range(20)]
    inside = [difference[np.abs(quiet.image(k).array - 128.0) < 80] for k, difference in enumerate(apart)]
    assert np.concatenate(inside).std() == pytest.approx(10, rel=0.03)


@pytest.mark.parametrize("fields", [{"train": 0}, {"size": 7}, {"noise": -1}])
def test_what_are_no_shapes(fields):
    with pytest.raises(ValidationError):
        Synthetic.model_validate(fields)


# Shards.


def encoded(image):
    held = io.BytesIO()
    Pillow.fromarray(image).save(held, "PNG")
    return held.getvalue()


def written(rows, folder):
    """Shards of samples, several of them."""
    cache = BinaryWriter(str(folder), chunk_bytes=5000)
    for number, row in enumerate(rows):
        cache.add_item(number, row)
    cache.done()
    cache.merge(1)


@pytest.fixture
def shards(tmp_path):
    images = [noise(20, 30, k) for k in range(12)]
    rows = [{"image": encoded(image), "target": k % 3} for k, image in enumerate(images)]
    written(rows[:9], tmp_path / "train")
    written(rows[9:], tmp_path / "val")
    (tmp_path / "classes.txt").write_text("a\nb\nc\n")
    return tmp_path, images


def test_shards(shards):
    folder, images = shards
    train, test = (LitData().images(split, folder, (20, 30)) for split in ("train", "test"))
    assert len(list((folder / "train").glob("*.bin"))) > 2
    check(train, images[:9], [k % 3 for k in range(9)])
    check(test, images[9:], [0, 1, 2])
    assert list(train.classes) == ["a", "b", "c"] and train.fingerprint != test.fingerprint
    backwards = list(loaded(train.image, range(8, -1, -1), workers=2))
    for image, made in zip(reversed(images[:9]), backwards, strict=True):
        np.testing.assert_array_equal(made.array, image)


def test_wrong_shards_are_told(shards, tmp_path):
    folder, _ = shards
    written([{"image": b"no image", "target": 0}, {"image": b"", "target": 3}], tmp_path / "wrong/val")
    written([{"picture": b"", "target": 0}], tmp_path / "wrong/train")
    with pytest.raises(DataError, match=r"classes\.txt"):
        LitData().images("test", tmp_path / "wrong", (20, 30))
    with pytest.raises(DataError, match=r"has no shards in train: no index\.json"):
        LitData().images("train", tmp_path / "train", (20, 30))
    (tmp_path / "wrong" / "classes.txt").write_text("a\nb")
    test = LitData().images("test", tmp_path / "wrong", (20, 30))
    with pytest.raises(DataError, match="sample 0: not a whole image"):
        test.image(0)
    with pytest.raises(DataError, match="one of 2 classes, found 3"):
        test.target(1)
    with pytest.raises(DataError, match="mapping of `image` and `target`, found picture, target"):
        LitData().images("train", tmp_path / "wrong", (20, 30)).image(0)
    before = LitData().images("train", folder, (20, 30)).fingerprint
    for path in (folder / "train").glob("*.bin"):
        path.write_bytes(path.read_bytes()[:40])
    damaged = LitData().images("train", folder, (20, 30))
    assert damaged.fingerprint != before
    with pytest.raises(DataError, match="train, sample 4: "):
        damaged.image(4)
