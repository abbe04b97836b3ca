"""Rotation of certificates and of the CA under load, and peers that must be refused."""
