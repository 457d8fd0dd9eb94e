"""Whatever Fineract and the network answer, in whatever order: at most one effect, and an end state that is true."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fineract.tiny_fineract import Fault, LookFault, TinyFineract
from tests.posting.conftest import QUICK, NewPoster
from tests.posting.payments import add_payment, pending, processed
from turno_lms.domain.runs import RunContext
from turno_lms.posting.claim import claim
from turno_lms.posting.worker import PostingStoppedError
from turno_lms.warehouse.connection import WarehouseConnection

RUNS = 4
FAST = replace(QUICK, threads=1, settling=0.0)
TABLES = (
    "core.core_transaction_data, core.core_fineract_pending_transactions, core.core_fineract_transaction_archive,"
    " core.core_transaction_data_processed, core.core_recon_exception, core.core_loan_lease"
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    faults=st.lists(st.sampled_from(Fault), max_size=9),
    looks=st.lists(st.sampled_from(LookFault), max_size=9),
)
def test_at_most_one_effect_and_a_true_end_state(
    ledger: WarehouseConnection,
    new_poster: NewPoster,
    tiny: TinyFineract,
    faults: list[Fault],
    looks: list[LookFault],
) -> None:
    run = RunContext("post_repayments", "manual__1")
    ledger.execute(f"truncate {TABLES} cascade")
    tiny.reset()
    tiny.faults.extend(faults)
    tiny.look_faults.extend(looks)
    key = add_payment(ledger, "A")
    claim(ledger, run)
    for _ in range(RUNS):
        try:
            new_poster(FAST).post(["A"])
        except PostingStoppedError:
            continue

    effects = len(tiny.transactions)
    assert effects <= 1
    assert {sent["externalId"] for sent in tiny.sent} <= {key}
    entry, intent = processed(ledger, key), pending(ledger, key)
    assert (entry is None) != (intent is None)  # in exactly one place
    if entry:
        assert (entry["outcome"], effects) in {("posted", 1), ("failed", 0)}
    if intent:
        stops = faults.count(Fault.UNAUTHORISED_401) + looks.count(LookFault.UNAUTHORISED_401)
        stopped_too_often = stops >= RUNS
        assert intent["state"] == "in_doubt" or stopped_too_often
