"""The names below the photographs of a contact sheet."""

import unicodedata

import numpy as np
from PIL import Image, ImageDraw

from sinenerf.capture.contact_sheet import CELL, _font, shortened


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
