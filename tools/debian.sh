#!/usr/bin/env bash
# Runs a command in this checkout, inside a Debian of its own that brings what this machine lacks:
# newer interpreters, their debug builds and test suites, another processor's libraries.
#
#     tools/debian.sh nox -s tests-3.14 tests-3.15
#     tools/debian.sh --arch i386 nox -s tests-3.14
#     tools/debian.sh --arch s390x uname -m
#     tools/debian.sh --renew true
#
# The Debian is made by debootstrap when it is first needed, and again when the list of packages
# changes or --renew is given. It is kept under OXISOCK_DEBIAN (by default in the user's cache),
# so that several checkouts share it. The archive, proxies and settings of pip and Cargo are those
# of this machine. Needs root, and no service that runs: all mounts are in a namespace that ends
# with the command, however that ends. Programs of arm64 and s390x are run by qemu (Debian's package
# qemu-user-static); `nox -s processors` builds wheels outside and tests them in there.
set -euo pipefail

SUITE=forky

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
arch=
renew=
while [[ ${1:-} == -* ]]; do
    case $1 in
        --arch) arch=$2; shift 2 ;;
        --renew) renew=yes; shift ;;
        --) shift; break ;;
        *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 2 ;;
    esac
done

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

[ $# -gt 0 ] || die "no command given, see $0 --help"
[ "$(id -u)" = 0 ] || die "$0 mounts file systems and needs root"
command -v debootstrap >/dev/null || die "debootstrap is missing (Debian's package of that name)"
# Mounts of debootstrap, too, end with this script, however that ends: an `rm` of what was half made
# must not find this machine's /proc in there.
[ -n "${OXISOCK_NAMESPACE:-}" ] ||
    exec env OXISOCK_NAMESPACE=yes unshare --mount --propagation private \
        "$0" ${arch:+--arch "$arch"} ${renew:+--renew} -- "$@"
unset OXISOCK_NAMESPACE

native=$(dpkg --print-architecture)
arch=${arch:-$native}
store=${OXISOCK_DEBIAN:-${XDG_CACHE_HOME:-$HOME/.cache}/oxisock/debian}
place=$store/$SUITE-$arch

# What the build needs, and what the tests talk to.
packages=(ca-certificates cargo gcc libc6-dev rustc $(grep -vx chromium "$checkout/.ci/packages"))
# Every interpreter that the package supports, as far as this Debian has it.
pythons=($(sed -n 's/.*:: Python :: \(3\.[0-9]*\)".*/\1/p' "$checkout/pyproject.toml"))
# What PyPI has no wheels of, for Debian's own python3.
compiled=(python3-cryptography)

# The fronts of the ELF headers that qemu runs: 64 bits, the order of bytes, an executable or a
# library, the processor; and which bits of them count.
any=$(printf '\\xff%.0s' {1..7})'\x00'$(printf '\\xff%.0s' {1..8})
abi='\x00\x00\x00\x00\x00\x00\x00\x00\x00'
qemu=
case $arch in
    amd64) compiled=() ;;
    i386) ;;
    arm64) qemu=qemu-aarch64-static front='\x7fELF\x02\x01\x01'$abi'\x02\x00\xb7\x00' mask=$any'\xfe\xff\xff\xff' ;;
    s390x) qemu=qemu-s390x-static front='\x7fELF\x02\x02\x01'$abi'\x00\x02\x00\x16' mask=$any'\xff\xfe\xff\xff' ;;
    *) die "nobody has tried --arch $arch" ;;
esac
[ "$arch" != "$native" ] || qemu=
if [ -n "$qemu" ]; then
    # Compilers and servers are slow there, and all that a package has done with its files: so
    # there is Debian's own interpreter, python3, alone.
    packages=(ca-certificates gcc iproute2 libc6-dev openssl python3-dev python3-venv)
    pythons=()
    export newest=3
fi
packages+=("${compiled[@]}")

# Where this machine's apt finds Debian; nothing where that is no Debian, then debootstrap knows.
archive() {
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(SITE)' 2>/dev/null |
        sed -n 's/^Debian|Debian|//p' | head -n 1
}

# What the place is made of; another answer makes it anew.
recipe() {
    printf '%s\n' "$SUITE" "$arch" "${packages[@]}" "${pythons[@]}"
    sed -n '/^make_place()/,/^}/p' "$0"
}

made() { recipe | cmp -s - "$place/etc/oxisock-recipe"; }

make_place() {
    local new=$place.new
    rm -rf "$place" "$new"
    mkdir -p "$new"
    say "== debootstrap $SUITE for $arch in $place"
    # Every suite has the script of sid; an old debootstrap lacks the names of new suites.
    debootstrap --arch="$arch" --variant=minbase "$SUITE" "$new" $(archive) \
        /usr/share/debootstrap/scripts/sid >"$place.log" 2>&1 ||
        { tail -n 20 "$place.log" >&2; die "debootstrap failed, see $place.log"; }
    apt-config dump | grep -E '^Acquire::(Check-|Retries|https?\b)' \
        >"$new/etc/apt/apt.conf.d/90host" || true
    # A proxy's certificate authority, which Debian's package then takes into its bundle.
    cp -R /usr/local/share/ca-certificates "$new/usr/local/share/" 2>/dev/null || true
    # No wait for the disk after each file; what a crash leaves is no place yet and made anew.
    printf '%s\n' force-unsafe-io 'path-exclude=/usr/share/doc/*' 'path-exclude=/usr/share/man/*' \
        'path-exclude=/usr/share/locale/*' >"$new/etc/dpkg/dpkg.cfg.d/oxisock"
    # No server is started by its package; the tests start their own.
    printf '#!/bin/sh\nexit 101\n' >"$new/usr/sbin/policy-rc.d"
    chmod 755 "$new/usr/sbin/policy-rc.d"
    say "== packages: ${packages[*]}, Python ${pythons[*]}"
    inside "$new" env pythons="${pythons[*]}" sh -ec '
        apt-get update -qq
        for python in $pythons; do
            apt-cache show "python$python" >/dev/null 2>&1 || continue
            set -- "$@" "python$python" "libpython$python-testsuite"
            set -- "$@" "python$python-dev" "python$python-dbg" "python$python-venv"
            newest=$python
        done
        DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "$@"
        apt-get clean
        "python$newest" -m venv /opt/nox
        /opt/nox/bin/pip install --quiet "nox>=2025.5"
        ln -s /opt/nox/bin/nox /usr/local/bin/nox
    ' sh "${packages[@]}" >>"$place.log" 2>&1 ||
        { tail -n 20 "$place.log" >&2; die "the packages could not be installed, see $place.log"; }
    recipe >"$new/etc/oxisock-recipe"
    mv "$new" "$place"
}

# inside ROOT COMMAND…: run it with that root and this machine's devices, network and settings.
# The root is changed by pivot_root: in a chroot, tests could make no namespaces of their own.
inside() {
    local root=$1
    shift
    unshare --mount --propagation private bash -euc '
        root=$1 checkout=$2 cargo=$3
        shift 3
        bind() {
            [ -e "$1" ] || return 0
            if [ -d "$1" ]; then mkdir -p "$root$2"; else mkdir -p "$root${2%/*}"; : >>"$root$2"; fi
            mount --bind "$1" "$root$2"
        }
        mount --bind "$root" "$root"
        mount --rbind /dev "$root/dev"
        mount --rbind /sys "$root/sys"
        mount --rbind /proc "$root/proc"
        mount -t tmpfs -o mode=1777 tmp "$root/tmp"
        bind /etc/resolv.conf /etc/resolv.conf
        bind /etc/hosts /etc/hosts
        bind "${PIP_CONFIG_FILE:-/etc/pip.conf}" /etc/pip.conf
        bind ~/.config/pip /root/.config/pip
        bind ~/.pip /root/.pip
        [ -z "${PIP_FIND_LINKS:-}" ] || bind "$PIP_FIND_LINKS" "$PIP_FIND_LINKS"
        mkdir -p "$cargo"
        bind "$cargo" /root/.cargo
        bind "$checkout" "$checkout"
        cd "$root"
        pivot_root . .
        umount -l .
        cd "$checkout"
        exec "$@"
    ' bash "$root" "$checkout" "${CARGO_HOME:-$HOME/.cargo}" \
        env -u VIRTUAL_ENV -u PYENV_ROOT -u TMPDIR -u PIP_CONFIG_FILE HOME=/root \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        CARGO_HOME=/root/.cargo CARGO_TARGET_DIR=/var/cache/target \
        NOX_ENVDIR="$checkout/.nox/$SUITE-$arch" "$@"
}

# The kernel opens the emulator now and keeps it (F): in the Debian there is none.
emulate() {
    formats=/proc/sys/fs/binfmt_misc
    emulator=$(command -v "$qemu") || die "$qemu is missing (Debian's package qemu-user-static)"
    [ -e $formats/register ] || mount -t binfmt_misc binfmt_misc $formats
    format=oxisock-$arch-$$
    trap 'echo -1 >$formats/$format' EXIT
    printf '%s' ":$format:M::$front:$mask:$emulator:F" >$formats/register
}

mkdir -p "$store"
# Who makes the place has it alone; those who run in it share it.
exec 9>"$place.lock"
flock --shared 9
if [ -n "$qemu" ]; then emulate; fi
if [ -n "$renew" ] || ! made; then
    flock --unlock 9
    flock 9
    # Somebody else may have made it meanwhile.
    if [ -n "$renew" ] || ! made; then make_place; fi
    flock --shared 9
fi
# Else a program that asks what machine it is on hears the kernel's name for it.
case $arch in i386) set -- setarch i386 "$@" ;; esac
# Virtual environments see what Debian has compiled.
[ ${#compiled[@]} = 0 ] || set -- env VIRTUALENV_SYSTEM_SITE_PACKAGES=yes "$@"
inside "$place" "$@"
