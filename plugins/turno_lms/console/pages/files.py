"""Lender files, the rows that were not taken, and mandates."""

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette_admin import action, row_action
from starlette_admin.actions import ActionSelection
from starlette_admin.exceptions import ActionFailed
from typing_extensions import override

from turno_lms.console.access import user_of
from turno_lms.console.body_limit import MOST_BYTES
from turno_lms.console.fields import day, moment, number, rupees, state, text
from turno_lms.console.forms import form
from turno_lms.console.sql_page import SqlPage, query_of, read
from turno_lms.console.uploads import all_places, take, upload_of
from turno_lms.domain.money import indian_rupees
from turno_lms.domain.names import INGEST
from turno_lms.ingestion.umrn import UMRN_PLACE

_REPLAY = "replay_lender_files"
_RESOLVE = "resolve_rejected_rows"
_MOST_MEGABYTES = MOST_BYTES // 1_000_000


def _upload_form(request: Request) -> str:
    user = user_of(request)
    places = {
        name: place for name, place in all_places().items() if user.may_start(f"{INGEST}{place.lender}")
    }
    return form("upload_file", places=places, megabytes=_MOST_MEGABYTES)


def _mandates_form(_request: Request) -> str:
    return form("upload_mandates", place=UMRN_PLACE, megabytes=_MOST_MEGABYTES)


def _about_file(_request: Request, row: Any) -> str:
    return form("about_file", row=row)


def _fix_form(_request: Request, row: Any) -> str:
    return form("corrected_row", row=row)


def _discard_form(_request: Request, row: Any) -> str:
    worth = "an amount that cannot be read" if row.rupees is None else f"₹ {indian_rupees(row.rupees)}"
    says = f"Row {row.row_number} of {row.key}, {worth}, becomes no payment. Its text stays on record."
    return form("reason", says=says)


def _discard_all_form(_request: Request) -> str:
    says = "Every chosen row that is still open becomes no payment: all of them or none. Their texts stay on record."
    return form("reason", says=says)


class Files(SqlPage):
    """The processing log: one row a version of a file."""

    key = "files"
    menu_label = "Files"
    display_name = "File"
    icon = "fa fa-file"
    dag_id = "watch_lender_files"
    pk_attr = "file_id"
    detail_template = "file.html"
    explains = "One row a version of a file: what became of it, in rows and in rupees."
    search_columns = ("name", "key", "sha256")
    fields = [
        moment("received_at", "Received"),
        state("lender"),
        text("name", "File"),
        state("state"),
        state("error_code", "Why not"),
        number("rows_read", "Rows"),
        number("rows_accepted", "Accepted"),
        rupees("rupees_accepted", "Rupees accepted"),
        number("rows_rejected", "Rejected"),
        rupees("rupees_rejected", "Rupees rejected"),
        number("rows_filtered", "Filtered"),
        number("rows_duplicate", "Duplicate"),
        number("file_id", "Number"),
        state("kind", exclude_from_list=True),
        text("key", exclude_from_list=True),
        *(moment(name, exclude_from_list=True) for name in ("uploaded_at", "finished_at")),
        *(
            text(name, exclude_from_list=True)
            for name in (
                "error_message",
                "warning",
                "handed_in_by",
                "mapping_version",
                "size_bytes",
                "sha256",
                "same_content_as",
                "superseded_by",
                "loaded_by_run",
            )
        ),
    ]
    sortable_fields = ("file_id", "received_at")
    actions = ("upload", "export")
    row_actions = ("view", "reingest", "preview_replay")
    starts = {"upload": INGEST, "reingest": INGEST, "preview_replay": _REPLAY}

    @override
    async def is_row_action_allowed_for_obj(self, request: Request, name: str, obj: Any) -> bool:
        """A file of mandates has no lender's DAG and no mapping to be read under anew."""
        return name == "view" or obj.lender != UMRN_PLACE.lender

    @override
    def around(self, obj: Any) -> dict[str, Any]:
        """On its own page also `reasons`, why rows were not taken."""
        return {"reasons": read(query_of("file-reasons"), [obj.file_id])}

    @action(
        name="upload",
        text="Upload a file",
        icon_class="fa fa-upload",
        allow_empty_selection=True,
        dedicated_button=True,
        header="Upload a lender's file",
        confirmation=" ",
        submit_btn_text="Upload and load it",
        form=_upload_form,
        modal_size="lg",
    )
    async def upload(self, request: Request, _selection: ActionSelection) -> None:
        """Hand the file in under the person's name, and have its lender's DAG take it at once."""
        given = await request.form()
        place = all_places().get(str(given.get("place", "")))
        if place is None:
            raise ActionFailed("Say whose file it is, and of which kind.")
        user, dag_id = user_of(request), f"{INGEST}{place.lender}"
        if not user.may_start(dag_id):
            raise ActionFailed(f"{user.username} may not start {dag_id}: ask someone who may.")
        key = await run_in_threadpool(take, await upload_of(given), place, user.username)
        await self.start(request, dag_id, {"key": key})

    @row_action(
        name="reingest",
        text="Ingest again",
        icon_class="fa fa-rotate-right",
        header="Ingest again",
        confirmation="What stands under this key in the bucket is looked at again: a version that was refused, halted "
        "or failed is loaded if it passes now. A version that is loaded stays as it is.",
        submit_btn_text="Ingest",
        form=_about_file,
        modal_size="md",
    )
    async def reingest(self, request: Request, pk: Any) -> None:
        """Have the lender's DAG take this key again."""
        row = await self.find_by_pk(request, pk)
        await self.start(request, f"{INGEST}{row.lender}", {"key": row.key})

    @row_action(
        name="preview_replay",
        text="Replay: show what would change",
        icon_class="fa fa-code-compare",
        header="Read it again under today's mapping",
        confirmation="Nothing is written yet. You are shown rows and rupees by fate, then and now, and can replay the "
        "file for good from there.",
        submit_btn_text="Show",
        form=_about_file,
        modal_size="md",
    )
    async def preview_replay(self, request: Request, pk: Any) -> None:
        """Dry run of a replay; its page leads on to the real one."""
        row = await self.find_by_pk(request, pk)
        await self.start(request, _REPLAY, {"lender": row.lender, "key": row.key, "dry_run": True})


class RejectedRows(SqlPage):
    """Rows that were not accepted, with their later fate."""

    key = "rejected-rows"
    menu_label = "Rows not taken"
    display_name = "Row"
    icon = "fa fa-file-circle-xmark"
    dag_id = "watch_lender_files"
    pk_attr = "reject_id"
    explains = "Every row that became no payment (filtered, duplicate, rejected), and what was done about it."
    search_columns = ("name", "key")
    fields = [
        state("lender"),
        text("name", "File"),
        number("row_number", "Row"),
        state("disposition"),
        state("reason_code", "Why"),
        text("message", orderable=False),
        rupees("rupees"),
        state("fate"),
        text("raw_text", "The row as it was", orderable=False),
        moment("created_at", "Since"),
        number("file_id", "File's number"),
        *(
            text(name, exclude_from_list=True)
            for name in ("key", "field", "rule", "corrected_text", "fate_by", "fate_reason")
        ),
        number("reject_id", "Number", exclude_from_list=True),
        moment("fate_at", exclude_from_list=True),
    ]
    sortable_fields = ("reject_id", "created_at")
    actions = ("discard_chosen", "replay_file", "export")
    row_actions = ("view", "fix", "discard")
    starts = {
        **dict.fromkeys(("fix", "discard", "discard_chosen"), _RESOLVE),
        "replay_file": _REPLAY,
    }

    @override
    async def is_row_action_allowed_for_obj(self, request: Request, name: str, obj: Any) -> bool:
        """What was replayed or discarded is settled."""
        return name == "view" or obj.fate == "open"

    @action(
        name="discard_chosen",
        text="Discard",
        icon_class="fa fa-trash",
        header="Discard the chosen rows",
        confirmation=" ",
        submit_btn_text="Discard them",
        submit_btn_class="btn btn-danger",
        form=_discard_all_form,
        modal_size="md",
    )
    async def discard_chosen(self, request: Request, selection: ActionSelection) -> None:
        """Mark the chosen open rows as discarded, with one reason."""
        given = await request.form()
        still_open = [int(row.reject_id) for row in await selection.rows() if row.fate == "open"]
        if not still_open:
            raise ActionFailed("None of the chosen rows is open.")
        conf = {"action": "discard", "reject_ids": still_open, "reason": str(given.get("reason", ""))}
        await self.start(request, _RESOLVE, conf)

    @action(
        name="replay_file",
        text="Replay their file: show what would change",
        icon_class="fa fa-code-compare",
        header="Read their file again under today's mapping",
        confirmation="For rows that a mended mapping would take. Nothing is written yet: you are shown rows and rupees "
        "by fate, then and now, and can replay the file for good from there.",
        submit_btn_text="Show",
        modal_size="md",
    )
    async def replay_file(self, request: Request, selection: ActionSelection) -> None:
        """Dry run of a replay of the file that the chosen rows are from."""
        found = {(row.lender, row.key) for row in await selection.rows()}
        if len(found) != 1:
            raise ActionFailed(
                f"The chosen rows are from {len(found)} files: choose rows of one, or filter by key."
            )
        ((lender, key),) = found
        await self.start(request, _REPLAY, {"lender": lender, "key": key, "dry_run": True})

    @row_action(
        name="fix",
        text="Correct and replay",
        icon_class="fa fa-pen",
        header="Correct the row",
        confirmation=" ",
        submit_btn_text="Replay",
        form=_fix_form,
        modal_size="lg",
    )
    async def fix(self, request: Request, pk: Any) -> None:
        """Send the corrected row through the same pipeline."""
        given = await request.form()
        conf = {
            "action": "fix",
            "reject_ids": [int(pk)],
            "line": str(given.get("line", "")),
            "is_other_money": given.get("is_other_money") == "yes",
            "reason": str(given.get("reason", "")),
        }
        await self.start(request, _RESOLVE, conf)

    @row_action(
        name="discard",
        text="Discard",
        icon_class="fa fa-trash",
        header="Discard the row",
        confirmation=" ",
        submit_btn_text="Discard",
        submit_btn_class="btn btn-danger",
        form=_discard_form,
        modal_size="md",
    )
    async def discard(self, request: Request, pk: Any) -> None:
        """Mark the row as discarded, with a reason."""
        given = await request.form()
        conf = {"action": "discard", "reject_ids": [int(pk)], "reason": str(given.get("reason", ""))}
        await self.start(request, _RESOLVE, conf)


class Mandates(SqlPage):
    """The UMRN master with its history."""

    key = "umrn"
    menu_label = "Mandates"
    display_name = "Mandate"
    icon = "fa fa-link"
    dag_id = "load_umrn_master"
    pk_attr = "mandate"
    detail_template = "mandate.html"
    explains = "Which loan a mandate (UMRN) stands for, and when. Type a UMRN or a loan into the search box."
    search_columns = ("umrn", "loan_id")
    fields = [
        text("mandate", exclude_from_list=True, exclude_from_detail=True),
        text("umrn", "UMRN"),
        text("loan_id", "Loan"),
        state("lender"),
        state("standing", "Today"),
        day("valid_from"),
        day("valid_to"),
        moment("loaded_at"),
        text("key", "From file"),
        text("loaded_by_run", exclude_from_list=True),
    ]
    sortable_fields = ("umrn", "loan_id", "valid_from", "loaded_at")
    fields_default_sort = (("loaded_at", True),)
    actions = ("upload", "export")
    starts = {"upload": "load_umrn_master"}

    @override
    def around(self, obj: Any) -> dict[str, Any]:
        """On its own page also `history`, all that this UMRN and this loan ever meant."""
        return {"history": read(query_of("umrn-history"), [obj.umrn, obj.loan_id])}

    @action(
        name="upload",
        text="Upload mandates",
        icon_class="fa fa-upload",
        allow_empty_selection=True,
        dedicated_button=True,
        header="Upload a file of mandates",
        confirmation=" ",
        submit_btn_text="Upload and load it",
        form=_mandates_form,
        modal_size="lg",
    )
    async def upload(self, request: Request, _selection: ActionSelection) -> None:
        """Hand the master file in and load it; rows that contradict the history are told on the run's page."""
        upload = await upload_of(await request.form())
        key = await run_in_threadpool(take, upload, UMRN_PLACE, user_of(request).username)
        await self.start(request, "load_umrn_master", {"key": key})
