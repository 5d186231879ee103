"""`outlay live`: the projector as a daemon."""

from __future__ import annotations

import click
import structlog

from outlay import logs
from outlay.cli import Failure
from outlay.settings import settings
from outlay.signals import stop_on_signals


def _address(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, int] | None:
    if value is None:
        return None
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal():
        raise click.BadParameter(f"expected HOST:PORT such as 127.0.0.1:9464, got {value!r}")
    return host, int(port)


@click.command()
@click.option(
    "--metrics", "address", metavar="HOST:PORT", callback=_address, help="Serve Prometheus' metrics there, at /metrics."
)
def live(address: tuple[str, int] | None) -> None:
    """Keep the live view up to date with the log, until SIGTERM or Ctrl+C. `outlay up` runs it.

    \b
    Example:
        outlay live --metrics 127.0.0.1:9464
    """
    from ingestion import garbage
    from ingestion.dead_letters.relay import publishing
    from ingestion.projection import Load, Metrics, ProjectionError, run

    garbage.collect_seldom()
    garbage.keep_freed()
    chosen = settings()
    logs.configure(chosen.log_level)
    log = structlog.get_logger("outlay.live")
    stop = stop_on_signals()
    metrics = Metrics()
    if address is not None:
        try:
            metrics.serve(*address)
        except OSError as error:
            raise Failure(f"the metrics cannot be served at {address[0]}:{address[1]}: {error.strerror}") from error
    log.info("live starts", kafka=chosen.bootstrap, registry=chosen.registry)
    try:
        with publishing(bootstrap=chosen.bootstrap, dsn=chosen.dsn("projector")):
            run(
                bootstrap=chosen.bootstrap,
                registry_url=chosen.registry,
                dsn=chosen.dsn("projector"),
                stop=stop,
                metrics=metrics,
                load=Load(chosen.live_lanes),
            )
    except ProjectionError as error:
        log.error("live stops", error=str(error), kind=type(error).__name__)
        raise Failure(str(error)) from error
    log.info("live stopped")
