"""The system checks of Django about settings, middleware and declarations."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import models
from django.test import override_settings
from django.test.utils import isolate_apps

from auditctl.integrations.django.checks import check_models
from auditctl.integrations.django.settings_checks import check_settings
from tests.integrations.django_shop import Thing

ACTING = "auditctl.integrations.django.ActingMiddleware"
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"AUDITCTL_USER": "shop.users.name"}, ["E002 AUDITCTL_USER: No module named 'shop'"]),
        ({"AUDITCTL_REASON": "auditctl.text.nothing"}, ["E002 AUDITCTL_REASON: Module "]),
        ({"AUDITCTL_REASON": 7}, ["E002 AUDITCTL_REASON: AUDITCTL_REASON must be a function"]),
        ({"AUDITCTL_TRUSTED_PROXIES": ["10.0.0.0/80"]}, ["E002 AUDITCTL_TRUSTED_PROXIES: "]),
        ({"AUDITCTL_TRUSTED_PROXIES": 7}, ["E002 AUDITCTL_TRUSTED_PROXIES: "]),
        ({"AUDITCTL_REQUIRED": "no"}, ["E002 AUDITCTL_REQUIRED: must be True or False, not 'no'"]),
        ({"AUDITCTL_REQUEST_ID_HEADER": 7}, ["E002 AUDITCTL_REQUEST_ID_HEADER: "]),
        ({"AUDITCTL_REQUIERD": True}, ["W001 AUDITCTL_REQUIERD: unknown setting"]),
        ({"MIDDLEWARE": [AUTHENTICATION]}, ["W002 MIDDLEWARE: nothing names the user"]),
        ({"MIDDLEWARE": [ACTING]}, ["W003 MIDDLEWARE: nothing says who is signed in"]),
        ({"MIDDLEWARE": [ACTING], "AUDITCTL_USER": str}, []),
        ({"MIDDLEWARE": [AUTHENTICATION, ACTING]}, []),
        ({}, []),
    ],
)
def test_settings_that_name_nobody_or_are_not_valid_are_found(settings: dict[str, Any], expected: list[str]) -> None:
    assert Thing is not None
    with override_settings(**settings):
        found = [f"{message.id.removeprefix('auditctl.')} {message.msg}" for message in check_settings()]
    assert [each.startswith(text) for each, text in zip(found, expected, strict=True)] == [True] * len(expected)


def test_a_setting_that_is_misspelled_is_suggested() -> None:
    with override_settings(AUDITCTL_REQUIERD=True):
        assert [message.hint for message in check_settings()] == ["Did you mean AUDITCTL_REQUIRED?"]


@isolate_apps("auditctl")  # type: ignore[untyped-decorator]
def test_declarations_that_contradict_themselves_or_each_other_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Base(models.Model):  # type: ignore[misc]
        class Meta:
            abstract = True
            app_label = "auditctl"
            audit = {"mask": ["crad"], "label": "Same"}  # noqa: RUF012 - as Django has it

    class First(Base):
        card = models.TextField()

    class Second(models.Model):  # type: ignore[misc]
        card = models.TextField()

        class Meta:
            app_label = "auditctl"
            audit = {"mask": ["card"], "exclude": ["card"], "label": "Same"}  # noqa: RUF012
            audit_many_to_many = "no"

    monkeypatch.setattr("auditctl.integrations.django.checks.apps", First._meta.apps)
    found = {(message.obj.__name__, message.msg): message.hint for message in check_models(None)}
    assert sorted(found) == [
        ("First", "Meta.audit: mask: the model has no field crad; did you mean card?"),
        ("Second", "Meta.audit: exclude and mask both name card"),
        ("Second", "Meta.audit: label: Same is that of auditctl.First, too"),
        ("Second", "Meta.audit_many_to_many: must be True, False or None"),
    ]
    assert "the abstract model Base: give First a Meta(Base.Meta)" in str(found[min(found)])
