"""Start, look at and stop the stack: what `turno stack` and the demo call."""

import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from local_stack.control import Control, ServiceStatus
from local_stack.environment import SERVICES, StackEnvironment, load_environment, moved_ports, with_needs
from local_stack.folder import StateFolder, check_disk_space
from local_stack.postgres import PostgresServer
from local_stack.preparation import prepare_airflow, prepare_dbt, prepare_external_bucket, prepare_warehouse
from local_stack.services import services_of
from local_stack.supervisor import Service

STORES = ("postgres", "s3", "fineract")
_NEEDED_MEGABYTES = 1000

Say = Callable[[str], None]


def bring_up(only: Iterable[str] = SERVICES, executor: str = "local") -> StackEnvironment:
    """Start the services of `only` and what they need, prepare them, and return when all are healthy.

    `executor` is one of EXECUTORS: who runs Airflow's tasks.

    What runs already is left as it is. Progress goes to stderr. Raises StackError with the reason and the next step.
    """
    say = _clock()
    folder = StateFolder.default()
    control = Control(folder)
    with folder.exclusive():
        if left_behind := control.clean_up_after_crash():
            say(f"ended what a killed supervisor left behind: {', '.join(left_behind)}")
        supervised = [service.name for service in control.wanted()]
        stack = load_environment(folder, with_needs(only), supervised, executor)
        check_disk_space(folder.path, _NEEDED_MEGABYTES)
        for name, (wish, port) in moved_ports(stack.ports).items():
            say(f"{name} is on port {port}: {wish} was taken")
        _start_in_order(stack, control, say)
    return stack


def take_down() -> list[str]:
    """Stop everything, also what a killed supervisor left behind. Returns the names of what ran."""
    folder = StateFolder.default()
    if not folder.path.exists():
        return []
    control = Control(folder)
    with folder.exclusive():
        names = control.names_running()
        control.stop()
    return names


def status() -> list[ServiceStatus]:
    """Every service that should run, and how it is."""
    return Control(StateFolder.default()).statuses()


def _start_in_order(stack: StackEnvironment, control: Control, say: Say) -> None:
    """Stores first; then what they must hold; then everything that uses them."""

    def tell(service: Service) -> None:
        say(f"{service.name} healthy {service.url}".rstrip())

    services = services_of(stack)
    stores = [service for service in services if service.name in STORES]
    users = [service for service in services if service.name not in STORES]
    data = stack.folder.path / "postgres"
    if "postgres" in {service.name for service in stores} and not data.exists():
        PostgresServer(data, stack.ports["postgres"], stack.secrets).prepare()
    stores = control.want(stores)
    control.wait_for([service for service in stores if service.name == "postgres"], tell)
    _prepare(stack, say)
    users = control.want(users)
    control.wait_for([service for service in (*stores, *users) if service.name != "postgres"], tell)


def _prepare(stack: StackEnvironment, say: Say) -> None:
    """Do every step that the services of this stack need, side by side."""
    steps: list[Callable[[StackEnvironment], str]] = []
    if "postgres" in stack.services:
        steps.append(prepare_warehouse)
    if "airflow" in stack.services:
        steps += [prepare_airflow, prepare_dbt]
    if "s3" in stack.services and "s3" in stack.external:
        steps.append(prepare_external_bucket)
    with ThreadPoolExecutor(max_workers=len(steps) or 1) as pool:
        for done in pool.map(lambda step: step(stack), steps):
            say(done)


def _clock() -> Say:
    """A printer of progress with the seconds since now."""
    started = time.monotonic()
    return lambda text: print(f"[{time.monotonic() - started:5.1f} s] {text}", file=sys.stderr, flush=True)
