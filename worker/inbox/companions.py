"""Names of companion files beside scans: descriptions, checksums, tables, notes, program settings.

A file that may hold pictures (PDF, archive, video) is not a companion file: it is quarantined with a reason.
For Saek's own sidecars of derivatives see `worker.outbox.sidecars`.
"""

import re

_NAMES = re.compile(
    r"""(?isx)
      .+\.(
          xmp | aae | xml | json | jsonl | csv | tsv | ya?ml | toml | rdf | mie | exif | iptc | exv
        | mets | mods
        | txt | text | md | rtf | log | nfo | diz | tex | eml | msg | srt | vtt  # words
        | docx? | docm | odt | pages | xlsx? | xlsm | xlsb | ods | numbers | pptx? | odp  # office
        | html? | mhtml? | css | js | url | webloc | lnk | desktop
        | (md5|sha1|sha224|sha256|sha384|sha512|sfv|crc|crc32|blake3|b3|xxh|xxhash)(sums?)?
        | checksums? | par2
        | asc | sig | p7s | tsr  # signatures
        | ini | cfg | conf | db | db3 | sqlite3? | mdb | accdb | fp7 | fmp12 | dbf | sql  # programs
        | pp3 | dop | on1 | onphoto | rmd | arp | vrd | dr4 | nks | nksc | comask | co[fpst]  # raw converters
        | lrcat | lrtemplate | jbf | acv | atn | icc | icm
        | tfw | tifw | tiffw | jgw | jpgw | pgw | pngw | wld | prj | gpx | kml  # maps
        | bat | cmd | ps1 | sh | py
      )
    | (md5|sha1|sha256|sha512)(sums?)? | checksums? | readme | manifest | license | copying | index
    """
)


def is_companion_file(name: bytes) -> bool:
    """Return whether a file of this name (without folders) is a companion file."""
    return _NAMES.fullmatch(name.decode("utf-8", "backslashreplace")) is not None
