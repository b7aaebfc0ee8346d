#!/usr/bin/env bash
# Create .venv in the project's root with everything sinenerf needs. Safe to run again, also after a failed run.
set -euo pipefail
cd "$(dirname "$0")/.."

# Pin torch: otherwise a dependency pulls in the newest build and gigabytes of CUDA.
TORCH="torch==2.13.0"
PYTORCH_CPU="https://download.pytorch.org/whl/cpu"
done_mark=.venv/.sinenerf-setup

wanted="$(cat pyproject.toml scripts/setup.sh | cksum) $PWD"  # $PWD: the scripts of a moved environment name the old place
if [ -x .venv/bin/sinenerf ] && [ "$(cat "$done_mark" 2>/dev/null)" = "$wanted" ]; then
    echo "== setup: .venv is complete"
    exit 0
fi
echo "== setup: creating .venv in $PWD with torch, nerfstudio, open3d and sinenerf: 3 to 6 minutes, about 3.5 GB"

python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(not sys.version_info >= (3, 11))'; then
    echo "sinenerf needs Python 3.11 or newer; $python is $("$python" --version). Try: make setup PYTHON=python3.11" >&2
    exit 1
fi
rm -f "$done_mark"
if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    rm -rf .venv
    if ! "$python" -m venv .venv; then
        echo "cannot create a virtual environment. On Debian or Ubuntu: sudo apt-get install -y python3-venv" >&2
        exit 1
    fi
fi

pip() { .venv/bin/python -m pip --quiet --disable-pip-version-check "$@"; }
constraints=$(mktemp)
trap 'rm -f "$constraints"' EXIT
echo "$TORCH" >"$constraints"
extra=()
if nvidia-smi >/dev/null 2>&1; then
    echo "   GPU found: torch with CUDA"
elif [ "$(uname)" = Linux ] && "$python" - "$PYTORCH_CPU" <<'PROBE' 2>/dev/null; then
import sys, urllib.request
urllib.request.urlopen(sys.argv[1] + "/torch/", timeout=5)
PROBE
    extra=(--extra-index-url "$PYTORCH_CPU")
    echo "   no GPU: torch for the CPU, from $PYTORCH_CPU"
else
    echo "   no GPU: torch for the CPU, where pip finds that build"
fi
echo "   1/2 torch"
pip install "$TORCH" ${extra[@]+"${extra[@]}"} --constraint "$constraints"
echo "   2/2 nerfstudio, open3d, sinenerf"
pip install --editable ".[dev]" ${extra[@]+"${extra[@]}"} --constraint "$constraints"

# Where PyTorch's index cannot be reached, pip takes torchvision from PyPI, which has it for CUDA alone. Beside torch for
# the CPU its import fails (sinenerf/compat.py): in this environment, torch itself declares what is missing at its start
hook=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/sinenerf_torchvision-1.dist-info
rm -rf "$hook"
if .venv/bin/python -c 'import sys; from sinenerf.compat import torchvision_lacks_operators as f; sys.exit(not f())'; then
    mkdir "$hook"
    printf 'Metadata-Version: 2.1\nName: sinenerf-torchvision\nVersion: 1\n' >"$hook/METADATA"
    printf '[torch.backends]\ntorchvision = sinenerf.compat:declare_operators\n' >"$hook/entry_points.txt"
fi

# ns-render calls a program named ffmpeg: where the system has none, link the one that imageio-ffmpeg brings
if ! command -v ffmpeg >/dev/null 2>&1; then
    ln -sf "$(.venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')" .venv/bin/ffmpeg
fi
echo "$wanted" >"$done_mark"
PATH="$PWD/.venv/bin:$PATH" .venv/bin/sinenerf doctor || true
