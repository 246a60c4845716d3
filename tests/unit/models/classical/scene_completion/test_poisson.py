import numpy as np
import pytest

from pose_inpaint.models.classical.scene_completion.poisson import blend, bordered


def square(top, left, bottom, right, side=16):
    inside = np.zeros((side, side), bool)
    inside[top:bottom, left:right] = True
    return inside


NOTHING = np.zeros((16, 16), bool)


@pytest.mark.parametrize("inside", [square(4, 5, 10, 12), square(0, 0, 6, 9), square(0, 3, 16, 16)])
def test_a_constant_between_scene_and_image_vanishes(inside):
    image = np.random.default_rng(0).random((3, 16, 16))
    scene = image + np.array([0.3, -0.2, 0.1])[:, None, None]
    np.testing.assert_allclose(blend(image, scene, inside, NOTHING), image, atol=1e-9)


def test_gradients_are_the_scenes_and_the_border_is_the_images():
    random = np.random.default_rng(1)
    image, scene = random.random((2, 3, 16, 16))
    inside = square(5, 4, 11, 12)
    blended = blend(image, scene, inside, NOTHING)
    np.testing.assert_array_equal(blended[:, ~inside], image[:, ~inside])

    def laplacian(p):
        return 4 * p[:, 1:-1, 1:-1] - p[:, :-2, 1:-1] - p[:, 2:, 1:-1] - p[:, 1:-1, :-2] - p[:, 1:-1, 2:]

    np.testing.assert_allclose(laplacian(blended)[:, inside[1:-1, 1:-1]], laplacian(scene)[:, inside[1:-1, 1:-1]])


def test_another_hole_is_not_a_border():
    image = np.full((3, 16, 16), 0.5)
    unknown = square(4, 8, 10, 12)
    image[:, unknown] = 0  # black, as in the input
    blended = blend(image, np.zeros((3, 16, 16)), square(4, 4, 10, 8), unknown)
    np.testing.assert_allclose(blended[:, square(4, 4, 10, 8)], 0.5, atol=1e-9)


def test_a_component_without_a_border_is_an_error():
    image, scene = np.random.default_rng(2).random((2, 3, 12, 20))
    inside, unknown = np.zeros((2, 12, 20), bool)
    inside[2:5, 3:9] = inside[8:, 14:] = True
    unknown[7, 13:] = unknown[8:, 13] = True  # another hole between the corner and all kept pixels
    with pytest.raises(ValueError, match="needs a kept pixel"):
        blend(image, scene, inside, unknown)
    unknown[7, 19] = False
    np.testing.assert_array_equal(bordered(inside, unknown), inside)
    offset = blend(image, image + 0.2, inside, unknown)
    np.testing.assert_allclose(offset[:, inside], image[:, inside], atol=1e-9)
    with pytest.raises(ValueError, match="needs a kept pixel"):
        blend(image, scene, np.ones((12, 20), bool), np.zeros((12, 20), bool))


def test_components_that_touch_at_a_corner_need_a_border_each():
    inside, unknown = np.zeros((2, 6, 8), bool)
    inside[:2, :2] = inside[2:4, 2:5] = True
    unknown[2:4, :2] = unknown[:2, 2:4] = True
    expected = inside.copy()
    expected[:2, :2] = False
    np.testing.assert_array_equal(bordered(inside, unknown), expected)
