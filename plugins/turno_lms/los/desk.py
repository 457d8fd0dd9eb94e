"""What the operations may ask while they are drafted: Fineract's templates and quotes, the lenders' rules, today."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from turno_lms.domain.states import LosReason
from turno_lms.fineract.answers import Answer
from turno_lms.fineract.client import FineractClient, Json
from turno_lms.lenders.los import LoanOperations
from turno_lms.lenders.registry import LenderRegistry
from turno_lms.lenders.schema import Lender
from turno_lms.los.model import Wait


class LookUpError(Exception):
    """Fineract could not be asked: nothing is known, and the row is looked at again later."""

    def __init__(self, what: str, answer: Answer):
        self.answer = answer
        super().__init__(
            f"{what}: {answer.status or answer.delivery} {answer.code or ''} {answer.message}".strip()
        )


@dataclass(frozen=True)
class Desk:
    """One worker's way to ask. `template_of` answers from the cache; all of it may raise LookUpError."""

    client: FineractClient
    lenders: LenderRegistry
    template_of: Callable[[int, int], Json]
    """Of a product and a client (by Fineract's number) to what the product proposes."""
    today: Callable[[], date]

    def read(self, path: str, purpose: str, subject: str) -> Json | None:
        """A JSON object, None for Fineract's own 404. Raises LookUpError for every other answer."""
        answer = self.client.look(path, purpose=purpose, subject=subject)
        if answer.status == 404 and answer.code:  # noqa: PLR2004  # not found
            return None
        if not answer.ok or not isinstance(answer.body, dict):
            raise LookUpError(purpose, answer)
        return answer.body

    def search_clients(self, text: str, subject: str) -> list[Json]:
        """The clients whose mobile number, account number or external id is exactly `text`."""
        query = {"query": text, "resource": "clients", "exactMatch": "true"}
        answer = self.client.look(
            f"/search?{urlencode(query)}", purpose="find_holder", subject=subject,
            shown_path=f"/search?{urlencode({**query, 'query': '***'})}",
        )  # fmt: skip
        if not answer.ok or not isinstance(answer.body, list):
            raise LookUpError("find_holder", answer)
        return answer.body

    def lender_of(self, loan: Json) -> Lender | None:
        """Whose product a loan has."""
        product_id = loan.get("loanProductId")
        return next((each for each in self.lenders.values() if each.fineract.product_id == product_id), None)

    def rules_for(self, loan: Json | None) -> LoanOperations:
        """The rules of a loan's lender; the defaults where its product is nobody's."""
        lender = self.lender_of(loan) if loan else None
        return lender.los if lender else LoanOperations()

    def office_of(self, slug: str | None) -> int:
        """The office of a lender's new clients."""
        lender = self.lenders.get(slug) if slug else None
        return (lender.los if lender else LoanOperations()).office_id

    def wait_for(self, *days: Any) -> Wait | None:
        """A wait for the last of these days (ISO text), if it is still to come in India: Fineract takes none."""
        last = max(date.fromisoformat(day) for day in days)
        if last <= self.today():
            return None
        return Wait(LosReason.DATE_IN_FUTURE, f"{last} is still to come", until=last)
