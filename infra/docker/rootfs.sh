#!/bin/sh
# rootfs.sh PROGRAM FOLDER: lays out in FOLDER all that an image needs to run this one program.
#
# The libraries are found by asking the program, so this holds on any processor: the C library, libgcc for unwinding,
# and the loader. Line numbers are taken out: they are four fifths of the program, and a process that is profiled reads
# all of them into its memory, a hundred megabytes. The names of functions stay, and are what profiles show.
set -eu
program=$1 root=$2
mkdir -p "$root/etc" "$root/tmp" "$root/usr/local/bin"
chmod 1777 "$root/tmp"
cp "$program" "$root/usr/local/bin/"
strip --strip-debug "$root/usr/local/bin/$(basename "$program")"
ldd "$program" | grep -o '/[^ :]*\.so[^ ]*' | xargs -I{} cp --parents --dereference {} "$root/"
# A number is enough for the kernel; the name is for whoever looks.
echo 'nonroot:x:65532:65532::/nonexistent:/sbin/nologin' > "$root/etc/passwd"
echo 'nonroot:x:65532:' > "$root/etc/group"
# Names are looked for in /etc/hosts first, then at Docker's name server. Both are in the C library itself.
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
