"""Meshes as Draco files, decimated before: what fields are compared with."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import trimesh


def draco(mesh: "trimesh.Trimesh", faces: int, bits: int) -> bytes:
    """A mesh decimated by quadrics to so many faces, as a Draco file with positions of so many bits."""
    import DracoPy
    import fast_simplification

    vertices, kept = mesh.vertices, mesh.faces
    if faces < len(kept):
        vertices, kept = fast_simplification.simplify(
            vertices.astype("float32"), kept.astype("int32"), target_count=faces
        )
    return DracoPy.encode(vertices, kept, quantization_bits=bits, compression_level=10)


def undraco(data: bytes) -> "trimesh.Trimesh":
    """The mesh in a Draco file."""
    import DracoPy
    import trimesh

    decoded = DracoPy.decode(data)
    return trimesh.Trimesh(decoded.points, decoded.faces, process=False)
