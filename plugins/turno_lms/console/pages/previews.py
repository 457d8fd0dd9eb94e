"""What a sample would become, under the live mapping or a draft: shown, and nothing written."""

from decimal import Decimal
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette_admin import route
from starlette_admin.exceptions import ActionFailed
from typing_extensions import override

from turno_lms.console.access import user_of
from turno_lms.console.body_limit import MOST_BYTES
from turno_lms.console.template_page import TemplatePage
from turno_lms.console.uploads import Upload, all_places, upload_of
from turno_lms.domain.states import Disposition
from turno_lms.ingestion.preview import Preview, preview
from turno_lms.lenders.registry import MappingError, load_lenders, read_mapping
from turno_lms.lenders.schema import Lender

_MOST_ROWS = 300
"""Rows shown of one preview: those that are not taken first."""


class Previews(TemplatePage):
    """A form for a sample and a mapping, and below it the fate of every row."""

    menu_label = "Try a file"
    path = "/try"
    route_name = "try"

    @override
    def is_accessible(self, request: Request) -> bool:
        """Whoever may hand a file in."""
        return user_of(request).may_start("hand_in_file")

    @route("", methods=["GET", "POST"])
    @override
    async def index(self, request: Request) -> Response:
        """The form; after a POST with what became of the sample, or why it could not be judged."""
        context: dict[str, Any] = {
            "places": all_places(),
            "megabytes": MOST_BYTES // 1_000_000,
            "given": {},
            "problems": [],
            "result": None,
            "most_rows": _MOST_ROWS,
        }
        if request.method == "POST":
            context |= await _answer(await request.form())
        return self.render(request, "try.html", **context)


async def _answer(given: FormData) -> dict[str, Any]:
    said = {name: str(given.get(name) or "") for name in ("place", "mapping", "kind")}
    try:
        upload = await upload_of(given)
        lender, kind = _mapping(said)
        result = await run_in_threadpool(_judge, upload, lender, kind)
    except ActionFailed as refused:
        return {"given": said, "problems": [refused.msg]}
    except MappingError as error:
        told = [f"line {problem.line}: {problem.message}" for problem in error.problems]
        return {"given": said, "problems": told}
    return {"given": said, "result": result, "shown": _worst_first(result), "fates": _totals(result)}


def _mapping(said: dict[str, str]) -> tuple[Lender, str]:
    """The draft, if one is pasted, else the live mapping of the chosen place."""
    if said["mapping"].strip():
        lender = read_mapping(said["mapping"])
        kinds = [kind for kind in lender.files if said["kind"].strip() in {"", kind}]
        if len(kinds) != 1:
            raise ActionFailed(f"Say which kind of file of the draft it is: {', '.join(lender.files)}.")
        return lender, kinds[0]
    place = all_places().get(said["place"])
    if place is None:
        raise ActionFailed("Say whose file it is, or paste a draft of a mapping.")
    return load_lenders()[place.lender], place.kind


def _judge(upload: Upload, lender: Lender, kind: str) -> Preview:
    with upload.on_disk() as sample:
        return preview(lender, kind, sample)


def _worst_first(result: Preview) -> list[dict[str, Any]]:
    order = [Disposition.REJECTED, Disposition.DUPLICATE, Disposition.FILTERED, Disposition.ACCEPTED]
    return sorted(result.rows, key=lambda row: (order.index(Disposition(row["fate"])), row["row"]))[
        :_MOST_ROWS
    ]


def _totals(result: Preview) -> list[dict[str, Any]]:
    """Rows and readable rupees by fate."""
    totals = []
    for fate in Disposition:
        rows = [row for row in result.rows if row["fate"] == fate]
        amounts = [Decimal(row["amount"]) for row in rows if row["amount"] is not None]
        totals.append({"fate": str(fate), "rows": len(rows), "rupees": sum(amounts, Decimal(0))})
    return totals
