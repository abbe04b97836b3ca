"""Credentials of the usual chain, refreshed beside the requests: none of them ever waits for a refresh."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

from aiobotocore.credentials import AioCredentials
from aiobotocore.session import AioSession
from botocore.exceptions import NoCredentialsError

# botocore renews from 15 minutes before they end, and lets requests wait for it from 10 minutes before.
REFRESH_S = 30.0
REFRESH_LIMIT_S = 20.0

_log = logging.getLogger(__name__)


class RenewedCredentials(AioCredentials):
    """Stands before botocore's own credentials, and hands requests what was last obtained from them."""

    def __init__(self, source: Any, frozen: Any) -> None:
        super().__init__(frozen.access_key, frozen.secret_key, frozen.token, method=source.method)
        self._source = source
        self.frozen = frozen  # what is in use now

    async def get_frozen_credentials(self) -> Any:
        """What is in use now, for botocore."""
        return self.frozen

    async def renew(self) -> None:
        """Takes what the source has, which renews it when it is about to end. Raises what botocore does."""
        self.frozen = await self._source.get_frozen_credentials()

    @contextlib.asynccontextmanager
    async def renewed(self) -> AsyncIterator[None]:
        """They stay in force for as long as the block lasts."""
        renewing = asyncio.create_task(self._renew_for_ever(), name="credentials")
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])

    async def _renew_for_ever(self) -> None:
        """Renews from time to time; a failure leaves the last ones in use, which is logged."""
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                async with asyncio.timeout(REFRESH_LIMIT_S):
                    await self.renew()
            except Exception as error:  # whatever a provider brings, the next renewal must be tried
                _log.warning("the AWS credentials could not be renewed, and are used until they end: %s", error)


async def credentials_of(session: AioSession) -> RenewedCredentials:
    """The credentials that the chain finds, for all clients that `session` makes. Raises NoCredentialsError."""
    source = await session.get_component("credential_provider").load_credentials()
    if source is None:
        raise NoCredentialsError()
    credentials = RenewedCredentials(source, await source.get_frozen_credentials())
    session.register_component("credential_provider", _Found(credentials))
    return credentials


class _Found:
    """A chain of one."""

    def __init__(self, credentials: RenewedCredentials) -> None:
        self._credentials = credentials

    async def load_credentials(self) -> RenewedCredentials:
        return self._credentials
