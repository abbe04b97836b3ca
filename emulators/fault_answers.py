"""Responses of DynamoDB to reads of one table: the validation errors of AWS, and items as prepared bytes."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

MAX_KEYS = 100
MAX_KEY_BYTES = 2048
Key: TypeAlias = Mapping[str, Any]  # {"player_id": {"S": "p1"}}


def on_the_wire(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Converts the attributes of a client to DynamoDB's JSON, in which binary values are base64."""
    return {name: _value_on_the_wire(value) for name, value in attributes.items()}


def _value_on_the_wire(value: Mapping[str, Any]) -> Mapping[str, Any]:
    ((kind, content),) = value.items()
    if kind == "B":
        return {"B": base64.b64encode(content).decode()}
    return {"M": on_the_wire(content)} if kind == "M" else value


class Refused(Exception):
    """An error response: its HTTP status and its body, which names the error."""

    def __init__(self, status: int, name: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{name}", "message": message}).encode()


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a text key. It ignores projections and always returns whole items."""

    name: str
    key: str
    items: Mapping[str, bytes]

    @classmethod
    def of(cls, name: str, key: str, items: Sequence[Mapping[str, Any]]) -> Table:
        """A table of `items`, each a map of attributes in DynamoDB's JSON (`{"level": {"N": "7"}}`)."""
        return cls(name, key, {item[key]["S"]: json.dumps(item).encode() for item in items})

    def get(self, request: Mapping[str, Any]) -> bytes:
        """The response body of a GetItem."""
        item = self.items.get(self._id(request["TableName"], request["Key"]))
        return b"{}" if item is None else b'{"Item":' + item + b"}"

    def batch_keys(self, request: Mapping[str, Any]) -> list[Key]:
        """The keys of a BatchGetItem in the order of the request. Raises Refused for a request that AWS refuses."""
        requested = request["RequestItems"]
        if not requested:
            raise _invalid("The requestItems parameter is required for BatchGetItem")
        if sum(len(table["Keys"]) for table in requested.values()) > MAX_KEYS:
            raise _invalid("Too many items requested for the BatchGetItem call")
        keys = [(name, key) for name, table in requested.items() for key in table["Keys"]]
        ids = [self._id(name, key) for name, key in keys]
        if not ids:
            raise _invalid("1 validation error detected: Keys must have length greater than or equal to 1")
        if len(set(ids)) < len(ids):
            raise _invalid("Provided list of item keys contains duplicates")
        return [key for _, key in keys]

    def batch(self, keys: Sequence[Key], unprocessed: Sequence[Key], rng: random.Random) -> bytes:
        """The response body of a BatchGetItem: the items of `keys` in random order, and the keys `unprocessed`."""
        found = [item for key in keys if (item := self.items.get(key[self.key]["S"])) is not None]
        rng.shuffle(found)
        left = json.dumps({self.name: {"Keys": unprocessed}}).encode() if unprocessed else b"{}"
        name = json.dumps(self.name).encode()
        return b'{"Responses":{%b:[%b]},"UnprocessedKeys":%b}' % (name, b",".join(found), left)

    def _id(self, table: str, key: Key) -> str:
        if table != self.name:
            raise Refused(400, "ResourceNotFoundException", "Requested resource not found")
        if list(key) != [self.key] or list(key[self.key]) != ["S"]:
            raise _invalid("The provided key element does not match the schema")
        value = str(key[self.key]["S"])
        if not value:
            raise _invalid(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
                f"empty string value. Key: {self.key}"
            )
        if len(value.encode()) > MAX_KEY_BYTES:
            raise _invalid(
                "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of "
                f"{MAX_KEY_BYTES} bytes"
            )
        return value


def _invalid(message: str) -> Refused:
    return Refused(400, "ValidationException", message)
