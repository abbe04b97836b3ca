"""The options with which a program that calls a supervisor or a worker connects: TLS, its certificate, its token.

This module imports only the standard library, because the parsers of all commands import it.
"""

from __future__ import annotations

import argparse

# The environment variable that stands for each option. MESH_TOKEN is a token itself.
VARIABLES = {
    "tls_ca": "MESH_TLS_CA",
    "tls_cert": "MESH_TLS_CERT",
    "tls_key": "MESH_TLS_KEY",
    "tls_name": "MESH_TLS_NAME",
    "token_file": "MESH_TOKEN_FILE",
}
TOKEN_VARIABLE = "MESH_TOKEN"
_CA = "PEM file: CAs of the server's certificate; turns TLS on"
_CERT = "PEM file: certificate of this client, and its chain"
_KEY = "PEM file: private key of the certificate"
_NAME = "DNS name that the server's certificate must have (default: the host of the address)"
_TOKEN = f"file with a bearer token; sent only over TLS (the environment variable {TOKEN_VARIABLE} is a token itself)"


def add_options(parser: argparse.ArgumentParser, prefix: str = "") -> None:
    """Adds the options of a client of gRPC; `mesh.tls.channel.client_security` reads their values.

    `prefix` begins the names of the options, for a parser that has others with the same names.
    """
    about = "an option that is not given has the value of its environment variable, such as MESH_TLS_CA"
    group = parser.add_argument_group("TLS (default: plaintext)", about)
    _add(group, f"{prefix}tls_ca", _CA)
    _add(group, f"{prefix}tls_cert", _CERT)
    _add(group, f"{prefix}tls_key", _KEY)
    _add(group, f"{prefix}tls_name", _NAME, "NAME")
    _add(group, f"{prefix}token_file", _TOKEN)


def add_metrics_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of a reader of metrics; `mesh.tls.channel.metrics_security` reads their values."""
    about = "--metrics https://HOST:PORT also reads over TLS, with MESH_TLS_CA as the default of --tls-ca"
    group = parser.add_argument_group("TLS (default: plaintext)", about)
    _add(group, "tls_ca", _CA)
    _add(group, "tls_name", _NAME, "NAME")


def _add(group: argparse._ArgumentGroup, name: str, about: str, metavar: str = "FILE") -> None:
    group.add_argument(f"--{name.replace('_', '-')}", metavar=metavar, help=about)
