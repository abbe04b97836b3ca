"""Client of ensemble-mesh for game backends on asyncio: every question gets an answer before its deadline."""

from ensemble_mesh_client.answer import Answer, Offer, Source
from ensemble_mesh_client.client import OfferClient
from ensemble_mesh_client.errors import WrongRequest
from ensemble_mesh_client.security import Security

__all__ = ["Answer", "Offer", "OfferClient", "Security", "Source", "WrongRequest"]
