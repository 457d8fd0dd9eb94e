"""The paths of the v1 API: which operation or view each one is, and the names `/standin/rules` know them by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import QueryParams

from local_stack.fineract import (
    charge_offs,
    charges,
    clients,
    errors,
    foreclosure,
    loan_charges,
    loan_records,
    loan_views,
    loans,
    products,
    repayments,
    settings,
    waivers,
    write_offs,
)
from local_stack.fineract.body import Body
from local_stack.fineract.operations import Operation, Target
from local_stack.fineract.store import Store

BASE: Final = "/fineract-provider/api/v1"
HEALTH: Final = "/fineract-provider/actuator/health"
_EVERYTHING: Final = -1
PathIds = Mapping[str, object]
Commands = Mapping[str | None, Operation]


@dataclass(frozen=True, slots=True)
class View:
    """A read: its name and what it answers with."""

    name: str
    show: Callable[[Store, PathIds, QueryParams], object]


@dataclass(frozen=True, slots=True)
class Preview:
    """A POST that is answered like a read: nothing is written and no key is recorded."""

    name: str
    show: Callable[[Store, Body], object]


@dataclass(frozen=True, slots=True)
class Resource:
    """A path and what can be done there. `commands` go by the query parameter `command`; None is the plain request."""

    path: str
    view: View | None = None
    method: str = "POST"
    commands: Commands | None = None
    previews: Mapping[str, Preview] | None = None


def target_of(store: Store, ids: PathIds) -> Target:
    """What a path points at. External ids are looked up here (404, not recorded), numeric ones by the command."""
    return Target(_loan_id(store, ids), _resource_id(store, ids))


def _loan_id(store: Store, ids: PathIds) -> int | None:
    if "loan_external_id" in ids:
        return loan_records.id_of_loan(store, str(ids["loan_external_id"]))
    return int(str(ids["loan_id"])) if "loan_id" in ids else None


def _resource_id(store: Store, ids: PathIds) -> int:
    if "transaction_external_id" in ids:
        return loan_records.id_of_transaction(store, str(ids["transaction_external_id"]))
    if "client_external_id" in ids:
        return clients.id_of(store, str(ids["client_external_id"]))
    if "configuration_name" in ids:
        return settings.configuration_id(store, str(ids["configuration_name"]))
    return int(str(ids.get("resource_id", 0)))


def _whole(query: QueryParams, name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not text.lstrip("-").isdigit():
        raise errors.unsupported_query_value(name, text)
    return int(text)


def _loan(store: Store, ids: PathIds, query: QueryParams) -> object:
    asked = frozenset(query.get("associations", "").split(",")) - {""}
    return loan_views.loan_view(store, target_of(store, ids).loan_id or 0, asked)


def _loan_page(store: Store, _: PathIds, query: QueryParams) -> object:
    direction = query.get("sortOrder", "ASC").upper()
    if direction not in {"ASC", "DESC"}:
        raise errors.unsupported_query_value("sortOrder", direction)
    return loan_views.page(
        store,
        filters={name: query.get(name) for name in loan_views.FILTERS},
        order_by=query.get("orderBy"),
        descending=direction == "DESC",
        offset=_whole(query, "offset", 0),
        limit=_whole(query, "limit", _EVERYTHING),
    )


def _loan_template(store: Store, _: PathIds, query: QueryParams) -> object:
    if query.get("templateType") != "individual":
        raise errors.unsupported_query_value("templateType", query.get("templateType"))
    return loan_views.loan_template(store, _whole(query, "clientId", 0), _whole(query, "productId", 0))


def _transaction_template(store: Store, ids: PathIds, query: QueryParams) -> object:
    loan_id = target_of(store, ids).loan_id or 0
    return loan_views.transaction_template(store, loan_id, query.get("command"), Body(dict(query)))


def _transaction(store: Store, ids: PathIds, _: QueryParams) -> object:
    target = target_of(store, ids)
    return loan_views.transaction_view(store, target.loan_id or 0, target.resource_id)


def _client(store: Store, ids: PathIds, _: QueryParams) -> object:
    return clients.view(clients.require(store, _resource_id(store, ids)))


def _client_page(store: Store, _: PathIds, query: QueryParams) -> object:
    limit = _whole(query, "limit", _EVERYTHING)
    return clients.page(store, query.get("externalId"), _whole(query, "offset", 0), limit)


def _search(store: Store, _: PathIds, query: QueryParams) -> object:
    asked = frozenset(query.get("resource", "").lower().split(",")) - {""}
    if asked != {"clients"}:
        raise errors.NotProvidedError("the stand-in searches clients only")
    return clients.search(store, query.get("query", ""), exact=query.get("exactMatch", "").lower() == "true")


def _charge(store: Store, ids: PathIds, _: QueryParams) -> object:
    return charges.view(store, _resource_id(store, ids))


def _loan_charges(store: Store, ids: PathIds, _: QueryParams) -> object:
    return charges.views(store, loan_records.require_loan(store, _loan_id(store, ids)).id)


def _product(store: Store, ids: PathIds, _: QueryParams) -> object:
    return products.view(products.require(store, _resource_id(store, ids)))


def _configuration(store: Store, ids: PathIds, _: QueryParams) -> object:
    return settings.configuration(store, str(ids["configuration_name"]))


def _schedule_preview(store: Store, body: Body) -> object:
    loan, installments = loans.preview(store, body)
    return loan_views.schedule_preview(loan, installments, settings.today(store))


_LOAN_COMMANDS: Final[Commands] = {
    "approve": Operation("approve", "APPROVE", "LOAN", loans.approve),
    "undoapproval": Operation("undo_approval", "APPROVALUNDO", "LOAN", loans.undo_approval),
    "reject": Operation("reject", "REJECT", "LOAN", loans.reject),
    "withdrawnbyapplicant": Operation("withdraw", "WITHDRAW", "LOAN", loans.withdraw),
    "disburse": Operation("disburse", "DISBURSE", "LOAN", loans.disburse),
    "undodisbursal": Operation("undo_disbursal", "DISBURSALUNDO", "LOAN", loans.undo_disbursal),
}
_TRANSACTION_COMMANDS: Final[Commands] = {
    "repayment": Operation("repayment", "REPAYMENT", "LOAN", repayments.repay),
    "writeoff": Operation("write_off", "WRITEOFF", "LOAN", write_offs.write_off),
    "undowriteoff": Operation("undo_write_off", "UNDOWRITEOFF", "LOAN", write_offs.undo, needs_body=False),
    "recoverypayment": Operation("recovery", "RECOVERYPAYMENT", "LOAN", write_offs.recover),
    "foreclosure": Operation("foreclosure", "FORECLOSURE", "LOAN", foreclosure.foreclose),
    "waiveinterest": Operation("waive_interest", "WAIVEINTERESTPORTION", "LOAN", waivers.waive_interest),
    "goodwillcredit": Operation("goodwill_credit", "GOODWILLCREDIT", "LOAN", waivers.credit_goodwill),
    "charge-off": Operation("charge_off", "CHARGEOFF", "LOAN", charge_offs.charge_off),
    "undo-charge-off": Operation(
        "undo_charge_off", "UNDOCHARGEOFF", "LOAN", charge_offs.undo, needs_body=False
    ),
}
_LOAN_CHARGE_COMMANDS: Final[Commands] = {
    "waive": Operation("waive_charge", "WAIVE", "LOANCHARGE", waivers.waive_charge, needs_body=False),
    "adjustment": Operation("adjust_charge", "ADJUSTMENT", "LOANCHARGE", waivers.adjust_charge),
}
_UNDO_CHARGE_WAIVER: Final[Commands] = {
    None: Operation("undo_charge_waiver", "UNDO", "WAIVECHARGE", waivers.undo_charge_waiver, needs_body=False)
}
_LOAN_CHARGES: Final[Commands] = {None: Operation("add_charge", "CREATE", "LOANCHARGE", loan_charges.add)}
_ADJUSTMENT: Final[Commands] = {None: Operation("adjust_transaction", "ADJUST", "LOAN", repayments.adjust)}
_CLIENT_COMMANDS: Final[Commands] = {
    "activate": Operation("activate_client", "ACTIVATE", "CLIENT", clients.activate)
}
_CLIENT_UPDATE: Final[Commands] = {None: Operation("update_client", "UPDATE", "CLIENT", clients.update)}
_UPDATE_CONFIGURATION: Final[Commands] = {
    None: Operation("update_configuration", "UPDATE", "CONFIGURATION", settings.update_configuration)
}


def _create(name: str, entity: str, run: Callable[[Store, Target, Body], dict[str, object]]) -> Commands:
    return {None: Operation(name, "CREATE", entity, run)}


def _of_loan(prefix: str) -> list[Resource]:
    show = View("get_transaction", _transaction)
    transactions = f"{prefix}/transactions"
    return [
        Resource(prefix, View("get_loan", _loan), commands=_LOAN_COMMANDS),
        Resource(f"{prefix}/charges", View("list_loan_charges", _loan_charges), commands=_LOAN_CHARGES),
        Resource(f"{prefix}/charges/{{resource_id:int}}", commands=_LOAN_CHARGE_COMMANDS),
        Resource(transactions, commands=_TRANSACTION_COMMANDS),
        Resource(f"{transactions}/template", View("transaction_template", _transaction_template)),
        Resource(f"{transactions}/{{resource_id:int}}", show, commands=_ADJUSTMENT),
        Resource(f"{transactions}/external-id/{{transaction_external_id}}", show, commands=_ADJUSTMENT),
        Resource(f"{transactions}/{{resource_id:int}}", method="PUT", commands=_UNDO_CHARGE_WAIVER),
        Resource(
            f"{transactions}/external-id/{{transaction_external_id}}",
            method="PUT",
            commands=_UNDO_CHARGE_WAIVER,
        ),
    ]


def _of_client(prefix: str) -> list[Resource]:
    return [
        Resource(prefix, View("get_client", _client), commands=_CLIENT_COMMANDS),
        Resource(prefix, method="PUT", commands=_CLIENT_UPDATE),
    ]


RESOURCES: Final = (
    Resource(
        "/clients",
        View("list_clients", _client_page),
        commands=_create("create_client", "CLIENT", clients.create),
    ),
    *_of_client("/clients/{resource_id:int}"),
    *_of_client("/clients/external-id/{client_external_id}"),
    Resource("/search", View("search", _search)),
    Resource(
        "/charges",
        View("list_charges", lambda store, _ids, _query: charges.listed(store)),
        commands=_create("create_charge", "CHARGE", charges.create),
    ),
    Resource("/charges/{resource_id:int}", View("get_charge", _charge)),
    Resource(
        "/loanproducts",
        View("list_products", lambda store, _ids, _query: products.listed(store)),
        commands=_create("create_product", "LOANPRODUCT", products.create),
    ),
    Resource("/loanproducts/{resource_id:int}", View("get_product", _product)),
    Resource(
        "/loans",
        View("list_loans", _loan_page),
        commands=_create("create_loan", "LOAN", loans.submit),
        previews={"calculateloanschedule": Preview("calculate_loan_schedule", _schedule_preview)},
    ),
    Resource("/loans/template", View("loan_template", _loan_template)),
    *_of_loan("/loans/{loan_id:int}"),
    *_of_loan("/loans/external-id/{loan_external_id}"),
    Resource(
        "/paymenttypes",
        View("list_payment_types", lambda store, _ids, _query: settings.payment_types(store)),
        commands=_create("create_payment_type", "PAYMENTTYPE", settings.create_payment_type),
    ),
    Resource(
        "/businessdate",
        View("get_business_date", lambda store, _ids, _query: settings.business_dates(store)),
        commands={
            None: Operation("set_business_date", "UPDATE", "BUSINESS_DATE", settings.set_business_date)
        },
    ),
    Resource(
        "/configurations",
        View("list_configurations", lambda store, _ids, _query: settings.configurations(store)),
    ),
    Resource("/configurations/{resource_id:int}", method="PUT", commands=_UPDATE_CONFIGURATION),
    Resource(
        "/configurations/name/{configuration_name}",
        View("get_configuration", _configuration),
        method="PUT",
        commands=_UPDATE_CONFIGURATION,
    ),
)


def names_of(resources: tuple[Resource, ...]) -> frozenset[str]:
    """Every name a rule may speak of."""
    names = {"read", "write", "any", "batch"}
    for resource in resources:
        names.update(operation.name for operation in (resource.commands or {}).values())
        names.update(preview.name for preview in (resource.previews or {}).values())
        names.update({resource.view.name} if resource.view else ())
    return frozenset(names)
