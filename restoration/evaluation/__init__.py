"""How good a model is: its figures beside the gray picture's and the truth's, and a page to look at."""
