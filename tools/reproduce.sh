#!/usr/bin/env bash
# Build the wheel twice, from a clean copy of HEAD each time, and demand equal bytes:
#
#     tools/reproduce.sh [PYTHON]
#
# Somebody else gets these bytes with the same Rust, maturin, Python and C library, in a folder of
# the same name: the SBOM that maturin adds names it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${1:-python3}
scratch=${TMPDIR:-/tmp}/oxisock-reproduce
mkdir "$scratch"
trap 'rm -rf "$scratch"' EXIT

"$python" -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet 'maturin>=1.9,<2'
cargo_home=${CARGO_HOME:-$HOME/.cargo}
# Messages of panics name source files, the SBOM the time.
export RUSTFLAGS="--remap-path-prefix=$cargo_home=/cargo ${RUSTFLAGS:-}"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

for build in first second; do
    mkdir "$scratch/source"
    git archive HEAD | tar -x -C "$scratch/source"
    (
        cd "$scratch/source"
        CARGO_TARGET_DIR="$scratch/target" "$scratch/venv/bin/maturin" build --quiet --release \
            --locked --interpreter "$scratch/venv/bin/python" --out "$scratch/$build"
    )
    rm -rf "$scratch/source" "$scratch/target"
done

sha256sum "$scratch"/*/*.whl
cmp "$scratch"/first/*.whl "$scratch"/second/*.whl
echo "equal"
