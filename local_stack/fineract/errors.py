"""Fineract's error answers: one exception, and a constructor for each shape of body."""

from collections.abc import Sequence

ErrorItem = dict[str, object]


class ApiError(Exception):
    """An answer other than success: its status and JSON body."""

    def __init__(self, status: int, body: dict[str, object]) -> None:
        super().__init__(f"{status} {body.get('userMessageGlobalisationCode')}")
        self.status = status
        self.body = body


class NotProvidedError(Exception):
    """A real server accepts this and the stand-in can't compute it: answered 501, outside Fineract's contract."""


def item(code: str, message: str, parameter: str = "id", *args: object, value: object = None) -> ErrorItem:
    """One entry of `errors`."""
    return {
        "developerMessage": message,
        "defaultUserMessage": message,
        "userMessageGlobalisationCode": code,
        "parameterName": parameter,
        "value": value,
        "args": [{"value": arg} for arg in args],
    }


def _error(status: int, code: str, developer: str, user: str, errors: Sequence[ErrorItem] | None) -> ApiError:
    return ApiError(
        status,
        {
            "developerMessage": developer,
            "httpStatusCode": str(status),
            "defaultUserMessage": user,
            "userMessageGlobalisationCode": code,
            "errors": errors,
        },
    )


def invalid(errors: Sequence[ErrorItem]) -> ApiError:
    """400 for failed validation, with every failure listed."""
    return _error(
        400,
        "validation.msg.validation.errors.exist",
        "The request was invalid. This typically will happen due to validation errors which are provided.",
        "Validation errors exist.",
        errors,
    )


def unsupported_parameters(names: Sequence[str]) -> ApiError:
    """400 for JSON fields the command does not know."""
    code = "error.msg.parameter.unsupported"
    return invalid([item(code, f"The parameter {name} is not supported.", name, name) for name in names])


def unsupported_query_value(name: str, value: str | None) -> ApiError:
    """400 for a query parameter such as `command` with a value that is not known."""
    code = "error.msg.query.parameter.value.unsupported"
    message = f"The query parameter {name} has an unsupported value of: {value}"
    return invalid([item(code, message, name, name, value)])


def wrong_state(code: str, message: str) -> ApiError:
    """400 for a command the loan's state does not allow."""
    return invalid([item(code, message)])


def invalid_body() -> ApiError:
    """400 for a missing or malformed JSON body: a single error, no list."""
    text = "The JSON provided in the body of the request is invalid or missing."
    return ApiError(400, item("error.msg.invalid.request.body", text))


def domain_rule(code: str, message: str, *args: object) -> ApiError:
    """403 for a broken business rule; the rule is the code of the first entry."""
    return _error(
        403,
        "validation.msg.domain.rule.violation",
        "Request was understood but caused a domain rule violation.",
        "Errors contain reason for domain rule violation.",
        [item(code, message, "id", *args)],
    )


def integrity(code: str, message: str, parameter: str = "id", *args: object) -> ApiError:
    """403 for a database constraint."""
    developer = "The request caused a data integrity issue to be fired by the database."
    return _error(403, code, developer, message, [item(code, message, parameter, *args)])


def not_found(code: str, message: str, *args: object) -> ApiError:
    """404 for an id or external id nobody has."""
    text = "The requested resource is not available."
    return _error(404, "error.msg.resource.not.found", text, text, [item(code, message, "id", *args)])


def loan_locked(loan_id: int | None) -> ApiError:
    """409 while close of business holds the loan; raised before the command is recorded."""
    text = f"Loan is locked by the COB job. Loan ID: {loan_id}"
    error = _error(409, "error.msg.loan.locked", text, text, None)
    del error.body["errors"]
    return error


def conflict(kind: str, identifier: int | None) -> ApiError:
    """409 when the loan changed under the command and the server's own tries ran out."""
    what = f"concurrent modification  on {kind} [{identifier}]"
    text = f"The server is currently unable to handle the request due to {what}, please try again"
    return _error(409, f"error.msg.platform.service.{kind}.conflict", text, text, None)


def job_running() -> ApiError:
    """503 while a job that forbids updates runs; raised before the command is recorded."""
    text = "The server is currently unable to handle the request , please try after some time."
    code = "error.msg.sheduler.job.currently.running"
    return _error(
        503, "error.msg.platform.service.unavailable", text, text, [item(code, "A job is running.")]
    )


def refused_when_written_off() -> ApiError:
    """The refusal of an update that a written-off loan does not take."""
    return refused_under_503(
        "error.msg.loan.written.off.update.not.allowed", "Loan is written off: it takes no update."
    )


def refused_under_503(code: str, text: str) -> ApiError:
    """503 that is no trouble but a refusal for good, as releases up to 1.10 answer about write-offs."""
    return _error(503, "error.msg.platform.service.unavailable", text, text, [item(code, text)])


def uncaught(text: str) -> ApiError:
    """500 as Fineract answers an exception nobody mapped."""
    return ApiError(500, {"Exception": text})
