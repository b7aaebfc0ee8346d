"""Why photographs were left out, and why a capture failed, in words that say what to do about it."""

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from sinenerf.capture.intake import Intake, Photograph
from sinenerf.capture.mapping import Mapping
from sinenerf.capture.options import CaptureError
from sinenerf.capture.report import DARK, LeftOut
from sinenerf.capture.turning import Matches, turned_share
from sinenerf.capture.workspace import Workspace

if TYPE_CHECKING:
    import pycolmap

BLURRED = 0.35
"""A photograph with less than this share of the usual fine detail is called blurred."""
FEW_FEATURES = 100
"""Features in the median photograph below which they are said to show no detail."""
SMALLEST_ANGLE = 1.5
"""Angle in degrees between the rays to the median point below which the cameras are said to stand in one place."""
ROTATIONS = 0.6
"""Share of pairs that a rotation explains from which on the camera is said to be turned, not moved."""


class MatchGraph:
    """Which photographs see the same points, by verified matches.

    Args:
        workspace: a capture after its matching stage.
    """

    def __init__(self, workspace: Workspace) -> None:
        import pycolmap

        self.links: dict[str, dict[str, int]] = defaultdict(dict)
        self.features: dict[str, int] = {}
        self.matches: list[Matches] = []
        with pycolmap.Database.open(workspace.database) as database:
            names = {image.image_id: image.name for image in database.read_all_images()}
            points = {i: _from_the_middle(database, i) for i in names}
            self.features = {name: len(points[i]) for i, name in names.items()}
            for pair_id, geometry in zip(*database.read_two_view_geometries(), strict=True):
                inliers = len(geometry.inlier_matches)
                if inliers == 0:
                    continue
                one, two = pycolmap.pair_id_to_image_pair(pair_id)
                first, second = names[one], names[two]
                self.links[first][second] = self.links[second][first] = inliers
                chosen = np.asarray(geometry.inlier_matches)
                self.matches.append((points[one][chosen[:, 0]], points[two][chosen[:, 1]]))

    def group(self, name: str, without: set[str]) -> set[str]:
        """The photographs that are linked to one, directly or through others, none of them in `without`."""
        found, waiting = {name}, [name]
        while waiting:
            for other in set(self.links[waiting.pop()]) - found - without:
                found.add(other)
                waiting.append(other)
        return found


def _from_the_middle(database: "pycolmap.Database", image_id: int) -> Float[np.ndarray, "n 2"]:
    """A photograph's features from its middle, as shares of its longer side."""
    camera = database.read_camera(database.read_image(image_id).camera_id)
    size = np.array([camera.width, camera.height])
    return (np.asarray(database.read_keypoints(image_id))[:, :2] - size / 2) / size.max()


def explain_left_out(intake: Intake, mapping: Mapping, graph: MatchGraph) -> list[LeftOut]:
    """The photographs that have no place in the scene, each with its reason."""
    placed = mapping.placed()
    usual = float(np.median([p.sharpness for p in intake.photographs if p.name in placed]))
    others = [mapping.placed(number) - placed for number in range(1, len(mapping.models))]
    missing = [photograph for photograph in intake.photographs if photograph.name not in placed]
    return [_explain(photograph, placed, others, usual, graph) for photograph in missing]


def _explain(
    photograph: Photograph, placed: set[str], others: list[set[str]], usual: float, graph: MatchGraph
) -> LeftOut:
    source, name = photograph.source, photograph.name
    if photograph.brightness < DARK:
        return LeftOut(source, "dark", f"mean brightness {photograph.brightness:.0f} of 255")
    for other in others:
        if name in other:
            return LeftOut(source, "another scene", f"fits {len(other) - 1} others, which do not fit the scene")
    if photograph.sharpness < BLURRED * usual:
        return LeftOut(source, "blurred", f"{100 * photograph.sharpness / usual:.0f} % of the usual fine detail")
    shared = {other: count for other, count in graph.links[name].items() if other in placed}
    if not shared:
        group = graph.group(name, placed)
        if len(group) >= 3:
            return LeftOut(source, "another scene", f"shares points with {len(group) - 1} others, none in the scene")
        return LeftOut(source, "no overlap", "shares no points with the scene: take more photographs in between")
    best = max(shared.values())
    return LeftOut(source, "not placed", f"shares at most {best} points with a photograph of the scene, too few")


def check_scene(source: Path, intake: Intake, mapping: Mapping, graph: MatchGraph, fewest: int) -> None:
    """Refuse photographs that make no scene, or one without depth.

    Raises:
        CaptureError: too few photographs fit together, or all were taken from one place. The message says which, and
            how to photograph instead.
    """
    count = len(intake.photographs)
    turned = turned_share(graph.matches) >= ROTATIONS
    if mapping.models and len(mapping.placed()) >= fewest:
        if median_angle(mapping) >= SMALLEST_ANGLE and not turned:
            return
        turned = True
    if turned:
        raise CaptureError(
            f"{source}: the camera was turned but not moved, so that nothing has depth. Walk sideways while "
            "photographing, by about a tenth of the distance from each photograph to the next"
        )
    brightness = float(np.median([photograph.brightness for photograph in intake.photographs]))
    if brightness < DARK:
        raise CaptureError(f"{source}: too dark (mean brightness {brightness:.0f} of 255). Photograph in more light")
    features = float(np.median([graph.features[photograph.name] for photograph in intake.photographs]))
    if features < FEW_FEATURES:
        raise CaptureError(
            f"{source}: too little detail ({features:.0f} features in a photograph). Photograph sharply, and "
            "surfaces with texture"
        )
    best = f"at most {len(mapping.placed())}" if mapping.models else "none"
    raise CaptureError(
        f"{source}: the photographs overlap too little: {best} of {count} fit together ({len(graph.matches)} pairs "
        "share points). Take more, so that each shows two thirds of what the one before shows"
    )


def median_angle(mapping: Mapping) -> float:
    """The largest angle between the rays to a point, in degrees, of the median point of the largest model."""
    model = mapping.largest
    centres = {i: model.images[i].projection_center() for i in model.reg_image_ids()}
    angles = []
    for point in list(model.points3D.values())[:: max(1, model.num_points3D() // 2000)]:
        rays = np.array([centres[element.image_id] - point.xyz for element in point.track.elements])
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        angles.append(np.degrees(np.arccos(np.clip((rays @ rays.T).min(), -1, 1))))
    return float(np.median(angles)) if angles else 0.0
