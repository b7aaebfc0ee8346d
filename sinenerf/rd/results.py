"""The store of results: one JSON file for each job, results/<dataset>/<scene>/<method>-<settings>-<hash>.json."""

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinenerf.common.files import replacing

if TYPE_CHECKING:
    from sinenerf.codec.file_info import FileInfo

FORMAT = 1
DEFAULT_DOWNSCALE = 8
"""Photographs are trained on as images_8 unless `downscale` says otherwise."""
TITLE_SETTINGS = ("width", "rank", "bytes", "faces", "bits", "seed")
"""Settings that the title and the file name of a job show, unless they are missing or, as most seeds are, 0."""
BUDGETS = ("minutes", "steps")
"""Settings that limit a training."""
Settings = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One run of a sweep."""

    dataset: str
    """shapes or photographs."""
    scene: str
    """Name of the mesh or of the folder of photographs."""
    method: str
    """Name of the curve that it belongs to."""
    program: str
    """What runs it: a key of `sinenerf.rd.programs.registry.PROGRAMS`."""
    settings: Settings
    """All settings, including defaults: when a default changes, so does the hash."""

    @property
    def key(self) -> str:
        """First eight hexadecimal digits of the SHA-256 of method, program and settings."""
        text = json.dumps([self.method, self.program, self.settings], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    @property
    def name(self) -> str:
        """Stem of its files: the method, the settings of `TITLE_SETTINGS`, and the key."""
        settings = [f"{name}{value}" for name, value in self._title_settings().items()]
        words = [re.sub(r"[^\w.]+", "-", word).strip("-.").lower() for word in (self.method, *settings)]
        return "-".join([*filter(None, words), self.key])

    @property
    def title(self) -> str:
        """The job in a few words, with the key that its files end with."""
        shown = "".join(f" {name}={value}" for name, value in self._title_settings().items())
        return f"{self.scene}, {self.method}{shown} ({self.key})"

    def _title_settings(self) -> Settings:
        shown = {name: self.settings[name] for name in TITLE_SETTINGS if self.settings.get(name)}
        if self.settings.get("layer") == "dense":  # has no rank
            shown.pop("rank", None)
        return shown

    def path(self, results: Path) -> Path:
        """Its result file."""
        return results / self.dataset / self.scene / f"{self.name}.json"


@dataclass(frozen=True)
class Measurement:
    """What a program measures in one run."""

    quality: dict[str, float | None]
    """By measure: iou, chamfer_l1, psnr, ssim, ..."""
    bytes: dict[str, float]
    """By part; total is the length of the file."""
    parameters: int | None
    """Trainable parameters; None for a mesh."""
    seconds: float
    """Time spent on training; processor time of making a mesh's file."""
    history: list[dict[str, float]] = field(default_factory=list)
    """Quality during training: {step, seconds, measure}."""
    decode_seconds: float | None = None
    """Processor time from the file on disk to a mesh; None where no mesh is decoded."""


@dataclass(frozen=True)
class Result:
    """A job with what was measured: the content of a result file."""

    dataset: str
    scene: str
    method: str
    program: str
    settings: Settings
    quality: dict[str, float | None]
    """As in `Measurement`, like the five that follow."""
    bytes: dict[str, float | None]
    """total is None where no file was written."""
    parameters: int | None
    seconds: float
    history: list[dict[str, float]] = field(default_factory=list)
    decode_seconds: float | None = None
    hardware: dict[str, str | int] = field(default_factory=dict)
    """Processor and GPU, versions, commit, date."""
    source: Path | None = None
    """The file that it was read from."""

    @classmethod
    def of(cls, job: Job, measured: Measurement, hardware: dict[str, str | int]) -> "Result":
        """The result of a job."""
        return cls(**vars(job), **vars(measured), hardware=hardware)

    @property
    def size(self) -> int | None:
        """Bytes of the whole file; None where no file was written."""
        total = self.bytes["total"]
        return None if total is None else int(total)

    @property
    def job(self) -> Job:
        """The job that it is the result of."""
        return Job(self.dataset, self.scene, self.method, self.program, self.settings)

    def save(self, path: Path) -> None:
        """Write the file, and its folder where it is missing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"format": FORMAT} | {k: v for k, v in asdict(self).items() if k != "source"}
        with replacing(path) as partial:
            partial.write_text(json.dumps(content, indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Result":
        """Read one file.

        Raises:
            ValueError: it is not a result of a sweep, is damaged, or comes from a newer version.
        """
        try:
            content = json.loads(path.read_text())
        except (UnicodeDecodeError, json.JSONDecodeError):
            raise ValueError(f"{path}: is damaged: it is not JSON. Delete it and sweep again") from None
        names = {f.name for f in fields(cls)} - {"source"}
        if not isinstance(content, dict) or "format" not in content:
            raise ValueError(f"{path}: is not a result of a sweep")
        if content.pop("format") != FORMAT:
            raise ValueError(f"{path}: has another version; this sinenerf reads format {FORMAT}. Upgrade sinenerf")
        if missing := names - set(content):
            raise ValueError(f"{path}: is damaged: it lacks {sorted(missing)[0]!r}. Delete it and sweep again")
        result = cls(**{name: content[name] for name in names}, source=path)
        result._check()
        if path.stem != result.job.name:
            raise ValueError(f"{path}: its settings do not match its name: it was edited, renamed or is foreign")
        return result

    def _check(self) -> None:
        history = self.history if isinstance(self.history, list) else [None]
        text = all(isinstance(v, str) for v in (self.dataset, self.scene, self.method, self.program))
        tables = all(isinstance(v, dict) for v in (self.settings, self.quality, self.bytes, self.hardware, *history))
        if not (text and tables and isinstance(self.parameters, int | None)):
            raise ValueError(f"{self.source}: is damaged: a part has the wrong type. Delete it and sweep again")
        optional = (*self.quality.values(), self.bytes.get("total", math.nan), self.decode_seconds)
        values = [v for v in optional if v is not None]
        numbers = [self.seconds, *values, *(n for look in self.history for n in (look.get("seconds"), *look.values()))]
        finite = all(isinstance(n, int | float) and math.isfinite(n) for n in numbers)
        if not (finite and (self.size is None or self.size > 0) and self.seconds >= 0):
            raise ValueError(f"{self.source}: is damaged: a number is missing or not finite. Delete it and sweep again")


def working_folder(artefact: Path) -> Path:
    """Folder beside the artefact where a job keeps what it resumes from. Removed once its result is written."""
    return artefact.with_name(f".{artefact.stem}")


def bytes_by_part(info: "FileInfo") -> dict[str, float]:
    """Bytes of a field's file: in total, of the header, the tables and the coded parameters ("numbers")."""
    tables = sum(tensor.table_bytes for tensor in info.tensors)
    coded = info.bytes - info.header_bytes - tables
    return {"total": info.bytes, "header": info.header_bytes, "tables": tables, "numbers": coded}


def read_results(folder: Path) -> tuple[list[Result], list[str]]:
    """Every result below a folder, sorted by path, and one line on each file that cannot be read.

    Raises:
        FileNotFoundError: the folder does not exist or holds no result.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder. Make one: sinenerf sweep configs/quick-shapes.toml")
    results, problems = [], []
    for path in sorted(folder.rglob("*.json")):
        try:
            results.append(Result.read(path))
        except ValueError as error:
            problems.append(str(error))
    if not results:
        hint = f" ({problems[0]})" if problems else ""
        raise FileNotFoundError(f"{folder}: holds no results{hint}. Make one: sinenerf sweep configs/quick-shapes.toml")
    return results, problems


def check_comparable(results: Sequence[Result], planned: Sequence[Job] = ()) -> None:
    """Refuse to compare results, and planned jobs, of different training budgets, image sizes or evaluations.

    Budgets may differ where they depend on `bytes` alone: each size has one budget, the same for all methods.

    Raises:
        ValueError: two of one dataset disagree on such a setting.
    """
    labelled = [(r.job, str(r.source)) for r in results] + [(job, f"the plan's {job.method}") for job in planned]
    known: dict[tuple[str, str], dict[int | None, tuple[Any, str]]] = {}
    for job, label in labelled:
        for name, value in _compared_settings(job.settings).items():
            size = job.settings.get("bytes") if name in BUDGETS else None
            by_size = known.setdefault((job.dataset, name), {})
            by_size.setdefault(size, (value, label))
            for other_size, (other_value, other_label) in by_size.items():
                # without a size there is nothing that a budget could depend on
                if other_value != value and (other_size == size or None in (other_size, size)):
                    raise ValueError(
                        f"{other_label} and {label} disagree on {name.removeprefix('eval_')}: "
                        f"{other_value} and {value}. Keep each in a results folder of its own"
                    )


def _compared_settings(settings: Settings) -> Settings:
    """The settings that must agree, with the default size of images where none was given."""
    compared = {k: v for k, v in settings.items() if k in (*BUDGETS, "downscale") or k.startswith("eval_")}
    if "downscale" in compared:
        compared["downscale"] = compared["downscale"] or DEFAULT_DOWNSCALE
    return compared
