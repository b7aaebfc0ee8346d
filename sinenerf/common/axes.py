"""The axis of a shape's own coordinates that points up, and the rotation that turns it to y up."""

from typing import Literal

import numpy as np
from jaxtyping import Float

Up = Literal["y", "z", "x", "-y", "-z", "-x"]
"""Axis that points up. A .sine file stores its index; y, as in glTF and on the viewer's pages, is the default."""

UpChoice = Literal[Up, "auto"]
"""The same, or a guess: `sinenerf.occupancy.upright`."""


def up_vector(up: Up) -> Float[np.ndarray, "3"]:
    """The unit vector of an axis."""
    vector = np.zeros(3)
    vector["xyz".index(up[-1])] = -1.0 if up.startswith("-") else 1.0
    return vector


def upright_axes(up: Up) -> Float[np.ndarray, "3 3"]:
    """The shortest rotation that takes an axis, such as -y, to +y; the viewer's pages use the same."""
    if up == "-y":
        return np.diag([-1.0, -1.0, 1.0])  # all half turns are equally short: this is the one of three.js
    axis, target = up_vector(up), up_vector("y")
    cross, cosine = np.cross(axis, target), float(axis @ target)
    skew = np.array([[0, -cross[2], cross[1]], [cross[2], 0, -cross[0]], [-cross[1], cross[0], 0]])
    return np.eye(3) + skew + skew @ skew / (1 + cosine)


def upright_transform(up: Up) -> Float[np.ndarray, "4 4"]:
    """The same rotation of homogeneous coordinates."""
    transform = np.eye(4)
    transform[:3, :3] = upright_axes(up)
    return transform


def upright_quaternion(up: Up) -> tuple[float, float, float, float]:
    """The rotation of `upright_axes` as the quaternion (x, y, z, w) of a glTF node."""
    if up == "-y":
        return 0.0, 0.0, 1.0, 0.0
    axis, target = up_vector(up), up_vector("y")
    quaternion = np.append(np.cross(axis, target), 1 + axis @ target)  # of the rotation from one unit vector to another
    x, y, z, w = (quaternion / np.linalg.norm(quaternion)).tolist()
    return x, y, z, w
