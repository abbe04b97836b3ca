"""The tables of the decision log as Arrow schemas; every field has its meaning in the metadata key `doc`.

The files of a table lie in `TABLE/game=GAME/date=YYYY-MM-DD/hour=HH/*.parquet`, by the UTC time of the row. `game`,
`date` and `hour` are columns only in the path. A reader must accept missing columns and columns that it does not know:
a new column keeps `SCHEMA_VERSION`, a change of meaning raises it.
"""

from __future__ import annotations

import pyarrow as pa

SCHEMA_VERSION = 1
VERSION_KEY = "mesh.schema_version"
DECISIONS, OUTCOMES = "decisions", "outcomes"

_TIME = pa.timestamp("us", tz="UTC")
_TEXT = pa.string()
_NUMBERS = pa.list_(pa.float64())
_TEXTS = pa.list_(_TEXT)
ROWS = pa.list_(pa.struct([("layout", _TEXT), ("values", _NUMBERS)]))


def _field(name: str, kind: pa.DataType, doc: str) -> pa.Field:
    return pa.field(name, kind, metadata={"doc": doc})


def _schema(*fields: pa.Field) -> pa.Schema:
    return pa.schema(fields, metadata={VERSION_KEY: str(SCHEMA_VERSION)})


DECISION_SCHEMA = _schema(
    _field("decision_id", _TEXT, "UUIDv7 of the answer, as in the response"),
    _field("time", _TIME, "when the request was admitted"),
    _field("supervisor", _TEXT, "host name of the supervisor"),
    _field("caller", _TEXT, "name of the caller; null if callers are not known"),
    _field("method", _TEXT, "GetOffer or Score"),
    _field("request_id", _TEXT, "as the caller sent it; null if none"),
    _field("player", _TEXT, "player id, or its keyed hash (catalog: decisions.players)"),
    _field("version", _TEXT, "version that answered"),
    _field("pinned", pa.bool_(), "the caller named the version, so the player was not assigned at random"),
    _field("ensemble", _TEXT, "names the file ensembles/game=GAME/ENSEMBLE.json; null if no models were asked"),
    _field("version_digest", _TEXT, "as in the response; null in a fallback without votes"),
    _field("context", _TEXT, "context of the request as a JSON object; null if empty"),
    _field("limit", pa.int32(), "number of offers that the caller asked for; null for Score"),
    _field("candidates", _TEXTS, "offers that were ranked, in the order of the votes; null if no models were asked"),
    _field("scores", _NUMBERS, "combined score of each candidate; null without a quorum"),
    _field("revenues", _NUMBERS, "score x price of each candidate, null for one without a price; null without prices"),
    _field(
        "votes",
        _NUMBERS,
        "candidate by candidate, a vote of each model in the order of the ensemble; null for one that is not logged",
    ),
    _field("rows", ROWS, "one entry for each row layout: its values, which all candidates share (layouts/)"),
    _field("offers", _TEXTS, "offers that were returned, best first"),
    _field("score", pa.float64(), "result of Score"),
    _field("explored", pa.bool_(), "the first offer was drawn by the version's `explore`"),
    _field("propensity", pa.float64(), "probability that the first offer was the first; null for a fallback and Score"),
    _field("source", _TEXT, "ENSEMBLE, PARTIAL or FALLBACK"),
    _field("reason", _TEXT, "word of the reason, as in the response before the colon; null if none"),
    _field("detail", _TEXT, "text of the reason after the colon"),
    _field("missing_models", _TEXTS, "models without a vote"),
    _field("missing_inputs", _TEXTS, "features without a value"),
    _field("unseen_inputs", _TEXTS, "features with a value that no model knows"),
    _field("unknown_player", pa.bool_(), "the store has no such player"),
    _field("features_age_ms", pa.float64(), "age of the player's features; null if none were used"),
    _field("queue_ms", pa.float32(), "time until the cohort departed"),
    _field("features_ms", pa.float32(), "time to read the player"),
    _field("fan_out_ms", pa.float32(), "time until the votes arrived"),
    _field("combine_ms", pa.float32(), "time to combine and rank"),
    _field("total_ms", pa.float32(), "time from admission to answer"),
    _field("last_model", _TEXT, "model whose vote arrived last; null if no model voted"),
)

OUTCOME_SCHEMA = _schema(
    _field("outcome_id", _TEXT, "id of this report, chosen by the caller; a repeated report has the same id"),
    _field("decision_id", _TEXT, "decision that the outcome belongs to; null if it is named by request_id"),
    _field("request_id", _TEXT, "request that the outcome belongs to; null if it is named by decision_id"),
    _field("time", _TIME, "when it happened, as the caller says; else when it was reported"),
    _field("received", _TIME, "when the supervisor received the report"),
    _field("caller", _TEXT, "name of the caller; null if callers are not known"),
    _field("kind", _TEXT, "shown, clicked or purchased"),
    _field("offer", _TEXT, "offer that was shown, clicked or purchased; null: the first offer of the decision"),
    _field("value", pa.float64(), "value of the purchase in `currency`; null if none"),
    _field("currency", _TEXT, "ISO 4217 code; null if there is no value"),
)
