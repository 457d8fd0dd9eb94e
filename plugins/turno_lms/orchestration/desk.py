"""Where resolutions and posting meet: a settlement asks for money, and the posting ledger alone posts it."""

import logging
from collections.abc import Callable, Sequence
from datetime import date

from turno_lms.domain.runs import RunContext
from turno_lms.fineract.client import FineractClient
from turno_lms.posting import reversals
from turno_lms.posting.claim import claim, unposted
from turno_lms.resolutions.steps import Incoming
from turno_lms.warehouse.connection import WarehouseConnection, is_built

log = logging.getLogger(__name__)


class LedgerDesk:
    """The posting ledger as a resolution needs it. `post_loan` posts what is queued for one loan."""

    def __init__(
        self,
        conn: WarehouseConnection,
        client: FineractClient,
        run: RunContext,
        post_loan: Callable[[str], object],
    ):
        self._conn = conn
        self._client = client
        self._run = run
        self._post_loan = post_loan

    def unposted(self, loan_id: str) -> Sequence[Incoming]:
        """The loan's payments that nothing but a hold keeps from being posted, oldest first."""
        return [Incoming(**row) for row in unposted(self._conn, loan_id)]

    def post(self, loan_id: str) -> None:
        """Claim what may be claimed, and post what is due on one loan: nothing in a warehouse that was never built."""
        if is_built(self._conn, "core.core_transaction_data"):
            claim(self._conn, self._run)
            self._post_loan(loan_id)

    def take_back(self, posting_key: str, business_date: date, reason: str) -> None:
        """Reverse a posted payment and have it posted anew, as an ordinary repayment of its own day.

        Money that went back already (its reversal is prepared) is not posted anew.
        """
        went_back = reversals.is_prepared(self._conn, posting_key)
        correction = None if went_back else reversals.Correction(business_date=business_date)
        try:
            reversals.request_reversal(self._conn, posting_key, reason, self._run.actor, correction)
        except reversals.ReversalError as under_way:  # asked for by an earlier run: carried out below
            log.info("%s", under_way)
        reversals.execute_reversals(self._conn, self._client, self._run)
