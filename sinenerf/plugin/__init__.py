"""The nerfstudio plugin. What nerfstudio calls, by the entry points in pyproject.toml and the settings they hold:

- `methods`: sine-nerf and sine-nerf-small, as `ns-train` lists them; their settings name all classes below;
- `dataparser`: `sine-data`, which turns a capture into cameras and photographs; `settled_parsers`: nerfstudio's own
  parsers on captures that were checked;
- `datamanager`, `model` (with `viewer_panel`), `optimizers`, `trainer`: called in this order to set up a training.

Its other modules call nerfstudio for the commands of sinenerf: they open and compress runs, export them as meshes,
train the scenes of `sinenerf scene`, and train nerfstudio's own methods for comparison. Bad input raises an exception
with a one-line message; `edge` turns it into SystemExit where nerfstudio, which would print a traceback, is the caller.
Nothing in radiance, occupancy or codec imports this package.
"""

from sinenerf.compat import declare_operators

declare_operators()  # before nerfstudio imports torchvision
