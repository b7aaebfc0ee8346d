"""Converting any torch model to factored layers and back: which layers to replace, and how to fit a given weight."""
