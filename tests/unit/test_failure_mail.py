"""Who is to hear of failing runs hears it once, hears of their end, and no pause of a mail server loses it."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from aiosmtpd.smtp import AuthResult
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    DagsterInstance,
    Definitions,
    asset,
    asset_check,
    build_sensor_context,
    define_asset_job,
)

from orchestration.automation import failures
from outlay import mail
from outlay.settings import settings
from tests.mail_server import Server


@pytest.fixture
def configured(monkeypatch, tmp_path) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.setenv("OUTLAY_HOME", str(tmp_path))
    monkeypatch.setenv("OUTLAY_FAILURE_MAIL_TO", '["ops@example.org"]')
    monkeypatch.setattr(type(settings()), "dagster_url", "http://dagster.example")
    settings.cache_clear()
    yield monkeypatch
    settings.cache_clear()


@pytest.fixture
def server(configured) -> Iterator[Server]:
    server = Server()
    configured.setenv("OUTLAY_SMTP_URL", f"smtp://127.0.0.1:{server.port}")
    yield server
    server.stop()


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        yield instance


def run(instance: DagsterInstance, error: Exception | None = None, *, holds: bool = True) -> str:
    """A run of the job `build`, which fails with `error`, or because its check does not hold."""

    @asset
    def facts() -> None:
        if error:
            raise error

    @asset_check(asset=facts, blocking=True)
    def reconciliation() -> AssetCheckResult:
        return AssetCheckResult(
            passed=holds, severity=AssetCheckSeverity.ERROR, description="live and gold differ in transaction 7"
        )

    @asset_check(asset=facts)
    def worth_a_look() -> AssetCheckResult:
        return AssetCheckResult(passed=False, severity=AssetCheckSeverity.WARN, description="many without a merchant")

    job = Definitions(
        assets=[facts], asset_checks=[reconciliation, worth_a_look], jobs=[define_asset_job("build")]
    ).resolve_job_def("build")
    return job.execute_in_process(instance=instance, raise_on_error=False).run_id


def tick(instance: DagsterInstance, cursor: str | None) -> tuple[str | None, str]:
    """The sensor's cursor after one tick, and what the tick said."""
    context = build_sensor_context(instance=instance, cursor=cursor)
    said = failures.failed_runs(context)
    return context.cursor, said.skip_message


def test_a_failure_is_mailed_once_with_its_cause_and_its_end_too(server, instance):
    cursor, said = tick(instance, None)
    assert said == "nothing new; failing: nothing"
    first = run(instance, ValueError("bronze holds no file 7"))
    cursor, said = tick(instance, cursor)
    assert said == "mailed: Outlay: build failed"
    run(instance, ValueError("bronze holds no file 7"))
    cursor, said = tick(instance, cursor)
    assert said == "nothing new; failing: build"
    good = run(instance)
    cursor, said = tick(instance, cursor)
    assert said == "mailed: Outlay: build works again"
    assert tick(instance, cursor)[1] == "nothing new; failing: nothing"

    failed, works = server.inbox.mails
    assert (failed["Subject"], failed["To"]) == ("Outlay: build failed", "ops@example.org")
    assert "facts: ValueError: bronze holds no file 7" in failed.get_payload()
    assert f"http://dagster.example/runs/{first}" in failed.get_payload()
    assert f"http://dagster.example/runs/{good}" in works.get_payload()


def test_a_check_that_stopped_a_build_is_named_and_a_warning_is_not(server, instance):
    run(instance, holds=False)
    tick(instance, None)
    (failed,) = server.inbox.mails
    assert "facts: reconciliation: live and gold differ in transaction 7" in failed.get_payload()
    assert "many without a merchant" not in failed.get_payload()


def test_what_fails_for_days_is_mailed_once_a_day(server, instance):
    run(instance, ValueError("no"))
    cursor, _ = tick(instance, None)
    told = json.loads(cursor)
    told["build"] = (datetime.now(UTC) - timedelta(hours=25)).isoformat()
    cursor, said = tick(instance, json.dumps(told))
    assert said == "mailed: Outlay: build still fails"
    assert tick(instance, cursor)[1] == "nothing new; failing: build"


def test_a_mail_that_could_not_be_sent_is_sent_when_the_server_is_back(server, instance):
    run(instance, ValueError("no"))
    server.stop()
    with pytest.raises(mail.MailError, match=f"the mail server 127.0.0.1:{server.port}: .*refused"):
        tick(instance, None)
    server.start()
    _, said = tick(instance, None)
    assert said == "mailed: Outlay: build failed"
    assert len(server.inbox.mails) == 1


def test_without_an_address_nobody_is_mailed_and_the_sensor_says_how(configured, instance):
    run(instance, ValueError("no"))
    cursor, said = tick(instance, None)
    assert cursor is None
    assert said == "nobody is to be mailed: set OUTLAY_SMTP_URL and OUTLAY_FAILURE_MAIL_TO"


def test_a_password_goes_through_tls_alone_and_is_in_no_error(configured, tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    configured.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    given: list[tuple[bytes, bytes]] = []

    def known(server, session, envelope, mechanism, data):
        given.append((data.login, data.password))
        return AuthResult(success=data.password == b"p@ss/word", handled=False)

    plain, secured = Server(), Server(tls_context=tls, authenticator=known, auth_required=True)
    try:
        for port, password, expected in (
            (plain.port, "p%40ss%2Fword", "it offers no TLS, so the password was not sent"),
            (secured.port, "wrong%40", "535"),
        ):
            configured.setenv("OUTLAY_SMTP_URL", f"smtp://outlay:{password}@127.0.0.1:{port}")
            settings.cache_clear()
            with pytest.raises(mail.MailError, match=expected) as refused:
                mail.send("Hello", "there", to=["ops@example.org"])
            assert password not in str(refused.value)
        configured.setenv("OUTLAY_SMTP_URL", f"smtp://outlay:p%40ss%2Fword@127.0.0.1:{secured.port}")
        settings.cache_clear()
        mail.send("Hello", "there", to=["ops@example.org"])
    finally:
        plain.stop()
        secured.stop()
    assert given[0] == (b"outlay", b"wrong@")
    assert given[-1] == (b"outlay", b"p@ss/word")
    assert len(secured.inbox.mails) == 1
    assert plain.inbox.mails == []


def test_an_address_that_is_refused_is_named_and_the_others_get_the_mail_once(server, instance, configured):
    configured.setenv("OUTLAY_FAILURE_MAIL_TO", '["nobody@example.org", "ops@example.org"]')
    settings.cache_clear()
    run(instance, ValueError("no"))
    cursor, said = tick(instance, None)
    assert said == "mailed: Outlay: build failed; the mail server refused nobody@example.org"
    assert tick(instance, cursor)[1] == "nothing new; failing: build"
    assert len(server.inbox.mails) == 1
    with pytest.raises(mail.MailError, match=r"refused nobody@example\.org"):
        mail.send("Hello", "there", to=["nobody@example.org"])


@pytest.mark.parametrize(
    "url",
    [
        *("http://mail.example", "smtp://", "smtps:mail.example", "smtp://mail.example:port"),
        *(
            "smtp://outlay:se#cret@mail.example",
            "smtp://outlay:se/cret@mail.example",
            "smtp://outlay:se?cret@mail.example",
        ),
    ],
)
def test_an_address_of_a_server_that_is_none_says_what_was_expected_and_nothing_of_the_password(configured, url):
    configured.setenv("OUTLAY_SMTP_URL", url)
    settings.cache_clear()
    with pytest.raises(mail.MailError, match="expected smtp://") as refused:
        mail.send("Hello", "there", to=["ops@example.org"])
    assert "cret" not in str(refused.value)
    assert refused.value.__cause__ is None
