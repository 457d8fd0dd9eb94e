"""`turno access`: Airflow's roles, and the accounts of programs."""

import os

import typer

from turno_lms.orchestration.access import Team, apply_account, apply_roles

app = typer.Typer(no_args_is_help=True, help=__doc__)
ADMIN_ROLE = "Admin"
ACCOUNTS = {
    "admin": ("TURNO_ADMIN_PASSWORD", ADMIN_ROLE),
    "receiver": ("TURNO_AIRFLOW_PASSWORD", Team.RECEIVER),
    "ci": ("TURNO_CI_PASSWORD", Team.CI),
}
"""Accounts that are not people's: the variable of their password, and their role. Without a password none is made."""


@app.callback()
def access() -> None:
    """Keep the command's name: an app with one command would otherwise be that command."""


@app.command()
def apply() -> None:
    """Make roles and accounts of programs as this release wants them. Needs Airflow's database; safe to run again."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    from airflow.utils.providers_configuration_loader import providers_configuration_loaded

    from turno_lms.lenders.registry import mapping_files, mappings_directory

    lenders = [path.stem for path in mapping_files(mappings_directory())]

    @providers_configuration_loaded
    def changed() -> list[str]:
        with get_application_builder() as appbuilder:
            manager = appbuilder.sm
            appbuilder.add_permissions(update_perms=True)  # type: ignore[no-untyped-call]  # untyped there
            manager.sync_roles()
            changes = apply_roles(manager, lenders)
            for username, (variable, role) in ACCOUNTS.items():
                if password := os.environ.get(variable):
                    changes += apply_account(manager, username, password, role)
        return changes

    changes = changed()
    for change in changes:
        typer.echo(change)
    typer.echo(f"access applied roles={len(Team)} changes={len(changes)}")
