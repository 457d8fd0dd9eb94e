"""Files through the console: uploads, previews, the way from a button to its run, and what others may see of clients."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from turno_lms.console.body_limit import MOST_BYTES
from turno_lms.console.pages.loans import masked
from turno_lms.ingestion.archive import HANDED_IN_BY
from turno_lms.lenders.registry import mappings_directory

if TYPE_CHECKING:
    from tests.console.conftest import SignIn
    from turno_lms.warehouse.connection import WarehouseConnection

HOME = "/turno/"
HEADINGS = (
    "Sr. No.,Customer Name,UMRN,Settlement Date,Amount (Rs.),Status,Return Reason Code,Return Reason,"
    "Transaction Reference,Narration"
)
SAMPLE = "\n".join([
    HEADINGS,
    '1,"Sharma, Aarav",ICIC7000100151000001,05/01/2026,3082.50,Success,,,GBN1,EMI',
    '2,"Das, Bhavna",SBIN7000100152000001,31/02/2026,"4,949.00",Success,,,GBN2,<img src=x onerror=alert(1)>',
    '3,"Gowda, Eknath",BARB7000100155000001,05/01/2026,"4,110.00",Returned,04,Balance,GBN3,EMI',
])  # fmt: skip


@pytest.fixture
def bucket(s3: Any, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The bucket that the console hands files in to."""
    extra = {"endpoint_url": s3_url, "region_name": "ap-south-1"}
    conn = {"conn_type": "aws", "login": "test", "password": "test", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_TURNO_S3", json.dumps(conn))
    return s3


def send(browser: TestClient, path: str, upload: tuple[str, bytes] | None, **form: str) -> Any:
    """A form with a file, as a browser sends it from a page of ours."""
    browser.get(f"{HOME}files/list")
    token = browser.cookies.get("starlette_admin_csrftoken") or ""
    files = {"file": upload} if upload else None
    return browser.post(HOME + path, data=form | {"csrftoken": token}, files=files)


def upload(browser: TestClient, name: str, content: bytes, place: str = "gb.nach_response") -> Any:
    return send(browser, "_api/files/action?name=upload", (name, content), place=place)


def keys_in(bucket: Any) -> list[str]:
    return [entry["Key"] for entry in bucket.list_objects_v2(Bucket="turnofile").get("Contents", [])]


def test_an_uploaded_file_lands_under_the_lenders_prefix_and_its_run_is_shown(
    sign_in: "SignIn", bucket: Any
) -> None:
    operator = sign_in("op")
    key = "lenders/gb/nach_response/NACH_RESPONSE_GB_20260206.csv"

    told = upload(operator, "NACH_RESPONSE_GB_20260206.csv", SAMPLE.encode()).json()

    found = bucket.get_object(Bucket="turnofile", Key=key)
    assert found["Body"].read() == SAMPLE.encode()
    assert found["Metadata"] == {HANDED_IN_BY: "op-person"}
    page = operator.get(told["redirect"])
    assert page.status_code == 200
    assert "ingest__gb" in page.text
    assert "Started by op-person" in page.text
    assert "/dags/ingest__gb/runs/" in page.text


@pytest.mark.parametrize(
    "name", ["../../ugro/x.csv", "a/b.csv", "<img src=x>.csv", "notes.txt", "=cmd|' /C calc'!A0.csv"]
)
def test_a_file_with_a_name_that_is_no_lenders_is_not_taken(
    sign_in: "SignIn", bucket: Any, name: str
) -> None:
    answer = upload(sign_in("op"), name, b"1")
    assert answer.status_code == 400
    assert "Not taken" in answer.json()["msg"]
    assert keys_in(bucket) == []


def test_a_viewer_can_not_upload_and_has_no_preview(sign_in: "SignIn", bucket: Any) -> None:
    viewer = sign_in("viewer")
    assert "Forbidden" in upload(viewer, "NACH_RESPONSE_GB_1.csv", b"1").json()["msg"]
    assert "Forbidden" in send(viewer, "_api/umrn/action?name=upload", ("m.csv", b"1")).json()["msg"]
    assert viewer.get(f"{HOME}try").status_code == 403
    assert keys_in(bucket) == []


def test_an_upload_without_the_pages_token_is_refused(sign_in: "SignIn", bucket: Any) -> None:
    operator = sign_in("op")
    operator.get(f"{HOME}files/list")
    files = {"file": ("NACH_RESPONSE_GB_1.csv", b"1")}
    place = {"place": "gb.nach_response"}
    answer = operator.post(f"{HOME}_api/files/action?name=upload", data=place, files=files)
    assert answer.status_code == 403
    assert keys_in(bucket) == []


def test_too_large_a_file_is_refused_with_words(sign_in: "SignIn", bucket: Any) -> None:
    answer = upload(sign_in("op"), "NACH_RESPONSE_GB_1.csv", b"x" * (MOST_BYTES + 200_000))
    assert answer.status_code == 400
    assert "More than 25 MB are not taken here" in answer.json()["msg"]
    assert keys_in(bucket) == []


def test_mandates_are_uploaded_to_the_master(sign_in: "SignIn", bucket: Any) -> None:
    content = b"umrn,loan_id,lender,valid_from,valid_to\n"
    told = send(sign_in("op"), "_api/umrn/action?name=upload", ("february.csv", content)).json()
    assert "dag=load_umrn_master" in told["redirect"]
    assert keys_in(bucket) == ["umrn/february.csv"]


def test_a_preview_shows_the_fate_of_every_row_and_writes_nothing(
    sign_in: "SignIn", bucket: Any, warehouse: "WarehouseConnection"
) -> None:
    page = send(sign_in("op"), "try", ("sample.csv", SAMPLE.encode()), place="gb.nach_response")
    # 1 accepted, 1 bad date, 1 returned by the bank: one reject in three is beyond the 20 percent that halt a load
    assert page.status_code == 200
    assert "would be <strong>halted</strong>" in page.text
    assert "bad date" in page.text
    assert "4,949.00" in page.text
    assert "3,082.50" in page.text
    assert "&lt;img src=x onerror=alert(1)&gt;" in page.text
    assert "<img src=x" not in page.text
    assert keys_in(bucket) == []


def test_a_draft_is_tried_in_place_of_the_live_mapping(sign_in: "SignIn") -> None:
    draft = (mappings_directory() / "gb.yml").read_text().replace("reject_percent: 20", "reject_percent: 50")
    page = send(sign_in("op"), "try", ("sample.csv", SAMPLE.encode()), mapping=draft)
    assert "would be <strong>loaded</strong>" in page.text


@pytest.mark.parametrize(
    ("draft", "told"),
    [
        ("lender: ../../etc/passwd\n", "line 1"),
        ("lender: gb\nnonsense: true\n", "nonsense"),
        (": : :", "is not valid YAML"),
    ],
)
def test_a_draft_that_is_no_mapping_is_told_line_by_line(sign_in: "SignIn", draft: str, told: str) -> None:
    page = send(sign_in("op"), "try", ("sample.csv", SAMPLE.encode()), mapping=draft)
    assert page.status_code == 200
    assert told in page.text


def test_a_run_that_is_not_there_and_a_replay_that_was_not_shown_lead_nowhere(sign_in: "SignIn") -> None:
    operator = sign_in("op")
    assert operator.get(f"{HOME}run?dag=replay_lender_files&run=none").status_code == 404
    told = send(operator, "_api/files/row-action?name=preview_replay&pk=1", None).json()
    assert "dag=replay_lender_files" in told["redirect"]
    # the run has not begun: nothing was shown that could be done for good
    query = told["redirect"].partition("?")[2]
    assert "Replay for good" not in operator.get(told["redirect"]).text
    assert send(operator, f"run/for-good?{query}", None).status_code == 400


def test_rows_of_a_file_are_found_by_its_number(sign_in: "SignIn") -> None:
    viewer = sign_in("viewer")
    assert "bad date" in viewer.get(f"{HOME}rejected-rows/list?filter=file_id__is%3D1").text
    assert "bad date" not in viewer.get(f"{HOME}rejected-rows/list?filter=file_id__is%3D2").text
    assert "bad date" in viewer.get(f"{HOME}files/detail?pk=1").text


def test_a_viewer_sees_clients_masked() -> None:
    assert masked("Bhavna Das") == "B••• D•••"
    assert masked("+919812345678") == "•••••• 5678"
    assert masked(None) is None
