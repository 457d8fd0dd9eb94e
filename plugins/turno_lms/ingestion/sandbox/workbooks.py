"""Workbooks, XLS and XLSX alike, opened with their password where they have one: every sheet as rows of text."""

import datetime
import io
import zipfile
from collections.abc import Iterator
from numbers import Real
from pathlib import Path
from typing import Any, BinaryIO

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum

from turno_lms.domain.states import FileError
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.sandbox.tasks import RowFiles, Task, unreadable

EXCEL_DIGITS = 15
"""Excel keeps and shows 15 significant digits; beyond them the stored binary number is noise."""

PASSWORD_OF_EXCEL = "VelvetSweatshop"  # noqa: S105  # known to everybody
"""Excel's own (MS-OFFCRYPTO 2.4.2.3), for workbooks that are protected against changes only: it opens them unasked."""


def write_sheets(task: Task) -> list[str]:
    """Write the wanted sheet, or all in their order; returns their names. Rows and columns that are hidden count."""
    kind, wanted = task.options["format"], task.options["sheet"]
    plain = _opened(task)
    if kind == "xlsx":
        _check_unpacked(plain, task)
    sheets = RowFiles(task)
    try:
        workbook = CalamineWorkbook.from_object(plain)
        tables = [sheet.name for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
        if wanted is not None and wanted not in tables:
            message = f"{task.name} has no sheet {wanted}; its sheets are {', '.join(tables)}"
            raise FileRefusedError(FileError.HEADING_NOT_FOUND, message)
        for name in [wanted] if wanted is not None else tables:
            sheets.write(name, _rows(workbook, name))
    except (CalamineError, zipfile.BadZipFile, OSError) as error:
        message = f"{task.name} cannot be read as an {kind.upper()} workbook: {error}"
        raise unreadable(message) from error
    return sheets.names


def _rows(workbook: CalamineWorkbook, name: str) -> Iterator[list[str]]:
    """Every row from the first of the sheet on, so that row numbers are those a person sees."""
    sheet = workbook.get_sheet_by_name(name)
    above, left = sheet.start or (0, 0)
    for _ in range(above):
        yield []
    for row in sheet.iter_rows():
        yield [""] * left + [cell_text(cell) for cell in row]


def cell_text(cell: Any) -> str:
    """A cell as text: dates as ISO, numbers without exponent, never through a display format.

    A number beyond 15 digits keeps an exponent (5.02E+19): its last digits are lost, so it is no reference to go by.
    """
    if isinstance(cell, datetime.datetime):
        midnight = cell.time() == datetime.time()
        return cell.date().isoformat() if midnight else cell.isoformat(sep=" ", timespec="seconds")
    if isinstance(cell, Real):  # a truth value too: TRUE reads as 1
        return f"{cell:.{EXCEL_DIGITS}G}"
    return str(cell)


def _opened(task: Task) -> BinaryIO:
    """The workbook's bytes, decrypted where they are encrypted. Raises FileRefusedError without the right password."""
    import msoffcrypto
    from msoffcrypto import exceptions

    content = Path(task.path).read_bytes()
    try:
        office = msoffcrypto.OfficeFile(io.BytesIO(content))
        encrypted = office.is_encrypted()
    except Exception:  # whatever it is, it is not encrypted; the reader says what is wrong with it
        return io.BytesIO(content)
    if not encrypted:
        return io.BytesIO(content)
    decrypted = io.BytesIO()
    try:
        office.load_key(password=task.password or PASSWORD_OF_EXCEL)
        office.decrypt(decrypted)
    except exceptions.InvalidKeyError as error:
        if task.password is None:
            message = f"{task.name} is protected by a password, and the mapping names no password_connection"
            raise unreadable(message) from error
        connection = task.options.get("password_connection")
        raise unreadable(
            f"{task.name}: the password of the connection {connection} does not open it"
        ) from error
    except Exception as error:  # a damaged container fails in many ways, and none may carry the password
        raise unreadable(f"{task.name} cannot be decrypted: {type(error).__name__}") from error
    decrypted.seek(0)
    return decrypted


def _check_unpacked(content: BinaryIO, task: Task) -> None:
    cap = task.limits["unpacked_bytes"]
    try:
        with zipfile.ZipFile(content) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile as error:
        message = f"{task.name} is no XLSX workbook ({error}); is it another format, or cut off?"
        raise unreadable(message) from error
    content.seek(0)
    if unpacked > cap:
        raise unreadable(
            f"{task.name} unpacks to more than {cap // 1_000_000} MB, the cap for workbooks; ask for CSV"
        )
