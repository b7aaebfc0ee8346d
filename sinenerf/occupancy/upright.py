"""A guess of the axis that points up in a mesh: by the habits of its file type, by what it can stand on, and by its
planes of symmetry.

A simplification of Fu, Cohen-Or, Dror and Sheffer, "Upright orientation of man-made objects" (SIGGRAPH 2008), to the
six axes of a file's coordinates. The evidence is added up as log-probabilities, with weights set by hand.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from jaxtyping import Float

from sinenerf.common.axes import Up
from sinenerf.occupancy.mirror import reflect

if TYPE_CHECKING:
    import trimesh

Y_UP = (".glb", ".gltf")
"""Suffixes of glTF, which demands +y."""
Y_SHARE = {".stl": 0.2, ".obj": 0.75, ".ply": 0.55, ".off": 0.45}
"""Share of files with +y, rather than +z, by type: STL comes from CAD and printing, where z is up, OBJ from modelling
programs, where y is; PLY and OFF come from anywhere."""
RARE = {"x": 0.04, "-y": 0.01, "-z": 0.01, "-x": 0.01}
"""Share of files in which one of the other axes points up."""
BASE, FOOT, SYMMETRY = 5.0, 6.0, 2.0
"""Weights of the evidence, in nats."""
SLAB = 0.02
"""Height of what touches the ground, relative to the shape's."""
ROUND = 0.1
"""Share of the outline below which what touches the ground is no base: that of a ball is 0.08."""
SAMPLES, MIRRORED = 20_000, 2_000
"""Points of the surface, and how many of them are mirrored."""
ROUGH = 0.02
"""Mean distance of the mirrored points, relative to the longest side, up to which no shape counts as asymmetric."""


@dataclass(frozen=True)
class UpGuess:
    """The axis that seems to point up."""

    up: Up
    certainty: float
    """Probability of that axis, by the weights of this module."""
    reason: str

    def __str__(self) -> str:
        sure = "surely" if self.certainty > 0.97 else "probably" if self.certainty > 0.7 else "perhaps"
        return f"up is {sure} {self.up}, {self.reason}; --up sets it"


def guess_up(mesh: "trimesh.Trimesh", suffix: str = "") -> UpGuess:
    """Guess the axis that points up.

    Args:
        mesh: of any kind; its winding does not matter.
        suffix: of its file, such as ".stl"; other suffixes than those of `Y_SHARE` say nothing.
    """
    if suffix.lower() in Y_UP:
        return UpGuess("y", 1.0, "as glTF demands")
    habit = _habit(suffix.lower())
    base, foot = _support(mesh)
    axis = habit.sum(0) * np.exp(BASE * base.max(0) + SYMMETRY * _asymmetry(mesh))
    end = habit * np.exp(FOOT * foot)
    share = axis / axis.sum() * end / end.sum(0)
    best = int(share.argmax())
    reason = "since it stands that way" if base.flat[best] else "by its symmetry and the type of its file"
    return UpGuess(get_args(Up)[best], float(share.flat[best]), reason)


def _habit(suffix: str) -> Float[np.ndarray, "2 3"]:
    """Share of each axis among files of a type: y, z, x in the first row, -y, -z, -x in the second."""
    y, others = Y_SHARE.get(suffix, 0.5), 1 - sum(RARE.values())
    shares = RARE | {"y": y * others, "z": (1 - y) * others}
    return np.array([shares[up] for up in get_args(Up)]).reshape(2, 3)


def _support(mesh: "trimesh.Trimesh") -> tuple[Float[np.ndarray, "2 3"], Float[np.ndarray, "2 3"]]:
    """How well a shape stands with each axis up: (the base's share of its outline, 0 where it would tip over; by how
    much this end of the axis is a better foot than the other in both extent and flat area, negative if worse, 0 if each
    is better in one: a bowl's rim is the wider end, but its foot the flatter)."""
    centre = mesh.center_mass if mesh.is_watertight and mesh.volume > 0 else mesh.triangles_center.mean(0)
    base, flat = np.transpose([_contact(mesh, up, centre) for up in get_args(Up)]).reshape(2, 2, 3)
    wider, flatter = base - base[::-1], flat - flat[::-1]
    return base, np.where(wider * flatter > 0, np.sign(wider) * np.sqrt(abs(wider * flatter)), 0.0)


def _contact(mesh: "trimesh.Trimesh", up: Up, centre: np.ndarray) -> tuple[float, float]:
    """(base, flat area) of what touches the ground where an axis points up, as shares of the shape's outline."""
    axis, sign = "xyz".index(up[-1]), -1 if up.startswith("-") else 1
    plane = [other for other in range(3) if other != axis]
    outline = _hull(mesh.vertices[:, plane])
    if outline is None:
        return 0.0, 0.0
    heights = sign * mesh.vertices[:, axis]
    is_low = heights <= heights.min() + SLAB * mesh.extents[axis]
    faces = is_low[mesh.faces].all(1) & (sign * mesh.face_normals[:, axis] < -0.9)
    flat = float(mesh.area_faces[faces].sum() / outline.volume)  # scipy calls a plane hull's area its volume
    contact = _hull(mesh.vertices[is_low][:, plane])
    if contact is None or (contact.equations @ np.append(centre[plane], 1) > 0).any():  # it tips over
        return 0.0, flat
    base = contact.volume / outline.volume
    return base if base > ROUND else 0.0, flat


def _hull(points: np.ndarray) -> Any:
    """scipy's convex hull of points in a plane; None if they lie on a line."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        return ConvexHull(points) if len(points) > 2 else None
    except QhullError:
        return None


def _asymmetry(mesh: "trimesh.Trimesh") -> Float[np.ndarray, "3"]:
    """How far a shape is from its mirror images along y, z and x, from 0 to 1 for the farthest: few shapes mirror along
    the vertical and not along the horizontals. `symmetry.find_mirror` seeks one plane of any direction, and needs a
    solid."""
    import trimesh
    from scipy.spatial import KDTree

    points = np.asarray(trimesh.sample.sample_surface(mesh, SAMPLES, seed=0)[0])
    tree, middles = KDTree(points), (mesh.bounds.mean(0), points.mean(0))

    def distance(axis: int, middle: np.ndarray) -> float:
        return tree.query(reflect(points[:MIRRORED], np.eye(3)[axis], middle[axis]))[0].mean()

    distances = np.array([min(distance(axis, middle) for middle in middles) for axis in (1, 2, 0)])
    return distances / max(distances.max(), ROUGH * mesh.extents.max())
