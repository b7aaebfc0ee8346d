"""Published scenes: addresses and checksums of their archives.

The authors' own files on Google Drive (16VnMcF1KJYxN9QId6TClMsZRahHNMW5g and 18JxhpWD-4ZmuFKLzKlAw-w5PpzZxXOcG) were
deleted in 2024 (https://github.com/bmild/nerf/issues/211, https://github.com/ethanweber/nerfiller/issues/16), so
copies are used. The checksum of every copy is published; its source is given next to it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mirror:
    """A copy of a data set's archive."""

    url: str
    """Address of the archive."""
    sha256: str
    """SHA-256 of the archive, in hexadecimal. Mirrors with the same one resume each other's downloads."""


@dataclass(frozen=True)
class Published:
    """A data set as its authors released it."""

    folder: str
    """Name of the unpacked data set, as used in papers and scripts."""
    scenes: tuple[str, ...]
    """Folders in the unpacked data set."""
    key_file: str
    """File that the folder of every scene contains."""
    mirrors: tuple[Mirror, ...]
    """Copies, in the order in which they are tried."""

    @property
    def archive(self) -> str:
        """File name of the archive."""
        return f"{self.folder}.zip"


# The authors' archives, released again by https://github.com/yxlao/data-mirror. Its nerfmirror.py gives these
# checksums, and so does nerfbaselines for the authors' Google Drive files (nerfbaselines/datasets/llff.py at 0e553c41,
# nerfbaselines/datasets/blender.py at 85c00d16).
_RELEASES = "https://github.com/yxlao/nerfmirror/releases/download/20220618"
# The same scenes in newly packed archives (1780545599 and 1676854825 bytes). The checksums are from the Git LFS
# pointers of that repository, as shown on its pages: blob/7ef0ad1fe3fc5eeeba751dd6b89d3fb214febdfd/nerf_llff_data.zip
# and commit/3d80caf405540d16337de4fe3219bb69be7cbaa4.
_HUGGING_FACE = "https://huggingface.co/datasets/YouLiXiya/nerf/resolve/8bb2c1f48e1ee51a94bce0c1634dd04795f92faa"

PUBLISHED = {
    "llff": Published(
        folder="nerf_llff_data",
        scenes=("fern", "flower", "fortress", "horns", "leaves", "orchids", "room", "trex"),
        key_file="poses_bounds.npy",
        mirrors=(
            Mirror(
                f"{_RELEASES}/nerf_llff_data.zip", "5794b432feaf4f25bcd603addc6ad0270cec588fed6a364b7952001f07466635"
            ),
            Mirror(
                f"{_HUGGING_FACE}/nerf_llff_data.zip",
                "b8be42c77ce345e647812cb69d1f92d2a85159f2464847e99458e53d13cb1d96",
            ),
        ),
    ),
    "blender": Published(
        folder="nerf_synthetic",
        scenes=("chair", "drums", "ficus", "hotdog", "lego", "materials", "mic", "ship"),
        key_file="transforms_train.json",
        mirrors=(
            Mirror(
                f"{_RELEASES}/nerf_synthetic.zip", "f01fd1b4ab045b0d453917346f26f898657bb5bec4834b95fdad1f361826e45e"
            ),
            Mirror(
                f"{_HUGGING_FACE}/nerf_synthetic.zip",
                "5e36e96ba8e3564835e9313a47f088aa26eeb88093dcccc695bdb1adec398efd",
            ),
        ),
    ),
}
