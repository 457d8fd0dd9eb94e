"""Statuses, reasons and their legal transitions. Every state change in the package goes through `advance`."""

from enum import StrEnum
from typing import TypeVar


class FileState(StrEnum):
    """Life of one version of a lender file (raw.raw_s3_file_processing_log)."""

    RECEIVED = "received"  # discovered
    ARCHIVED = "archived"  # its bytes are safe; being loaded
    LOADED = "loaded"
    LOADED_EMPTY = "loaded_empty"  # readable, heading found, not one row
    SAME_CONTENT = "same_content"  # these bytes were loaded before, under this or another key
    SUPERSEDED = "superseded"  # loaded, and replaced by a later version of its key; its rows stay
    REFUSED = "refused"  # the file as a whole cannot be taken: see error_code
    HALTED = "halted"  # too many rejects: the rejects are kept, no row is loaded
    FAILED = "failed"  # our fault or the network's: run it again


class FileError(StrEnum):
    """Why a whole file was refused."""

    EMPTY_FILE = "empty_file"
    UNREADABLE_FILE = "unreadable_file"
    HEADING_NOT_FOUND = "heading_not_found"
    MISSING_COLUMN = "missing_column"
    HEADINGS_CHANGED = "headings_changed"  # what is mapped is there; other columns came, went or moved
    TOO_MANY_REJECTS = "too_many_rejects"
    DOES_NOT_TIE = "does_not_tie"
    UNKNOWN_KIND = "unknown_kind"
    FILE_VALUE_UNCLEAR = "file_value_unclear"  # a value that stands once in the file is missing, or twice
    CONTROL_TOTAL_MISMATCH = "control_total_mismatch"  # the lender's own totals say otherwise
    NEWER_VERSION_LOADED = "newer_version_loaded"  # its key was overwritten, and the new content came first


class Disposition(StrEnum):
    """Where a row of a file ended. Exactly one of these for every row: the conservation rule."""

    ACCEPTED = "accepted"
    FILTERED = "filtered"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


class RowReason(StrEnum):
    """Why a row was not accepted."""

    FILTERED_BY_RULE = "filtered_by_rule"
    DUPLICATE_IN_FILE = "duplicate_in_file"
    DUPLICATE_OF_EARLIER_FILE = "duplicate_of_earlier_file"
    REFERENCE_REUSED = "reference_reused"  # a reference seen before, with another loan, date or amount
    CHANGED_SINCE_LOADED = (
        "changed_since_loaded"  # stands where a loaded row of the same loan stood in the last version
    )
    MISSING_VALUE = "missing_value"
    BAD_AMOUNT = "bad_amount"
    AMOUNT_NOT_POSITIVE = "amount_not_positive"
    BAD_DATE = "bad_date"
    BAD_LOAN_ID = "bad_loan_id"
    AMBIGUOUS_LOAN_ID = "ambiguous_loan_id"
    AMBIGUOUS_VALUE = "ambiguous_value"  # a pattern that must match once found several texts
    BAD_UMRN = "bad_umrn"
    UNKNOWN_STATUS = "unknown_status"
    BAD_VALUE = "bad_value"
    TRUNCATED_ROW = "truncated_row"


class Fate(StrEnum):
    """What later happened to a row that was not accepted."""

    OPEN = "open"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


class IntentState(StrEnum):
    """Life of a posting intent (core.core_fineract_pending_transactions) until it is archived."""

    QUEUED = "queued"
    IN_FLIGHT = "in_flight"
    WAITING = "waiting"  # to be tried again at next_try_at
    UNKNOWN = "unknown"  # sent, answer lost: read back before anything else
    IN_DOUBT = "in_doubt"  # the ceiling of tries is reached: a person looks


class PostingOutcome(StrEnum):
    """How a posting intent ended (core.core_transaction_data_processed)."""

    POSTED = "posted"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"
    REVERSED = "reversed"  # it was posted, and undone in Fineract with a reason (core.core_reversal)
    HISTORIC = "historic"  # the former system posted it: never ours to post, and no transaction of ours


class SwitchState(StrEnum):
    """Whether a lender's channel may be posted (core.core_posting_switch)."""

    OPEN = "open"
    DRAINING = "draining"  # nothing new is claimed; what is in the queue is still posted
    STOPPED = "stopped"  # nothing is claimed and nothing is sent; what may have been sent is read back


class RepaymentKind(StrEnum):
    """How money is booked on a loan in Fineract."""

    REPAYMENT = "repayment"
    RECOVERY = "recovery"  # on a written-off loan


class ReversalState(StrEnum):
    """Life of a reversal (core.core_reversal)."""

    PREPARED = "prepared"  # a later record says that the money went back: a person confirms
    REQUESTED = "requested"
    IN_FLIGHT = "in_flight"  # sent: read back before anything else
    DONE = "done"
    REFUSED = "refused"
    DROPPED = "dropped"  # a person decided that the repayment stands


class ApprovalState(StrEnum):
    """Life of an approval (core.core_approval)."""

    REQUESTED = "requested"
    NOT_NEEDED = "not_needed"
    APPROVED = "approved"
    REJECTED = "rejected"
    USED = "used"


class ResolutionState(StrEnum):
    """Life of a settlement, write-off or foreclosure (core.core_settlement, core_write_off, core_foreclosure)."""

    REQUESTED = "requested"  # quoted; another person decides
    REJECTED = "rejected"
    EXPIRED = "expired"  # nobody decided in time
    ACCEPTED = "accepted"  # approved; a settlement waits for its money
    LAPSED = "lapsed"  # the money did not come in time; Fineract is untouched
    STOPPED = "stopped"  # a guard or the figures forbid it at the last moment; Fineract is untouched
    EXECUTING = "executing"
    STUCK = "stuck"  # a step is in doubt, or the end state is not as planned: a person looks
    COMPENSATING = "compensating"  # a step was refused for good: what was done is undone, last first
    COMPENSATED = "compensated"
    DONE = "done"
    UNDOING = "undoing"  # a write-off that is taken back, with an approval of its own
    UNDONE = "undone"


class StepKind(StrEnum):
    """What one step does to the loan in Fineract."""

    WAIVE_CHARGE = "waive_charge"
    WAIVE_INTEREST = "waive_interest"
    ADJUST_CHARGE = "adjust_charge"
    POST_MONEY = "post_money"  # the posting ledger's work; nothing is sent from here
    GOODWILL_CREDIT = "goodwill_credit"
    CHARGE_OFF = "charge_off"
    WRITE_OFF = "write_off"
    FORECLOSE = "foreclose"


class StepState(StrEnum):
    """Life of a step (core.core_resolution_step)."""

    PENDING = "pending"
    SENT = "sent"  # perhaps carried out: read back before anything else
    DONE = "done"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"
    UNDOING = "undoing"
    UNDONE = "undone"
    DROPPED = "dropped"  # never sent: an earlier step was refused


class LosState(StrEnum):
    """Life of an operation of the loan origination system (core.core_los_processed)."""

    QUEUED = "queued"
    IN_FLIGHT = "in_flight"  # being sent: whoever finds it so looks in Fineract first
    WAITING = "waiting"  # what it depends on is not there yet
    UNKNOWN = "unknown"  # sent, answer lost or unclear: looked up before anything else
    HELD = "held"  # a person looks
    DONE = "done"
    REFUSED = "refused"  # by Fineract or by a rule; a person may order another try
    DROPPED = "dropped"  # a person decided that it shall not be done


class LosReason(StrEnum):
    """Why an operation waits, is held or is refused (core.core_los_processed.reason)."""

    CLIENT_MISSING = "client_missing"
    CLIENT_NOT_ACTIVE = "client_not_active"
    LOAN_MISSING = "loan_missing"
    LOAN_NOT_READY = "loan_not_ready"
    DATE_IN_FUTURE = "date_in_future"
    FINERACT_BUSY = "fineract_busy"
    DATES_DIFFER = "dates_differ"
    SCHEDULE_DIFFERS = "schedule_differs"  # the preview has other dates or another number of instalments
    INSTALMENT_DIFFERS = "instalment_differs"
    AMOUNT_DIFFERS = "amount_differs"
    QUOTE_DIFFERS = "quote_differs"  # the money received is not what Fineract asks for to foreclose
    CLIENT_DIFFERS = "client_differs"  # there is a client of this id, with other data
    LOAN_DIFFERS = "loan_differs"
    MOBILE_TAKEN = "mobile_taken"
    ACCOUNT_TAKEN = "account_taken"
    LENDER_UNKNOWN = "lender_unknown"
    CHAIN_REFUSED = "chain_refused"  # sent with others as one, and another of them was refused
    IN_DOUBT = "in_doubt"
    STATE_PASSED = "state_passed"  # the loan is beyond it, and not as submitted
    REFUSED_BY_FINERACT = "refused_by_fineract"


RELEASABLE = frozenset(
    {
        LosReason.DATES_DIFFER, LosReason.SCHEDULE_DIFFERS, LosReason.INSTALMENT_DIFFERS, LosReason.AMOUNT_DIFFERS,
        LosReason.QUOTE_DIFFERS,
    }
)  # fmt: skip
"""Mismatches that a person may let pass; anything else can only be tried again or dropped."""


class LinkState(StrEnum):
    """Life of a payment link (core.core_payment_link)."""

    PLANNED = "planned"  # stored, nothing was sent
    SENDING = "sending"  # the gateway may have it: look it up by its reference before anything else
    OPEN = "open"  # the borrower can pay
    PARTLY_PAID = "partly_paid"  # the borrower can pay the rest
    CANCELLING = (
        "cancelling"  # the gateway may have cancelled it, or taken money first: look before anything else
    )
    PAID = "paid"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"  # the gateway refused it for good
    WITHDRAWN = "withdrawn"  # never sent: what it was for is no longer due


class LinkPurpose(StrEnum):
    """What a payment link asks for, as Fineract says when it is made."""

    EMI = "emi"  # what is left of the earliest unpaid instalment
    OVERDUE = "overdue"  # everything that is overdue
    OUTSTANDING = "outstanding"  # everything that is owed, future interest included


class LinkSkip(StrEnum):
    """Why a loan that was asked for gets no payment link now."""

    UNKNOWN_LOAN = "unknown_loan"  # Fineract has no such loan, or it belongs to another lender
    NOT_ACTIVE = "not_active"  # closed, written off, not disbursed
    NOTHING_DUE = "nothing_due"
    BELOW_MINIMUM = "below_minimum"  # less than the gateway takes
    ALREADY_LIVE = "already_live"  # a link for this due and purpose can still be paid
    OTHER_LINK_LIVE = "other_link_live"  # a link of the loan for another purpose covers the same money
    PAYMENT_UNDER_WAY = "payment_under_way"  # money of the loan is collected and not yet posted
    NO_CONTACT = "no_contact"  # Fineract's client has no phone number, which the gateways need
    BAD_REFERENCE = "bad_reference"  # the loan id does not fit into a reference


class PostingBlock(StrEnum):
    """Why a transaction may not be claimed for posting (core_transaction_data.posting_block)."""

    HISTORIC = "historic"  # before the lender's post_from
    EVIDENCE_ONLY = "evidence_only"  # not (yet) reported by the channel that posts this stream
    POSSIBLE_DUPLICATE = "possible_duplicate"
    NOT_COLLECTED = "not_collected"  # the money did not arrive, or went back
    AWAITING_RECON = "awaiting_recon"
    POLICY_NEVER = "policy_never"
    CONFLICT = "conflict"  # later sightings disagree with the frozen identity
    SUPERSEDED = "superseded"  # the lender's corrected file no longer has the row
    MATCHED_ELSEWHERE = "matched_elsewhere"  # evidence of another payment, which posts for both


class ReconStatus(StrEnum):
    """core_transaction_data.reconciliation_status."""

    NOT_APPLICABLE = "not_applicable"  # one channel only reports this stream: nothing to compare
    PENDING = "pending"  # not yet looked at by reconcile_transactions
    MATCHED = "matched"
    EXPECTED = "expected"  # the other side is not due yet
    CONFLICT = "conflict"  # its sightings contradict each other: identity_conflict asks
    RESOLVED = "resolved"  # a person settled or wrote off what was asked
    MISSING_IN_FILE = "missing_in_file"
    MISSING_IN_GATEWAY = "missing_in_gateway"
    AMOUNT_MISMATCH = "amount_mismatch"
    DATE_MISMATCH = "date_mismatch"
    LOAN_MISMATCH = "loan_mismatch"
    DUPLICATE = "duplicate"
    AMBIGUOUS_MATCH = "ambiguous_match"
    MISSING_IN_FINERACT = "missing_in_fineract"


class ExceptionKind(StrEnum):
    """What a person must look at (core.core_recon_exception)."""

    UNKNOWN_LOAN = "unknown_loan"
    AMBIGUOUS_LOAN = "ambiguous_loan"
    UMRN_UNKNOWN = "umrn_unknown"
    LOAN_OF_OTHER_LENDER = "loan_of_other_lender"
    UNPARSED_REFERENCE = "unparsed_reference"
    POSSIBLE_DUPLICATE = "possible_duplicate"
    IDENTITY_CONFLICT = "identity_conflict"
    MISSING_IN_FILE = "missing_in_file"
    MISSING_IN_GATEWAY = "missing_in_gateway"
    AMOUNT_MISMATCH = "amount_mismatch"  # the other side has the loan, near the day, with other rupees
    DATE_MISMATCH = "date_mismatch"  # the other side has loan and rupees on a day beyond the tolerance
    LOAN_MISMATCH = (
        "loan_mismatch"  # the other side has it on another loan, under the same settlement or mandate
    )
    DUPLICATE = "duplicate"  # its side reports more of the same than the other
    AMBIGUOUS_MATCH = "ambiguous_match"  # several records of the other side are as good
    MISSING_IN_FINERACT = "missing_in_fineract"  # nothing holds it, and it has not been posted
    CONTESTED_MATCH = "contested_match"  # evidence of one payment was then reported by the channel that posts
    SETTLED_UNKNOWN_PAYMENT = "settled_unknown_payment"  # a gateway settled what nobody told us of
    SETTLED_AMOUNT_DIFFERS = "settled_amount_differs"  # it settled another amount than it reported
    FEE_DIFFERS = "fee_differs"  # fee or GST beyond the lender's rate card
    NOT_SETTLED = "not_settled"  # collected, and in no settlement after its time
    SETTLEMENT_TOTAL_DIFFERS = "settlement_total_differs"  # the lines do not add up to the transfer
    LOAN_POSTING_DIFFERS = "loan_posting_differs"  # Fineract has other rupees of ours than the ledger
    LOAN_TOTALS_DIFFER = "loan_totals_differ"  # Fineract's summary is not the sum of its transactions
    LOAN_OUTSTANDING_DIFFERS = "loan_outstanding_differs"  # from the lender's statement, and so the next four
    LOAN_DPD_DIFFERS = "loan_dpd_differs"
    LOAN_STATUS_DIFFERS = "loan_status_differs"
    LOAN_MISSING_IN_FINERACT = "loan_missing_in_fineract"
    LOAN_MISSING_IN_STATEMENT = "loan_missing_in_statement"
    SOURCE_STALE = "source_stale"  # a channel that reports daily was silent
    VOLUME_ANOMALY = "volume_anomaly"  # it reported much more or less than usual
    RETURNED_AFTER_POSTING = "returned_after_posting"  # refunded or charged back: the reversal is prepared
    REVERSAL_UNMATCHED = "reversal_unmatched"  # a file takes back money that cannot be told from other money
    PARTLY_RETURNED = (
        "partly_returned"  # refunded in part before it was posted: nobody posts the rest by itself
    )
    POSTING_FAILED = "posting_failed"  # Fineract refused it for good
    POSTING_IN_DOUBT = "posting_in_doubt"  # its fate could not be found out
    PROOF_DIFFERENCE = "proof_difference"
    SUPERSEDED_ROW = (
        "superseded_row"  # a corrected file lacks or changes a row that an earlier version brought
    )
    REPLAY_DIFFERENCE = "replay_difference"  # a replay would now read rows otherwise than they are loaded
    FILE_OVERDUE = "file_overdue"  # an expected file is late or missing
    BOUNCED_AFTER_POSTING = (
        "bounced_after_posting"  # a file says that posted money bounced: the reversal is prepared
    )
    LOAN_DRIFT = "loan_drift"  # the loan master and Fineract say different things of a loan
    LINK_AMOUNT_MISMATCH = "link_amount_mismatch"  # a payment link was paid with other than what it asked for
    LINK_PAYER_MISMATCH = "link_payer_mismatch"  # paid by another person, or booked on another loan
    LINK_PAID_AFTER_END = "link_paid_after_end"  # money came on a link that was cancelled or had expired
    LINK_STALE = "link_stale"  # the dues changed, and the gateway does not let the link be cancelled
    OVERPAID = "overpaid"  # Fineract took more than the loan owed: the excess is the customer's
    RESOLUTION_STUCK = "resolution_stuck"  # a settlement or write-off that cannot go on by itself


class ExceptionLife(StrEnum):
    """Life of an exception: its state and, while that is open, how far a person has come with it."""

    OPEN = "open"
    ASSIGNED = "assigned"
    WAITING = "waiting"  # for somebody else, until a day
    RESOLVED = "resolved"  # by a person
    CLEARED = "cleared"  # by new data
    WRITTEN_OFF = "written_off"  # a person gave up the difference


class IllegalTransitionError(RuntimeError):
    """A state change that the table of transitions does not know: a bug, never data."""


FILE_TRANSITIONS: dict[StrEnum, frozenset[StrEnum]] = {
    FileState.RECEIVED: frozenset(
        {FileState.ARCHIVED, FileState.SAME_CONTENT, FileState.REFUSED, FileState.FAILED}
    ),
    FileState.ARCHIVED: frozenset(
        {
            FileState.LOADED,
            FileState.LOADED_EMPTY,
            FileState.SAME_CONTENT,
            FileState.REFUSED,
            FileState.HALTED,
            FileState.FAILED,
        }
    ),
    FileState.FAILED: frozenset({FileState.RECEIVED}),
    FileState.REFUSED: frozenset({FileState.RECEIVED}),
    FileState.HALTED: frozenset({FileState.RECEIVED}),
    # a loaded version is judged again by a replay, and a superseded one is loaded again when its bytes come back
    FileState.LOADED: frozenset({FileState.LOADED, FileState.SUPERSEDED}),
    FileState.LOADED_EMPTY: frozenset({FileState.LOADED_EMPTY, FileState.LOADED, FileState.SUPERSEDED}),
    FileState.SUPERSEDED: frozenset({FileState.LOADED, FileState.LOADED_EMPTY}),
    FileState.SAME_CONTENT: frozenset(),
}

INTENT_TRANSITIONS: dict[StrEnum, frozenset[StrEnum]] = {
    IntentState.QUEUED: frozenset({IntentState.IN_FLIGHT}),
    IntentState.IN_FLIGHT: frozenset(
        {IntentState.WAITING, IntentState.UNKNOWN, IntentState.IN_DOUBT, IntentState.QUEUED}
    ),
    IntentState.WAITING: frozenset({IntentState.IN_FLIGHT}),
    IntentState.UNKNOWN: frozenset({IntentState.IN_FLIGHT, IntentState.IN_DOUBT}),
    IntentState.IN_DOUBT: frozenset({IntentState.QUEUED}),
}

REVERSAL_TRANSITIONS: dict[StrEnum, frozenset[StrEnum]] = {
    ReversalState.PREPARED: frozenset({ReversalState.REQUESTED, ReversalState.DROPPED}),
    ReversalState.REQUESTED: frozenset({ReversalState.IN_FLIGHT, ReversalState.DROPPED}),
    ReversalState.IN_FLIGHT: frozenset({ReversalState.IN_FLIGHT, ReversalState.DONE, ReversalState.REFUSED}),
    ReversalState.REFUSED: frozenset({ReversalState.REQUESTED, ReversalState.DROPPED}),
    ReversalState.DONE: frozenset(),
    ReversalState.DROPPED: frozenset({ReversalState.REQUESTED}),
}

APPROVAL_TRANSITIONS: dict[StrEnum, frozenset[StrEnum]] = {
    ApprovalState.REQUESTED: frozenset({ApprovalState.APPROVED, ApprovalState.REJECTED}),
    ApprovalState.NOT_NEEDED: frozenset({ApprovalState.USED}),
    ApprovalState.APPROVED: frozenset({ApprovalState.USED}),
    ApprovalState.REJECTED: frozenset(),
    ApprovalState.USED: frozenset(),
}

RESOLUTION_TRANSITIONS: dict[StrEnum, frozenset[StrEnum]] = {
    ResolutionState.REQUESTED: frozenset(
        {
            ResolutionState.ACCEPTED,
            ResolutionState.REJECTED,
            ResolutionState.EXPIRED,
            ResolutionState.STOPPED,
        }
    ),
    ResolutionState.ACCEPTED: frozenset(
        {ResolutionState.EXECUTING, ResolutionState.LAPSED, ResolutionState.STOPPED}
    ),
    ResolutionState.EXECUTING: frozenset(
        {ResolutionState.DONE, ResolutionState.STUCK, ResolutionState.COMPENSATING}
    ),
    ResolutionState.STUCK: frozenset({ResolutionState.EXECUTING, ResolutionState.COMPENSATING}),
    ResolutionState.COMPENSATING: frozenset({ResolutionState.COMPENSATED}),
    ResolutionState.DONE: frozenset({ResolutionState.UNDOING}),
    ResolutionState.UNDOING: frozenset({ResolutionState.UNDONE}),
    ResolutionState.REJECTED: frozenset(),
    ResolutionState.EXPIRED: frozenset(),
    ResolutionState.LAPSED: frozenset(),
    ResolutionState.STOPPED: frozenset(),
    ResolutionState.COMPENSATED: frozenset(),
    ResolutionState.UNDONE: frozenset(),
}

STEP_TRANSITIONS: dict[StrEnum, frozenset[StrEnum]] = {
    StepState.PENDING: frozenset({StepState.SENT, StepState.DROPPED}),
    StepState.SENT: frozenset(
        {StepState.SENT, StepState.DONE, StepState.REFUSED, StepState.IN_DOUBT, StepState.UNDOING}
    ),
    StepState.IN_DOUBT: frozenset({StepState.SENT, StepState.DONE, StepState.UNDOING}),
    StepState.DONE: frozenset({StepState.UNDOING}),
    StepState.UNDOING: frozenset({StepState.UNDOING, StepState.UNDONE}),
    StepState.REFUSED: frozenset(),
    StepState.UNDONE: frozenset(),
    StepState.DROPPED: frozenset(),
}

LOS_TRANSITIONS: dict[StrEnum, frozenset[StrEnum]] = {
    LosState.QUEUED: frozenset(
        {LosState.IN_FLIGHT, LosState.WAITING, LosState.HELD, LosState.DONE, LosState.REFUSED, LosState.DROPPED}
    ),
    LosState.IN_FLIGHT: frozenset(
        {
            LosState.IN_FLIGHT, LosState.QUEUED, LosState.WAITING, LosState.UNKNOWN, LosState.HELD, LosState.DONE,
            LosState.REFUSED,
        }
    ),
    LosState.WAITING: frozenset(
        {LosState.WAITING, LosState.IN_FLIGHT, LosState.HELD, LosState.DONE, LosState.REFUSED, LosState.DROPPED}
    ),
    LosState.UNKNOWN: frozenset(
        {
            LosState.IN_FLIGHT, LosState.UNKNOWN, LosState.WAITING, LosState.HELD, LosState.DONE, LosState.REFUSED,
        }
    ),
    LosState.HELD: frozenset({LosState.QUEUED, LosState.DROPPED}),
    LosState.REFUSED: frozenset({LosState.QUEUED, LosState.DROPPED}),
    LosState.DONE: frozenset(),
    LosState.DROPPED: frozenset(),
}  # fmt: skip
LINK_TRANSITIONS: dict[StrEnum, frozenset[StrEnum]] = {
    # a link that was planned and one whose fate was lost are looked at the same way: a look-up decides
    LinkState.PLANNED: frozenset({LinkState.SENDING, LinkState.WITHDRAWN, LinkState.FAILED}),
    LinkState.SENDING: frozenset(
        {
            LinkState.PLANNED,
            LinkState.OPEN,
            LinkState.PARTLY_PAID,
            LinkState.PAID,
            LinkState.EXPIRED,
            LinkState.CANCELLED,
            LinkState.FAILED,
        }
    ),
    LinkState.OPEN: frozenset(
        {
            LinkState.PARTLY_PAID,
            LinkState.PAID,
            LinkState.CANCELLING,
            LinkState.EXPIRED,
            LinkState.CANCELLED,
        }
    ),
    LinkState.PARTLY_PAID: frozenset(
        {LinkState.PAID, LinkState.CANCELLING, LinkState.EXPIRED, LinkState.CANCELLED}
    ),
    LinkState.CANCELLING: frozenset(
        {LinkState.OPEN, LinkState.PARTLY_PAID, LinkState.PAID, LinkState.EXPIRED, LinkState.CANCELLED}
    ),
    # money that was under way when the link ended is still money; a part of it makes no ended link payable again
    LinkState.EXPIRED: frozenset({LinkState.PAID}),
    LinkState.CANCELLED: frozenset({LinkState.PAID}),
    LinkState.PAID: frozenset(),
    LinkState.FAILED: frozenset(),
    LinkState.WITHDRAWN: frozenset(),
}

LIVE_LINK_STATES = frozenset(
    {
        LinkState.PLANNED,
        LinkState.SENDING,
        LinkState.OPEN,
        LinkState.PARTLY_PAID,
        LinkState.CANCELLING,
    }
)
"""A link in one of these can be paid, or may become so: there is one for a loan, due and purpose at most."""

_HANDLED = frozenset({ExceptionLife.OPEN, ExceptionLife.ASSIGNED, ExceptionLife.WAITING})
_CLOSED = frozenset({ExceptionLife.RESOLVED, ExceptionLife.CLEARED, ExceptionLife.WRITTEN_OFF})
EXCEPTION_TRANSITIONS: dict[StrEnum, frozenset[StrEnum]] = {
    **dict.fromkeys(_HANDLED, _HANDLED | _CLOSED),
    # what a person closed, a person can open again; what new data cleared comes back with new data only
    ExceptionLife.RESOLVED: frozenset({ExceptionLife.OPEN}),
    ExceptionLife.WRITTEN_OFF: frozenset({ExceptionLife.OPEN}),
    ExceptionLife.CLEARED: frozenset(),
}

TRANSITIONS: dict[type[StrEnum], dict[StrEnum, frozenset[StrEnum]]] = {
    FileState: FILE_TRANSITIONS,
    IntentState: INTENT_TRANSITIONS,
    ReversalState: REVERSAL_TRANSITIONS,
    ApprovalState: APPROVAL_TRANSITIONS,
    ResolutionState: RESOLUTION_TRANSITIONS,
    StepState: STEP_TRANSITIONS,
    LosState: LOS_TRANSITIONS,
    LinkState: LINK_TRANSITIONS,
    ExceptionLife: EXCEPTION_TRANSITIONS,
}

State = TypeVar(
    "State",
    FileState,
    IntentState,
    ReversalState,
    ApprovalState,
    LinkState,
    ResolutionState,
    StepState,
    LosState,
    ExceptionLife,
)


def advance(current: State, new: State) -> State:
    """Return `new` if the table allows it from `current`; raise IllegalTransitionError otherwise."""
    if new not in TRANSITIONS[type(current)][current]:
        raise IllegalTransitionError(f"{type(current).__name__}: {current} -> {new}")
    return new
