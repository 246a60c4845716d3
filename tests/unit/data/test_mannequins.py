"""Mannequins: exact images, valid bodies, and the folder that `prepare` writes."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pose_inpaint.data.mannequins import MPII_JOINTS, draw, prepare
from pose_inpaint.data.mannequins.background import KINDS
from pose_inpaint.data.mannequins.chance import stream
from pose_inpaint.data.mannequins.geometry import add, length, sine
from pose_inpaint.data.mannequins.poses import FAMILIES, draw_pose
from pose_inpaint.data.mannequins.scene import compose_scene, paint_scene
from pose_inpaint.data.mannequins.skeleton import BONE_SHARES, POSED_JOINTS, limits_of
from pose_inpaint.data.mannequins.stance import FLESH, settle
from pose_inpaint.data.mannequins.writer import draw_squares
from pose_inpaint.errors import InputError

GOLDEN = {  # SHA-256 of pixels and joints; increase writer.VERSION when they change
    (0, 0, 128): "1cd6173351163b247e2ac84d",
    (0, 1, 64): "2b80e2f8dea0b676d952e8ea",
    (3, 17, 128): "7344980e3372aa3a3066db43",
    (2018, 999, 96): "ed8392898c625ce147fd82c5",
    (7, 123456, 32): "85b6629e67fcbbbbd6909f82",
}

BONES = {
    ("pelvis", "waist"): "loin",
    ("waist", "thorax"): "ribcage",
    ("thorax", "neck"): "neck",
    ("neck", "head_top"): "head",
    **{("thorax", f"{side}_shoulder"): "shoulder_girdle" for side in ("right", "left")},
    **{(f"{side}_shoulder", f"{side}_elbow"): "upper_arm" for side in ("right", "left")},
    **{(f"{side}_elbow", f"{side}_wrist"): "forearm" for side in ("right", "left")},
    **{("pelvis", f"{side}_hip"): "hip_girdle" for side in ("right", "left")},
    **{(f"{side}_hip", f"{side}_knee"): "thigh" for side in ("right", "left")},
    **{(f"{side}_knee", f"{side}_ankle"): "shank" for side in ("right", "left")},
}


def fingerprint(seed: int, index: int, size: int) -> str:
    mannequin = draw(seed, index, size)
    return hashlib.sha256(mannequin.image.tobytes() + mannequin.joints.astype("<f8").tobytes()).hexdigest()[:24]


@pytest.mark.parametrize(("key", "expected"), GOLDEN.items())
def test_draw_is_reproducible_across_machines(key: tuple[int, int, int], expected: str) -> None:
    assert fingerprint(*key) == expected


def test_sine_is_accurate() -> None:
    angles = [0.37 * k for k in range(-2500, 2500)]
    assert max(abs(sine(angle) - math.sin(math.radians(angle))) for angle in angles) < 1e-14


def test_mpii_order_and_shapes() -> None:
    mannequin = draw(0, 0, 64)
    assert mannequin.image.shape == (64, 64, 3)
    assert mannequin.image.dtype == np.uint8
    assert mannequin.joints.shape == (16, 3)
    assert mannequin.joints.dtype == np.float64
    assert MPII_JOINTS[0] == "right_ankle"
    assert MPII_JOINTS[5] == "left_ankle"
    assert MPII_JOINTS[6:10] == ("pelvis", "thorax", "neck", "head_top")
    assert MPII_JOINTS[10] == "right_wrist"
    assert MPII_JOINTS[15] == "left_wrist"


@given(seed=st.integers(0, 2**32), stature=st.floats(1.4, 2.0))
@settings(max_examples=60, deadline=None)
def test_bone_lengths_are_fixed_shares_of_stature(seed: int, stature: float) -> None:
    _, skeleton = settle(draw_pose(stream(seed)), stature)
    for (start, end), bone in BONES.items():
        size = length(add(skeleton.points[end], skeleton.points[start], -1.0))
        assert size == pytest.approx(BONE_SHARES[bone] * stature, rel=1e-9)


def test_standing_height_adds_up_to_stature() -> None:
    ankle = 0.039
    up = ("shank", "thigh", "loin", "ribcage", "neck", "head")
    assert ankle + sum(BONE_SHARES[bone] for bone in up) == pytest.approx(1.0, abs=1e-9)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=120, deadline=None)
def test_joint_limits_hold_after_settling(seed: int) -> None:
    pose, _ = settle(draw_pose(stream(seed)), 1.7)
    for joint in POSED_JOINTS:
        for angle, (low, high) in zip(pose.angles[joint], limits_of(joint), strict=True):
            assert low - 1e-9 <= angle <= high + 1e-9, (joint, pose.angles[joint])


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_lowest_point_is_at_lift_above_the_floor(seed: int) -> None:
    pose, skeleton = settle(draw_pose(stream(seed)), 1.7)
    heights = {
        name: point[1] - 1.7 * FLESH.get(name.rpartition("_")[2], 0.0) for name, point in skeleton.points.items()
    }
    parts = {name: height for name, height in heights.items() if name.rpartition("_")[2] in FLESH}
    assert min(parts.values()) == pytest.approx(pose.lift * 1.7, abs=1e-9)
    if pose.contact == "feet":
        soles = [min(parts[f"{side}_toe"], parts[f"{side}_heel"]) for side in ("left", "right")]
        assert max(soles) < 0.16 * 1.7  # in a lunge, the rear foot may stand on its ball


@pytest.fixture(scope="module")
def scenes() -> list[tuple[int, object]]:
    return [(index, compose_scene(stream(7, index), 128)) for index in range(300)]


def test_every_family_and_background_occurs(scenes: list[tuple[int, object]]) -> None:
    families = Counter(scene.pose.family for _, scene in scenes)
    kinds = Counter(scene.kind for _, scene in scenes)
    assert set(families) == set(FAMILIES)
    assert min(families.values()) >= 3
    assert set(kinds) == set(KINDS)
    assert min(kinds.values()) >= 10


def test_person_is_visible_at_visible_joints() -> None:
    differs, invisible = [], 0
    for index in range(30):
        rng = stream(3, index)
        scene = compose_scene(rng, 128)
        with_person = paint_scene(rng, scene)
        rng = stream(3, index)
        compose_scene(rng, 128)
        bare = replace(scene, solids=scene.solids[scene.person_solids :], person_solids=0, casters=[])
        without = paint_scene(rng, bare)
        change = np.abs(with_person.image.astype(int) - without.image.astype(int)).max(axis=2)
        for x, y, seen in with_person.joints:
            if seen:
                differs.append(change[round(y), round(x)] > 5)
            else:
                invisible += 1
    assert np.mean(differs) > 0.97
    assert 0.08 * 480 < invisible < 0.5 * 480


def test_joints_outside_the_image_are_not_visible() -> None:
    outside = 0
    for index in range(60):
        rng = stream(5, index)
        scene = compose_scene(rng, 64)
        for x, y, seen in paint_scene(rng, scene).joints:
            if not (-0.5 <= x < 63.5 and -0.5 <= y < 63.5):
                outside += 1
                assert seen == 0.0
    assert outside > 10


def test_right_side_is_left_in_frontal_images() -> None:
    turned = {True: 0, False: 0}
    for index in range(200):
        scene = compose_scene(stream(11, index), 128)
        if abs(scene.pose.root[2] - 180.0) < 25.0:
            x = {side: scene.camera.project(scene.skeleton.points[f"{side}_shoulder"])[0] for side in ("right", "left")}
            turned[x["right"] < x["left"]] += 1
    assert turned[True] > 20
    assert turned[False] == 0


@pytest.mark.parametrize("index", range(8))
def test_sizes_show_the_same_image(index: int) -> None:
    large, small = draw(2, index, 128), draw(2, index, 64)
    np.testing.assert_allclose((large.joints[:, :2] + 0.5) / 2.0, small.joints[:, :2] + 0.5, atol=1e-6)
    halved = large.image.reshape(64, 2, 64, 2, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(halved - small.image).mean() < 14.0


def test_images_differ() -> None:
    images = [draw(1, index, 32).image.astype(float) for index in range(40)]
    apart = [np.abs(a - b).mean() for k, a in enumerate(images) for b in images[:k]]
    assert np.mean(apart) > 45.0
    assert min(apart) > 12.0
    assert all(image.std() > 12.0 for image in images)


def test_squares_lie_inside_and_have_the_documented_mask_ratio() -> None:
    ratios = []
    for index in range(200):
        squares = draw_squares(0, index, 128)
        assert 1 <= len(squares) <= 7
        covered = np.zeros((128, 128), dtype=bool)
        for row, column, side in squares:
            assert row >= 0
            assert column >= 0
            assert side >= 1
            assert row + side <= 128
            assert column + side <= 128
            covered[row : row + side, column : column + side] = True
        ratios.append(covered.mean())
    assert min(ratios) >= 0.03
    assert max(ratios) <= 0.66
    assert 0.20 < np.mean(ratios) < 0.30
    assert np.std(ratios) > 0.05


COUNTS = {"train": 4, "val": 2, "test": 3}


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_prepare_writes_the_layout_of_the_challenge(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    root = prepare(tmp_path, counts=COUNTS, size=32, seed=5, on_progress=lambda done, of: seen.append((done, of)))
    assert root.parent == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == [root.name]
    assert seen == [(done, 9) for done in range(1, 10)]
    index = 0
    for split, count in COUNTS.items():
        names = [f"mannequin_{index + k:06d}.png" for k in range(count)]
        joints = json.loads((root / split / "joints.json").read_text())
        assert joints["joint_names"] == list(MPII_JOINTS)
        assert sorted(path.name for path in (root / split / "Y").iterdir()) == names
        assert list(joints["joints"]) == names
        assert list(json.loads((root / split / "maskdata.json").read_text())) == names
        for name in names:
            mannequin = draw(5, index, 32)
            with Image.open(root / split / "Y" / name) as image:
                np.testing.assert_array_equal(np.asarray(image), mannequin.image)
            np.testing.assert_allclose(joints["joints"][name], mannequin.joints, atol=0.0501)
            index += 1
    about = json.loads((root / "about.json").read_text())
    assert (about["seed"], about["size"], about["counts"]) == (5, 32, COUNTS)


def test_prepare_is_deterministic(tmp_path: Path) -> None:
    first, second = (prepare(tmp_path / name, counts=COUNTS, size=32, seed=1) for name in ("a", "b"))
    assert first.name == second.name
    assert files(first) == files(second)
    other = prepare(tmp_path / "a", counts=COUNTS, size=32, seed=2)
    assert other != first
    assert files(other) != files(first)


def test_complete_folder_is_reused(tmp_path: Path) -> None:
    root = prepare(tmp_path, counts=COUNTS, size=32, seed=1)
    (root / "train" / "Y" / "mannequin_000000.png").write_bytes(b"mine")
    assert prepare(tmp_path, counts=COUNTS, size=32, seed=1, on_progress=lambda *_: pytest.fail("drew again")) == root
    assert (root / "train" / "Y" / "mannequin_000000.png").read_bytes() == b"mine"


def test_interrupted_run_leaves_no_usable_folder(tmp_path: Path) -> None:
    def stop(done: int, of: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path, counts=COUNTS, size=32, seed=1, on_progress=stop)
    assert list(tmp_path.iterdir()) == []
    root = prepare(tmp_path / "whole", counts=COUNTS, size=32, seed=1)
    left = tmp_path / f".{root.name}-killed" / "train" / "Y"  # remains of a killed run
    left.mkdir(parents=True)
    assert files(prepare(tmp_path, counts=COUNTS, size=32, seed=1)) == files(root)


def test_folder_finished_first_by_another_run_is_used(tmp_path: Path) -> None:
    def meanwhile(done: int, of: int) -> None:
        if done == of:
            prepare(tmp_path, counts=COUNTS, size=32, seed=1)

    root = prepare(tmp_path, counts=COUNTS, size=32, seed=1, on_progress=meanwhile)
    assert [path.name for path in tmp_path.iterdir()] == [root.name]
    assert len(files(root)) == 9 + 6 + 1


def test_unwritable_cache_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    cache = tmp_path / "file" / "cache"
    with pytest.raises(InputError) as caught:
        prepare(cache, counts=COUNTS, size=32, seed=1)
    message = str(caught.value)
    assert str(cache) in message
    assert "\n" not in message
    assert "set data.source.cache to a writable folder" in message
