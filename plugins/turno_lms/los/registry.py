"""The operations: one entry each, and nothing about an operation anywhere else but its JSON Schema.

Adding one is an entry here, a schema of the same name in include/los_operations, and `turno los apply`, which makes its
two tables.
"""

from collections.abc import Callable
from dataclasses import dataclass

from turno_lms.los import clients, loans
from turno_lms.los.desk import Desk
from turno_lms.los.model import ABSENT, Draft, Hold, Refuse, Row, Subject, View

Status = int | None


@dataclass(frozen=True)
class Operation:
    """What there is to know about an operation.

    `rank` is its place in the life cycle, for submissions that came together. `ready` are the statuses in Fineract of
    its subject in which it is carried out, `early` those in which it waits; in any other the subject is beyond it, and
    unless `is_done` recognises it there, `otherwise` says what becomes of it. `draft` checks, and makes the call.
    `results` are the fields of its result, each with its path in what Fineract shows of the subject afterwards.
    """

    name: str
    rank: int
    subject: Subject
    ready: frozenset[Status]
    early: frozenset[Status]
    is_done: Callable[[Row, View], bool]
    draft: Callable[[Row, View, Desk], Draft]
    otherwise: Callable[[Row, View], Hold | Refuse]
    results: tuple[tuple[str, str], ...]
    needs_client: bool = False
    """Whether a loan's operation asks for the client as well."""


_CLIENT_RESULTS = (("fineract_client_id", "id"), ("account_no", "accountNo"), ("status", "status.value"))
_LOAN_RESULTS = (("fineract_loan_id", "id"), ("account_no", "accountNo"), ("status", "status.value"))
_SCHEDULE = (("schedule", "repaymentSchedule"),)
_APPROVAL = (("approved_on", "timeline.approvedOnDate"), ("approved_principal", "approvedPrincipal"))
_DISBURSAL = (
    ("disbursed_on", "timeline.actualDisbursementDate"),
    ("principal", "principal"),
    ("net_disbursal", "netDisbursalAmount"),
)
_BEFORE_DISBURSAL = frozenset({ABSENT, loans.SUBMITTED, loans.APPROVED})

_OPERATIONS = (
    Operation(
        "create_client", 10, Subject.CLIENT, frozenset({ABSENT, clients.PENDING}), frozenset(),
        clients.is_created, clients.creation, clients.different_client, _CLIENT_RESULTS,
    ),
    Operation(
        "update_client", 15, Subject.CLIENT, frozenset({clients.PENDING, clients.ACTIVE}), frozenset({ABSENT}),
        clients.is_updated, clients.update, clients.different_client, _CLIENT_RESULTS,
    ),
    Operation(
        "create_loan", 20, Subject.LOAN, frozenset({ABSENT}), frozenset(),
        loans.is_created, loans.creation, loans.different_loan, (*_LOAN_RESULTS, *_SCHEDULE), needs_client=True,
    ),
    Operation(
        "reject_loan", 25, Subject.LOAN, frozenset({loans.SUBMITTED}), frozenset({ABSENT}),
        loans.is_rejected, loans.rejection, loans.beyond,
        (*_LOAN_RESULTS, ("rejected_on", "timeline.rejectedOnDate")),
    ),
    Operation(
        "approve_loan", 30, Subject.LOAN, frozenset({loans.SUBMITTED}), frozenset({ABSENT}),
        loans.is_approved, loans.approval, loans.beyond, (*_LOAN_RESULTS, *_APPROVAL),
    ),
    Operation(
        "undo_approval", 35, Subject.LOAN, frozenset({loans.APPROVED}),
        frozenset({ABSENT, loans.SUBMITTED, loans.ACTIVE}),
        loans.is_back_to_submitted, loans.approval_undoing, loans.beyond, _LOAN_RESULTS,
    ),
    Operation(
        "disburse_loan", 40, Subject.LOAN, frozenset({loans.APPROVED}), frozenset({ABSENT, loans.SUBMITTED}),
        loans.is_disbursed, loans.disbursal, loans.beyond, (*_LOAN_RESULTS, *_DISBURSAL, *_SCHEDULE),
    ),
    Operation(
        "undo_disbursal", 45, Subject.LOAN, frozenset({loans.ACTIVE}), _BEFORE_DISBURSAL,
        loans.is_back_to_approved, loans.disbursal_undoing, loans.beyond, _LOAN_RESULTS,
    ),
    Operation(
        "add_charge", 50, Subject.LOAN, frozenset({loans.SUBMITTED, loans.APPROVED, loans.ACTIVE}), frozenset({ABSENT}),
        loans.is_charged, loans.charging, loans.beyond, (*_LOAN_RESULTS, *_SCHEDULE),
    ),
    Operation(
        "foreclose_loan", 60, Subject.LOAN, frozenset({loans.ACTIVE}), _BEFORE_DISBURSAL,
        loans.is_foreclosed, loans.foreclosure, loans.beyond,
        (*_LOAN_RESULTS, ("closed_on", "timeline.closedOnDate"), ("total_repaid", "summary.totalRepayment")),
    ),
)  # fmt: skip

REGISTRY = {operation.name: operation for operation in _OPERATIONS}
"""The operations by name, in the order of the life cycle."""


def subject_of(operation: str, payload: dict[str, object]) -> str:
    """Whose sequence a submission belongs to: `client:<id>` or `loan:<id>`."""
    subject = REGISTRY[operation].subject
    return f"{subject}:{payload[f'{subject}_id']}"
