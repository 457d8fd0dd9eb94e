"""What a button started: how far its run is, what it came to, and what may be done next."""

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette_admin import route
from starlette_admin.flash import flash
from typing_extensions import override

from turno_lms.console.access import user_of
from turno_lms.console.progress import RunSeen, run_seen
from turno_lms.console.runs import RunRefusedError, run_url, start_run
from turno_lms.console.template_page import TemplatePage
from turno_lms.domain.states import Disposition

PREVIEWED = {
    "replay_lender_files": "Replay for good, with the changes below",
    "create_payment_links": "Make these links",
    "post_manual_repayment": "Post this money",
    "replay_webhooks": "Read these events again",
}
"""The DAGs with a dry run, and the button that starts the same for good."""
_STATES = {
    None: "not started",
    "queued": "waits for a worker",
    "scheduled": "waits for a worker",
    "running": "runs",
    "success": "done",
    "skipped": "had nothing to do",
    "failed": "failed",
    "upstream_failed": "not reached",
    "deferred": "waits",
    "up_for_retry": "will be tried again",
    "awaiting_input": "waits for an answer under Required Actions",
}


class Runs(TemplatePage):
    """One run, by its DAG and its id. It is looked at anew every few seconds until it has ended."""

    menu_label = "Run"
    path = "/run"
    route_name = "run"
    add_to_menu = False

    @route("")
    @override
    async def index(self, request: Request) -> Response:
        """The run's page; 404 where there is none, 403 without the right to see its DAG's runs."""
        run = await self._run(request)
        return self.render(
            request,
            "run.html",
            run=run,
            words=_STATES,
            airflow_url=f"{request.base_url}dags/{run.dag_id}/runs/{run.run_id}",
            for_good=_shows_only(run) and user_of(request).may_start(run.dag_id) and PREVIEWED[run.dag_id],
            dispositions=[str(disposition) for disposition in Disposition],
        )

    @route("/for-good", methods=["POST"], name="run-for-good")
    async def for_good(self, request: Request) -> Response:
        """Start what the run has only shown, for good."""
        run = await self._run(request)
        if not _shows_only(run):
            raise HTTPException(400, "This run is no preview, or it has not ended well.")
        if not user_of(request).may_start(run.dag_id):
            raise HTTPException(403)
        try:
            conf = {**run.conf, "dry_run": False}
            started = await run_in_threadpool(start_run, user_of(request), run.dag_id, conf)
        except RunRefusedError as refused:
            flash(request, str(refused), "error")
            started = run.run_id
        return RedirectResponse(run_url(request, run.dag_id, started), status_code=303)

    async def _run(self, request: Request) -> RunSeen:
        dag_id, run_id = request.query_params.get("dag", ""), request.query_params.get("run", "")
        if not user_of(request).may_see(dag_id):
            raise HTTPException(403)
        run = await run_in_threadpool(run_seen, dag_id, run_id)
        if run is None:
            raise HTTPException(404, f"Airflow has no run {run_id} of {dag_id}.")
        return run


def _shows_only(run: RunSeen) -> bool:
    return run.dag_id in PREVIEWED and run.conf.get("dry_run") is True and run.state == "success"
