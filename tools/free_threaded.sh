#!/usr/bin/env bash
# Runs a command with a free-threaded CPython on PATH, and builds that when it is first needed.
#
#     tools/free_threaded.sh nox -s free-threaded
#     tools/free_threaded.sh --sanitize nox -s thread-sanitizer
#
# Debian has no package of one. So it is compiled from the sources in Debian's archive: of 3.14,
# or of 3.13 where those cannot be had. That takes some minutes, in the user's cache
# (OXISOCK_PYTHONS names another place); --renew does it again. --sanitize takes one that
# ThreadSanitizer watches, of its own, with what the interpreter's developers know of its reports in
# share/tsan. What building needs is installed where this may do so.
set -euo pipefail

# The suites of Debian whose sources are tried, and what of them.
SOURCES=(forky/python3.14 trixie/python3.13)
# Without these, modules that the tests need are missing.
PACKAGES=(dpkg-dev gcc libbz2-dev libffi-dev liblzma-dev libsqlite3-dev libssl-dev make
    pkg-config xz-utils zlib1g-dev)

store=${OXISOCK_PYTHONS:-${XDG_CACHE_HOME:-$HOME/.cache}/oxisock/pythons}
kind=free-threaded
options=(--disable-gil --with-ensurepip=install)
installing=()
renew=
while [[ ${1:-} == -* ]]; do
    case $1 in
        # The interpreter's own assertions find what a lost reference count breaks.
        # It compiles no bytecode, which would take longer than all tests.
        --sanitize)
            kind=sanitized options+=(--with-thread-sanitizer --with-pydebug)
            installing=(COMPILEALL_OPTS=--help)
            shift ;;
        --renew) renew=yes; shift ;;
        --) shift; break ;;
        *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 2 ;;
    esac
done
place=$store/$kind
tools=$place/bin

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

[ $# -gt 0 ] || die "no command given, see $0 --help"

# Memory of a program that ThreadSanitizer watches has to be where it expects it.
watched() { if [ $kind = sanitized ]; then setarch --addr-no-randomize "$@"; else "$@"; fi; }

# ThreadSanitizer in the interpreter serves the package, too, and the compiler of Rust makes calls
# that older ones do not have.
take_clang() {
    local clang
    clang=$(apt-cache search --names-only '^clang-[0-9]+$' | sed 's/ .*//' | sort -V | tail -n 1)
    [ -n "$clang" ] || die "apt knows of no clang: apt-get update"
    PACKAGES+=("$clang" "libclang-rt-${clang#clang-}-dev" "llvm-${clang#clang-}")
    options+=(CC="$clang")
    # Reports are made by its `llvm-symbolizer`.
    tools+=:/usr/lib/llvm-${clang#clang-}/bin
}

install_packages() {
    local lacking=() package
    for package in "${PACKAGES[@]}"; do
        dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null |
            grep -qx installed || lacking+=("$package")
    done
    [ ${#lacking[@]} -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || die "missing packages: ${lacking[*]}"
    say "== packages: ${lacking[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${lacking[@]}"
}

# apt, with a list of sources of its own.
archive() {
    "$1" -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root \
        "${@:2}"
}

# Unpacks the first sources that can be had into the current directory.
get_sources() {
    local site suite package
    site=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(SITE)' |
        sed -n 's/^Debian|Debian|//p' | head -n 1)
    mkdir -p lists/partial cache/archives/partial
    for source in "${SOURCES[@]}"; do
        IFS=/ read -r suite package <<<"$source"
        echo "deb-src ${site:-http://deb.debian.org/debian} $suite main" >sources.list
        if archive apt-get update && archive apt-get source --tar-only --download-only "$package"
        then
            mkdir tree
            tar --extract --strip-components 1 --directory tree --file "$package"_*.orig.tar.*
            return
        fi
        say "== no sources of $package in $suite"
    done
    die "no sources of a free-threaded CPython can be had"
}

# A debug build is called python3.13td, which nox does not look for.
name_by_version() {
    local debug
    for debug in "$place"/bin/python3.*td; do
        [ ! -e "$debug" ] || ln -sf "${debug##*/}" "${debug%d}"
    done
}

make_place() {
    local log=$place.log
    work=$(mktemp -d "$store/build.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    cd "$work"
    install_packages >"$log"
    get_sources
    say "== building ${source#*/}, $kind, in $place"
    cd tree
    rm -rf "$place"
    {
        watched ./configure --quiet --prefix="$place" "${options[@]}" &&
            watched make -j"$(nproc)" &&
            watched make install "${installing[@]}" &&
            mkdir --parents "$place/share/tsan" &&
            cp Tools/tsan/*.txt "$place/share/tsan" &&
            name_by_version
    } >>"$log" 2>&1 || { tail -n 20 "$log" >&2; die "the build failed, see $log"; }
    # The last to come: with it, the place is complete.
    printf '%s\n' "${SOURCES[@]}" "${options[@]}" >"$place/recipe"
}

if [ $kind = sanitized ]; then take_clang; fi
mkdir -p "$store"
exec 9>"$place.lock"
flock 9
if [ -n "$renew" ] ||
    ! printf '%s\n' "${SOURCES[@]}" "${options[@]}" | cmp -s - "$place/recipe"
then
    (make_place)
fi
flock --unlock 9

# Its version with the t by which it is told from the usual one.
export PATH=$tools:$PATH
# What nox asks an interpreter for takes one that is watched longer than the usual 15 seconds.
export PY_DISCOVERY_TIMEOUT=${PY_DISCOVERY_TIMEOUT:-300}
watched "$@"
