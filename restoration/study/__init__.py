"""The study that Saek began with: Victorian400 colored by pix2pix, to the letter, and judged."""
