"""Files of points and splats, read by plyfile and, byte by byte, as Niantic's page on .spz says."""

import gzip
import struct

import numpy as np
import pytest
from plyfile import PlyData

from sinenerf.radiance.splat_files import save_points, save_splats
from sinenerf.radiance.splats import SH0, splats_of
from sinenerf.radiance.surface_points import SurfacePoints


def a_cloud(count=500):
    generator = np.random.default_rng(0)
    normals = generator.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    spacing = generator.uniform(0.001, 0.1, count)
    return SurfacePoints(
        generator.normal(size=(count, 3)) * 3, normals, generator.uniform(size=(count, 3)), normals[::-1], spacing
    )


def columns(path, names):
    vertices = PlyData.read(str(path))["vertex"]
    return np.stack([vertices[name] for name in names.split()], axis=1)


def test_points_keep_places_normals_and_colours(tmp_path):
    cloud, path = a_cloud(), tmp_path / "cloud.ply"
    save_points(cloud, path)
    np.testing.assert_allclose(columns(path, "x y z"), cloud.positions, rtol=1e-6)
    np.testing.assert_allclose(columns(path, "nx ny nz"), cloud.normals, rtol=1e-6)
    np.testing.assert_allclose(columns(path, "red green blue") / 255, cloud.colours, atol=0.5 / 255)


def test_splats_have_the_layout_of_kerbl_et_al(tmp_path):
    """y points down; the rest is theirs: logits, logarithms, the constant harmonic's coefficients."""
    splats, path = splats_of(a_cloud()), tmp_path / "splats.ply"
    save_splats(splats, path)
    half_turn = np.array([1, -1, -1])
    np.testing.assert_allclose(columns(path, "x y z"), splats.positions * half_turn, rtol=1e-6)
    np.testing.assert_allclose(columns(path, "f_dc_0 f_dc_1 f_dc_2") * SH0 + 0.5, splats.colours, atol=1e-6)
    np.testing.assert_allclose(1 / (1 + np.exp(-columns(path, "opacity")[:, 0])), splats.opacities, rtol=1e-5)
    np.testing.assert_allclose(np.exp(columns(path, "scale_0 scale_1 scale_2")), splats.scales, rtol=1e-5)
    axes = third_axes(columns(path, "rot_0 rot_1 rot_2 rot_3").astype(float))
    np.testing.assert_allclose(axes, third_axes(splats.rotations) * half_turn, atol=1e-5)


def third_axes(quaternions):
    w, x, y, z = quaternions.T
    return np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], axis=1)


def test_spz_keeps_what_its_bits_allow(tmp_path):
    splats, path = splats_of(a_cloud()), tmp_path / "splats.spz"
    save_splats(splats, path)
    data = gzip.decompress(path.read_bytes())
    magic, version, count, degree, fraction, flags, reserved = struct.unpack_from("<4sIIBBBB", data)
    assert (magic, version, count, degree, flags, reserved) == (b"NGSP", 2, 500, 0, 0, 0)
    assert len(data) == 16 + 19 * count
    parts = np.split(np.frombuffer(data, np.uint8, offset=16), np.cumsum([9 * count, count, 3 * count, 3 * count]))
    low, middle, high = parts[0].reshape(-1, 3, 3).transpose(2, 0, 1).astype(np.int64)
    whole = low + (middle << 8) + (high << 16)
    positions = (whole - (whole >> 23 << 24)) / 2.0**fraction
    np.testing.assert_allclose(positions, splats.positions, atol=2.0**-fraction)
    assert abs(splats.positions).max() * 2**fraction > 2**22 or fraction == 16, "the bits are used"
    np.testing.assert_allclose(parts[1] / 255, splats.opacities, atol=0.5 / 255)
    colours = (parts[2].reshape(-1, 3) / 255 - 0.5) / 0.15 * SH0 + 0.5
    np.testing.assert_allclose(colours, splats.colours, atol=0.004)
    np.testing.assert_allclose(np.exp(parts[3].reshape(-1, 3) / 16 - 10), splats.scales, rtol=0.033)
    xyz = parts[4].reshape(-1, 3) / 127.5 - 1
    rotations = np.column_stack([np.sqrt(1 - (xyz**2).sum(1)), xyz])
    assert ((rotations * splats.rotations).sum(1) > 0.9999).all()


def test_a_scene_too_large_for_spz_is_refused(tmp_path):
    cloud = a_cloud()
    far = cloud.moved(np.diag([1e8, 1e8, 1e8, 1]))
    with pytest.raises(ValueError, match=r"Write \.ply"):
        save_splats(splats_of(far), tmp_path / "far.spz")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="cannot write"):
        save_splats(splats_of(cloud), tmp_path / "splats.splat")
