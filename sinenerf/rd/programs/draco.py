"""Program for shapes: quadric decimation and Draco, the state of the art for compressed meshes."""

import time
from pathlib import Path

from sinenerf.common.files import replacing
from sinenerf.common.mesh_files import draco, undraco
from sinenerf.rd.programs.occupancy import load_truth, measure, save_picture, split_evaluation
from sinenerf.rd.results import Measurement, Settings


class DracoProgram:
    """Quadric decimation (Garland and Heckbert 1997) by fast-simplification, then Google's Draco at its smallest.

    Settings: faces, the number to decimate to; bits, the precision of a position's coordinate.
    """

    trains = False

    def resolve(self, given: Settings) -> Settings:
        given, evaluation = split_evaluation(given)
        if unknown := set(given) - {"faces", "bits"}:
            raise ValueError(f"no setting of draco is called {sorted(unknown)[0]!r}: there are faces and bits")
        settings = {"faces": given.get("faces", 2000), "bits": given.get("bits", 10)}
        if not (isinstance(settings["faces"], int) and settings["faces"] >= 4):
            raise ValueError(f"faces is {settings['faces']}: it must be a whole number of at least 4")
        if not (isinstance(settings["bits"], int) and 1 <= settings["bits"] <= 30):
            raise ValueError(f"bits is {settings['bits']}: it must be a whole number from 1 to 30")
        return settings | evaluation

    def estimate(self, settings: Settings) -> float:
        return 3.0

    def files(self, scene: Path, settings: Settings) -> list[Path]:
        return [scene]

    def run(self, scene: Path, settings: Settings, artefact: Path) -> Measurement | None:
        truth, begin = load_truth(scene, settings["eval_points"]), time.monotonic()
        data = draco(truth.mesh, settings["faces"], settings["bits"])
        seconds = time.monotonic() - begin
        with replacing(artefact.with_suffix(".drc")) as partial:
            partial.write_bytes(data)
        decoded = undraco(data)
        save_picture(decoded, truth, artefact)
        return measure(truth.evaluate_mesh(decoded, len(data)), {"total": len(data)}, seconds, [])
