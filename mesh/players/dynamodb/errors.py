"""Errors of requests to a DynamoDB table: their kinds, and one-line messages with the fix."""

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

# All errors of a request: an error response, no response, or an invalid response.
REQUEST_ERRORS = (BotoCoreError, ClientError, aiohttp.ClientError, OSError, ValueError)
THROTTLED = frozenset({"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"})
# Errors that a retry cannot fix.
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
_FIXES = {
    "AccessDeniedException": "allow dynamodb:{operation} on it",
    "ExpiredTokenException": "renew the credentials",
    "ResourceNotFoundException": "create it, or correct `table` and `region`",
    "UnrecognizedClientException": "correct the credentials, which AWS does not know",
    "ValidationException": "correct `key`; it must be the hash key of the table, of type string",
}


def code_of(error: Exception) -> str:
    """Returns the error code of DynamoDB; empty if the error is not a response of DynamoDB."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def is_final(error: Exception) -> bool:
    """Whether a retry cannot succeed."""
    return isinstance(error, NoCredentialsError) or code_of(error) in FINAL


def public_message(error: Exception, features: DynamoFeatures) -> str:
    """Returns the message for callers, without the texts of AWS about accounts, roles and signatures."""
    match error:
        case ClientError():
            problem = code_of(error)
        case ConnectTimeoutError() | EndpointConnectionError() | ConnectionClosedError():
            problem = "cannot be reached"
        case ReadTimeoutError() | TimeoutError():
            problem = "did not respond in time"
        case ValueError():
            problem = "sent an invalid response"
        case _:
            problem = type(error).__name__
    return f"table {features.table!r}: {problem}"


def credentials_message(error: Exception, features: DynamoFeatures) -> str:
    """Returns the message for operators when getting the credentials fails."""
    if isinstance(error, NoCredentialsError):
        return full_message(error, features)
    fix = "check AWS_PROFILE, the token file or the credential_process"
    return f"table {features.table!r}: cannot get the AWS credentials: {_one_line(error)}; {fix}"


def full_message(error: Exception, features: DynamoFeatures) -> str:
    """Returns the message for operators, with the fix."""
    table = f"table {features.table!r} in {features.endpoint_url or features.region}"
    code = code_of(error)
    match error:
        case NoCredentialsError():
            return (
                f"{table}: no AWS credentials were found; set AWS_PROFILE or AWS_ACCESS_KEY_ID, or give the pod a role"
            )
        case ClientError():
            # The text of a signature error quotes the signed request.
            detail = "" if "Signature" in code else _cut(error.response.get("Error", {}).get("Message", ""))
            fix = _FIXES.get(code, "check the table in CloudWatch").format(operation=error.operation_name)
            return f"{table}: {code}{f': {detail}' if detail else ''}; {fix}"
        case ConnectTimeoutError() | EndpointConnectionError():
            return f"{table}: cannot connect; check `region`, `endpoint_url` and the network"
        case ReadTimeoutError() | TimeoutError():
            return f"{table}: did not respond in time; check its load, or raise `timeout_ms`"
        case HTTPClientError() | OSError() | aiohttp.ClientError():
            return f"{table}: {_one_line(error)}; check the network"
        case ValueError():
            return f"{table}: {_one_line(error)}; check that the server has the DynamoDB API"
    return f"{table}: {_one_line(error)}; check the AWS settings"


def _one_line(error: Exception) -> str:
    return _cut(f"{type(error).__name__}: {error}")


def _cut(text: str) -> str:
    return " ".join(text.split())[:300]
