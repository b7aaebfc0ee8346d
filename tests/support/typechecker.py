"""What jaxtyping's import hook checks types with: beartype, an int being good enough where a float is asked for."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
