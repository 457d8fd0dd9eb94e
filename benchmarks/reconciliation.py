"""Reconciliation: the exact rules over ROWS records a side beside a bare full outer join, and the whole ladder.

The shipped models, run by dbt on the same `core_recon_side`; their seconds are those that dbt measures for each model,
its own start-up left out. The bare join writes the same columns for the same rows under the same indexes, and checks
nothing: no multiset, no references, no alternatives. Of 100 records 85 agree, 5 are late, 3 net of a charge, 2 within
tolerance, 5 have no other side. `record_seconds` is what turns proposals into matches and exceptions.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.services import postgres_server, warehouse
from tests.dbt.landing import GB, put_lender
from tests.dbt.project import RUN, DbtProject, dbt_project
from turno_lms.reconciliation.findings import record_loans
from turno_lms.reconciliation.matches import record_exact, record_matches
from turno_lms.warehouse.connection import Role

ROWS = 1_000_000
LOANS = 250_000
ROUNDS = 3
_TEMPLATE = "bench_template"

_SIDES = """
insert into core.core_recon_side (
    native_reference, posting_key, side, lender, stream, loan_id, business_date, amount, recon_match_key,
    gateway_payment_reference, bank_reference, charge, is_posting_channel, seen_at
)
select
    case when side = 'file' then 'file:gb:nach:' else 'razorpay:pay_' end || n,
    md5('key' || n || case when n %% 100 >= 85 then side else '' end),
    side,
    'gb',
    'nach_debits',
    loan_id,
    business_date,
    amount,
    md5(loan_id || to_char(business_date, 'YYYY-MM-DD') || amount::text),
    case when side = 'gateway' then 'razorpay:pay_' || n when n %% 10 = 0 then 'razorpay:pay_' || n end,
    case when n %% 10 = 1 then 'B' || n end,
    case when side = 'gateway' and n %% 100 between 90 and 92 then 11.80 end,
    side = 'file',
    now()
from (
    select
        n,
        side,
        'GB' || lpad((n / 4)::text, 8, '0') as loan_id,
        date '2026-01-05' + (n %% 4)::integer * 30
        + case when side = 'file' and n %% 100 between 85 and 89 then 2 else 0 end as business_date,
        (
            4000 + n %% 1000
            - case
                when side = 'gateway' then 0
                when n %% 100 between 90 and 92 then 11.80
                when n %% 100 between 93 and 94 then 0.50
                else 0
            end
        )::numeric(18, 2) as amount
    from generate_series(0, %(rows)s - 1) as n
    cross join (values ('file'), ('gateway')) as sides (side)
    where n %% 100 < 95 or (side = 'file') = (n %% 2 = 0)
) as record
order by md5(n::text)
"""
_BARE = """
create table core.bare_join as
select
    md5(file_side.native_reference || '|' || gateway_side.native_reference) as match_group,
    'recon_match_key' as rule,
    3 as pass,
    file_side.native_reference as file_native_reference,
    gateway_side.native_reference as gateway_native_reference,
    file_side.posting_key as file_posting_key,
    gateway_side.posting_key as gateway_posting_key,
    file_side.is_posting_channel as is_file_posting,
    gateway_side.is_posting_channel as is_gateway_posting,
    file_side.lender,
    file_side.recon_match_key,
    file_side.business_date - gateway_side.business_date as days,
    (gateway_side.amount - file_side.amount)::numeric(18, 2) as rupees,
    0 as alternatives
from (select * from core.core_recon_side where side = 'file') as file_side
full outer join (select * from core.core_recon_side where side = 'gateway') as gateway_side
    on file_side.recon_match_key = gateway_side.recon_match_key
"""


def run() -> Mapping[str, float | int]:
    """Measure the exact rules beside the join, then the ladder and the recording of it."""
    rows = int(os.environ.get("ROWS", ROWS))
    with (
        postgres_server() as databases,
        TemporaryDirectory(prefix="turno-bench-") as output,
    ):
        warehouse(databases, _TEMPLATE)
        with dbt_project(databases, _TEMPLATE, Path(output)) as project:
            put_lender(project.conn, GB)
            project.conn.execute("insert into core.core_lender_recon_rule values ('gb', 3, 1.00, 3, '[]')")
            project.conn.execute(_SIDES, {"rows": rows})
            project.conn.execute("vacuum analyze core.core_recon_side")
            return {"rows": rows, **_exact(project), **_ladder(project), **_loans(project)}


def _exact(project: DbtProject) -> dict[str, float]:
    ours, bare = [], []
    for _ in range(int(os.environ.get("ROUNDS", ROUNDS))):
        bare.append(_bare_join(project))
        ours.append(_model_seconds(project, "core_recon_exact"))
        print(f"exact {ours[-1]:.2f} s, bare join {bare[-1]:.2f} s", flush=True)
    return {
        "exact_seconds": median(ours),
        "join_seconds": median(bare),
        "vs_join": median(ours) / median(bare),
    }


def _bare_join(project: DbtProject) -> float:
    project.conn.execute("drop table if exists core.bare_join")
    project.conn.execute("set work_mem = '128MB'")  # as the models have it
    started = perf_counter()
    project.conn.execute(_BARE)
    for column in ("file_native_reference", "gateway_native_reference"):
        project.conn.execute(f"create index on core.bare_join ({column})")
    project.conn.execute("analyze core.bare_join")
    return perf_counter() - started


def _ladder(project: DbtProject) -> dict[str, float | int]:
    models = ("core_recon_rule", "core_recon_near", "core_recon_group", "core_recon_left_over")
    seconds = {model: _model_seconds(project, model) for model in models}
    print("; ".join(f"{model} {spent:.2f} s" for model, spent in seconds.items()), flush=True)
    started = perf_counter()
    exact = record_exact(project.session(Role.RECONCILER), RUN)
    recorded = perf_counter()
    report = record_matches(project.session(Role.RECONCILER), RUN)
    done = perf_counter()
    print(f"exact recorded {recorded - started:.2f} s, the rest {done - recorded:.2f} s", flush=True)
    return {
        "ladder_seconds": sum(seconds.values()),
        "record_seconds": done - started,
        "matches": exact + report.pairs_matched + report.groups_matched,
        "exceptions": report.exceptions_opened,
    }


def _model_seconds(project: DbtProject, model: str) -> float:
    results = project.dbt("run", "--select", model)
    return sum(float(result.execution_time) for result in results if result.node.name == model)


_LOAN_TABLES = (
    """
    insert into raw.raw_fineract_loan_snapshot (
        fineract_loan_id, external_id, product_id, status_id, payload, payload_md5, taken_at, taken_by_run
    )
    select n, 'GB' || n, 1, 300, jsonb_build_object('summary', summary.told), '', '2026-02-01', 'benchmark'
    from generate_series(1, %(loans)s) as n
    cross join lateral (
        select jsonb_build_object('totalOutstanding', 50000 + n %% 1000, 'totalRepayment', 40000) as told
    ) as summary
    """,
    """
    insert into raw.raw_fineract_loan_detail (
        fineract_loan_id, external_id, status_id, summary, transactions, payload_md5, taken_by_run
    )
    select
        loan.fineract_loan_id, loan.external_id, 300, loan.payload -> 'summary', booked.told, '', 'benchmark'
    from raw.raw_fineract_loan_snapshot as loan
    cross join lateral (
        select
            jsonb_agg(
                jsonb_build_object(
                    'id', month, 'external_id', md5(loan.external_id || ' ' || month), 'type_id', 2,
                    'date', '2026-01-05', 'amount', 5000, 'overpaid', 0, 'is_reversed', false
                )
            ) as told
        from generate_series(1, 8) as month
    ) as booked
    """,
    """
    insert into core.core_loan_look
    select fineract_loan_id, snapshot_id, '2026-02-02', 'benchmark' from raw.raw_fineract_loan_snapshot
    """,
    """
    insert into core.core_transaction_data_processed (
        posting_key, outcome, lender, loan_id, business_date, amount, attempts, processed_at, processed_by_run
    )
    select md5('GB' || n || ' ' || month), 'posted', 'gb', 'GB' || n, '2026-01-05', 5000, 1, '2026-01-06', 'benchmark'
    from generate_series(1, %(loans)s) as n
    cross join generate_series(1, 8) as month
    where n %% 1000 <> 0 or month <> 8
    """,
    """
    insert into raw.raw_lender_loan_statement (
        lender, source_file, sha256, line_number, loan_id, as_of, total_outstanding, days_past_due, status,
        landed_by_run
    )
    select
        'gb', 'x', 'x', n, 'GB' || n, '2026-02-01', 50000 + n %% 1000 + case when n %% 500 = 0 then 7 else 0 end, 0,
        'active', 'benchmark'
    from generate_series(1, %(loans)s) as n
    """,
)


def _loans(project: DbtProject) -> dict[str, float | int]:
    """One loan in a thousand has a payment of ours that the ledger lacks, one in 500 owes its lender 7.00 more."""
    loans = int(os.environ.get("LOANS", LOANS))
    for statement in _LOAN_TABLES:
        project.conn.execute(statement, {"loans": loans})
    project.conn.execute("vacuum analyze")
    model = _model_seconds(project, "core_recon_loan")
    started = perf_counter()
    opened = record_loans(project.session(Role.RECONCILER), RUN).opened
    recorded = perf_counter() - started
    print(f"{loans} loans compared in {model:.2f} s, differences recorded in {recorded:.2f} s", flush=True)
    return {"loans": loans, "loan_seconds": model + recorded, "loan_differences": opened}
