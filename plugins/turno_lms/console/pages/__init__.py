"""The console's pages, in the order of its menu."""

from starlette_admin.views import BaseView, DropDown

from turno_lms.console.pages.audit import Approvals, FineractCalls, OperatorActions
from turno_lms.console.pages.dags import DagPages
from turno_lms.console.pages.exceptions import Exceptions
from turno_lms.console.pages.files import Files, Mandates, RejectedRows
from turno_lms.console.pages.loans import Loans
from turno_lms.console.pages.los import RefusedRows, Submissions
from turno_lms.console.pages.payment_links import PaymentLinks
from turno_lms.console.pages.payments import Payments
from turno_lms.console.pages.posting import Held, Parked, Posted, Queue, Switches
from turno_lms.console.pages.previews import Previews
from turno_lms.console.pages.resolutions import ResolutionReport, Resolutions
from turno_lms.console.pages.runs import Runs
from turno_lms.console.pages.today import Today
from turno_lms.console.pages.webhooks import DeadLetters, Replays, Webhooks

PAGES: list[BaseView] = [
    DropDown(
        "Files",
        [Files(), RejectedRows(), Mandates(), Previews()],
        icon="fa fa-file-import",
        always_open=False,
    ),
    Loans(),
    Payments(),
    DropDown(
        "Posting",
        [Queue(), Held(), Parked(), Posted(), Switches()],
        icon="fa fa-paper-plane",
        always_open=False,
    ),
    Exceptions(),
    DropDown("Webhooks", [Webhooks(), DeadLetters(), Replays()], icon="fa fa-bell", always_open=False),
    DropDown("LOS", [Submissions(), RefusedRows()], icon="fa fa-inbox", always_open=False),
    PaymentLinks(),
    DropDown("Settlements", [Resolutions(), ResolutionReport()], icon="fa fa-handshake", always_open=False),
    DropDown(
        "Audit",
        [Approvals(), OperatorActions(), FineractCalls()],
        icon="fa fa-clipboard-check",
        always_open=False,
    ),
    Runs(),
]

PAGES.append(DagPages(PAGES.copy()))

__all__ = ["PAGES", "Today"]
