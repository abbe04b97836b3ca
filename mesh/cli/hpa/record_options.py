"""What can be written after `mesh hpa record`."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

# The controller's flags are in no API: by name, the default of Kubernetes, and what each is.
# Source: pkg/controller/podautoscaler/config/v1alpha1/defaults.go
FLAGS = {
    "sync-s": (15.0, "--horizontal-pod-autoscaler-sync-period"),
    "tolerance": (0.1, "--horizontal-pod-autoscaler-tolerance"),
    "downscale-stabilization-s": (300.0, "--horizontal-pod-autoscaler-downscale-stabilization"),
    "cpu-initialization-s": (300.0, "--horizontal-pod-autoscaler-cpu-initialization-period"),
    "initial-readiness-delay-s": (30.0, "--horizontal-pod-autoscaler-initial-readiness-delay"),
}


def add(record: argparse.ArgumentParser) -> None:
    """Adds them."""
    record.add_argument("name", metavar="NAME", help="the HPA")
    record.add_argument("--namespace", "-n", required=True, metavar="NS", help="the HPA's")
    record.add_argument("--kubeconfig", type=Path, metavar="FILE", help="(default: kubectl's)")
    record.add_argument("--context", metavar="NAME", help="of the kubeconfig (default: the current)")
    record.add_argument("--kubectl", default="kubectl", metavar="PROGRAM", help="(default: %(default)s)")
    record.add_argument("--minutes", type=_amount, metavar="N", help="how long (default: until Ctrl-C)")
    record.add_argument("--out", type=Path, metavar="FILE", help="a .json or .json.gz file (default: NAME.json.gz)")
    for name, (default, flag) in FLAGS.items():
        about = f"the controller's {flag} (default: {default:g})"
        record.add_argument(f"--{name}", type=_amount, default=default, metavar="N", help=about)


def _amount(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value
