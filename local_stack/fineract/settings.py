"""Tenant-wide settings: configurations, the business date, payment types."""

from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from local_stack.fineract import errors, wire
from local_stack.fineract.body import FORMAT_FIELDS, Body, Checks, settled
from local_stack.fineract.operations import Answer, Target, result
from local_stack.fineract.store import Store

TENANT_ZONE: Final = ZoneInfo("Asia/Kolkata")
BUSINESS_DATE: Final = "BUSINESS_DATE"
_DATE_NAMES: Final = {BUSINESS_DATE: "Business Date", "COB_DATE": "Close of Business Date"}
_ENABLE_BUSINESS_DATE: Final = "enable-business-date"
_NAME_LENGTH: Final = 100
_DESCRIPTION_LENGTH: Final = 500


def today(store: Store) -> date:
    """The last date that is not in the future: the business date when enabled, else the tenant's calendar date."""
    found = store.row(
        "select b.date from business_date b join configuration c on c.name = ? and c.enabled where b.type = ?",
        _ENABLE_BUSINESS_DATE,
        BUSINESS_DATE,
    )
    return date.fromisoformat(found["date"]) if found else datetime.now(TENANT_ZONE).date()


def configurations(store: Store) -> Answer:
    """The answer of GET /configurations."""
    names = [row["name"] for row in store.rows("select name from configuration order by id")]
    return {"globalConfiguration": [configuration(store, name) for name in names]}


def configuration(store: Store, name: str) -> Answer:
    """One configuration; 404 for a name that does not exist."""
    found = store.row("select * from configuration where name = ?", name)
    if found is None:
        message = f"Configuration identifier {name} is invalid."
        raise errors.not_found("error.msg.configuration.name.invalid", message, name)
    return {
        "id": found["id"],
        "name": found["name"],
        "enabled": bool(found["enabled"]),
        "value": found["value"],
        "trapDoor": False,
    }


def configuration_id(store: Store, name: str) -> int:
    """The id behind a configuration's name; 404 for a name that does not exist."""
    found = configuration(store, name)["id"]
    return found if isinstance(found, int) else 0


def update_configuration(store: Store, target: Target, body: Body) -> Answer:
    """Switch a configuration; only those that change what this server does may be switched."""
    body.only(frozenset({"enabled"}), elsewhere=frozenset({"value", "stringValue", "dateValue"}))
    found = store.row("select name from configuration where id = ?", target.resource_id)
    if found is None:
        raise errors.not_found(
            "error.msg.configuration.id.invalid", f"Configuration {target.resource_id} is invalid."
        )
    if found["name"] != _ENABLE_BUSINESS_DATE:
        raise errors.NotProvidedError(f"the stand-in does not act on {found['name']}")
    enabled = bool(body.flag("enabled"))
    store.run("update configuration set enabled = ? where id = ?", enabled, target.resource_id)
    return result(resourceId=target.resource_id, changes={"enabled": enabled})


def business_dates(store: Store) -> list[Answer]:
    """The answer of GET /businessdate."""
    return [
        {
            "type": row["type"],
            "description": _DATE_NAMES[row["type"]],
            "date": wire.day(date.fromisoformat(row["date"])),
        }
        for row in store.rows("select * from business_date order by type")
    ]


def set_business_date(store: Store, _: Target, body: Body) -> Answer:
    """Set the business date (the close-of-business date follows a day behind); 403 unless the feature is enabled."""
    body.only(FORMAT_FIELDS | {"type", "date"})
    checks = Checks("businessdate")
    kind, on = body.text("type"), body.date("date")
    checks.required("type", kind)
    checks.one_of("type", kind, tuple(_DATE_NAMES))
    checks.required("date", on)
    checks.settle()
    enabled = store.row("select 1 from configuration where name = ? and enabled", _ENABLE_BUSINESS_DATE)
    if enabled is None:
        raise errors.domain_rule("business.date.is.not.enabled", "Business date functionality is not enabled")
    changed = {settled(kind): settled(on)}
    if kind == BUSINESS_DATE:
        changed["COB_DATE"] = settled(on) - timedelta(days=1)
    for name, value in changed.items():
        store.run("insert or replace into business_date (type, date) values (?, ?)", name, value.isoformat())
    return result(changes={name: wire.day(value) for name, value in changed.items()})


def payment_types(store: Store) -> list[Answer]:
    """The answer of GET /paymenttypes."""
    return [
        {
            "id": row["id"],
            "name": row["name"],
            "description": row["description"],
            "isCashPayment": bool(row["is_cash_payment"]),
            "position": row["position"],
            "isSystemDefined": False,
        }
        for row in store.rows("select * from payment_type order by position, id")
    ]


def create_payment_type(store: Store, _: Target, body: Body) -> Answer:
    """Add a payment type."""
    body.only(FORMAT_FIELDS | {"name", "description", "isCashPayment", "position"})
    checks = Checks("paymenttype")
    name, description = body.text("name"), body.text("description")
    position = body.plain_integer("position")
    checks.required("name", name)
    checks.at_most("name", name, _NAME_LENGTH)
    checks.at_most("description", description, _DESCRIPTION_LENGTH)
    checks.required("position", position)
    checks.not_negative("position", position)
    checks.settle()
    made = store.run(
        "insert into payment_type (name, description, is_cash_payment, position) values (?, ?, ?, ?)",
        name,
        description,
        bool(body.flag("isCashPayment")),
        position,
    )
    return result(resourceId=made)


def require_payment_type(store: Store, payment_type_id: int) -> None:
    """404 for a payment type that does not exist."""
    if store.row("select 1 from payment_type where id = ?", payment_type_id) is None:
        message = f"Payment Type with identifier {payment_type_id} does not exist"
        raise errors.not_found("error.msg.payment.type.invalid", message, payment_type_id)
