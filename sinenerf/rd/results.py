"""Result files: one JSON file a job, results/<dataset>/<scene>/<hash of its settings>.json."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinenerf.common.files import replacing

if TYPE_CHECKING:
    from sinenerf.codec.file_info import FileInfo

FORMAT = 1
FACTOR = 8
"""images_8 are what photographs are trained on unless `downscale` says otherwise."""
Settings = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One run of a sweep."""

    dataset: str
    """shapes, or photographs."""
    scene: str
    """Name of the mesh or of the folder of photographs."""
    method: str
    """Name of the curve that it belongs to."""
    program: str
    """What runs it: a key of `sinenerf.rd.programs.registry.PROGRAMS`."""
    settings: Settings
    """All of them, defaults too: when a default changes, so does the hash."""

    @property
    def key(self) -> str:
        """Twelve hexadecimal digits of the settings' SHA-256."""
        text = json.dumps([self.method, self.program, self.settings], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def path(self, results: Path) -> Path:
        """Its result file."""
        return results / self.dataset / self.scene / f"{self.key}.json"


@dataclass(frozen=True)
class Result:
    """What a job came to."""

    dataset: str
    scene: str
    method: str
    program: str
    settings: Settings
    quality: dict[str, float | None]
    """By measure: iou, chamfer_l1, psnr, ssim, ..."""
    bytes: dict[str, float]
    """By part; total is the length of the file."""
    parameters: int | None
    """Trainable numbers; None for a mesh."""
    seconds: float
    """Of training, or of making the file."""
    history: list[dict[str, float]] = field(default_factory=list)
    """Looks at the quality during training."""
    hardware: dict[str, str | int] = field(default_factory=dict)
    """Processor and GPU, versions, commit, date."""
    source: Path | None = None
    """The file that it was read from."""

    @property
    def size(self) -> int:
        """Bytes in all."""
        return int(self.bytes["total"])

    def save(self, path: Path) -> None:
        """Write the file, folders included."""
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"format": FORMAT} | {k: v for k, v in asdict(self).items() if k != "source"}
        with replacing(path) as partial:
            partial.write_text(json.dumps(content, indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Result":
        """Read one file.

        Raises:
            ValueError: it is no result of a sweep, is damaged, or comes from a newer version.
        """
        try:
            content = json.loads(path.read_text())
        except (UnicodeDecodeError, json.JSONDecodeError):
            raise ValueError(f"{path}: is damaged: it is not JSON. Delete it, and sweep again") from None
        names = {f.name for f in fields(cls)} - {"source"}
        if not isinstance(content, dict) or "format" not in content:
            raise ValueError(f"{path}: is no result of a sweep")
        if content.pop("format") != FORMAT:
            raise ValueError(f"{path}: is of another version; this sinenerf reads format {FORMAT}. Upgrade sinenerf")
        if missing := names - set(content):
            raise ValueError(f"{path}: is damaged: it lacks {sorted(missing)[0]!r}. Delete it, and sweep again")
        result = cls(**{name: content[name] for name in names}, source=path)
        result._check()
        job = Job(result.dataset, result.scene, result.method, result.program, result.settings)
        if path.stem != job.key:
            raise ValueError(f"{path}: its settings are not those of its name: it was edited, renamed or is foreign")
        return result

    def _check(self) -> None:
        looks = self.history if isinstance(self.history, list) else [None]
        text = all(isinstance(v, str) for v in (self.dataset, self.scene, self.method, self.program))
        tables = all(isinstance(v, dict) for v in (self.settings, self.quality, self.bytes, self.hardware, *looks))
        if not (text and tables and isinstance(self.parameters, int | None)):
            raise ValueError(f"{self.source}: is damaged: a part is of the wrong kind. Delete it, and sweep again")
        numbers = [self.seconds, self.bytes.get("total"), *(q for q in self.quality.values() if q is not None)]
        numbers += [n for look in self.history for n in (look.get("seconds"), *look.values())]
        finite = all(isinstance(n, int | float) and math.isfinite(n) for n in numbers)
        if not (finite and self.size > 0 and self.seconds >= 0):
            raise ValueError(f"{self.source}: is damaged: a number is missing or not finite. Delete it, sweep again")


def working_folder(artefact: Path) -> Path:
    """Where a job keeps what it goes on from after a kill, beside what it makes: removed once its result is written."""
    return artefact.with_name(f".{artefact.stem}")


def parts_of(info: "FileInfo") -> dict[str, float]:
    """Bytes of a field's file, by part."""
    tables = sum(tensor.table_bytes for tensor in info.tensors)
    numbers = info.bytes - info.header_bytes - tables
    return {"total": info.bytes, "header": info.header_bytes, "tables": tables, "numbers": numbers}


def read_results(folder: Path) -> tuple[list[Result], list[str]]:
    """Every result below a folder, sorted by path; and one line on each file that is none.

    Raises:
        FileNotFoundError: no such folder, or not one result in it.
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


def check_comparable(results: Sequence[Result | Job]) -> None:
    """Refuse to lay side by side what had different budgets of training, pictures of different sizes, or another
    evaluation. Jobs are those of a plan, which are to be run.

    Raises:
        ValueError: two results of one dataset that disagree on such a setting.
    """
    first: dict[tuple[str, str], Result | Job] = {}
    for result in results:
        for name, value in _compared(result.settings).items():
            other = first.setdefault((result.dataset, name), result)
            if (others := _compared(other.settings)[name]) != value:
                raise ValueError(
                    f"{_origin(other)} and {_origin(result)} disagree on {name.removeprefix('eval_')}: "
                    f"{others} and {value}. Keep each in a results folder of its own"
                )


def _compared(settings: Settings) -> Settings:
    """The settings that must agree; the size of pictures as it is where none was asked for."""
    compared = {k: v for k, v in settings.items() if k in ("minutes", "steps", "downscale") or k.startswith("eval_")}
    if "downscale" in compared:
        compared["downscale"] = compared["downscale"] or FACTOR
    return compared


def _origin(of: Result | Job) -> str:
    return f"the plan's {of.method}" if isinstance(of, Job) else str(of.source)
