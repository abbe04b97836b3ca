"""What goes wrong between us and a table, as one sentence with its mend."""

from __future__ import annotations

import aiohttp
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ReadTimeoutError,
)

from mesh.players.settings import DynamoFeatures

# What a request may end with: an answer that is an error, none at all, or one that makes no sense.
REQUEST_ERRORS = (BotoCoreError, ClientError, aiohttp.ClientError, OSError, ValueError)
THROTTLED = frozenset({"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"})
# What no waiting mends.
FINAL = frozenset(
    {
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "ResourceNotFoundException",
        "UnrecognizedClientException",
        "ValidationException",
    }
)
_MENDS = {
    "AccessDeniedException": "allow dynamodb:{operation} on it",
    "ExpiredTokenException": "renew the credentials",
    "ResourceNotFoundException": "create it, or correct `table` and `region`",
    "UnrecognizedClientException": "correct the credentials: AWS does not know them",
    "ValidationException": "correct `key`, the name and type of its hash key",
}


def code_of(error: Exception) -> str:
    """DynamoDB's name of an error; empty for those that it did not send."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def is_final(error: Exception) -> bool:
    """Whether it will be the same however often it is tried."""
    return isinstance(error, NoCredentialsError) or code_of(error) in FINAL


def brief_of(error: Exception, features: DynamoFeatures) -> str:
    """What callers may hear: nothing that AWS says of accounts, roles and signatures."""
    match error:
        case ClientError():
            what = code_of(error)
        case ConnectTimeoutError() | EndpointConnectionError() | ConnectionClosedError():
            what = "cannot be reached"
        case ReadTimeoutError() | TimeoutError():
            what = "did not answer in time"
        case ValueError():
            what = "answered what makes no sense"
        case _:
            what = type(error).__name__
    return f"table {features.table!r}: {what}"


def no_credentials(error: Exception, features: DynamoFeatures) -> str:
    """The sentence for a person whose credentials cannot be had."""
    if isinstance(error, NoCredentialsError):
        return told_of(error, features)
    mend = "check AWS_PROFILE, the token file or the credential_process"
    return f"table {features.table!r}: the AWS credentials cannot be had: {_one_line(error)}; {mend}"


def told_of(error: Exception, features: DynamoFeatures) -> str:
    """The sentence for a person, with the mend."""
    table = f"table {features.table!r} in {features.endpoint_url or features.region}"
    code = code_of(error)
    match error:
        case NoCredentialsError():
            return (
                f"{table}: no AWS credentials were found; set AWS_PROFILE or AWS_ACCESS_KEY_ID, or give the pod a role"
            )
        case ClientError():
            # It would quote what was signed.
            said = "" if "Signature" in code else _cut(error.response.get("Error", {}).get("Message", ""))
            mend = _MENDS.get(code, "look at the table in CloudWatch").format(operation=error.operation_name)
            return f"{table}: {code}{f': {said}' if said else ''}; {mend}"
        case ConnectTimeoutError() | EndpointConnectionError():
            return f"{table}: cannot be connected to; check `region`, `endpoint_url` and the network"
        case ReadTimeoutError() | TimeoutError():
            return f"{table}: did not answer in time; check its load, or raise `timeout_ms`"
        case HTTPClientError() | OSError() | aiohttp.ClientError():
            return f"{table}: {_one_line(error)}; check the network"
        case ValueError():
            return f"{table}: {_one_line(error)}; is it a server of DynamoDB's protocol?"
    return f"{table}: {_one_line(error)}; check the settings of AWS"


def _one_line(error: Exception) -> str:
    return _cut(f"{type(error).__name__}: {error}")


def _cut(text: str) -> str:
    return " ".join(text.split())[:300]
