#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole runs against real devices: each record is whole, without a harness error or a hang, and what fails
is what reports/findings describes for these versions, so that a false failure of ours shows here.

usage: device_runs_test.py VITRO SCRATCH_DIR [DEVICE...]
"""
import json
import os
import shutil
import subprocess
import sys

# Per device: the attach string, more arguments, and the checks that may fail there (see reports/findings).
DEVICES = {
    'qemu-storage-daemon': (
        'vhost-user:blk,type=blk,queues=2,spawn="qemu-storage-daemon'
        ' --blockdev driver=file,node-name=f0,filename={scratch}/disk.img,locking=off'
        ' --blockdev driver=raw,node-name=d0,file=f0'
        ' --export type=vhost-user-blk,id=e0,node-name=d0,addr.type=unix,addr.path={path},writable=on,'
        'num-queues=2"',
        [],
        {'indirect.table.after-direct', 'indirect.table.anywhere', 'blk.request.unknown-type',
         'blk.request.zone-commands'},
    ),
    'qemu-storage-daemon, one queue': (
        'vhost-user:blk,type=blk,queues=1,spawn="qemu-storage-daemon'
        ' --blockdev driver=file,node-name=f0,filename={scratch}/disk.img,locking=off'
        ' --blockdev driver=raw,node-name=d0,file=f0'
        ' --export type=vhost-user-blk,id=e0,node-name=d0,addr.type=unix,addr.path={path},writable=on,'
        'num-queues=1"',
        [],
        {'indirect.table.after-direct', 'indirect.table.anywhere', 'blk.request.unknown-type',
         'blk.request.zone-commands'},
    ),
    'virtiofsd': (
        'vhost-user:fs,queues=2,spawn="/usr/lib/qemu/virtiofsd -f --socket-path={path}'
        ' -o source={scratch}/shared -o sandbox=chroot -o cache=none"',
        [],
        # The hostile ones: an assertion that is not met every time.
        {'indirect.table.after-direct', 'indirect.table.anywhere', 'hostile.head.twice',
         'hostile.indirect.with-next', 'hostile.indirect.not-negotiated',
         'hostile.used-ring.entries-overwritten'},
    ),
    'dpdk-testpmd': (
        'vhost-user:net,type=net,queues=2,server=1,spawn="dpdk-testpmd -l 0,1 --no-huge -m 256 --no-pci'
        ' --no-shconf --no-telemetry --vdev net_vhost0,iface={path},queues=1,client=1 --'
        ' --auto-start --forward-mode=io --no-mlockall --total-num-mbufs=2048 --rxq=1 --txq=1"',
        ['--response', '500'],
        {'hostile.available-index.far-ahead', 'hostile.available-index.back'},
    ),
    'qemu, block over PCI': (
        'qemu:virtio-blk-pci',
        [],
        {'status.driver-ok.nothing-before', 'indirect.table.after-direct', 'blk.config.padding',
         'blk.config.writeback-without-flush', 'blk.request.get-id', 'blk.request.unknown-type',
         'blk.request.zone-commands',
         # Not in every run: it depends on when the request in flight ends.
         'queue.reset.silent'},
    ),
    'qemu, console over PCI without MSI-X': (
        'qemu:virtio-serial-pci,vectors=0',
        [],
        {'status.driver-ok.nothing-before', 'indirect.table.after-direct'},
    ),
    'qemu, block over MMIO': (
        'qemu:virtio-blk-device',
        [],
        {'status.driver-ok.nothing-before', 'indirect.table.after-direct', 'blk.config.padding',
         'blk.config.writeback-without-flush', 'blk.request.get-id', 'blk.request.unknown-type',
         'blk.request.zone-commands', 'mmio.features.device-selector', 'mmio.interrupt.config-change',
         'mmio.queue-reset.completes', 'mmio.queue.stopped',
         'mmio.shared-memory.absent', 'queue.reset.default-state', 'queue.reset.other-addresses',
         'queue.reset.other-size', 'queue.reset.silent'},
    ),
}

VIOLATIONS = {'fail', 'crash', 'hang', 'device-lost'}


def run_device(vitro, scratch, name):
    attach, arguments, known = DEVICES[name]
    attach = attach.replace('{scratch}', scratch)
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(scratch + '/shared')
    with open(scratch + '/disk.img', 'wb') as disk:
        disk.truncate(16 << 20)
    out = scratch + '/out'
    done = subprocess.run([vitro, 'run', attach, '--quiet', '--out', out] + arguments,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600,
                          stdin=subprocess.DEVNULL, check=False)
    problems = []
    if done.returncode not in (0, 1):
        problems.append(f'exit code {done.returncode}:\n{done.stdout[-2000:]}')
        return problems
    with open(out + '/run.json', encoding='utf-8') as file:
        run = json.load(file)
    if len(run['results']) != run['planned']:
        problems.append(f"{len(run['results'])} results of {run['planned']}")
    passed = 0
    for result in run['results']:
        passed += result['outcome'] == 'pass'
        if result['outcome'] in ('harness-error', 'hang'):
            problems.append(f"{result['id']}: {result['outcome']}: {result['because']}")
        # A check under an interrupt plan may fail where the check itself may.
        elif result['outcome'] in VIOLATIONS and result['id'].split('@')[0] not in known:
            problems.append(f"{result['id']}: {result['outcome']}, in no finding: {result['because']}")
    # As many as these devices can be asked: fewer means that requests or features were lost.
    if passed < 75:
        problems.append(f'only {passed} checks passed')
    print(f"{name}: {run['totals']['by_outcome']}, exit code {done.returncode}", flush=True)
    return problems


def main():
    vitro, scratch = sys.argv[1], os.path.abspath(sys.argv[2])
    failed = False
    for name in sys.argv[3:] or DEVICES:
        for problem in run_device(vitro, scratch, name):
            print(f'{name}: {problem}', flush=True)
            failed = True
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
