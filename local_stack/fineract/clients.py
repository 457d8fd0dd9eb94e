"""Clients: create, activate, read."""

import sqlite3
from datetime import date
from typing import Final

from local_stack.fineract import enums, errors, settings, wire
from local_stack.fineract.body import FORMAT_FIELDS, Body, Checks, settled
from local_stack.fineract.enums import ClientStatus
from local_stack.fineract.operations import Answer, Target, result
from local_stack.fineract.store import DuplicateError, Store

HEAD_OFFICE: Final = 1
HEAD_OFFICE_NAME: Final = "Head Office"
_NAMES: Final = ("firstname", "middlename", "lastname", "fullname")
_DETAILS: Final = (*_NAMES, "emailAddress", "legalFormId")
_FIELDS: Final = FORMAT_FIELDS | {
    *_DETAILS,
    "dateOfBirth",
    "officeId",
    "active",
    "activationDate",
    "submittedOnDate",
    "externalId",
    "mobileNo",
    "accountNo",
}
_ELSEWHERE: Final = frozenset(
    {
        "staffId",
        "groupId",
        "savingsProductId",
        "genderId",
        "clientTypeId",
        "clientClassificationId",
        "clientNonPersonDetails",
        "isStaff",
        "datatables",
        "familyMembers",
        "address",
    }
)
_DUPLICATES: Final = {
    "client.external_id": ("error.msg.client.duplicate.externalId", "externalId"),
    "client.mobile_no": ("error.msg.client.duplicate.mobileNo", "mobileNo"),
    "client.account_no": ("error.msg.client.duplicate.accountNo", "accountNo"),
}
_MATCHING: Final = "from client where ?1 is null or external_id = ?1"
_LEGAL_FORMS: Final = {1: ("legalFormType.person", "Person"), 2: ("legalFormType.entity", "Entity")}
_LENGTHS: Final = {
    "firstname": 50,
    "middlename": 50,
    "lastname": 50,
    "fullname": 160,
    "externalId": 100,
    "mobileNo": 50,
    "accountNo": 20,
}


def create(store: Store, _: Target, body: Body) -> Answer:
    """Create a client, active at once or pending; 403 for a duplicate external id, mobile or account number."""
    body.only(_FIELDS, _ELSEWHERE)
    active, activated_on = _check(store, body)
    if body.text("dateFormat") is None or body.text("locale") is None:
        raise errors.uncaught("Cannot invoke method because the date format or locale is null")
    submitted_on = body.date("submittedOnDate") or activated_on or settings.today(store)
    try:
        client_id = store.run(
            "insert into client (account_no, external_id, mobile_no, status, submitted_on, activated_on, details)"
            " values (?, ?, ?, ?, ?, ?, ?)",
            body.text("accountNo"),
            body.text("externalId"),
            body.text("mobileNo"),
            ClientStatus.ACTIVE if active else ClientStatus.PENDING,
            submitted_on.isoformat(),
            activated_on.isoformat() if active and activated_on else None,
            wire.encode({**body.echo(_DETAILS), "dateOfBirth": wire.day(body.date("dateOfBirth"))}).decode(),
        )
        store.run(
            "update client set account_no = ? where id = ? and account_no is null",
            f"{client_id:09d}",
            client_id,
        )
    except DuplicateError as error:
        raise _duplicate(error, body) from error
    return result(
        officeId=HEAD_OFFICE,
        clientId=client_id,
        resourceId=client_id,
        resourceExternalId=body.text("externalId"),
    )


def update(store: Store, target: Target, body: Body) -> Answer:
    """Change the fields that are sent; 403 for a mobile or external id that another client has."""
    body.only(_FIELDS - {"active", "activationDate", "officeId", "accountNo"}, _ELSEWHERE)
    found = require(store, target.resource_id)
    checks = Checks("client")
    for name, length in _LENGTHS.items():
        checks.at_most(name, body.text(name), length)
    born = body.date("dateOfBirth")
    checks.settle()
    sent = body.echo(_DETAILS)
    details = {**_details(found), **sent}
    if "fullname" in sent:  # one way of naming takes the place of the other
        details = {name: value for name, value in details.items() if name not in _NAMES or name == "fullname"}
    elif sent.keys() & {"firstname", "middlename", "lastname"}:
        details.pop("fullname", None)
    if born is not None:
        details["dateOfBirth"] = wire.day(born)
    try:
        store.run(
            "update client set external_id = coalesce(?, external_id), mobile_no = coalesce(?, mobile_no), details = ?"
            " where id = ?",
            body.text("externalId"),
            body.text("mobileNo"),
            wire.encode(details).decode(),
            target.resource_id,
        )
    except DuplicateError as error:
        raise _duplicate(error, body) from error
    return result(
        officeId=HEAD_OFFICE,
        clientId=target.resource_id,
        resourceId=target.resource_id,
        resourceExternalId=body.text("externalId") or found["external_id"],
        changes=body.echo((*_DETAILS, "mobileNo", "externalId", "dateOfBirth", "locale", "dateFormat")),
    )


def _duplicate(error: DuplicateError, body: Body) -> errors.ApiError:
    code, field = _DUPLICATES[error.column]
    value = body.text(field)
    return errors.integrity(code, f"Client with {field} `{value}` already exists", field, value)


def search(store: Store, text: str, *, exact: bool) -> list[Answer]:
    """The answer of GET /search for clients: by account number, name, external id or mobile number."""
    wanted = text if exact else f"%{text}%"
    found = store.rows(
        "select * from client where account_no like ?1 or external_id like ?1 or mobile_no like ?1 order by id",
        wanted,
    )
    return [
        {
            "entityId": client["id"],
            "entityAccountNo": client["account_no"],
            "entityExternalId": client["external_id"],
            "entityName": name_of(client),
            "entityType": "CLIENT",
            "parentId": HEAD_OFFICE,
            "parentName": HEAD_OFFICE_NAME,
            "entityMobileNo": client["mobile_no"],
            "entityStatus": enums.client_status(ClientStatus(client["status"])),
        }
        for client in found
    ]


def _check(store: Store, body: Body) -> tuple[bool, date | None]:
    checks = Checks("client")
    office, legal_form = body.plain_integer("officeId"), body.plain_integer("legalFormId")
    active, activated_on = body.flag("active"), body.date("activationDate")
    checks.required("officeId", office)
    checks.required("legalFormId", legal_form)
    checks.between("legalFormId", legal_form, min(_LEGAL_FORMS), max(_LEGAL_FORMS))
    if active is None:
        checks.fail("active", "must.be.true.or.false", "The parameter `active` must be set as true or false.")
    if active:
        checks.required("activationDate", activated_on)
    _check_names(checks, body)
    for name, length in _LENGTHS.items():
        checks.at_most(name, body.text(name), length)
    body.date("dateOfBirth")
    checks.settle()
    if office != HEAD_OFFICE:
        raise errors.not_found(
            "error.msg.office.id.invalid", f"Office with identifier {office} does not exist", office
        )
    if active and activated_on is not None:
        _refuse_future(store, activated_on)
    return bool(active), activated_on


def _check_names(checks: Checks, body: Body) -> None:
    sent = {name for name in _NAMES if body.text(name)}
    if not sent:
        checks.fail(
            "id", ".no.name.details.passed", "Failed data validation due to: .no.name.details.passed."
        )
    elif "fullname" in sent and len(sent) > 1:
        message = "The parameter `fullname` cannot be used together with name parts."
        checks.fail("fullname", "cannot.be.provided.when.individual.name.parts.are", message)
    elif "fullname" not in sent:
        checks.required("firstname", body.text("firstname"))
        checks.required("lastname", body.text("lastname"))


def _refuse_future(store: Store, on: date) -> None:
    if on > settings.today(store):
        code = "error.msg.clients.activationDate.in.the.future"
        raise errors.invalid(
            [errors.item(code, "Activation date cannot be in the future.", "activationDate", on)]
        )


def activate(store: Store, target: Target, body: Body) -> Answer:
    """Activate a pending client."""
    body.only(FORMAT_FIELDS | {"activationDate"})
    checks = Checks("client")
    checks.required("activationDate", body.date("activationDate"))
    checks.settle()
    on = settled(body.date("activationDate"))
    found = require(store, target.resource_id)
    if found["status"] == ClientStatus.ACTIVE:
        message = "Cannot activate client. Client is already active."
        raise errors.invalid([errors.item("error.msg.clients.already.active", message, "activationDate")])
    _refuse_future(store, on)
    store.run(
        "update client set status = ?, activated_on = ? where id = ?",
        ClientStatus.ACTIVE,
        on.isoformat(),
        target.resource_id,
    )
    changes = {
        "activationDate": body.text("activationDate"),
        "status": enums.client_status(ClientStatus.ACTIVE),
    }
    return result(
        officeId=HEAD_OFFICE,
        clientId=target.resource_id,
        resourceId=target.resource_id,
        resourceExternalId=found["external_id"],
        changes={**changes, **body.echo(FORMAT_FIELDS)},
    )


def require(store: Store, client_id: int) -> sqlite3.Row:
    """The client's row; 404 when there is none."""
    found = store.row("select * from client where id = ?", client_id)
    if found is None:
        message = f"Client with identifier {client_id} does not exist"
        raise errors.not_found("error.msg.client.id.invalid", message, client_id)
    return found


def require_active(store: Store, client_id: int) -> sqlite3.Row:
    """The client's row; 404 when there is none, 403 while it is not active."""
    found = require(store, client_id)
    if found["status"] != ClientStatus.ACTIVE:
        message = f"The Client with id `{client_id}` is not active"
        raise errors.domain_rule("error.msg.client.not.active.exception", message, client_id)
    return found


def id_of(store: Store, external_id: str) -> int:
    """The client's id behind an external id; 404 when nobody has it."""
    found = store.row("select id from client where external_id = ?", external_id)
    if found is None:
        message = f"Client with external identifier {external_id} does not exist"
        raise errors.not_found("error.msg.client.external.id.invalid", message, external_id)
    return int(found["id"])


def name_of(client: sqlite3.Row) -> str:
    """How a client is called."""
    details = _details(client)
    return str(details.get("fullname") or " ".join(str(details[name]) for name in _NAMES if name in details))


def view(client: sqlite3.Row) -> Answer:
    """A client as answers show it."""
    details = _details(client)
    legal_form = int(str(details.pop("legalFormId")))
    activated_on = _array(client["activated_on"])
    return {
        "id": client["id"],
        "accountNo": client["account_no"],
        "externalId": client["external_id"],
        "status": enums.client_status(ClientStatus(client["status"])),
        "active": client["status"] == ClientStatus.ACTIVE,
        "activationDate": activated_on,
        **details,
        "displayName": name_of(client),
        "mobileNo": client["mobile_no"],
        "officeId": HEAD_OFFICE,
        "officeName": HEAD_OFFICE_NAME,
        "legalForm": enums.option(legal_form, *_LEGAL_FORMS[legal_form]),
        "timeline": {"submittedOnDate": _array(client["submitted_on"]), "activatedOnDate": activated_on},
    }


def page(store: Store, external_id: str | None, offset: int, limit: int) -> Answer:
    """The answer of GET /clients: a page by id, `limit` -1 for all."""
    total = store.rows(f"select count(*) as n {_MATCHING}", external_id)[0]["n"]
    found = store.rows(f"select * {_MATCHING} order by id limit ?2 offset ?3", external_id, limit, offset)
    return {"totalFilteredRecords": total, "pageItems": [view(client) for client in found]}


def _details(client: sqlite3.Row) -> dict[str, object]:
    found = wire.decode(client["details"].encode())
    return found if isinstance(found, dict) else {}


def _array(text: str | None) -> list[int] | None:
    return wire.day(date.fromisoformat(text)) if text else None
