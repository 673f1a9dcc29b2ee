"""The networks: the seed's pix2pix, and a generator on a pretrained encoder, behind one interface."""
