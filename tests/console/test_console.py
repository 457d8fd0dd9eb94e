"""The console behind Airflow's login: who may see and do what, and that data can't become markup or formulas."""

import hashlib
import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import openpyxl
import pytest
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from turno_lms.console.pages import PAGES
from turno_lms.console.sql_page import SqlPage

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tests.console.conftest import SignIn

HOME = "/turno/"


def pages() -> Iterator[SqlPage]:
    for entry in PAGES:
        for view in getattr(entry, "views", [entry]):
            if isinstance(view, SqlPage):
                yield view


KEYS = [str(page.key) for page in pages()]


def flat_routes(routes: list[object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for route in routes:
        if isinstance(route, Mount) and route.routes:
            yield from flat_routes(list(route.routes), prefix + route.path)
        elif isinstance(route, Mount):
            yield "GET", f"{prefix}{route.path}/css/vendor/tabler.min.css"
        elif isinstance(route, Route):
            for method in sorted(route.methods or ()):
                yield method, prefix + route.path.replace("{key}", "files")


def post(browser: TestClient, path: str, **form: str) -> str:
    """Press a button as a browser does, with the token of the page it stands on; what the person then reads."""
    browser.get(f"{HOME}files/list")
    token = browser.cookies.get("starlette_admin_csrftoken") or ""
    answer = browser.post(HOME + path, data=form | {"csrftoken": token})
    told = answer.json()
    return str(told["msg"]) if answer.is_error else browser.get(told["redirect"]).text


def runs_of(dag_id: str) -> list[tuple[str, dict[str, object]]]:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalars(select(DagRun).where(DagRun.dag_id == dag_id)).all()
        return [(str(run.triggering_user_name), dict(run.conf or {})) for run in found]


def test_every_route_asks_for_a_login(airflow_app: "FastAPI", sign_in: "SignIn") -> None:
    console = next(
        route for route in airflow_app.routes if isinstance(route, Mount) and route.path == HOME.rstrip("/")
    )
    routes = list(flat_routes(list(console.routes), HOME.rstrip("/")))
    assert len(routes) > 6
    nobody = sign_in(None)
    for method, path in routes:
        assert nobody.request(method, path).status_code == 401, (method, path)


def test_a_token_that_is_not_airflows_opens_nothing(sign_in: "SignIn") -> None:
    forger = sign_in(None)
    forger.cookies.set("_token", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsInJvbGUiOiJBRE1JTiJ9.")
    assert forger.get(HOME).status_code in {401, 403}


@pytest.mark.parametrize("key", KEYS)
def test_a_viewer_sees_every_page(sign_in: "SignIn", key: str) -> None:
    answer = sign_in("viewer").get(f"{HOME}{key}/list")
    assert answer.status_code == 200
    assert "build_warehouse has not run" not in answer.text


def test_a_viewer_has_no_buttons_and_can_press_none(sign_in: "SignIn") -> None:
    viewer = sign_in("viewer")
    before = runs_of("post_repayments")

    assert "Post what is due now" not in viewer.get(f"{HOME}queue/list").text
    assert "Forbidden" in post(viewer, "_api/queue/action?name=post_now")
    assert "Forbidden" in post(viewer, "_api/rejected-rows/row-action?name=discard&pk=1", reason="no reason")
    assert runs_of("post_repayments") == before
    assert runs_of("resolve_rejected_rows") == []


def test_a_button_starts_a_run_in_the_persons_name(sign_in: "SignIn") -> None:
    operator = sign_in("op")

    assert "Started resolve_rejected_rows" in post(
        operator, "_api/rejected-rows/row-action?name=discard&pk=1", reason="sent twice by mail"
    )

    ((person, conf),) = runs_of("resolve_rejected_rows")
    assert person == "op-person"
    assert conf == {"action": "discard", "reject_ids": [1], "reason": "sent twice by mail"}


def test_a_decision_about_a_repayment_names_it_by_its_posting_key(sign_in: "SignIn") -> None:
    key = hashlib.md5(b"payment3", usedforsecurity=False).hexdigest()
    answer = post(
        sign_in("op"),
        f"_api/queue/row-action?name=decide&pk={key}",
        action="retry",
        reason="the bank says paid",
    )

    assert "Started decide_repayment" in answer
    ((_person, conf),) = runs_of("decide_repayment")
    assert conf == {
        "posting_key": key,
        "action": "retry",
        "fineract_transaction_id": None,
        "reason": "the bank says paid",
    }


def test_what_a_button_started_is_in_airflows_audit_log(sign_in: "SignIn") -> None:
    from airflow.models.log import Log
    from airflow.utils.session import create_session
    from sqlalchemy import select

    post(
        sign_in("op"),
        "_api/switches/action?name=set_switch",
        state="stopped",
        lender="gb",
        channel="*",
        reason="audit",
    )

    with create_session() as session:
        event = session.scalars(
            select(Log).where(Log.event == "console_trigger", Log.dag_id == "switch_posting")
        ).one()
        assert event.owner == "op-person"


def test_values_that_the_dag_refuses_start_nothing(sign_in: "SignIn") -> None:
    answer = post(
        sign_in("op"),
        "_api/switches/action?name=set_switch",
        state="gone",
        lender="gb",
        channel="*",
        reason="try it",
    )

    assert "switch_posting was not started" in answer
    assert (
        "op-person",
        {"state": "gone", "lender": "gb", "channel": "*", "reason": "try it"},
    ) not in runs_of("switch_posting")


def test_a_form_from_elsewhere_is_refused(sign_in: "SignIn") -> None:
    operator = sign_in("op")
    operator.get(f"{HOME}queue/list")
    assert operator.post(f"{HOME}_api/queue/action?name=post_now").status_code == 403


def test_text_of_a_file_never_becomes_markup(sign_in: "SignIn") -> None:
    operator = sign_in("op")
    for path in ("files/list", "rejected-rows/list", "rejected-rows/detail?pk=1", "files/detail?pk=1", ""):
        text = operator.get(HOME + path).text
        assert "<script>alert(1)" not in text, path
        assert "<img src=x" not in text, path
        assert "<b>bold" not in text, path
    assert "&lt;script&gt;alert(1)" in operator.get(f"{HOME}files/detail?pk=1").text


def test_only_scripts_of_our_templates_may_run(sign_in: "SignIn") -> None:
    operator = sign_in("op")
    answers = [operator.get(HOME), operator.get(f"{HOME}files/list")]
    nonces = []
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        (nonce,) = re.findall(r"'nonce-([^']+)'", policy)
        script_rule = next(rule for rule in policy.split("; ") if rule.startswith("script-src"))
        assert "unsafe" not in script_rule
        assert "frame-ancestors 'self'" in policy
        tags = re.findall(r"<script[^>]*>", answer.text)
        assert tags
        assert all(f'nonce="{nonce}"' in tag for tag in tags)
        assert "https://" not in re.sub(r"https?://(airflow\.test|www\.w3\.org)", "", answer.text)
        nonces.append(nonce)
    assert nonces[0] != nonces[1]


def test_an_exported_cell_is_never_a_formula(sign_in: "SignIn") -> None:
    operator = sign_in("op")
    operator.get(f"{HOME}rejected-rows/list")
    token = operator.cookies["starlette_admin_csrftoken"]
    where = f"{HOME}_api/rejected-rows/action?name=export&all=1"

    csv = operator.post(where, data={"scope": "all", "format": "csv", "csrftoken": token})
    xlsx = operator.post(where, data={"scope": "all", "format": "xlsx", "csrftoken": token})

    assert "\"'=HYPERLINK" in csv.text
    sheet = openpyxl.load_workbook(io.BytesIO(xlsx.content)).active
    assert sheet is not None
    cells = [
        cell for row in sheet.iter_rows(min_row=2) for cell in row if str(cell.value).startswith("=HYPERLINK")
    ]
    assert [cell.data_type for cell in cells] == ["s"]


def test_a_list_is_paged_in_the_warehouse(sign_in: "SignIn") -> None:
    viewer = sign_in("viewer")
    first = viewer.get(f"{HOME}payments/list").text
    last = viewer.get(f"{HOME}payments/list?page=3").text
    # 120 payments of 50 a page, the youngest first: GB000120 to GB000071, then to GB000021, then to GB000001
    assert "GB000120" in first
    assert "GB000071" in first
    assert "GB000070" not in first
    assert "GB000020" in last
    assert "GB000001" in last
    assert "GB000021" not in last


def test_filters_and_search_are_in_the_address(sign_in: "SignIn") -> None:
    viewer = sign_in("viewer")
    held = viewer.get(f"{HOME}payments/list?filter=posting_block__is%3Dpossible_duplicate").text
    found = viewer.get(f"{HOME}payments/list?q=UTR77").text
    assert "GB000002" in held
    assert "GB000003" not in held
    assert "GB000077" in found
    assert "GB000078" not in found


def test_a_filter_that_does_not_fit_is_explained(sign_in: "SignIn") -> None:
    answer = sign_in("viewer").get(f"{HOME}payments/list?filter=amount__is%3Dmany")
    assert answer.status_code == 200
    assert "does not fit the column" in answer.text


def test_a_filter_can_not_carry_sql(sign_in: "SignIn") -> None:
    viewer = sign_in("viewer")
    hostile = viewer.get(f"{HOME}payments/list", params={"filter": "loan_id__is=\"x' or 'a'='a\""})
    assert hostile.status_code == 200
    assert "GB000001" not in hostile.text
    assert (
        viewer.get(f"{HOME}payments/list", params={"filter": 'loan_id" or true --__is=x'}).status_code == 400
    )


def test_today_puts_what_waits_for_a_person_first(sign_in: "SignIn") -> None:
    text = sign_in("viewer").get(HOME).text
    # held 2 x 5499.00, in doubt 5499.00, one row rejected 5499.00: 21996.00 rupees wait for a person.
    # 120 payments less 2 held and 1 in doubt are to be queued: 117 x 5499.00 = 643383.00.
    assert "₹ 21,996.00" in text
    assert "₹ 6,43,383.00" in text
    assert text.index("payments held: possible duplicate") < text.index(
        "payments to be queued by the next run"
    )
    assert "files refused" in text


def test_the_life_of_a_rupee_is_told_in_order(sign_in: "SignIn") -> None:
    key = hashlib.md5(b"payment3", usedforsecurity=False).hexdigest()
    text = sign_in("viewer").get(f"{HOME}payments/detail?pk={key}").text
    assert text.index("recognised by first sight") < text.index("now in_doubt after 8 tries: timed out")


def test_airflows_menu_leads_to_the_console(sign_in: "SignIn") -> None:
    plugins = sign_in("viewer").get("/api/v2/plugins").json()["plugins"]
    (ours,) = [plugin for plugin in plugins if plugin["name"] == "turno_lms"]
    assert {(view["destination"], view["href"]) for view in ours["external_views"]} == {
        ("nav", "turno/"),
        ("dag", "turno/dag?dag={DAG_ID}"),
        ("dag_run", "turno/run?dag={DAG_ID}&run={RUN_ID}"),
    }
