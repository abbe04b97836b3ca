"""The options of `mesh hpa record`."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

# The API does not publish the flags of the controller. By option: the default of Kubernetes, and the flag.
# Source: pkg/controller/podautoscaler/config/v1alpha1/defaults.go
FLAGS = {
    "sync-s": (15.0, "--horizontal-pod-autoscaler-sync-period"),
    "tolerance": (0.1, "--horizontal-pod-autoscaler-tolerance"),
    "downscale-stabilization-s": (300.0, "--horizontal-pod-autoscaler-downscale-stabilization"),
    "cpu-initialization-s": (300.0, "--horizontal-pod-autoscaler-cpu-initialization-period"),
    "initial-readiness-delay-s": (30.0, "--horizontal-pod-autoscaler-initial-readiness-delay"),
}


def add(record: argparse.ArgumentParser) -> None:
    """Adds the options to the command."""
    record.add_argument("name", metavar="NAME", help="name of the HPA")
    record.add_argument("--namespace", "-n", required=True, metavar="NS", help="namespace of the HPA")
    record.add_argument("--kubeconfig", type=Path, metavar="FILE", help="kubeconfig file (default: that of kubectl)")
    record.add_argument("--context", metavar="NAME", help="context of the kubeconfig (default: the current context)")
    record.add_argument(
        "--kubectl", default="kubectl", metavar="PROGRAM", help="kubectl program to run (default: %(default)s)"
    )
    record.add_argument("--minutes", type=_amount, metavar="N", help="length of the recording (default: until Ctrl-C)")
    record.add_argument(
        "--out", type=Path, metavar="FILE", help="file to write, .json or .json.gz (default: NAME.json.gz)"
    )
    for name, (default, flag) in FLAGS.items():
        about = f"value of the controller's {flag} (default: {default:g})"
        record.add_argument(f"--{name}", type=_amount, default=default, metavar="N", help=about)


def _amount(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value
