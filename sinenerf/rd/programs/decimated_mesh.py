"""Programs for shapes: quadric decimation and a codec for meshes, the state of the art for compressed meshes."""

import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sinenerf.common.decimation import FEWEST
from sinenerf.common.files import replacing
from sinenerf.common.mesh_compression import draco, undraco
from sinenerf.rd.programs.meshopt import meshopt, unmeshopt
from sinenerf.rd.programs.shapes import load_truth, measure, save_mesh_picture, split_evaluation
from sinenerf.rd.results import Measurement, Settings

if TYPE_CHECKING:
    import trimesh


class MeshCodec(Protocol):
    """A codec for meshes."""

    name: str
    suffix: str
    """Of its files."""
    most_bits: int
    """The finest precision of a position's coordinate."""

    def encode(self, mesh: "trimesh.Trimesh", bits: int) -> bytes:
        """A file of the mesh, with positions of `bits` bits."""
        ...

    def decode(self, data: bytes) -> "trimesh.Trimesh":
        """The mesh in a file."""
        ...


class Draco:
    """Google's Draco."""

    name, suffix, most_bits = "draco", ".drc", 30
    encode, decode = staticmethod(draco), staticmethod(undraco)


class Meshopt:
    """meshoptimizer's codecs and LZMA."""

    name, suffix, most_bits = "meshopt", ".meshopt", 16
    encode, decode = staticmethod(meshopt), staticmethod(unmeshopt)


def decimated_by_quadrics(mesh: "trimesh.Trimesh", faces: int) -> "trimesh.Trimesh":
    """A mesh of at most `faces` faces (Garland and Heckbert 1997), by libigl; the original where it has no more.

    Slower than `sinenerf.common.decimation`, but nearer to the original: at 1,200 faces by 3 to 51 % of the Chamfer
    distance (docs/experiments.md).

    Raises:
        ValueError: more than two faces share an edge.
    """
    import igl
    import trimesh

    if len(mesh.faces) <= faces:
        return mesh
    middle = mesh.bounds.mean(0)  # squared distances from the origin would be too coarse far from it
    vertices, triangles, _, _ = igl.qslim(np.asarray(mesh.vertices) - middle, np.asarray(mesh.faces, np.int32), faces)
    if not len(triangles):
        raise ValueError("the mesh is not a manifold: more than two faces share an edge. It cannot be decimated")
    return trimesh.Trimesh(vertices + middle, triangles, process=False)


@lru_cache(maxsize=32)  # jobs come scene by scene, a method after the other
def _decimated_scene(scene: Path, points: int, faces: int) -> "tuple[trimesh.Trimesh, float]":
    """(the decimated mesh of a scene, the seconds that decimation took)."""
    mesh, begin = load_truth(scene, points).mesh, time.process_time()
    return decimated_by_quadrics(mesh, faces), time.process_time() - begin


class DecimatedMeshProgram:
    """Quadric decimation, then a codec at its smallest.

    Settings: faces, the number to decimate to; bits, the precision of a position's coordinate.
    """

    trains = False

    def __init__(self, codec: MeshCodec) -> None:
        self.codec = codec

    def resolve(self, given: Settings) -> Settings:
        given, evaluation = split_evaluation(given)
        if unknown := set(given) - {"faces", "bits"}:
            raise ValueError(
                f"no setting of {self.codec.name} is called {sorted(unknown)[0]!r}: there are faces and bits"
            )
        settings = {"faces": given.get("faces", 2000), "bits": given.get("bits", 10)}
        if not (isinstance(settings["faces"], int) and settings["faces"] >= FEWEST):
            raise ValueError(f"faces is {settings['faces']}: it must be a whole number of at least {FEWEST}")
        if not (isinstance(settings["bits"], int) and 1 <= settings["bits"] <= self.codec.most_bits):
            raise ValueError(f"bits is {settings['bits']}: it must be a whole number from 1 to {self.codec.most_bits}")
        return settings | evaluation

    def estimate(self, settings: Settings) -> float:
        return 3.0

    def files(self, scene: Path, settings: Settings) -> list[Path]:
        return [scene]

    def run(self, scene: Path, settings: Settings, artefact: Path) -> Measurement | None:
        truth = load_truth(scene, settings["eval_points"])
        mesh, seconds = _decimated_scene(scene, settings["eval_points"], settings["faces"])
        begin = time.process_time()
        data = self.codec.encode(mesh, settings["bits"])
        seconds += time.process_time() - begin
        with replacing(artefact.with_suffix(self.codec.suffix)) as partial:
            partial.write_bytes(data)
        begin = time.process_time()
        decoded = self.codec.decode(artefact.with_suffix(self.codec.suffix).read_bytes())
        decode_seconds = time.process_time() - begin
        save_mesh_picture(decoded, truth, artefact)
        return measure(truth.evaluate_mesh(decoded, len(data)), {"total": len(data)}, seconds, decode_seconds, [])
