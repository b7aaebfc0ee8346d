"""The third stage: which photographs see the same points. Features are compared, and each pair verified by geometry."""

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from sinenerf.capture.features import gpu_build
from sinenerf.capture.intake import Intake
from sinenerf.capture.options import CaptureOptions
from sinenerf.capture.stages import Stages, quiet_faiss
from sinenerf.capture.workspace import Workspace

if TYPE_CHECKING:
    import pycolmap

EXHAUSTIVE = 60
"""Most photographs that are compared all with all by default."""
NEIGHBOURS = 8
"""Pictures of a film are compared with so many that follow, and with those 16, 32, 64 ... further on."""
ALIKE = 16
"""With retrieval, each photograph is compared with so many that look most alike."""
PAIRS_AT_ONCE = 100
"""Pairs between two lines of progress; a kill loses at most so many."""
BLOCK = 10
"""Photographs in a row whose pairs are compared together: COLMAP indexes each one's features at each call."""
WORDS = 4096
"""Size of the vocabulary that retrieval learns from the photographs themselves."""

Pair = tuple[str, str]
Method = Literal["exhaustive", "sequential", "retrieval"]


def choose_method(intake: Intake, options: CaptureOptions) -> Method:
    """Which photographs to compare."""
    if options.matching != "auto":
        return options.matching
    if len(intake.photographs) <= EXHAUSTIVE:
        return "exhaustive"
    return "sequential" if intake.film else "retrieval"


def match(intake: Intake, options: CaptureOptions, workspace: Workspace, stages: Stages) -> Method:
    """Compare the chosen pairs that have not been compared yet. Returns how they were chosen."""
    method = choose_method(intake, options)
    names = [photograph.name for photograph in intake.photographs]
    kept = workspace.read("pairs")
    if kept is None:
        kept = in_blocks(_pairs(names, method, options, workspace), names)
        workspace.write("pairs", kept)
    pairs = [(first, second) for first, second in kept]
    done: int = workspace.read("matched") or 0
    with stages.stage("matching", len(pairs), "pairs", done) as advance:
        for start in range(done, len(pairs), PAIRS_AT_ONCE):
            part = pairs[start : start + PAIRS_AT_ONCE]
            _match_pairs(part, options, workspace)
            workspace.write("matched", start + len(part))
            advance(start + len(part))
    return method


def sequential_pairs(names: list[str]) -> Iterator[Pair]:
    """Each picture of a film with those that follow, closely at first, then in steps that double."""
    for index, name in enumerate(names):
        steps = [*range(1, NEIGHBOURS + 1), *(2**power for power in range(4, 12))]
        yield from ((name, names[index + step]) for step in steps if index + step < len(names))


def in_blocks(pairs: set[Pair], names: list[str]) -> list[Pair]:
    """The pairs, ordered so that those compared together are of few photographs."""
    order = {name: index for index, name in enumerate(names)}

    def block(pair: Pair) -> tuple[int, ...]:
        first, second = order[pair[0]], order[pair[1]]
        return first // BLOCK, second // BLOCK, first, second

    return sorted(pairs, key=block)


def _pairs(names: list[str], method: Method, options: CaptureOptions, workspace: Workspace) -> set[Pair]:
    if method == "exhaustive":
        return set(combinations(names, 2))
    order = {name: index for index, name in enumerate(names)}
    alike = {tuple(sorted(pair, key=order.__getitem__)) for pair in _retrieved_pairs(names, options, workspace)}
    pairs = {(first, second) for first, second in alike}
    return pairs | set(sequential_pairs(names)) if method == "sequential" else pairs


def _retrieved_pairs(names: list[str], options: CaptureOptions, workspace: Workspace) -> Iterator[Pair]:
    """Each photograph with those that share most visual words with it (Schoenberger et al. 2016).

    The words are learned from the photographs themselves, so that no vocabulary has to be downloaded.
    """
    import pycolmap

    path = workspace.folder / "words.bin"
    with pycolmap.Database.open(workspace.database) as database:
        images = {image.image_id: image.name for image in database.read_all_images()}
        if database.num_descriptors() < 2:
            return  # `check_scene` says why
        _learn_words(database, list(images), options).write(path)
        retrieval = pycolmap.VocabTreePairingOptions()
        retrieval.vocab_tree_path, retrieval.num_threads = path, options.threads
        retrieval.num_images = min(ALIKE + 1, len(names))  # the most alike is the photograph itself
        for first, second in pycolmap.VocabTreePairGenerator(retrieval, database).all_pairs():
            if first != second:
                yield images[first], images[second]


def _learn_words(
    database: "pycolmap.Database",
    image_ids: list[int],
    options: CaptureOptions,
) -> "pycolmap.VisualIndex":
    import numpy as np
    import pycolmap

    random = np.random.default_rng(options.seed)
    each = max(50, 40 * WORDS // len(image_ids))
    samples, kind = [], None
    for image_id in image_ids:
        descriptors = database.read_descriptors(image_id)
        kind = descriptors.type
        data = np.asarray(descriptors.data)
        if len(data):
            samples.append(data[random.permutation(len(data))[:each]])
    sample = np.concatenate(samples).astype(np.float32)
    build = pycolmap.VisualIndex.BuildOptions()
    build.num_visual_words = max(2, min(WORDS, len(sample) // 10))
    build.num_iterations, build.num_rounds, build.num_threads = 10, 1, options.threads
    index = pycolmap.VisualIndex.create(sample.shape[1], 64)
    with quiet_faiss():
        index.build(build, pycolmap.FeatureDescriptorsFloat(data=sample, type=kind))
    return index


def _match_pairs(pairs: list[Pair], options: CaptureOptions, workspace: Workspace) -> None:
    import pycolmap

    listed = workspace.folder / "pairs.txt"
    listed.write_text("".join(f"{first} {second}\n" for first, second in pairs), encoding="ascii")
    matching, verification = pycolmap.FeatureMatchingOptions(), pycolmap.TwoViewGeometryOptions()
    matching.num_threads, matching.use_gpu = options.threads, gpu_build()
    verification.ransac.random_seed = options.seed
    pairing = pycolmap.ImportedPairingOptions()
    pairing.match_list_path = listed
    pycolmap.match_image_pairs(workspace.database, matching, pairing, verification)
