"""The contact sheet: the photographs and the names below them."""

import json
import unicodedata

import numpy as np
from PIL import Image, ImageDraw

from sinenerf.capture.contact_sheet import CELL, _font, shortened, write_contact_sheet
from sinenerf.capture.report import CaptureReport, LeftOut
from sinenerf.capture.workspace import Workspace


def drawn(text):
    image = Image.new("L", (40, 20))
    ImageDraw.Draw(image).text((2, 2), text, 255, _font(10))
    return np.asarray(image)


def test_letters_of_other_languages_are_drawn():
    missing = drawn(chr(0x10FFFF))
    assert all((drawn(letter) != missing).any() for letter in "äéßłøЖψ")


def test_a_long_name_keeps_its_end():
    name = "Urlaub in Köln/Tag 1 am Rhein/IMG_0001.jpg"
    assert shortened(unicodedata.normalize("NFD", "Köln.jpg")) == "Köln.jpg"
    assert shortened(name).startswith("...") and name.endswith(shortened(name)[3:])
    assert CELL - 20 < _font(10).getlength(shortened(name)) <= CELL - 4


def test_characters_that_cannot_be_drawn_are_question_marks():
    assert shortened("line\nbreak caf\udce9.jpg") == "line?break caf?.jpg"


def test_a_duplicate_is_shown_and_what_cannot_be_read_has_an_empty_frame(tmp_path):
    """Duplicates had empty frames, too."""
    workspace = Workspace(tmp_path / "scene", {})
    note = {"name": "b.jpg", "source": "b.jpg", "camera": "", "focal": None, "width": 90, "height": 90}
    note |= {"sharpness": 1.0, "brightness": 99.0, "masked": False}
    left_out = [LeftOut("b.jpg", "duplicate", ""), LeftOut("c.jpg", "unreadable", "")]
    with workspace.claimed():
        Image.new("RGB", (90, 90), "blue").save(workspace.images / "b.jpg")
        (workspace.folder / "photographs.jsonl").write_text(json.dumps(note))
        report = CaptureReport(tmp_path, {}, left_out, 1, 1, 0.5, 10.0, "exhaustive")
        write_contact_sheet(report, workspace, tmp_path / "sheet.jpg")
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.getpixel((CELL // 2, CELL // 2 + 30))[0] < 50
        assert sheet.getpixel((CELL * 3 // 2, CELL // 2 + 30))[0] > 200


def test_thousands_of_photographs_fit_on_a_sheet(tmp_path):
    """From 2,704 on, JPEG refused the height, so that no capture could be finished."""
    workspace = Workspace(tmp_path / "scene", {})
    placed = {f"{number}.jpg": f"{number}.jpg" for number in range(2704)}
    report = CaptureReport(tmp_path, placed, [], 1, 1, 0.5, 10.0, "exhaustive")
    write_contact_sheet(report, workspace, tmp_path / "sheet.jpg")
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.width > 50 * CELL and sheet.height > 50 * CELL
