"""BlazePose with networks that give known answers: what it makes of them, without the models' files."""

import numpy as np
import pytest
import torch

from pose_inpaint.data.joints import JOINTS
from pose_inpaint.pose import blazepose
from pose_inpaint.pose.blazepose import LANDMARK_NAMES, BlazePose, anchor_centres, person_square, refine

HEIGHT, WIDTH = 40, 64
EDGE, SIDE = 16, 96  # of the detector's image, with a margin of a quarter of the longer side
ANCHOR = 700
HIPS, ABOVE = (0.5, 0.6), (0.5, 0.45)  # shares of that image


class Network:
    """Gives an answer that the test may change, and keeps the images."""

    def __init__(self, path, threads):
        self.detects, self.seen = "detection" in path.name, []
        self.confidence, self.presence = 0.9, [0.8, 0.8]

    def __call__(self, image):
        self.seen.append(image)
        if self.detects:
            logits = np.full((1, 2254, 1), -10.0, np.float32)
            logits[0, ANCHOR] = np.log(self.confidence / (1 - self.confidence))
            raw = np.zeros((1, 2254, 12), np.float32)
            raw[0, ANCHOR, 2:4] = 60.0
            anchor = anchor_centres()[ANCHOR].numpy()
            raw[0, ANCHOR, 4:6], raw[0, ANCHOR, 6:8] = (np.array(HIPS) - anchor) * 224, (np.array(ABOVE) - anchor) * 224
            return {"Identity": raw, "Identity_1": logits}
        values = np.zeros((39, 5), np.float32)
        values[:, 0], values[:, 1] = np.arange(39) * 6, 256 - np.arange(39) * 5  # of a square of 256 pixels
        values[33, :2], values[34, :2] = (128, 128), (128, 48)  # hips, and the circle around the person
        values[:, 3], values[:, 4] = 2.0, 1.0  # logits of visibility and presence
        values[0, 3:] = 0.0, 3.0
        heatmaps = np.full((1, 64, 64, 39), -20.0, np.float32)
        return {"Identity": values.reshape(1, -1), "Identity_1": np.array(self.presence.pop(0)), "Identity_3": heatmaps}


@pytest.fixture
def estimator(monkeypatch, tmp_path):
    monkeypatch.setattr(blazepose, "_Network", Network)
    for name in (blazepose.DETECTOR, blazepose.LANDMARKS):
        (tmp_path / name).write_bytes(name.encode())
    return BlazePose(str(tmp_path), margin=0.25)


def image():
    return torch.rand(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))


DETECTED = person_square(torch.tensor([HIPS, ABOVE]) * SIDE - EDGE)


def landmark(square, number, places=None):
    """Position of a landmark of the network in a square of the image."""
    x, y = places or (number * 6, 256 - number * 5)
    return square[0] + x / 256 * (square[1] - square[0]) + y / 256 * (square[2] - square[0])


def test_landmarks_are_those_of_the_second_look_in_pixels_of_the_image(estimator):
    poses = estimator(image())
    assert poses.found.tolist() == [True]
    middle, rim = landmark(DETECTED, 33, (128, 128)), landmark(DETECTED, 34, (128, 48))
    again = person_square(torch.stack([middle, rim]))
    torch.testing.assert_close(poses.squares[0], again)
    for name in ("left_wrist", "right_ankle", "left_shoulder"):
        expected = landmark(again, LANDMARK_NAMES.index(name))
        torch.testing.assert_close(poses.joints[0, JOINTS.index(name), :2], expected)
    confidence = float(torch.tensor(1.0).sigmoid())  # the lower of the two
    assert poses.joints[0, JOINTS.index("left_wrist"), 2] == pytest.approx(confidence)
    assert len(estimator.landmarks.seen) == 2


def test_the_detector_sees_the_image_in_a_frame(estimator):
    whole = image()
    estimator(whole)
    (seen,) = estimator.detector.seen
    assert seen.shape == (1, 224, 224, 3)
    framed = torch.zeros(1, 3, SIDE, SIDE)
    padded = torch.nn.functional.pad(whole, (EDGE,) * 4, mode="replicate")
    framed[:, :, : HEIGHT + 2 * EDGE] = padded  # as wide as it is, and black below
    small = torch.nn.functional.interpolate(framed, (224, 224), mode="bilinear", antialias=True)
    np.testing.assert_allclose(seen[0], (small[0] * 2 - 1).permute(1, 2, 0).numpy(), atol=1e-6)
    (first, _) = estimator.landmarks.seen
    assert first.shape == (1, 256, 256, 3)
    expected = blazepose.crop_square(whole[0], DETECTED, 256).permute(1, 2, 0)
    np.testing.assert_allclose(first[0], expected.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("confidence", "presence", "found", "looks"),
    [(0.4, [0.8, 0.8], False, 0), (0.9, [0.4, 0.8], False, 1), (0.9, [0.5, 0.4], True, 2), (0.9, [0.8, 0.8], True, 2)],
)
def test_a_person_must_be_detected_and_present(estimator, confidence, presence, found, looks):
    estimator.detector.confidence, estimator.landmarks.presence = confidence, list(presence)
    poses = estimator(image())
    assert poses.found.tolist() == [found]
    assert len(estimator.landmarks.seen) == looks
    if presence == [0.5, 0.4]:  # the second look found nobody, so the first one counts
        torch.testing.assert_close(poses.squares[0], DETECTED)


def test_with_a_square_given_there_is_one_look_and_no_detection(estimator):
    near = estimator(image())
    estimator.landmarks.presence = [0.8, 0.8]
    estimator.detector.seen.clear()
    estimator.landmarks.seen.clear()
    poses = estimator(image(), near)
    assert (len(estimator.detector.seen), len(estimator.landmarks.seen)) == (0, 1)
    torch.testing.assert_close(poses.squares, near.squares)


def test_refinement_in_maps_of_unequal_sides_and_at_their_edges():
    heatmaps = torch.zeros(6, 10, 2)
    heatmaps[0, 8, 0], heatmaps[1, 9, 0], heatmaps[0, 3, 0] = 0.5, 0.25, 0.9  # the last is out of reach
    heatmaps[3, 2, 1] = 0.49  # not confident
    moved = refine(torch.tensor([[0.85, 0.1], [0.25, 0.55]]), heatmaps)
    assert moved[0].tolist() == pytest.approx([(0.5 * 8 + 0.25 * 9) / 0.75 / 10, 0.25 * 1 / 0.75 / 6])
    assert moved[1].tolist() == pytest.approx([0.25, 0.55])
