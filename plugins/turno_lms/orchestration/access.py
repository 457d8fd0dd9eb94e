"""Who may do what in Airflow: the roles of people and programs, as `turno access apply` writes them (docs/access.md).

Airflow's FAB auth manager keeps roles and users; this module is where the roles come from, so a change made by hand
ends with the next deploy. Whoever may edit a DAG and create its runs starts it, in Airflow's form and in the console.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from turno_lms.domain.names import INGEST


class Team(StrEnum):
    """The roles. The first four are people's; Airflow's own `Admin` is for emergencies and for making users."""

    OPERATIONS = "operations"
    FINANCE = "finance"
    ENGINEER = "engineer"
    VIEWER = "viewer"
    RECEIVER = "service_receiver"
    CI = "service_ci"


Permission = tuple[str, str]

_RUNS_PIPELINES = frozenset({Team.OPERATIONS, Team.ENGINEER})
_COMPARES = frozenset({Team.OPERATIONS, Team.FINANCE, Team.ENGINEER})
_WAKES = frozenset({Team.OPERATIONS, Team.ENGINEER, Team.RECEIVER})
_ASKS = frozenset({Team.OPERATIONS})
_DECIDES = frozenset({Team.OPERATIONS, Team.FINANCE})

STARTS: Mapping[str, frozenset[Team]] = {
    INGEST: _RUNS_PIPELINES,  # of every lender
    "advance_resolutions": _RUNS_PIPELINES,
    "build_warehouse": _WAKES,
    "call_fineract": frozenset({Team.ENGINEER}),
    "cancel_payment_links": _ASKS,
    "check_loan_master": _COMPARES,
    "create_payment_links": _ASKS,
    "decide_held_payment": _ASKS,
    "decide_los_operation": _ASKS,
    "decide_repayment": _ASKS,
    "decide_resolution": _DECIDES,
    "foreclose_loan": _ASKS,
    "hand_in_file": _ASKS,
    "land_settlement_reports": _COMPARES,
    "load_umrn_master": _RUNS_PIPELINES,
    "maintain_warehouse": frozenset({Team.ENGINEER}),
    "post_manual_repayment": _ASKS,
    "post_repayments": _RUNS_PIPELINES,
    "reconcile_loans": _COMPARES,
    "reconcile_transactions": _COMPARES,
    "refresh_payment_links": _RUNS_PIPELINES,
    "replay_lender_files": _RUNS_PIPELINES,
    "replay_webhooks": _RUNS_PIPELINES,
    "report_resolutions": _COMPARES,
    "resolve_rejected_rows": _ASKS,
    "reverse_repayment": _ASKS,
    "run_los_operations": _WAKES,
    "settle_loan": _ASKS,
    "show_loan": _COMPARES,
    "sweep_gateways": _RUNS_PIPELINES,
    "switch_posting": _COMPARES,
    "undo_resolution": _DECIDES,
    "watch_lender_files": _RUNS_PIPELINES,
    "work_recon_exceptions": _DECIDES,
    "write_off_loan": _ASKS,
}
"""Who may start each DAG, and with it pause it; operations and engineers also clear and mark its tasks."""

APPROVED = frozenset(
    {
        "call_fineract",
        "post_manual_repayment",
        "settle_loan",
        "undo_resolution",
        "work_recon_exceptions",
        "write_off_loan",
    }
)
"""The DAGs that wait for a second person, who is of finance: under Required Actions, never the one who asked."""

_READS = (
    "Assets", "Cluster Activity", "DAG Dependencies", "DAG Runs", "DAG Versions", "DAG Warnings", "DAGs", "HITL Detail",
    "ImportError", "Task Instances", "Task Logs", "Website",
)  # fmt: skip
_MENUS = ("Assets", "Browse", "DAG Runs", "DAGs", "Documentation", "Docs", "HITL Detail")
_OWN_PROFILE = frozenset(
    {
        ("can_read", "My Profile"),
        ("can_edit", "My Profile"),
        ("can_read", "My Password"),
        ("can_edit", "My Password"),
    }
)
_VIEWER = frozenset(
    {("can_read", what) for what in _READS} | {("menu_access", what) for what in _MENUS} | _OWN_PROFILE
)
_REPAIRS = frozenset(
    {
        ("can_edit", "DAG Runs"),
        ("can_edit", "Task Instances"),
        ("can_create", "Backfills"),
        ("can_read", "Backfills"),
    }
)
_LOOKS_DEEPER = frozenset({("can_read", "XComs"), ("can_read", "Audit Logs"), ("menu_access", "Audit Logs")})
_ENGINEERS = frozenset(
    {
        ("can_read", what)
        for what in ("Configurations", "DAG Code", "Jobs", "Plugins", "Providers", "Variables", "Pools")
    }
    | {(action, "Pools") for action in ("can_create", "can_edit", "can_delete", "menu_access")}
    | {("menu_access", "Admin")}
)
_OF_TEAM: Mapping[Team, frozenset[Permission]] = {
    Team.OPERATIONS: _VIEWER | _REPAIRS | _LOOKS_DEEPER,
    Team.FINANCE: _VIEWER | _LOOKS_DEEPER | {("can_edit", "HITL Detail")},
    Team.ENGINEER: _VIEWER | _REPAIRS | _LOOKS_DEEPER | _ENGINEERS,
    Team.VIEWER: _VIEWER,
    Team.RECEIVER: frozenset({("can_read", "Website"), ("can_read", "DAG Runs")}),
    # not the runs: who sees them sees payments in the console
    Team.CI: frozenset({("can_read", what) for what in ("Website", "DAGs", "DAG Warnings", "ImportError")}),
}


def permissions_of(team: Team, lenders: Iterable[str]) -> set[Permission]:
    """What a role may do: pairs of FAB's action and resource. `lenders` are the slugs with a DAG of their own."""
    granted = set(_OF_TEAM[team])
    ids = {INGEST: [f"{INGEST}{slug}" for slug in lenders]}
    for name, teams in STARTS.items():
        if team in teams:
            for dag_id in ids.get(name, [name]):
                granted |= {
                    ("can_read", f"DAG:{dag_id}"),
                    ("can_edit", f"DAG:{dag_id}"),
                    ("can_create", f"DAG Run:{dag_id}"),
                }
    if team is Team.FINANCE:
        granted |= {("can_edit", f"DAG:{dag_id}") for dag_id in APPROVED}
    return granted


def apply_roles(security_manager: Any, lenders: Iterable[str]) -> list[str]:
    """Make every role have exactly its permissions; returns a line for each role that was changed."""
    changes: list[str] = []
    slugs = sorted(lenders)
    for team in Team:
        role = security_manager.add_role(team)
        wanted = permissions_of(team, slugs)
        standing = {(each.action.name, each.resource.name) for each in role.permissions}
        if standing == wanted:
            continue
        role.permissions = [security_manager.create_permission(*permission) for permission in sorted(wanted)]
        security_manager.session.commit()
        changes.append(f"{team}: {len(wanted)} permissions, {len(wanted ^ standing)} of them changed")
    return changes


def apply_account(security_manager: Any, username: str, password: str, role_name: str) -> list[str]:
    """Make a program's account (or the administrator's) have this password and this one role."""
    from werkzeug.security import check_password_hash

    role = security_manager.find_role(role_name)
    user = security_manager.find_user(username=username)
    if user is None:
        security_manager.add_user(username, username, "account", f"{username}@turno.invalid", role, password)
        return [f"{username}: made, role {role_name}"]
    changes: list[str] = []
    if user.roles != [role] or not user.active:
        user.roles, user.active = [role], True
        security_manager.update_user(user)
        changes.append(f"{username}: role {role_name}")
    if not check_password_hash(user.password, password):
        security_manager.reset_password(user.id, password)
        changes.append(f"{username}: new password")
    return changes
