"""The operations on clients: how each is recognised in what Fineract has, and the call that carries it out. Pure."""

from turno_lms.domain.states import LosReason
from turno_lms.fineract.client import FORMATS, client_path
from turno_lms.fineract.repayments import iso_date
from turno_lms.los.desk import Desk
from turno_lms.los.model import Draft, Hold, Json, Row, View, Wait, Write

PENDING, ACTIVE = 100, 300
_PERSON = 1
_FIELDS = {
    "firstname": "firstname",
    "lastname": "lastname",
    "fullname": "fullname",
    "mobile_no": "mobileNo",
    "email": "emailAddress",
    "date_of_birth": "dateOfBirth",
}
"""What a submission says of a client, to Fineract's name of it."""


def is_created(row: Row, view: View) -> bool:
    """Whether Fineract has the client as submitted, and active."""
    return view.client_status == ACTIVE and not _differences(row.payload, view)


def creation(row: Row, view: View, desk: Desk) -> Draft:
    """POST /clients, active at once; a client that is there but pending is activated."""
    payload = row.payload
    future = desk.wait_for(payload["activated_on"])
    if future:
        return future
    if view.client is None:
        body = {
            **FORMATS,
            "officeId": desk.office_of(payload.get("lender")),
            "legalFormId": _PERSON,
            "externalId": payload["client_id"],
            "active": True,
            "activationDate": payload["activated_on"],
            **_known_fields(payload),
        }
        if "account_no" in payload:
            body["accountNo"] = payload["account_no"]
        return Write("POST", "/clients", body, payload["client_id"])
    different = _differences(payload, view)
    if different:
        return different_client(row, view)
    body = {**FORMATS, "activationDate": payload["activated_on"]}
    return Write("POST", f"{client_path(payload['client_id'])}?command=activate", body, payload["client_id"])


def different_client(row: Row, view: View) -> Hold:
    """There is a client of this id with other data: which is right is not ours to say. The fields, not their values."""
    fields = _differences(row.payload, view)
    message = (
        f"Fineract has a client {row.payload['client_id']} that is not as submitted"
        f" ({', '.join(fields) or 'not active'}): drop this, or submit update_client"
    )
    return Hold(LosReason.CLIENT_DIFFERS, message, {"fields": fields})


def is_updated(row: Row, view: View) -> bool:
    """Whether every changed field is as submitted already."""
    return view.client is not None and not _differences(row.payload, view)


def update(row: Row, view: View, desk: Desk) -> Draft:  # noqa: ARG001  # every draft has these parameters
    """PUT /clients/external-id/...: the fields that change and no other."""
    body = {**FORMATS, **_known_fields(row.payload)}
    return Write("PUT", client_path(row.payload["client_id"]), body, row.payload["client_id"])


def missing_client(row: Row, view: View) -> Wait | None:
    """What an operation waits for that needs an active client: nothing, or the client."""
    client_id = row.payload["client_id"]
    if view.client is None:
        return Wait(LosReason.CLIENT_MISSING, f"Fineract has no client {client_id} yet")
    if view.client_status != ACTIVE:
        return Wait(LosReason.CLIENT_NOT_ACTIVE, f"client {client_id} is not active")
    return None


def _known_fields(payload: Json) -> Json:
    return {there: payload[here] for here, there in _FIELDS.items() if here in payload}


def _differences(payload: Json, view: View) -> list[str]:
    """The submitted fields that Fineract has otherwise."""
    client = view.client or {}
    return [
        here
        for here, there in _FIELDS.items()
        if here in payload and payload[here] != _text(client.get(there))
    ]


def _text(value: object) -> str | None:
    day = iso_date(value) if isinstance(value, list) else None
    return day.isoformat() if day else (str(value) if value is not None else None)
