"""Lender files, the rows that were not taken, and mandates."""

from typing import Any

from starlette.requests import Request
from starlette_admin import row_action
from typing_extensions import override

from turno_lms.console.fields import day, moment, number, rupees, state, text
from turno_lms.console.forms import form
from turno_lms.console.sql_page import SqlPage


def _fix_form(_request: Request, row: Any) -> str:
    return form("corrected_row", row=row)


def _discard_form(_request: Request, row: Any) -> str:
    return form(
        "reason", says=f"Row {row.row_number} of {row.key} will be marked as discarded. It stays in RAW."
    )


class Files(SqlPage):
    """The processing log: one row a version of a file."""

    key = "files"
    menu_label = "Files"
    display_name = "File"
    icon = "fa fa-file"
    dag_id = "watch_lender_files"
    pk_attr = "file_id"
    explains = "One row a version of a file: what became of it, in rows and in rupees."
    search_columns = ("key", "sha256")
    fields = [
        number("file_id", "File"),
        state("lender"),
        state("kind"),
        text("key"),
        state("state"),
        state("error_code", "Why not"),
        number("rows_read", "Rows"),
        number("rows_accepted", "Accepted"),
        number("rows_filtered", "Filtered"),
        number("rows_duplicate", "Duplicate"),
        number("rows_rejected", "Rejected"),
        rupees("rupees_accepted", "Rupees accepted"),
        rupees("rupees_rejected", "Rupees rejected"),
        moment("received_at", "Received"),
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
    row_actions = ("view", "reingest", "preview_replay", "replay")
    starts = {
        "reingest": "ingest__",
        "preview_replay": "replay_lender_files",
        "replay": "replay_lender_files",
    }

    @row_action(
        name="reingest",
        text="Ingest again",
        icon_class="fa fa-rotate-right",
        confirmation="This version of the file is looked at again. A version that is loaded stays as it is.",
        submit_btn_text="Ingest",
    )
    async def reingest(self, request: Request, pk: Any) -> None:
        """Have the lender's DAG take this key again."""
        row = await self.find_by_pk(request, pk)
        await self.start(request, f"ingest__{row.lender}", {"key": row.key})

    @row_action(
        name="preview_replay",
        text="Show what today's mapping would change",
        icon_class="fa fa-code-compare",
        confirmation="Nothing is written: the run's log and result show rows and rupees by fate, then and now.",
        submit_btn_text="Show",
    )
    async def preview_replay(self, request: Request, pk: Any) -> None:
        """Dry run of a replay."""
        await self._replay(request, pk, dry_run=True)

    @row_action(
        name="replay",
        text="Replay with today's mapping",
        icon_class="fa fa-forward",
        confirmation="Rows that were rejected or filtered and pass now are loaded. A loaded row that would now be "
        "another payment stays and becomes an exception. Look at the preview first.",
        submit_btn_text="Replay",
        submit_btn_class="btn btn-warning",
    )
    async def replay(self, request: Request, pk: Any) -> None:
        """Replay the file."""
        await self._replay(request, pk, dry_run=False)

    async def _replay(self, request: Request, pk: Any, *, dry_run: bool) -> None:
        row = await self.find_by_pk(request, pk)
        conf = {"lender": row.lender, "key": row.key, "dry_run": dry_run}
        await self.start(request, "replay_lender_files", conf)


class RejectedRows(SqlPage):
    """Rows that were not accepted, with their later fate."""

    key = "rejected-rows"
    menu_label = "Rows not taken"
    display_name = "Row"
    icon = "fa fa-file-circle-xmark"
    dag_id = "watch_lender_files"
    pk_attr = "reject_id"
    explains = "Every row that became no payment (filtered, duplicate, rejected), and what was done about it."
    search_columns = ("key",)
    fields = [
        number("reject_id", "Id"),
        state("lender"),
        text("key"),
        number("row_number", "Row"),
        state("disposition"),
        state("reason_code", "Why"),
        text("field"),
        text("message", orderable=False),
        rupees("rupees"),
        state("fate"),
        text("raw_text", "The row as it was", orderable=False),
        moment("created_at", "Since"),
        *(
            text(name, exclude_from_list=True)
            for name in ("corrected_text", "rule", "fate_by", "fate_reason", "file_id")
        ),
        moment("fate_at", exclude_from_list=True),
    ]
    sortable_fields = ("reject_id", "created_at")
    row_actions = ("view", "fix", "discard")
    starts = dict.fromkeys(("fix", "discard"), "resolve_rejected_rows")

    @override
    async def is_row_action_allowed_for_obj(self, request: Request, name: str, obj: Any) -> bool:
        """What was replayed or discarded is settled."""
        return name == "view" or obj.fate == "open"

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
        }
        await self.start(request, "resolve_rejected_rows", conf)

    @row_action(
        name="discard",
        text="Discard",
        icon_class="fa fa-trash",
        header="Discard the row",
        confirmation=" ",
        submit_btn_text="Discard",
        submit_btn_class="btn btn-danger",
        form=_discard_form,
    )
    async def discard(self, request: Request, pk: Any) -> None:
        """Mark the row as discarded, with a reason."""
        given = await request.form()
        conf = {"action": "discard", "reject_ids": [int(pk)], "reason": str(given.get("reason", ""))}
        await self.start(request, "resolve_rejected_rows", conf)


class Mandates(SqlPage):
    """The UMRN master with its history."""

    key = "umrn"
    menu_label = "Mandates"
    display_name = "Mandate"
    icon = "fa fa-link"
    dag_id = "load_umrn_master"
    pk_attr = "mandate"
    explains = "Which loan a mandate (UMRN) stands for, and when. Type a UMRN or a loan into the search box."
    search_columns = ("umrn", "loan_id")
    fields = [
        text("mandate", exclude_from_list=True),
        text("umrn", "UMRN"),
        text("loan_id", "Loan"),
        state("lender"),
        day("valid_from"),
        day("valid_to"),
        moment("loaded_at"),
        text("key", "From file"),
        text("loaded_by_run", exclude_from_list=True),
    ]
    sortable_fields = ("umrn", "loan_id", "valid_from", "loaded_at")
    fields_default_sort = (("loaded_at", True),)
