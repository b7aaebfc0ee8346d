"""The report of a capture, as it is kept and printed."""

import os

from sinenerf.capture.report import REPORT, CaptureReport, LeftOut


def test_a_report_names_files_of_any_name(tmp_path):
    """A name of Latin-1, as in an old archive, could not be written."""
    names = {"a.jpg": "größe.jpg", "b.jpg": os.fsdecode(b"caf\xe9.jpg")}
    report = CaptureReport(tmp_path, names, [LeftOut(names["b.jpg"], "dark", "")], 1, 1, 0.5, 10.0, "exhaustive")
    report.write(tmp_path)
    assert CaptureReport.read(tmp_path) == report
    assert "größe.jpg" in (tmp_path / REPORT).read_text(encoding="utf-8")
