from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Source(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SOURCE_UNSPECIFIED: _ClassVar[Source]
    ENSEMBLE: _ClassVar[Source]
    PARTIAL: _ClassVar[Source]
    FALLBACK: _ClassVar[Source]

class OutcomeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_KIND_UNSPECIFIED: _ClassVar[OutcomeKind]
    SHOWN: _ClassVar[OutcomeKind]
    CLICKED: _ClassVar[OutcomeKind]
    PURCHASED: _ClassVar[OutcomeKind]
SOURCE_UNSPECIFIED: Source
ENSEMBLE: Source
PARTIAL: Source
FALLBACK: Source
OUTCOME_KIND_UNSPECIFIED: OutcomeKind
SHOWN: OutcomeKind
CLICKED: OutcomeKind
PURCHASED: OutcomeKind

class GetOfferRequest(_message.Message):
    __slots__ = ("game", "player_id", "context", "offer_ids", "limit", "version", "request_id", "traceparent", "deadline_ms")
    class ContextEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ContextValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ContextValue, _Mapping]] = ...) -> None: ...
    GAME_FIELD_NUMBER: _ClassVar[int]
    PLAYER_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    OFFER_IDS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    game: str
    player_id: str
    context: _containers.MessageMap[str, ContextValue]
    offer_ids: _containers.RepeatedScalarFieldContainer[str]
    limit: int
    version: str
    request_id: str
    traceparent: str
    deadline_ms: int
    def __init__(self, game: _Optional[str] = ..., player_id: _Optional[str] = ..., context: _Optional[_Mapping[str, ContextValue]] = ..., offer_ids: _Optional[_Iterable[str]] = ..., limit: _Optional[int] = ..., version: _Optional[str] = ..., request_id: _Optional[str] = ..., traceparent: _Optional[str] = ..., deadline_ms: _Optional[int] = ...) -> None: ...

class ContextValue(_message.Message):
    __slots__ = ("number", "flag", "text")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    FLAG_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    number: float
    flag: bool
    text: str
    def __init__(self, number: _Optional[float] = ..., flag: _Optional[bool] = ..., text: _Optional[str] = ...) -> None: ...

class GetOfferResponse(_message.Message):
    __slots__ = ("offers", "source", "reason", "version", "missing_models", "features_age_ms", "timings", "request_id", "unknown_player", "error", "missing_inputs", "unseen_inputs", "version_digest", "decision_id", "explored")
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MISSING_MODELS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_PLAYER_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    MISSING_INPUTS_FIELD_NUMBER: _ClassVar[int]
    UNSEEN_INPUTS_FIELD_NUMBER: _ClassVar[int]
    VERSION_DIGEST_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    EXPLORED_FIELD_NUMBER: _ClassVar[int]
    offers: _containers.RepeatedCompositeFieldContainer[RankedOffer]
    source: Source
    reason: str
    version: str
    missing_models: _containers.RepeatedCompositeFieldContainer[MissingModel]
    features_age_ms: int
    timings: Timings
    request_id: str
    unknown_player: bool
    error: Error
    missing_inputs: _containers.RepeatedScalarFieldContainer[str]
    unseen_inputs: _containers.RepeatedScalarFieldContainer[str]
    version_digest: str
    decision_id: str
    explored: bool
    def __init__(self, offers: _Optional[_Iterable[_Union[RankedOffer, _Mapping]]] = ..., source: _Optional[_Union[Source, str]] = ..., reason: _Optional[str] = ..., version: _Optional[str] = ..., missing_models: _Optional[_Iterable[_Union[MissingModel, _Mapping]]] = ..., features_age_ms: _Optional[int] = ..., timings: _Optional[_Union[Timings, _Mapping]] = ..., request_id: _Optional[str] = ..., unknown_player: _Optional[bool] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., missing_inputs: _Optional[_Iterable[str]] = ..., unseen_inputs: _Optional[_Iterable[str]] = ..., version_digest: _Optional[str] = ..., decision_id: _Optional[str] = ..., explored: _Optional[bool] = ...) -> None: ...

class RankedOffer(_message.Message):
    __slots__ = ("offer_id", "score", "expected_revenue")
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVENUE_FIELD_NUMBER: _ClassVar[int]
    offer_id: str
    score: float
    expected_revenue: float
    def __init__(self, offer_id: _Optional[str] = ..., score: _Optional[float] = ..., expected_revenue: _Optional[float] = ...) -> None: ...

class MissingModel(_message.Message):
    __slots__ = ("model", "reason")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    model: str
    reason: str
    def __init__(self, model: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Timings(_message.Message):
    __slots__ = ("queue_ms", "features_ms", "fan_out_ms", "combine_ms", "total_ms", "last_model")
    QUEUE_MS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_MS_FIELD_NUMBER: _ClassVar[int]
    FAN_OUT_MS_FIELD_NUMBER: _ClassVar[int]
    COMBINE_MS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_MODEL_FIELD_NUMBER: _ClassVar[int]
    queue_ms: float
    features_ms: float
    fan_out_ms: float
    combine_ms: float
    total_ms: float
    last_model: str
    def __init__(self, queue_ms: _Optional[float] = ..., features_ms: _Optional[float] = ..., fan_out_ms: _Optional[float] = ..., combine_ms: _Optional[float] = ..., total_ms: _Optional[float] = ..., last_model: _Optional[str] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("code", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class ScoreRequest(_message.Message):
    __slots__ = ("game", "player_id", "context", "offer_id", "version", "request_id")
    class ContextEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ContextValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ContextValue, _Mapping]] = ...) -> None: ...
    GAME_FIELD_NUMBER: _ClassVar[int]
    PLAYER_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    game: str
    player_id: str
    context: _containers.MessageMap[str, ContextValue]
    offer_id: str
    version: str
    request_id: str
    def __init__(self, game: _Optional[str] = ..., player_id: _Optional[str] = ..., context: _Optional[_Mapping[str, ContextValue]] = ..., offer_id: _Optional[str] = ..., version: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ScoreResponse(_message.Message):
    __slots__ = ("score", "source", "reason", "version", "missing_models", "features_age_ms", "timings", "request_id", "unknown_player", "offer_id", "missing_inputs", "unseen_inputs", "version_digest", "decision_id")
    SCORE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MISSING_MODELS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_PLAYER_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    MISSING_INPUTS_FIELD_NUMBER: _ClassVar[int]
    UNSEEN_INPUTS_FIELD_NUMBER: _ClassVar[int]
    VERSION_DIGEST_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    score: float
    source: Source
    reason: str
    version: str
    missing_models: _containers.RepeatedCompositeFieldContainer[MissingModel]
    features_age_ms: int
    timings: Timings
    request_id: str
    unknown_player: bool
    offer_id: str
    missing_inputs: _containers.RepeatedScalarFieldContainer[str]
    unseen_inputs: _containers.RepeatedScalarFieldContainer[str]
    version_digest: str
    decision_id: str
    def __init__(self, score: _Optional[float] = ..., source: _Optional[_Union[Source, str]] = ..., reason: _Optional[str] = ..., version: _Optional[str] = ..., missing_models: _Optional[_Iterable[_Union[MissingModel, _Mapping]]] = ..., features_age_ms: _Optional[int] = ..., timings: _Optional[_Union[Timings, _Mapping]] = ..., request_id: _Optional[str] = ..., unknown_player: _Optional[bool] = ..., offer_id: _Optional[str] = ..., missing_inputs: _Optional[_Iterable[str]] = ..., unseen_inputs: _Optional[_Iterable[str]] = ..., version_digest: _Optional[str] = ..., decision_id: _Optional[str] = ...) -> None: ...

class ReportOutcomeRequest(_message.Message):
    __slots__ = ("game", "outcome_id", "decision_id", "request_id", "kind", "offer_id", "value", "currency", "time_ms")
    GAME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_ID_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    game: str
    outcome_id: str
    decision_id: str
    request_id: str
    kind: OutcomeKind
    offer_id: str
    value: float
    currency: str
    time_ms: int
    def __init__(self, game: _Optional[str] = ..., outcome_id: _Optional[str] = ..., decision_id: _Optional[str] = ..., request_id: _Optional[str] = ..., kind: _Optional[_Union[OutcomeKind, str]] = ..., offer_id: _Optional[str] = ..., value: _Optional[float] = ..., currency: _Optional[str] = ..., time_ms: _Optional[int] = ...) -> None: ...

class ReportOutcomeResponse(_message.Message):
    __slots__ = ("outcome_id", "duplicate", "error")
    OUTCOME_ID_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    outcome_id: str
    duplicate: bool
    error: Error
    def __init__(self, outcome_id: _Optional[str] = ..., duplicate: _Optional[bool] = ..., error: _Optional[_Union[Error, _Mapping]] = ...) -> None: ...
