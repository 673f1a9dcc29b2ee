"""How files in the watched folder are noticed: hints by events, the truth by rescans."""
