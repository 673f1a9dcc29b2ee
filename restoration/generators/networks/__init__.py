"""Networks: the seed's pix2pix, and a U-Net on EfficientNet-Lite0, behind one interface."""
