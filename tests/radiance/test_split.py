"""The split of a training: its rule is found from the two lists of photographs, and finds them again."""

import math
import zlib
from pathlib import Path

import numpy as np
import pytest

from sinenerf.radiance.split import RULES, Split


def paths(count, folder="images"):
    return [Path(folder, f"photo {index:03d}.jpg") for index in range(count)]


def divided(names, held_out):
    return [name for index, name in enumerate(names) if index not in held_out], [names[index] for index in held_out]


@pytest.mark.parametrize("count", [2, 7, 20, 50, 301])
@pytest.mark.parametrize("every", [1, 2, 8])
def test_every_nth_view(count, every):
    held_out = list(range(0, count, every))
    split = Split.of(*divided(paths(count), held_out))
    assert split.rule == "every" and split.held_out(paths(count, "elsewhere/images_4")) == held_out


@pytest.mark.parametrize("count", [2, 7, 20, 50, 301])
@pytest.mark.parametrize("fraction", [0.9, 0.5, 0.66])
def test_nerfstudios_fraction(count, fraction):
    trained = np.linspace(0, count - 1, math.ceil(count * fraction), dtype=int)
    held_out = sorted(set(range(count)) - set(trained.tolist()))
    split = Split.of(*divided(paths(count), held_out))
    assert split.rule == ("spread" if held_out else "none")
    assert split.held_out(paths(count)) == held_out


def test_the_order_in_which_a_capture_lists_its_photographs_does_not_matter():
    names = paths(20)
    shuffled = [names[index] for index in np.random.default_rng(0).permutation(20)]
    split = Split.of(*divided(names, [0, 8, 16]))
    assert {shuffled[index] for index in split.held_out(shuffled)} == {names[0], names[8], names[16]}


def test_folders_count_in_the_order_of_their_text_as_captures_are_read():
    """room-2/ comes before room/, but a Path of room/ before one of room-2/: the rule was not recognised."""
    names = sorted([*paths(9, "room"), *paths(9, "room-2")], key=str)
    split = Split.of(*divided(names, [0, 8, 16]))
    assert (split.rule, split.parameter) == ("every", 8) and split.held_out(names) == [0, 8, 16]


def test_other_views_are_found_by_their_names():
    names, held_out = paths(20), [3, 4, 11]
    split = Split.of(*divided(names, held_out))
    assert (split.rule, split.parameter) == ("named", 3)
    assert split.held_out(names, named=[11, 3, 4]) == held_out
    with pytest.raises(ValueError, match="3 views were held out that the capture named in training"):
        split.held_out(names)


def test_views_that_were_trained_on_too_are_not_held_out():
    split = Split.of(paths(20), paths(20))
    assert split == Split("none", 0, 0) and split.held_out(paths(20)) == []


def test_photographs_of_equal_names_in_two_folders_are_not_one_list():
    """Blender's: train/r_0.png and val/r_0.png."""
    split = Split.of(paths(20, "train"), paths(5, "val"))
    assert split == Split.of(paths(20, "train"), paths(5, "elsewhere"))
    assert split.rule == "named" and split.names_are(paths(5, "test"))


def test_names_count_without_folders_and_extensions_and_in_any_order():
    split = Split.of(*divided(paths(20), [0, 8, 16]))
    assert split.checksum == zlib.crc32(b"photo 000\nphoto 008\nphoto 016")
    assert split.names_are([Path("x/photo 016.png"), Path("photo 000.JPG"), Path("y/photo 008.png")])
    assert not split.names_are(paths(3))


def test_each_rule_has_its_words():
    assert len({str(Split(rule, 8, 1)) for rule in RULES}) == len(RULES)
