"""Film simulation: the gray picture that film, aging and a scanner would have made of a color picture.

Each module has one effect; `stages` has their order, probabilities and ranges.
"""

from restoration.training.film.description import film_tables
from restoration.training.film.development import CharacteristicCurve, Fading
from restoration.training.film.emulsion import EMULSIONS, Emulsion
from restoration.training.film.halftone import Screen
from restoration.training.film.photograph import Film, choose_film, develop, photograph
from restoration.training.film.scanning import soften
from restoration.training.film.sheet import sheet
from restoration.training.film.stages import STAGES
from restoration.training.film.toning import Toning

__all__ = [
    "EMULSIONS",
    "STAGES",
    "CharacteristicCurve",
    "Emulsion",
    "Fading",
    "Film",
    "Screen",
    "Toning",
    "choose_film",
    "develop",
    "film_tables",
    "photograph",
    "sheet",
    "soften",
]
