"""Processes of a home, found without its supervisor: what is left when that was killed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import psutil

from outlay.stack.conf import MARK

T = TypeVar("T")


def of_home(folder: Path) -> list[psutil.Process]:
    """Every process of the stack whose home is `folder`, as far as this user may see them.

    They are known by the mark in their environment. PostgreSQL's rewrite theirs into their title, and are known by
    their working folder and program.
    """
    spared = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
    return [process for process in psutil.process_iter() if process.pid not in spared and _belongs(process, folder)]


def stop(processes: list[psutil.Process], *, seconds: float = 15.0) -> None:
    """End them politely, then by force; returns when all are gone."""
    for how in (psutil.Process.terminate, psutil.Process.kill):
        for process in processes:
            try:
                how(process)
            except psutil.NoSuchProcess:
                continue  # it ended by itself
        _, processes = psutil.wait_procs(processes, timeout=seconds)
    if processes:
        raise RuntimeError(f"processes {[p.pid for p in processes]} did not end after SIGKILL")


def tree(pid: int) -> list[psutil.Process]:
    """The process and everything it started; empty when it is gone."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def each(family: Iterable[psutil.Process], measure: Callable[[psutil.Process], T]) -> list[T]:
    """What `measure` finds of each process that is still there and open to this user."""
    found = []
    for process in family:
        try:
            found.append(measure(process))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it ended meanwhile, or belongs to another user
    return found


def memory(process: psutil.Process) -> int:
    """Bytes of physical memory; what it shares with others counts in part."""
    full = process.memory_full_info()
    return getattr(full, "pss", 0) or full.rss  # macOS has no proportional share


def listens(pid: int, port: int) -> bool:
    """Whether the process, or one that it started, listens on the TCP port; True where the system does not tell."""
    for process in tree(pid):
        try:
            connections = process.net_connections("tcp")
        except psutil.NoSuchProcess:
            continue  # it ended meanwhile
        except psutil.AccessDenied:
            return True
        if any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in connections):
            return True
    return False


def _belongs(process: psutil.Process, folder: Path) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if process.environ().get(MARK) == str(folder):
            return True
        return process.name() == "postgres" and process.cwd() == str((folder / "postgres").resolve())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
