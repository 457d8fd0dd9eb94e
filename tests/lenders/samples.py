"""Samples written down as text, made into the files they stand for."""

import csv
import io
from pathlib import Path

import openpyxl


def write_sample(folder: Path, kind: str, text: str) -> Path:
    """The file that `text` describes: `csv` and other text as it is, `xlsx` from rows of CSV (`xlsx <sheet>`)."""
    language, _, option = kind.partition(" ")
    path = folder / f"sample.{language}"
    if language == "xlsx":
        workbook = openpyxl.Workbook()
        sheet = workbook.active
        if option:
            sheet = workbook.create_sheet(option)
        for row in csv.reader(io.StringIO(text)):
            sheet.append(row)
        workbook.save(path)
    else:
        path.write_text(text, encoding="utf-8")
    return path
