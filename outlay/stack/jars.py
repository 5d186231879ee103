"""The servers' Java archives: pinned by coordinate and checksum, downloaded once, shared by every home of this machine.

``python -m outlay.stack.jars lock`` resolves `PINS` again and rewrites ``jars.lock``; ``fetch`` fills the cache.
"""

from __future__ import annotations

import hashlib
import sys
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from jgo.maven import Artifact, Dependency, MavenContext, PythonResolver
from requests import RequestException

from outlay.stack.errors import StackError

LOCK = Path(__file__).with_name("jars.lock")

REGISTRY = "io.apicurio:apicurio-registry-app:tar.gz:all:3.0.9"
SPARK_AVRO = "org.apache.spark:spark-avro_2.13:4.1.1"
HADOOP_AWS = "org.apache.hadoop:hadoop-aws:3.4.2"  # of the Hadoop that pyspark has
SPARK_COMMITTERS = "org.apache.spark:spark-hadoop-cloud_2.13:4.1.1"
_AWS_SDK = "2.29.52"  # that hadoop-aws was made with
PINS = {
    "kafka": ("org.apache.kafka:kafka_2.13:4.1.1", "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3"),
    "registry": (REGISTRY,),
    "spark": (SPARK_AVRO,),
    "s3": (
        *(HADOOP_AWS, SPARK_COMMITTERS),
        *(f"software.amazon.awssdk:{module}:{_AWS_SDK}" for module in ("s3", "s3-transfer-manager", "sts")),
    ),
}
"""By what they are for. ``s3``: what Spark needs beside its own for a lake on S3; of Amazon's SDK the parts that
hadoop-aws uses, as the whole is one jar of 640 MB."""
_ALONE = (REGISTRY, SPARK_AVRO, HADOOP_AWS, SPARK_COMMITTERS)
"""Taken without what they say they need: the registry's archive is complete, pyspark has the rest of Spark's."""


@dataclass(frozen=True)
class Jar:
    """One file: the server it belongs to, its Maven coordinate ``group:artifact[:type:classifier]:version``."""

    server: str
    coordinate: str
    sha256: str

    def path(self, cache: Path) -> Path:
        """Where it lies in the cache, a local Maven repository."""
        group, artifact, *kind, version = self.coordinate.split(":")
        suffix, classifier = kind or ("jar", "")
        name = "-".join(filter(None, (artifact, version, classifier)))
        return repository(cache).joinpath(*group.split("."), artifact, version, f"{name}.{suffix}")


def repository(cache: Path) -> Path:
    return cache / "maven"


def locked(server: str | None = None, file: Path = LOCK) -> list[Jar]:
    """The files that `file` pins for `server`, or for all, in the order of the class path."""
    lines = (line.split() for line in file.read_text().splitlines() if line and not line.startswith("#"))
    return [Jar(*line) for line in lines if server in (None, line[0])]


def paths(server: str, cache: Path) -> list[Path]:
    return [jar.path(cache) for jar in locked(server)]


def registry_home(cache: Path) -> Path:
    """Folder of the unpacked registry."""
    _, artifact, *_, version = REGISTRY.split(":")
    return cache / f"{artifact}-{version}"


def spark_home() -> Path:
    """SPARK_HOME: the folder of the pyspark package, which has Spark's own jars."""
    found = find_spec("pyspark")
    if found is None or found.origin is None:
        raise StackError("the package pyspark is missing: run `make install`")
    return Path(found.origin).parent


def fetch(servers: Iterable[str], cache: Path, progress: Callable[[str, int, int], None]) -> None:
    """`download` the files of `servers`, and unpack the registry if it is one of them."""
    wanted = [jar for server in servers for jar in locked(server)]
    download(wanted, cache, progress)
    if "registry" in servers and not registry_home(cache).exists():
        _unpack(next(jar for jar in wanted if jar.server == "registry").path(cache), registry_home(cache))


def download(wanted: Sequence[Jar], cache: Path, progress: Callable[[str, int, int], None]) -> None:
    """Make the files lie in the cache, complete and as pinned; downloads only what is missing.

    `progress` is called from several threads with (file name, bytes just received, size of the file).

    Raises:
        StackError: a download failed, or is not the pinned file (it is deleted, and fetched again next time).
    """
    with ThreadPoolExecutor(8) as pool:
        intact = list(pool.map(lambda jar: _sha256(jar.path(cache)) == jar.sha256, wanted))
        missing = [jar for jar, good in zip(wanted, intact, strict=True) if not good]
        for failure in [pool.submit(_download, jar, cache, progress) for jar in missing]:
            failure.result()


def _download(jar: Jar, cache: Path, progress: Callable[[str, int, int], None]) -> None:
    path = jar.path(cache)
    path.unlink(missing_ok=True)
    context = MavenContext(
        resolver=PythonResolver(progress_callback=lambda name, size: _Received(name, size, progress)),
        repo_cache=repository(cache),
        timeout=60,
    )
    try:
        _artifact(context, jar.coordinate).resolve()
    except (RequestException, RuntimeError, OSError) as error:
        path.unlink(missing_ok=True)
        raise StackError(f"could not download {jar.coordinate}: {error}; run it again") from error
    got = _sha256(path)
    if got != jar.sha256:
        path.unlink(missing_ok=True)
        raise StackError(
            f"the download of {jar.coordinate} is damaged: expected sha256 {jar.sha256}, got {got}; "
            "it was deleted, run it again"
        )


def _artifact(context: MavenContext, coordinate: str) -> Artifact:
    group, artifact, *kind, version = coordinate.split(":")
    suffix, classifier = kind or ("jar", "")
    return context.project(group, artifact).at_version(version).artifact(classifier, suffix)


class _Received:
    """jgo's context manager of one download, which yields the function that takes each chunk's length."""

    def __init__(self, name: str, size: int, progress: Callable[[str, int, int], None]):
        self._report = lambda count: progress(name, count, size)

    def __enter__(self) -> Callable[[int], None]:
        return self._report

    def __exit__(self, *_) -> None: ...


def _unpack(archive: Path, target: Path) -> None:
    with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as beside:
        with tarfile.open(archive) as tar:
            tar.extractall(beside, filter="data")
        Path(beside).chmod(0o755)
        Path(beside).rename(target)
        Path(beside).mkdir()  # for the context manager to remove


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def lock(cache: Path, pinned: Mapping[str, Sequence[str]] = PINS, *, by: str = "outlay.stack.jars") -> str:
    """Resolve what is pinned, download it, and return the text of the lock file that ``python -m <by> lock`` makes."""
    context = MavenContext(repo_cache=repository(cache), timeout=60)
    lines = [f"# server, Maven coordinate, sha256. Made by: python -m {by} lock"]
    for server, pins in pinned.items():
        for artifact in _resolve(context, server, pins):
            kind = [artifact.packaging, artifact.classifier] if artifact.classifier else []
            coordinate = ":".join([artifact.groupId, artifact.artifactId, *kind, artifact.version])
            lines.append(f"{server} {coordinate} {_sha256(artifact.resolve())}")
    return "\n".join(lines) + "\n"


def _resolve(context: MavenContext, server: str, pins: Sequence[str]) -> list[Artifact]:
    alone = [_artifact(context, pin) for pin in pins if pin in _ALONE]
    # raw: the versions that the server itself names, not those of another dependency's bill of materials
    asked = [Dependency(_artifact(context, pin), raw=True) for pin in pins if pin not in _ALONE]
    inputs, transitive = context.resolver.resolve(asked) if asked else ([], [])
    found = [dependency.artifact for dependency in (*inputs, *transitive)]
    if server == "s3":
        found = [artifact for artifact in found if not _in_pyspark(artifact.artifactId)]
    return alone + found


def _in_pyspark(artifact: str) -> bool:
    """Whether pyspark brings a library in a version of its own, or SLF4J's stand-in for it."""
    names = [path.name for path in spark_home().glob(f"jars/{artifact}-*.jar")]
    return artifact == "commons-logging" or any(name.removeprefix(f"{artifact}-")[0].isdigit() for name in names)


if __name__ == "__main__":
    from outlay.settings import settings

    match sys.argv[1:]:
        case ["lock"]:
            LOCK.write_text(lock(settings().cache))
        case ["fetch", *servers] if servers and set(servers) <= set(PINS):
            fetch(servers, settings().cache, lambda name, count, size: None)
        case _:
            sys.exit(f"usage: python -m outlay.stack.jars lock | fetch {' '.join(PINS)}")
