"""Who may see and do what: Airflow's login and Airflow's rights, asked anew at every request.

A page shows the data of a DAG, and a button starts a run of one. Whoever may see the DAG's runs sees the page; whoever
may start them has the button. Approvals are given in Airflow itself, under Required Actions.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from typing_extensions import override

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod
    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser


@dataclass(frozen=True)
class ConsoleUser:
    """A person who is logged in to Airflow."""

    airflow_user: "BaseUser"

    @property
    def username(self) -> str:
        """The name that Airflow knows them by, as runs and approvals record it."""
        return self.airflow_user.get_name()

    def may_see(self, dag_id: str) -> bool:
        """Whether they may see the runs of a DAG."""
        return self._may("GET", dag_id)

    def may_start(self, dag_id: str) -> bool:
        """Whether they may start a run of a DAG."""
        return self._may("POST", dag_id)

    def may_read_audit_log(self) -> bool:
        """Whether they may read Airflow's audit log of all DAGs."""
        from airflow.api_fastapi.app import get_auth_manager
        from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity

        return get_auth_manager().is_authorized_dag(
            method="GET", access_entity=DagAccessEntity.AUDIT_LOG, user=self.airflow_user
        )

    def _may(self, method: "ResourceMethod", dag_id: str) -> bool:
        from airflow.api_fastapi.app import get_auth_manager
        from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails

        return get_auth_manager().is_authorized_dag(
            method=method,
            access_entity=DagAccessEntity.RUN,
            details=DagDetails(id=dag_id),
            user=self.airflow_user,
        )


def user_of(request: Request) -> ConsoleUser:
    """The person behind a request that AccessMiddleware has let in."""
    user: ConsoleUser = request.state.console_user
    return user


async def _airflow_user(request: Request) -> "BaseUser":
    from airflow.api_fastapi.core_api.security import bearer_scheme, get_user

    return await get_user(request, None, await bearer_scheme(request))


class AccessMiddleware(BaseHTTPMiddleware):
    """Lets nobody in without Airflow's login: plugin apps are open to the world by default."""

    @override
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Answer 401 or 403 as Airflow's own API does, or go on with the user in `request.state.console_user`."""
        from fastapi import HTTPException

        try:
            request.state.console_user = ConsoleUser(await _airflow_user(request))
        except HTTPException as refused:
            status = HTTPStatus(refused.status_code)
            return PlainTextResponse(f"{status.phrase}: log in to Airflow first.", status_code=status)
        return await call_next(request)
