"""The real graph of assets and checks, with steps that do nothing: what Dagster decides about it, without servers."""

import logging
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import dagster as dg
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from orchestration.automation.jobs import build_job, land_job

Keys = Collection[str]
_REPOSITORY = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("outlay"), "__repository__")
_FAILING = "test/failing"

logging.getLogger("dagster.automation_condition_tester").setLevel(logging.WARNING)  # a line for each asset a tick


@dataclass
class Graph:
    """The graph in an instance of its own, looked at tick by tick as the daemon does.

    `failing` are assets whose checks do not hold; `changed` those whose code is another than at first.
    """

    instance: dg.DagsterInstance
    failing: set[str] = field(default_factory=set)
    changed: frozenset[str] = frozenset()
    cursor: Any = None

    def tick(self) -> set[str]:
        """The assets that are asked for now."""
        result = dg.evaluate_automation_conditions(
            _idle_defs(self.changed), self.instance, asset_selection=dg.AssetSelection.all(), cursor=self.cursor
        )
        self.cursor = result.cursor
        return {key for key in _names(_real().materializable_asset_keys) if result.get_num_requested(_key(key))}

    def build(self, job: str = build_job.name) -> bool:
        """Run a job, as whoever starts it whole does; whether it succeeded."""
        return self._execute(_idle_defs(self.changed).resolve_job_def(job))

    def make(self, keys: Keys) -> bool:
        """Make these assets alone, with their checks, as somebody does who chose them in Dagster's pages."""
        everything = _idle_defs(self.changed).resolve_implicit_global_asset_job_def()
        return self._execute(everything, asset_selection=list(map(_key, keys)))

    def wait(self, keys: Keys | None = None, *, status: dg.DagsterRunStatus) -> dg.DagsterRun:
        """A run of these assets, or a build, that has made nothing yet."""
        defs, selected = _idle_defs(self.changed), None if keys is None else set(map(_key, keys))
        everything = defs.resolve_implicit_global_asset_job_def()
        job = defs.resolve_job_def(build_job.name) if keys is None else everything.get_subset(asset_selection=selected)
        origin = RemoteJobOrigin(_REPOSITORY, job.name)
        return self.instance.create_run_for_job(job, status=status, asset_selection=selected, remote_job_origin=origin)

    def _execute(self, job: dg.JobDefinition, **given: Any) -> bool:
        tags = {_FAILING: " ".join(self.failing)}
        return job.execute_in_process(instance=self.instance, tags=tags, raise_on_error=False, **given).success


def below(*keys: str) -> set[str]:
    """Everything downstream of these that can be made."""
    found = dg.AssetSelection.assets(*map(_key, keys)).downstream().resolve(_real())
    return _names(found & _real().materializable_asset_keys) - set(keys)


@cache
def _idle_defs(changed: frozenset[str]) -> dg.Definitions:
    places = {key: place for place, key in enumerate(_real().toposorted_asset_keys)}
    assets = [_idle(each, places, changed) for each in _real().assets_defs if each.is_executable]
    return dg.Definitions(assets=assets, jobs=[build_job, land_job], executor=dg.in_process_executor)


def _idle(
    real: dg.AssetsDefinition, places: dict[dg.AssetKey, int], changed: frozenset[str]
) -> dg.AssetsDefinition | dg.AssetChecksDefinition:
    """The step of `real`: it makes what is chosen of it, in the order of its lineage, and its checks hold."""
    given = {"name": real.op.name, "can_subset": real.can_subset}
    if not real.specs:

        @dg.multi_asset_check(specs=list(real.check_specs), **given)
        def idle(context: dg.AssetCheckExecutionContext):
            yield from _checked(context.selected_asset_check_keys, context.run)

    else:
        specs = [spec.replace_attributes(code_version=str(spec.key.to_user_string() in changed)) for spec in real.specs]

        @dg.multi_asset(specs=specs, check_specs=list(real.check_specs), **given)
        def idle(context: dg.AssetExecutionContext):
            for key in sorted(context.selected_asset_keys, key=places.__getitem__):
                yield dg.MaterializeResult(asset_key=key)
            yield from _checked(context.selected_asset_check_keys, context.run)

    return idle


def _checked(selected: Iterable[dg.AssetCheckKey], run: dg.DagsterRun) -> Iterator[dg.AssetCheckResult]:
    failing = run.tags[_FAILING].split()
    for key in sorted(selected):
        holds = key.asset_key.to_user_string() not in failing
        yield dg.AssetCheckResult(asset_key=key.asset_key, check_name=key.name, passed=holds)


def _key(name: str) -> dg.AssetKey:
    return dg.AssetKey(name.split("/"))


def _names(keys: Iterable[dg.AssetKey]) -> set[str]:
    return {key.to_user_string() for key in keys}


@cache
def _real() -> Any:
    from orchestration.definitions import defs

    return defs.resolve_asset_graph()
