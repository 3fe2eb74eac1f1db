#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real driver against the reference devices: Linux, in a QEMU without acceleration, drives ref:blk and
ref:entropy, each served over vhost-user, with split and with packed virtqueues. So tester and tested cannot
be wrong in the same way. Linux makes a file system, fills it, mounts it anew and verifies every byte; and
reads random bytes that have to differ.

usage: linux_driver_test.py VITRO SCRATCH_DIR ROOT

ROOT holds an unpacked kernel package (boot/vmlinuz-*, lib/modules) and bin/busybox, statically linked.
"""
import glob
import gzip
import os
import re
import select
import shutil
import subprocess
import sys
import time

# In the order in which they need each other.
MODULES = ['virtio_ring', 'virtio', 'virtio_pci_legacy_dev', 'virtio_pci_modern_dev', 'virtio_pci',
           'virtio_blk', 'virtio-rng']
DEADLINE_S = 60  # of one boot; it takes about ten seconds on a machine that does little else

INIT = r'''#!/bin/busybox sh
b=/bin/busybox
fail() { echo "VITRO: FAILED: $1"; $b poweroff -f; }
$b mount -t proc none /proc; $b mount -t sysfs none /sys; $b mount -t devtmpfs none /dev
for m in MODULES; do $b insmod /modules/$m.ko || fail "insmod $m"; done
for f in /sys/bus/virtio/devices/*; do echo "VITRO: features $($b cat $f/device) $($b cat $f/features)"; done
[ -b /dev/vda ] || fail "there is no /dev/vda"
$b mke2fs -F /dev/vda >/dev/null || fail mke2fs
$b mkdir -p /mnt /want
$b mount -t ext4 /dev/vda /mnt || fail mount
for n in 1 2 3 4 5 6 7 8; do
  $b dd if=/dev/urandom of=/want/$n bs=1000 count=$((n * n * 5)) 2>/dev/null
  $b cp /want/$n /mnt/$n || fail "write $n"
done
$b sync; $b umount /mnt || fail umount
echo 3 > /proc/sys/vm/drop_caches
$b mount -t ext4 /dev/vda /mnt || fail "mount again"
for n in 1 2 3 4 5 6 7 8; do $b cmp /want/$n /mnt/$n || fail "file $n came back different"; done
$b rm /mnt/3 /mnt/5; $b umount /mnt
$b dd if=/dev/vda of=/dev/null bs=64k 2>/dev/null || fail "read the whole disk"
echo "VITRO: disk fine"
[ "$($b cat /sys/class/misc/hw_random/rng_current)" = virtio_rng.0 ] || fail "the entropy device is not used"
$b dd if=/dev/hwrng of=/one bs=64 count=64 2>/dev/null || fail "read random bytes"
$b dd if=/dev/hwrng of=/two bs=64 count=64 2>/dev/null || fail "read random bytes"
[ $($b wc -c < /one) = 4096 ] || fail "4096 random bytes were asked for"
$b cmp -s /one /two && fail "random bytes came twice"
# Random bytes do not get smaller; zeroes and patterns do.
[ $($b gzip -c /one | $b wc -c) -gt 4000 ] || fail "these are not random bytes"
echo "VITRO: entropy fine"
$b poweroff -f
'''


def cpio(entries):
    """A newc archive of (name, mode, bytes)."""
    out = bytearray()

    def add(name, mode, data, number):
        name = name.encode() + b'\0'
        fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
        out.extend(b'070701' + b''.join(b'%08x' % f for f in fields) + name)
        out.extend(b'\0' * (-len(out) % 4) + data)
        out.extend(b'\0' * (-len(out) % 4))

    for number, (name, mode, data) in enumerate(entries):
        add(name, mode, data, number + 1)
    add('TRAILER!!!', 0, b'', 0)
    return bytes(out)


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def one(pattern):
    found = glob.glob(pattern, recursive=True)
    if not found:
        sys.exit(f'linux_driver_test: there is no {pattern}; ci/linux_driver fetches what is needed')
    return sorted(found)[-1]


def make_initramfs(root, path):
    directory, program, plain = 0o040755, 0o100755, 0o100644
    entries = [(name, directory, b'') for name in
               ('bin', 'proc', 'sys', 'dev', 'modules')]
    entries.append(('bin/busybox', program, read(one(root + '/bin/busybox'))))
    entries.append(('init', program, INIT.replace('MODULES', ' '.join(MODULES)).encode()))
    for module in MODULES:
        entries.append((f'modules/{module}.ko', plain,
                        read(one(f'{root}/lib/modules/**/{module}.ko'))))
    with gzip.open(path, 'wb', compresslevel=1) as file:
        file.write(cpio(entries))


class Served:
    """A reference device behind `vitro serve`."""

    def __init__(self, vitro, device, path, *more):
        self.process = subprocess.Popen([vitro, 'serve', device, '--on', 'vhost-user:' + path, *more],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.first = self.process.stdout.readline()  # says that it listens
        self.path = path

    def end(self):
        self.process.terminate()
        rest, _ = self.process.communicate(timeout=30)
        return self.first + rest


def boot(scratch, kernel, properties):
    """Returns what Linux printed."""
    command = ['qemu-system-x86_64', '-machine', 'q35,memory-backend=m0', '-accel', 'tcg', '-m', '256',
               '-object', 'memory-backend-memfd,id=m0,size=256M,share=on', '-display', 'none', '-nodefaults',
               '-no-reboot', '-serial', 'stdio', '-kernel', kernel, '-initrd', scratch + '/initrd.gz',
               '-append', 'console=ttyS0 panic=-1 quiet tsc=reliable no_timer_check random.trust_cpu=on',
               '-chardev', f'socket,id=c0,path={scratch}/blk.sock',
               '-device', 'vhost-user-blk-pci,chardev=c0' + properties,
               '-chardev', f'socket,id=c1,path={scratch}/rng.sock',
               '-device', 'vhost-user-rng-pci,chardev=c1' + properties]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    end, output = time.monotonic() + DEADLINE_S, b''
    while True:
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, end - time.monotonic()))
        chunk = os.read(process.stdout.fileno(), 65536) if ready else b''
        output += chunk
        if not chunk:
            break
    if process.poll() is None and time.monotonic() >= end:
        process.kill()
        output += f'\nVITRO: FAILED: no end within {DEADLINE_S} s\n'.encode()
    process.wait()
    return output.decode(errors='replace')


def features(output, device):
    """Those that Linux negotiated with a device type; sysfs prints bit 0 first."""
    found = re.search(rf'VITRO: features {device} ([01]+)', output)
    return {bit for bit, value in enumerate(found.group(1)) if value == '1'} if found else set()


def main():
    vitro, scratch, root = sys.argv[1], os.path.abspath(sys.argv[2]), sys.argv[3]
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(scratch)
    make_initramfs(root, scratch + '/initrd.gz')
    kernel = one(root + '/boot/vmlinuz-*')
    failed = False
    for name, options, properties, packed in (('split', '', '', False),
                                              ('packed', ',packed=1', ',packed=on', True)):
        served = [Served(vitro, 'ref:blk,capacity=16384' + options, scratch + '/blk.sock'),
                  # QEMU 7.2 negotiates the status with this device and then tells it no DRIVER_OK.
                  Served(vitro, 'ref:entropy' + options, scratch + '/rng.sock', '--no-status')]
        output = boot(scratch, kernel, properties)
        logs = [each.end() for each in served]
        problems = re.findall('VITRO: FAILED: (.*)', output)
        for line in ('VITRO: disk fine', 'VITRO: entropy fine'):
            if line not in output:
                problems.append(f'Linux did not print "{line}"')
        for device in ('0x0002', '0x0004'):
            if (34 in features(output, device)) != packed:
                problems.append(f'device {device}: VIRTIO_F_RING_PACKED negotiated is not {packed}')
        problems += [log for log in logs if 'is broken' in log]
        print(f'{name}: {"; ".join(problems) or "disk and entropy device fine"}', flush=True)
        if problems:
            failed = True
            print(output[-4000:], *logs, sep='\n')
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
