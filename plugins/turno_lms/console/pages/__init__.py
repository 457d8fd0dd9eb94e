"""The console's pages, in the order of its menu."""

from starlette_admin.views import BaseView, DropDown

from turno_lms.console.pages.audit import Approvals, FineractCalls
from turno_lms.console.pages.exceptions import Exceptions
from turno_lms.console.pages.files import Files, Mandates, RejectedRows
from turno_lms.console.pages.loans import Loans
from turno_lms.console.pages.los import Submissions
from turno_lms.console.pages.payment_links import PaymentLinks
from turno_lms.console.pages.payments import Payments
from turno_lms.console.pages.posting import Posted, Queue, Switches
from turno_lms.console.pages.previews import Previews
from turno_lms.console.pages.resolutions import Resolutions
from turno_lms.console.pages.runs import Runs
from turno_lms.console.pages.today import Today
from turno_lms.console.pages.webhooks import DeadLetters, Webhooks

PAGES: list[BaseView] = [
    DropDown(
        "Files",
        [Files(), RejectedRows(), Mandates(), Previews()],
        icon="fa fa-file-import",
        always_open=False,
    ),
    Loans(),
    Payments(),
    DropDown("Posting", [Queue(), Posted(), Switches()], icon="fa fa-paper-plane", always_open=False),
    Exceptions(),
    DropDown("Webhooks", [Webhooks(), DeadLetters()], icon="fa fa-bell", always_open=False),
    Submissions(),
    PaymentLinks(),
    Resolutions(),
    DropDown("Audit", [Approvals(), FineractCalls()], icon="fa fa-clipboard-check", always_open=False),
    Runs(),
]

__all__ = ["PAGES", "Today"]
