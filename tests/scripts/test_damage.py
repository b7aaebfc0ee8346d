"""The damage that the fuzzer of .sine files does."""

import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts"
GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(SCRIPTS))
import damage  # noqa: E402


def test_every_file_is_damaged_and_can_be_made_again():
    files = damage.golden_files(GOLDEN)
    made = [damage.damaged_file(number, files) for number in range(300)]
    assert made == [damage.damaged_file(number, files) for number in range(300)]
    assert not set(made) & set(files) and len(set(made)) > 290
    sealed = [data for data in made if len(data) > 11 and data == damage.resealed(data)]
    assert 0.8 * len(made) < len(sealed) < len(made)
