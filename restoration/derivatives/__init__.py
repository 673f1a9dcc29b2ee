"""Derivatives: composing, encoding, metadata and verification."""
