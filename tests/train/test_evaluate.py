"""Protocols against answers worked out by hand."""

import io
import pickle
from dataclasses import replace

import pytest
import torch
from PIL import Image as Pillow
from torch.nn import functional as F

import archspec
from archspec.errors import DataError, RunError
from archspec.length import Calendar
from archspec.parts.dataset.folder import ImageFolder
from archspec.parts.protocol.crops import FullyConvolutional, TenCrop, TenRandomCrops
from archspec.parts.protocol.whole import Whole
from archspec.train.evaluate import answers, combined, evaluate, together
from archspec.train.exact import recalibrated
from archspec.train.job import prepare_module
from archspec.train.viewing import viewing_of
from tests.train.small import small_job, small_state

SIMPLE = {"prepare": "[]", "normalize": "[]", "augment": "[]", "select": "last", "batch.group": "14"}


@pytest.fixture
def job():
    """Test images of 16x20 for a network of 12x12, and none of the trainer's transforms."""
    found = small_job({**SIMPLE, "mix": "[]"}, precision="fp64", test_batch=16)
    return replace(found, test=Wide(found.test))


class Wide:
    """Test images resized to 16x20."""

    fingerprint = "wide"

    def __init__(self, images):
        self.images, self.classes = images, images.classes

    def __len__(self):
        return len(self.images)

    def target(self, index):
        return self.images.target(index)

    def name(self, index):
        return self.images.name(index)

    def image(self, index):
        return self.images.image(index).resized(16, 20)


@pytest.fixture
def module(job):
    return small_state(job).module


def floats(job):
    return torch.stack([torch.tensor(job.test.image(k).array.copy()).permute(2, 0, 1).double() for k in range(20)])


def answered(job, module, protocol):
    return torch.cat([scores for scores, _, _ in answers(job, module, protocol)])


def test_ten_crops_by_hand(job, module):
    x = floats(job)
    places = [(0, 0), (0, 8), (4, 0), (4, 8), (2, 4)]
    crops = [x[:, :, top : top + 12, left : left + 12] for top, left in places]
    model = module.eval()
    with torch.no_grad():
        expected = torch.stack([model(c).softmax(1) for c in (*crops, *(crop.flip(3) for crop in crops))]).mean(0)
    found = answered(job, module, TenCrop(size=12))
    assert torch.allclose(found, expected, atol=1e-12)
    values = evaluate(job, module, TenCrop(size=12))
    targets = torch.tensor([job.test.target(k) for k in range(20)])
    assert values["top1_error"] == float((expected.argmax(1) != targets).double().mean())
    assert values["top5_error"] == 1 - float((expected.topk(5).indices == targets[:, None]).any(1).double().mean())


def test_views_in_several_passes_change_nothing(job, module):
    small = replace(job, execution=job.execution.model_copy(update={"test_batch": 3}))
    protocol = TenCrop(size=12)
    assert torch.allclose(answered(job, module, protocol), answered(small, module, protocol), atol=1e-12)


@pytest.mark.parametrize("protocol", [TenCrop(size=12), FullyConvolutional(shorter=[16, 20, 24], mirror=True)])
def test_worker_processes_change_nothing(job, module, protocol):
    """Views of several sizes come in one tensor, which is one open file, and are taken apart again."""
    several = replace(job, execution=job.execution.model_copy(update={"workers": 2}))
    assert torch.equal(answered(several, module, protocol), answered(job, module, protocol))
    viewing, _ = viewing_of(job, protocol)
    viewed = viewing([0, 1, 2])
    sent = []

    class Counting(pickle.Pickler):
        def persistent_id(self, one):
            return sent.append(one) if isinstance(one, torch.Tensor) else None

    Counting(io.BytesIO()).dump(viewed)
    assert len(sent) == 1 and len(viewed.batches) == (1 if isinstance(protocol, TenCrop) else 3)


def test_random_crops_are_the_same_every_time(job, module):
    protocol = TenRandomCrops(size=12, combine="vote")
    first = answered(job, module, protocol)
    assert torch.equal(first, answered(job, module, protocol))
    assert first.shape == (20, 10)


def test_several_sizes_fully_convolutional(job, module):
    """The classifier at every place of maps from 16x20 and 24x30 images, scores averaged over places, then sizes."""
    protocol = FullyConvolutional(shorter=[16, 24], mirror=True, combine="logits")
    wide = archspec.build(job.graph, passes="fully-convolutional", dtype=torch.float64).eval()
    with torch.no_grad():
        for key, value in wide.state_dict().items():
            value.copy_(module.state_dict()[key].reshape(value.shape))
        expected = 0
        for size in ((16, 20), (24, 30)):
            shown = [job.test.image(k).resized(*size).array.copy() for k in range(20)]
            x = torch.stack([torch.tensor(one).permute(2, 0, 1).double() for one in shown])
            maps = wide(x)
            assert maps.dim() == 4 and maps.shape[2] > 1
            expected = expected + maps.mean((2, 3)) + wide(x.flip(3)).mean((2, 3))
    assert torch.allclose(answered(job, module, protocol), expected / 4, atol=1e-12)


def test_answers_become_one():
    scores = torch.tensor([[[4.0, 0.0, 1.0], [0.0, 2.0, 1.0], [0.0, 2.0, 1.9]]])
    assert torch.allclose(combined(scores, "softmax"), F.softmax(scores, 2).mean(1))
    assert torch.allclose(combined(scores, "logits"), scores.mean(1))
    assert combined(scores, "vote").argmax(1).tolist() == [1] and combined(scores, "logits").argmax(1).tolist() == [0]
    tie = torch.tensor([[[4.0, 0.0], [0.0, 1.0]]])
    assert combined(tie, "vote").argmax(1).tolist() == [0], "of equal votes, the likelier"


def test_several_networks_answer_together(job, module):
    """By the mean of their probabilities, not of their scores."""
    other = prepare_module(replace(job, recipe=job.recipe.model_copy(update={"seed": 7})))
    protocol = Whole()
    cropped = replace(job, test=job.test.images)
    rows = [answered(cropped, one, protocol) for one in (module, other)]
    targets = torch.tensor([job.test.target(k) for k in range(20)])
    found = together([(cropped, module, protocol), (cropped, other, protocol)])
    assert found["images"] == 20
    assert found["top1_error"] == float(((rows[0] + rows[1]).argmax(1) != targets).double().mean())
    with pytest.raises(RunError, match="other images or classes"):
        together([(cropped, module, protocol), (job, other, TenCrop(size=12))])


def test_network_is_as_it_was_afterwards(job, module):
    module.train()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    evaluate(replace(job, test=job.test.images), module, Whole())
    assert module.training and module.bn1.training
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


def test_exact_statistics_of_no_image_are_refused(job, tmp_path):
    for number in range(4):
        folder = tmp_path / "train" / f"c{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(b"")
    execution = job.execution.model_copy(update={"on_bad_image": "skip"})
    images = ImageFolder().images("train", tmp_path, (12, 12))
    here = replace(job, train=images, calendar=Calendar(4, 14, "wrap"), execution=execution)
    state = small_state(job)
    before = {key: value.clone() for key, value in state.module.state_dict().items()}
    with pytest.raises(DataError, match="none of the images can be read that exact"), recalibrated(here, state):
        pass
    assert all(torch.equal(value, before[key]) for key, value in state.module.state_dict().items())
    assert state.module.bn1.momentum == 0.1 and state.module.training


def test_image_that_is_too_small_is_named(job, module):
    with pytest.raises(DataError, match=r"test shape 0: a crop of 18x18 .* does not fit in an image of 16x20"):
        evaluate(job, module, TenCrop(size=18))


def test_bad_images_are_left_out_and_counted(job, module, tmp_path):
    for number in range(6):
        folder = tmp_path / "val" / f"c{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        Pillow.new("RGB", (12, 12), (40 * number, 10, 200)).save(folder / f"{number}.png")
    (tmp_path / "val" / "c1" / "1.png").write_bytes(b"")
    (tmp_path / "val" / "c2" / "5.png").write_bytes((tmp_path / "val" / "c2" / "5.png").read_bytes()[:50])
    images = ImageFolder().images("test", tmp_path, (12, 12))
    here = replace(job, test=images)
    with pytest.raises(DataError, match=r"c1/1\.png: an empty file"):
        evaluate(here, module, Whole())
    here = replace(here, execution=job.execution.model_copy(update={"on_bad_image": "skip"}))
    found = evaluate(here, module, Whole())
    assert found["bad_images"] == 2 and found["top1_error"] in [k / 4 for k in range(5)]
