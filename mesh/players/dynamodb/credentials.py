"""AWS credentials that a background task renews, so that no request waits for a renewal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

from aiobotocore.credentials import AioCredentials
from aiobotocore.session import AioSession
from botocore.exceptions import NoCredentialsError

# botocore renews credentials in their last 15 minutes; in the last 10 minutes, requests wait for the renewal.
REFRESH_S = 30.0
REFRESH_LIMIT_S = 20.0

_log = logging.getLogger(__name__)


class RenewedCredentials(AioCredentials):
    """Wraps the credentials of botocore, and gives requests the last renewed ones without waiting."""

    def __init__(self, source: Any, frozen: Any) -> None:
        super().__init__(frozen.access_key, frozen.secret_key, frozen.token, method=source.method)
        self._source = source
        self.frozen = frozen  # the credentials in use

    async def get_frozen_credentials(self) -> Any:
        """Returns the credentials in use; botocore calls this."""
        return self.frozen

    async def renew(self) -> None:
        """Gets the credentials of the source, which renews them if they expire soon. Raises the errors of botocore."""
        self.frozen = await self._source.get_frozen_credentials()

    @contextlib.asynccontextmanager
    async def keep_renewed(self) -> AsyncIterator[None]:
        """Keeps the credentials valid while the block runs."""
        renewing = asyncio.create_task(self._renew_until_cancelled(), name="credentials")
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])

    async def _renew_until_cancelled(self) -> None:
        """Renews every `REFRESH_S`; logs a failure and continues to use the last credentials."""
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                async with asyncio.timeout(REFRESH_LIMIT_S):
                    await self.renew()
            except Exception as error:  # a provider can raise anything; the task must continue
                _log.warning("cannot renew the AWS credentials; using the current ones until they expire: %s", error)


async def credentials_of(session: AioSession) -> RenewedCredentials:
    """Finds the credentials, and makes all clients of `session` use them. Raises NoCredentialsError."""
    source = await session.get_component("credential_provider").load_credentials()
    if source is None:
        raise NoCredentialsError()
    credentials = RenewedCredentials(source, await source.get_frozen_credentials())
    session.register_component("credential_provider", _SingleProvider(credentials))
    return credentials


class _SingleProvider:
    """A credential provider that returns the given credentials."""

    def __init__(self, credentials: RenewedCredentials) -> None:
        self._credentials = credentials

    async def load_credentials(self) -> RenewedCredentials:
        return self._credentials
