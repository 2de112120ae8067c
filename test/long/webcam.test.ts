import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, cpSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { copyDebian } from '../all/debian.ts';
import { exitOf } from '../exit-of.ts';
import { ORIEL_ROOT } from '../no-way-in/test-deployment.ts';

/** Capture's choice of a mode and its words, against a V4L2 driver of the kernel's, in a virtual machine. */

const MINUTES = 60_000;
/** The packages of vm.test.ts, so that their Debian is made once. */
const PACKAGES = [
  ...['systemd', 'systemd-sysv', 'udev', 'kmod', 'procps', 'iproute2', 'nftables'],
  ...['linux-image-amd64', 'initramfs-tools', 'zstd'],
];
const GUEST = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
exec >/dev/ttyS1 2>/dev/console
export PATH=/usr/bin:/bin:/usr/sbin:/sbin
modprobe vivid
# udev does not run: devtmpfs makes the nodes.
while [ ! -e /dev/video3 ]; do sleep 1; done
/opt/node /opt/oriel/test/long/webcam-guest.ts
sync
poweroff -f
`;

async function saidByGuest(room: string): Promise<unknown[]> {
  const root = join(room, 'root');
  const inside = (path: string) => join(root, path);
  copyDebian(root, 'trixie', ['ffmpeg', 'libatomic1'], PACKAGES);
  for (const part of [
    'agent',
    'crypto',
    'host',
    'package.json',
    'node_modules/valibot',
    'test/capture',
    'test/long',
  ])
    cpSync(join(ORIEL_ROOT, part), inside(`opt/oriel/${part}`), { recursive: true });
  cpSync(process.execPath, inside('opt/node'));
  writeFileSync(inside('opt/guest'), GUEST);
  chmodSync(inside('opt/guest'), 0o755);
  const disk = join(room, 'disk.img');
  execFileSync('mke2fs', ['-q', '-t', 'ext4', '-d', root, disk, '4G']);
  const [kernel = '', initrd = ''] = ['vmlinuz-*', 'initrd.img-*'].map(
    (name) => globSync(inside(`boot/${name}`))[0],
  );
  const said = join(room, 'said');
  const qemu = spawn(
    'qemu-system-x86_64',
    [
      ...['-accel', 'tcg,thread=multi', '-cpu', 'Westmere', '-smp', '2', '-m', '2048'],
      ...['-display', 'none', '-no-reboot', '-nic', 'none', '-kernel', kernel, '-initrd', initrd],
      ...['-append', 'root=/dev/vda rw console=ttyS0 quiet nowatchdog init=/opt/guest'],
      ...['-drive', `file=${disk},format=raw,if=virtio,cache=unsafe`],
      ...['-serial', `file:${join(room, 'console')}`, '-serial', `file:${said}`],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const timer = setTimeout(() => qemu.kill('SIGKILL'), 20 * MINUTES);
  await exitOf(qemu);
  clearTimeout(timer);
  const lines = readFileSync(said, 'latin1').replaceAll('\r', '').trim().split('\n');
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
}

test(
  '[FC-74] a camera of the kernel’s is opened in the mode that is chosen, and says why it is not',
  async () => {
    const room = mkdtempSync(join(tmpdir(), 'oriel-webcam-'));
    try {
      const video = (options: string) => `v4l2:/dev/video0${options}`;
      expect(await saidByGuest(room)).toEqual([
        { uri: video(''), chosen: 'yuyv422 640x480 30', got: 'yuyv422 640x480 30' },
        { uri: video('?size=1280x720'), chosen: 'yuyv422 1280x720 30', got: 'yuyv422 1280x720 30' },
        {
          uri: video('?format=nv12&rate=12.5'),
          chosen: 'nv12 640x480 12.5',
          got: expect.stringMatching(/^nv12 640x480 1/),
        },
        {
          uri: video('?rate=30000/1001'),
          chosen: expect.stringMatching(/^yuyv422 640x480 29\.97/),
          got: 'yuyv422 640x480 30',
        },
        { uri: video('?format=gray'), chosen: 'gray 640x480 30', got: 'gray 640x480 30' },
        { uri: video('?format=mjpeg'), chosen: 'SOURCE_OPTION', cause: 'device-mode' },
        { uri: video('?size=800x600'), chosen: 'SOURCE_OPTION', cause: 'device-mode' },
        { uri: 'v4l2:/dev/video1', chosen: 'PROBE_FAILED', cause: 'device-not-capture' },
        { uri: 'v4l2:/dev/video9', chosen: 'PROBE_FAILED', cause: 'device-missing' },
        { uri: video('?rate=5'), chosen: 'yuyv422 640x480 5', cause: 'device-busy' },
        { uri: video('?rate=1'), chosen: 'PROBE_FAILED', cause: 'device-denied' },
      ]);
    } finally {
      rmSync(room, { recursive: true, force: true });
    }
  },
  30 * MINUTES,
);
