#!/usr/bin/env bash
# Runs a command on a virtual machine, with Debian's kernel and this system's files:
# for families and network faults that the kernel at hand lacks, and for limits that it sets.
#
#     tools/machine.sh .venv/bin/python -m tests.load.connections 50000
#     tools/machine.sh --kvm --memory 4G --processors 1 uname -r
#
# Needs Debian's packages busybox-static, linux-image-amd64 and qemu-system-x86, and root, as whose
# files those of the machine are seen. What it writes is in its memory and gone with it. It has no
# network but its own loopback. The processor is emulated, some twenty times slower; --kvm uses the
# virtualisation of this one.
set -euo pipefail

memory=8G
processors=$(nproc)
accelerator=tcg,thread=multi
while [[ ${1:-} == -* ]]; do
    case $1 in
        --kvm) accelerator=kvm; shift ;;
        --memory) memory=$2; shift 2 ;;
        --processors) processors=$2; shift 2 ;;
        --) shift; break ;;
        *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 2 ;;
    esac
done

die() { printf '%s\n' "$*" >&2; exit 1; }

[ $# -gt 0 ] || die "no command given, see $0 --help"
[ "$(id -u)" = 0 ] || die "$0 shares all files and needs root"
for program in busybox modprobe qemu-system-x86_64 xz; do
    command -v $program >/dev/null ||
        die "$program is missing (Debian: busybox-static, kmod, qemu-system-x86, xz-utils)"
done
! ldd "$(command -v busybox)" >/dev/null 2>&1 || die "busybox wants libraries (Debian: busybox-static)"
kernel=$(ls /boot/vmlinuz-*-amd64 | grep -v cloud | sort -V | tail -1) || die "no kernel (Debian: linux-image-amd64)"
release=${kernel#/boot/vmlinuz-}

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
mkdir -p "$place"/first/{above,bin,modules,root,shared}
cp "$(command -v busybox)" "$place/first/bin/"

# What the first file system loads, in order; all else is loaded from the shared files when asked for.
for module in virtio_pci 9pnet_virtio 9p overlay; do
    modprobe --set-version "$release" --show-depends "$module"
done | sed -n 's/^insmod //p' | awk '!seen[$1]++ { print $1 }' >"$place/modules"
while read -r module; do
    name=$(basename "$module" .xz)
    case $module in
        *.xz) xz --decompress --stdout "$module" >"$place/first/modules/$name" ;;
        *) cp "$module" "$place/first/modules/$name" ;;
    esac
    echo "insmod /modules/$name"
done <"$place/modules" >"$place/first/load"

cat >"$place/first/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
. /load
mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose,msize=512000 files /shared
mount -t tmpfs -o size=80% above /above
mkdir /above/files /above/work
mount -t overlay -o lowerdir=/shared,upperdir=/above/files,workdir=/above/work root /root
for folder in dev proc run sys; do mount -t tmpfs $folder /root/$folder; done
cp /start /root/run/start
exec switch_root /root /bin/bash /run/start
INIT

# Quoted for bash: the folder, the environment and the command.
{
    printf 'folder=%q\n' "$PWD"
    printf 'export PATH=%q HOME=%q LANG=C.UTF-8\n' "$PATH" "$HOME"
    for name in $(compgen -e); do
        case $name in OXISOCK_* | PYTHON*) printf 'export %s=%q\n' "$name" "${!name}" ;; esac
    done
    printf 'command=('
    printf '%q ' "$@"
    printf ')\n'
    cat <<'START'
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
exec </dev/null >/dev/ttyS0 2>&1
stty -F /dev/ttyS0 -opost
ip link set lo up
sysctl -q -w fs.nr_open=1048576 fs.file-max=1048576
ulimit -n 1048576
status=0
(cd "$folder" && exec setsid "${command[@]}") || status=$?
echo $status >/dev/ttyS1
# Closing the line waits until all of it was sent.
exec >/dev/null 2>&1
echo o >/proc/sysrq-trigger
sleep 60
START
} >"$place/first/start"

chmod +x "$place/first/init"
(cd "$place/first" && find . | busybox cpio -o -H newc 2>/dev/null) >"$place/initrd"
# The kernel's own messages go to a line that is not there.
qemu-system-x86_64 -accel "$accelerator" -cpu max -smp "$processors" -m "$memory" -nic none \
    -display none -monitor none -no-reboot -kernel "$kernel" -initrd "$place/initrd" \
    -append 'console=ttyS2 quiet panic=-1' \
    -virtfs local,path=/,mount_tag=files,security_model=none,readonly=on,multidevs=remap \
    -serial stdio -serial "file:$place/status" </dev/null
status=$(tr -d '\r\n' <"$place/status")
[ -n "$status" ] || die "the machine ended before the command"
exit "$status"
