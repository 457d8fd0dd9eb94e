"""The operations on loans: how each is recognised in what Fineract has, and the call that carries it out.

What is checked against the submission before anything is written (days, the preview of the schedule, the amount
approved, the quote of a foreclosure) holds the row where it differs by more than the lender's tolerance.
"""

from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from turno_lms.domain.money import canonical_amount, rupees
from turno_lms.domain.states import LosReason
from turno_lms.fineract.client import FORMATS, loan_path
from turno_lms.fineract.repayments import iso_date
from turno_lms.los.application import TemplateError, application, charge_body
from turno_lms.los.clients import missing_client
from turno_lms.los.desk import Desk, LookUpError
from turno_lms.los.model import Draft, Hold, Json, Refuse, Row, View, Write
from turno_lms.los.schedule import ScheduleFigures, figures_of

SUBMITTED, APPROVED, ACTIVE, REJECTED = 100, 200, 300, 500
CLOSED, WRITTEN_OFF, OVERPAID = 600, 601, 700
FORECLOSED = 100
"""The sub-status of a closed loan."""
DISBURSED = frozenset({ACTIVE, CLOSED, WRITTEN_OFF, OVERPAID})


def loan_command(loan_id: str, command: str, body: Json) -> Write:
    """A command of the loan's life cycle."""
    return Write("POST", f"{loan_path(loan_id)}?command={command}", body, loan_id)


def _day(loan: Json, name: str) -> date | None:
    return iso_date((loan.get("timeline") or {}).get(name))


def _same_day(loan: Json, name: str, text: str) -> bool:
    return _day(loan, name) == date.fromisoformat(text)


def _amount(value: Any) -> Decimal:
    return rupees(value or 0)


def _noted(payload: Json, body: Json) -> Json:
    return {**body, "note": payload["note"]} if "note" in payload else body


# ---------------------------------------------------------------- creation


def is_created(row: Row, view: View) -> bool:
    """Whether Fineract has the application as submitted, whatever became of it since."""
    return view.loan is not None and not _differences(row.payload, view.loan)


def _differences(payload: Json, loan: Json) -> list[str]:
    there = {
        "client_id": loan.get("clientExternalId"),
        "principal": _amount(loan.get("proposedPrincipal")),
        "number_of_repayments": loan.get("numberOfRepayments"),
        "submitted_on": _day(loan, "submittedOnDate"),
    }
    here = {
        "client_id": payload["client_id"],
        "principal": Decimal(payload["principal"]),
        "number_of_repayments": payload["number_of_repayments"],
        "submitted_on": date.fromisoformat(payload["submitted_on"]),
    }
    # older releases do not name the client's external id with the loan
    return [name for name, value in here.items() if value != there[name] and there[name] is not None]


def different_loan(row: Row, view: View) -> Hold:
    """There is a loan of this id that is not as submitted."""
    fields = _differences(row.payload, view.loan or {})
    message = f"Fineract has a loan {row.payload['loan_id']} that is not as submitted ({', '.join(fields)})"
    return Hold(LosReason.LOAN_DIFFERS, message, {"fields": fields})


def creation(row: Row, view: View, desk: Desk) -> Draft:
    """POST /loans, after its preview was compared with what the borrower was promised."""
    payload = row.payload
    waits = missing_client(row, view) or desk.wait_for(payload["submitted_on"])
    if waits:
        return waits
    lender = desk.lenders.get(payload["lender"])
    if lender is None:
        return Hold(LosReason.LENDER_UNKNOWN, f"there is no mapping of lender {payload['lender']}")
    wrong_days = _wrong_days(payload)
    if wrong_days and not row.accepts(LosReason.DATES_DIFFER):
        return Hold(LosReason.DATES_DIFFER, wrong_days)
    product_id, client_id = lender.fineract.product_id, int((view.client or {})["id"])
    template = desk.template_of(product_id, client_id)
    try:
        body = application(
            payload, client_id=client_id, template=template, product_id=product_id, los=lender.los
        )
    except TemplateError as error:
        return Hold(LosReason.SCHEDULE_DIFFERS, str(error))
    preview = desk.client.send(
        "POST", "/loans?command=calculateLoanSchedule", body, purpose="preview_schedule", subject=payload["loan_id"],
        idempotency_key=row.idempotency_key,
    )  # fmt: skip
    if not preview.ok and preview.status in {400, 403, 404}:
        return Refuse(LosReason.REFUSED_BY_FINERACT, f"{preview.code}: {preview.message}", preview.status)
    figures = figures_of(preview.body) if preview.ok and isinstance(preview.body, dict) else None
    if figures is None:
        raise LookUpError("preview_schedule", preview)
    return _held_schedule(row, figures, lender.los.most_off[0]) or Write(
        "POST", "/loans", body, payload["loan_id"]
    )


def _wrong_days(payload: Json) -> str | None:
    submitted, expected = payload["submitted_on"], payload["expected_disbursement_on"]
    if submitted > expected:
        return f"expected disbursement on {expected} is before the application of {submitted}"
    first = payload.get("first_repayment_on")
    if first and first <= expected:
        return f"first repayment on {first} is not after the expected disbursement on {expected}"
    return None


def _held_schedule(row: Row, figures: ScheduleFigures, tolerance: Decimal) -> Hold | None:
    """What the preview says against the submission, unless a person let it pass."""
    payload = row.payload
    for reason, name, promised, found, differs in (
        (
            LosReason.SCHEDULE_DIFFERS, "number of instalments", payload["number_of_repayments"],
            figures.installments, payload["number_of_repayments"] != figures.installments,
        ),
        (
            LosReason.SCHEDULE_DIFFERS, "first instalment's day", payload.get("first_repayment_on"),
            figures.first_due_on.isoformat(),
            payload.get("first_repayment_on", figures.first_due_on.isoformat()) != figures.first_due_on.isoformat(),
        ),
        (
            LosReason.INSTALMENT_DIFFERS, "instalment", payload.get("emi"), f"{figures.installment_amount:f}",
            abs(Decimal(payload.get("emi", figures.installment_amount)) - figures.installment_amount) > tolerance,
        ),
    ):  # fmt: skip
        if differs and not row.accepts(reason):
            message = f"{name}: submitted {promised}, Fineract's schedule has {found}"
            return Hold(
                reason, message, {"submitted": promised, "fineract": found, "schedule": figures.to_dict()}
            )
    return None


# ---------------------------------------------------------------- approval and disbursal


def is_approved(row: Row, view: View) -> bool:
    """Whether the loan was approved on that day, for that amount if one was named."""
    loan, payload = view.loan or {}, row.payload
    if view.loan_status not in {APPROVED, *DISBURSED} or not _same_day(
        loan, "approvedOnDate", payload["approved_on"]
    ):
        return False
    approved = _amount(loan.get("approvedPrincipal"))
    return Decimal(payload.get("amount", approved)) == approved


def approval(row: Row, view: View, desk: Desk) -> Draft:  # noqa: ARG001  # every draft has these parameters
    """Approve for what was asked, or for less."""
    payload = row.payload
    future = desk.wait_for(payload["approved_on"])
    if future:
        return future
    body: Json = {**FORMATS, "approvedOnDate": payload["approved_on"]}
    if "amount" in payload:
        body["approvedLoanAmount"] = Decimal(payload["amount"])
    if "expected_disbursement_on" in payload:
        body["expectedDisbursementDate"] = payload["expected_disbursement_on"]
    return loan_command(payload["loan_id"], "approve", _noted(payload, body))


def is_disbursed(row: Row, view: View) -> bool:
    """Whether that amount went out on that day."""
    loan, payload = view.loan or {}, row.payload
    return (
        view.loan_status in DISBURSED
        and _same_day(loan, "actualDisbursementDate", payload["disbursed_on"])
        and _amount(loan.get("principal")) == Decimal(payload["amount"])
    )


def disbursal(row: Row, view: View, desk: Desk) -> Draft:
    """Disburse the submitted amount, which must be the approved one."""
    payload, loan = row.payload, view.loan or {}
    future = desk.wait_for(payload["disbursed_on"])
    if future:
        return future
    rules, amount = desk.rules_for(loan), Decimal(payload["amount"])
    approved = _amount(loan.get("approvedPrincipal"))
    if abs(amount - approved) > rules.most_off[1] and not row.accepts(LosReason.AMOUNT_DIFFERS):
        message = f"{canonical_amount(amount)} is to be disbursed, {canonical_amount(approved)} is approved"
        figures = {"submitted": canonical_amount(amount), "fineract": canonical_amount(approved)}
        return Hold(LosReason.AMOUNT_DIFFERS, message, figures)
    body: Json = {
        **FORMATS,
        "actualDisbursementDate": payload["disbursed_on"],
        "transactionAmount": amount,
        "externalId": row.external_id,
    }
    if rules.disbursal_payment_type_id:
        body["paymentTypeId"] = rules.disbursal_payment_type_id
    if "bank_reference" in payload:
        body["receiptNumber"] = payload["bank_reference"]
    return loan_command(payload["loan_id"], "disburse", _noted(payload, body))


# ---------------------------------------------------------------- charges and foreclosure


def is_charged(row: Row, view: View) -> bool:
    """Whether the loan has the charge under our external id."""
    charges = (view.loan or {}).get("charges") or ()
    return any(charge.get("externalId") == row.external_id for charge in charges)


def charging(row: Row, view: View, desk: Desk) -> Draft:  # noqa: ARG001  # every draft has these parameters
    """Add the charge."""
    body = {**FORMATS, **charge_body(row.payload["charge"]), "externalId": row.external_id}
    path = f"{loan_path(row.payload['loan_id'])}/charges"
    return Write("POST", path, body, row.external_id)


def is_foreclosed(row: Row, view: View) -> bool:
    """Whether the loan was foreclosed on that day."""
    loan = view.loan or {}
    return (
        view.loan_status == CLOSED
        and (loan.get("subStatus") or {}).get("id") == FORECLOSED
        and _same_day(loan, "closedOnDate", row.payload["foreclosed_on"])
    )


def foreclosure(row: Row, view: View, desk: Desk) -> Draft:
    """Foreclose, if the money received is what Fineract asks for: the server computes the amount by itself."""
    payload = row.payload
    future = desk.wait_for(payload["foreclosed_on"])
    if future:
        return future
    query = {"command": "foreclosure", "transactionDate": payload["foreclosed_on"], **FORMATS}
    path = f"{loan_path(payload['loan_id'])}/transactions/template?{urlencode(query)}"
    quote = desk.read(path, "foreclosure_quote", payload["loan_id"]) or {}
    asked, received = _amount(quote.get("amount")), Decimal(payload["amount"])
    if abs(asked - received) > desk.rules_for(view.loan).most_off[1] and not row.accepts(
        LosReason.QUOTE_DIFFERS
    ):
        message = (
            f"{canonical_amount(received)} was received, Fineract asks {canonical_amount(asked)} to foreclose"
        )
        figures = {"submitted": canonical_amount(received), "fineract": canonical_amount(asked)}
        return Hold(LosReason.QUOTE_DIFFERS, message, figures)
    body = {**FORMATS, "transactionDate": payload["foreclosed_on"], "externalId": row.external_id}
    path = f"{loan_path(payload['loan_id'])}/transactions?command=foreclosure"
    return Write("POST", path, _noted(payload, body), row.external_id)


# ---------------------------------------------------------------- undoing, rejecting


def is_back_to_submitted(row: Row, view: View) -> bool:
    """Whether the approval is gone, by this very submission."""
    return row.sent and view.loan_status == SUBMITTED


def approval_undoing(row: Row, view: View, desk: Desk) -> Draft:  # noqa: ARG001  # every draft has these parameters
    """Take the approval back. Fineract takes a note here and nothing else."""
    return loan_command(row.payload["loan_id"], "undoapproval", _noted(row.payload, {}))


def is_back_to_approved(row: Row, view: View) -> bool:
    """Whether the disbursal is gone, by this very submission."""
    return row.sent and view.loan_status == APPROVED


def disbursal_undoing(row: Row, view: View, desk: Desk) -> Draft:  # noqa: ARG001  # every draft has these parameters
    """Take the disbursal back, and every later transaction with it."""
    return loan_command(row.payload["loan_id"], "undodisbursal", _noted(row.payload, {}))


def is_rejected(row: Row, view: View) -> bool:
    """Whether the application was rejected on that day."""
    return view.loan_status == REJECTED and _same_day(
        view.loan or {}, "rejectedOnDate", row.payload["rejected_on"]
    )


def rejection(row: Row, view: View, desk: Desk) -> Draft:  # noqa: ARG001  # every draft has these parameters
    """Reject the application."""
    future = desk.wait_for(row.payload["rejected_on"])
    if future:
        return future
    body = {**FORMATS, "rejectedOnDate": row.payload["rejected_on"]}
    return loan_command(row.payload["loan_id"], "reject", _noted(row.payload, body))


def beyond(row: Row, view: View) -> Refuse:
    """The loan has passed the state in which this could be done, and it is not as submitted."""
    loan = view.loan or {}
    days = ", ".join(
        f"{name.removesuffix('OnDate').removesuffix('Date')} {day}"
        for name in ("approvedOnDate", "actualDisbursementDate", "closedOnDate", "rejectedOnDate")
        if (day := _day(loan, name))
    )
    message = (
        f"loan {row.payload['loan_id']} is {loan.get('status', {}).get('value')} ({days}): not as submitted"
    )
    return Refuse(LosReason.STATE_PASSED, message)
