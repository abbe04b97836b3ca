"""Numbers, shares and times as short texts."""

from __future__ import annotations


def number(value: float | None) -> str:
    """Returns three digits or more, such as `0.12`, `4.5`, `1,234`; `-` for no value."""
    if value is None:
        return "-"
    if value == 0 or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 1 else f"{value:.1f}"


def share(value: float | None) -> str:
    """Returns a share of 1 as percent."""
    if value is None:
        return "-"
    return f"{value * 100:.3g} %"


def duration(seconds: float) -> str:
    """Returns a time in its largest unit, such as `12 d`, `5 h`, `3 min`; with a minus if it is in the past."""
    sign, rest = ("-" if seconds < 0 else ""), abs(seconds)
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if rest >= 2 * length:
            return f"{sign}{rest / length:.0f} {unit}"
    return f"{sign}{rest:.0f} s"


def rates(by_name: dict[str, float]) -> str:
    """Returns the names with their rates per second, the largest first."""
    ordered = sorted(by_name.items(), key=lambda one: -one[1])
    return ", ".join(f"{name} {number(rate)}" for name, rate in ordered)
