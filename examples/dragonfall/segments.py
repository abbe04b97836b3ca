"""The 15 player segments: each of the 15 models is trained on one of them. A player may be in several segments."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from examples.dragonfall.offers import Column

Columns = Mapping[str, Column]

SEGMENTS: dict[str, Callable[[Columns], Column]] = {
    "whales": lambda of: of["total_spend"] >= 60,
    "minnows": lambda of: (of["total_spend"] > 0) & (of["total_spend"] < 10),
    "window-shoppers": lambda of: of["total_spend"] == 0,
    "newcomers": lambda of: of["days_since_install"] <= 21,
    "veterans": lambda of: of["days_since_install"] > 300,
    "lapsed": lambda of: of["days_away"] > 10,
    "regulars": lambda of: of["sessions_7d"] >= 8,
    "pvp": lambda of: of["pvp_matches_7d"] >= 5,
    "guild-leaders": lambda of: np.isin(of["guild_role"], ["leader", "officer"]),
    "loners": lambda of: of["guild_role"] == "",
    "collectors": lambda of: of["cards_share"] > 0.5,
    "budget-phones": lambda of: of["device_tier"] == "low",
    "americas": lambda of: np.isin(of["country"], ["us", "br", "mx", "ca"]),
    "europe": lambda of: np.isin(of["country"], ["de", "fr", "gb", "pl", "tr"]),
    "asia": lambda of: np.isin(of["country"], ["jp", "kr", "id"]),
}
