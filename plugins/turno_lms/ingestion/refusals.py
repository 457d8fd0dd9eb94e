"""A file that cannot be taken as a whole."""

from collections.abc import Sequence

from turno_lms.domain.states import FileError


class FileRefusedError(Exception):
    """Why a whole file is refused or halted, in words an operator can act on. Nothing of the file is loaded."""

    def __init__(self, code: FileError, message: str, headings: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.headings = tuple(headings)
        """The heading row that was found, where it is what is wrong."""
