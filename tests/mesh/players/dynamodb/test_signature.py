"""The signature equals that of botocore."""

from __future__ import annotations

import calendar
import time

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from mesh.players.dynamodb.signature import CONTENT_TYPE, signed_headers

TARGET = "DynamoDB_20120810.BatchGetItem"


@pytest.mark.parametrize("token", [None, "a/session+token=="])
@pytest.mark.parametrize("url", ["https://dynamodb.eu-west-1.amazonaws.com/", "http://127.0.0.1:8000/a/path"])
@pytest.mark.parametrize("body", [b"", '{"é": 1}'.encode()])
def test_a_request_is_signed_as_botocore_signs_it(token: str | None, url: str, body: bytes) -> None:
    credentials = Credentials("AKID", "se/cret+", token)
    theirs = AWSRequest("POST", url, {"Content-Type": CONTENT_TYPE, "X-Amz-Target": TARGET}, body)
    SigV4Auth(credentials, "dynamodb", "eu-west-1").add_auth(theirs)
    now_s = calendar.timegm(time.strptime(theirs.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ"))
    _, _, host, path = url.split("/", 3)

    ours = signed_headers(host, f"/{path}", "eu-west-1", TARGET, body, credentials.get_frozen_credentials(), now_s)

    assert ours["authorization"] == theirs.headers["Authorization"]
    assert ours.get("x-amz-security-token") == theirs.headers.get("X-Amz-Security-Token")


def test_signing_key_changes_every_day() -> None:
    frozen = Credentials("AKID", "secret").get_frozen_credentials()
    days = [signed_headers("h", "/", "r", TARGET, b"", frozen, day * 86_400)["authorization"] for day in (1, 2, 1)]
    assert (days[0] == days[2], days[0] == days[1]) == (True, False)
