"""Embedded metadata: EXIF, IPTC-IIM, XMP, TIFF tags and PNG text."""
