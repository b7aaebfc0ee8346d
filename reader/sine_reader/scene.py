"""A scene: a radiance field, which gives density and colour at points, and pixels of rays."""

from dataclasses import dataclass, field

import numpy as np

from sine_reader.container import Container, Tensors, read_tensors
from sine_reader.scene_header import Camera, Network, SceneHeader, read_scene_header
from sine_reader.warps import Path, Warp

CHUNK = 2**23
"""Values in the features of the samples of the rays that are rendered at a time."""


@dataclass(frozen=True)
class Scene:
    """A scene, in the coordinates of its field."""

    header: SceneHeader
    tensors: Tensors = field(repr=False)
    """As stored; `Layer.weights` makes weights of them."""
    weights: dict[str, tuple[np.ndarray, np.ndarray]] = field(repr=False)
    """(W^T, bias) of each layer, by its name."""

    @property
    def home(self) -> Camera:
        """The view that the scene opens with: of its photographs, the mean or a typical one."""
        return self.header.home

    @property
    def warp(self) -> Warp:
        """From the scene to the cube of its networks."""
        return self.header.warp

    def render(self, camera: Camera) -> np.ndarray:
        """The picture (height, width, 3) of a camera, from 0 to 1."""
        return self.render_rays(*camera.rays()).reshape(camera.height, camera.width, 3)

    def render_rays(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Colours (rays, 3), from 0 to 1, of rays of the scene.

        Args:
            origins: (rays, 3).
            directions: (rays, 3), of length 1.
        """
        samples = sum(self.header.samples)
        size = samples * max(layer.inputs for network in self.header.networks for layer in network.layers)
        parts = max(1, -(-len(origins) * size // CHUNK))
        chunks = zip(np.array_split(origins, parts), np.array_split(directions, parts), strict=True)
        with np.errstate(all="ignore"):  # the parameters may have any values
            return np.concatenate([self._pixels(o, d) for o, d in chunks])

    def density(self, cube: np.ndarray) -> np.ndarray:
        """Density (n), in 1 / cube unit, at points (n, 3) of the cube: those of the scene through `warp.to_cube`."""
        with np.errstate(all="ignore"):
            return self._density(self.header.networks[1], np.asarray(cube, np.float32))[0]

    def colour(self, cube: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Colour (n, 3), from 0 to 1, at points (n, 3) of the cube, seen along unit directions (n, 3) of the scene."""
        features = self._features(self.header.networks[1], np.asarray(cube, np.float32))
        return self._colour(features[:, None], directions)[:, 0]

    def _affine(self, name: str, x: np.ndarray) -> np.ndarray:
        weight, bias = self.weights[name]
        return x @ weight + bias

    def _features(self, network: Network, cube: np.ndarray) -> np.ndarray:
        encoded = h = _encoded(cube, network.octaves)
        for i, layer in enumerate(network.trunk):
            h = np.maximum(self._affine(layer.name, h), 0)
            if network.skips >> i & 1:
                h = np.concatenate([encoded, h], axis=-1)
        return h

    def _density(self, network: Network, cube: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(density, the features that it comes from)."""
        features = self._features(network, cube)
        head = network.heads.get("head") or network.heads["density"]
        raw = self._affine(head.name, features)[..., 0]
        return np.exp(np.minimum(raw, 12)) if self.header.density else np.logaddexp(0, raw), features

    def _colour(self, features: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Colours (rays, samples, 3) from features (rays, samples, w) of the second network."""
        encoded = _encoded(directions.astype(np.float32), self.header.networks[1].directions)
        seen = np.broadcast_to(encoded[:, None], (*features.shape[:2], encoded.shape[1]))
        view = self._affine("1.view", np.concatenate([self._affine("1.feature", features), seen], axis=-1))
        return 1 / (1 + np.exp(-self._affine("1.colour", np.maximum(view, 0))))

    def _pixels(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        path = self.warp.path(origins, directions)
        coarse, fine = self.header.samples
        edges = np.tile(np.linspace(0, 1, coarse + 1), (len(origins), 1))
        weights, _ = self._march(0, path, edges)
        finer = _resampled(edges, weights + 0.01, fine)
        edges = finer if self.header.is_proposal else np.sort(np.concatenate([edges, finer], axis=1), axis=1)
        weights, features = self._march(1, path, edges)
        colours = self._colour(features, directions)
        behind = (colours[:, -1], 1.0, 0.0)[self.header.background]
        left = 1 - weights.sum(1, keepdims=True)
        return np.clip((weights[..., None] * colours).sum(1) + left * behind, 0, 1)

    def _march(self, network: int, path: Path, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(weights of the samples between edges (rays, n + 1), the features at them)."""
        middles = path((edges[:, 1:] + edges[:, :-1]) / 2).astype(np.float32)
        density, features = self._density(self.header.networks[network], middles)
        thickness = density * np.linalg.norm(np.diff(path(edges), axis=1), axis=-1)
        before = np.cumsum(thickness, axis=1) - thickness
        return (1 - np.exp(-thickness)) * np.exp(-before), features


def read_scene(container: Container) -> Scene:
    """The scene in a file of kind 2.

    Raises:
        SineFileError: the file is damaged, or out of the format's bounds.
    """
    header = read_scene_header(container.header)
    layers = [layer for network in header.networks for layer in network.layers]
    tensors = read_tensors(container.body, [entry for layer in layers for entry in layer.shapes()])
    return Scene(header, tensors, {layer.name: layer.weights(tensors) for layer in layers})


def _encoded(points: np.ndarray, octaves: int) -> np.ndarray:
    """(..., 3 + 6 octaves): p, sin p, cos p, sin 2p, cos 2p, ..."""
    angles = (points * np.float32(2**octave) for octave in range(octaves))
    return np.concatenate([points, *(wave(angle) for angle in angles for wave in (np.sin, np.cos))], axis=-1)


def _resampled(edges: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    """Edges of `count` bins that hold equal parts of the weights of the bins between `edges`."""
    total = np.cumsum(weights, axis=1) / weights.sum(1, keepdims=True)
    total = np.concatenate([np.zeros((len(total), 1)), total], axis=1)
    u = (np.arange(count + 1) + 0.5) / (count + 1)
    return np.array([np.interp(u, row, places) for row, places in zip(total, edges, strict=True)])
