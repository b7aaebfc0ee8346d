"""Any torch model with factored layers: which layers are replaced, how a given weight is fitted, and back again."""
