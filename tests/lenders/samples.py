"""Samples written down as text, made into the files they stand for."""

import csv
import io
import zipfile
from pathlib import Path

import openpyxl


def write_sample(folder: Path, kind: str, text: str) -> Path:
    """The file that `text` describes: text as it is, `xlsx <sheet>` from rows of CSV, `zip <member>` with the text inside."""
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
    elif language == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(option, text)
    else:
        path.write_text(text, encoding="utf-8")
    return path
