import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copyDebian } from '../all/debian.ts';
import { freePort } from '../all/free-port.ts';
import { exitOf } from '../exit-of.ts';
import { provision, serverRuns, verdictOf } from '../no-way-in/provision.ts';
import { Shipment } from '../no-way-in/shipment.ts';
import { ORIEL_ROOT } from '../no-way-in/test-deployment.ts';

const MINUTES = 60_000;
/** One without AVX, whose emulation in QEMU 7 is faulty. */
const CPU = 'Westmere';
/** An emulated processor that others keep waiting is slower than systemd's patience of 90 s. */
const PATIENT_SYSTEMD = 'systemd.default_timeout_start_sec=900 systemd.default_device_timeout_sec=900';
/** How QEMU's user network shows the host to the machine in it. */
const HOST = '10.0.2.2';
const PACKAGES = [
  ...['systemd', 'systemd-sysv', 'udev', 'kmod', 'procps', 'iproute2', 'nftables'],
  ...['linux-image-amd64', 'initramfs-tools', 'zstd'],
];

/** A Debian disk with the camera installed as docs/design/hardening.md says, and the script that it runs after boot. */
function makeDisk(room: string, cameraDirectory: string, port: number) {
  const root = join(room, 'root');
  const inside = (path: string) => join(root, path);
  copyDebian(root, 'trixie', ['ffmpeg', 'libatomic1'], PACKAGES);
  const shipment = new Shipment();
  cpSync(shipment.path, inside('opt/oriel'), { recursive: true });
  shipment.remove();
  for (const kind of ['systemd/system', 'sysusers.d', 'tmpfiles.d']) {
    mkdirSync(inside(`etc/${kind}`), { recursive: true });
    cpSync(join(ORIEL_ROOT, 'deploy', kind.replace('/system', '')), inside(`etc/${kind}`), {
      recursive: true,
    });
  }
  cpSync(cameraDirectory, inside('var/lib/oriel-camera'), { recursive: true });
  writeFileSync(inside('opt/server'), `${HOST} ${port}\n`);
  copyFileSync(join(import.meta.dirname, '../all/attempts.ts'), inside('opt/attempts.ts'));
  copyFileSync(join(import.meta.dirname, 'vm-guest.sh'), inside('opt/guest.sh'));
  chmodSync(inside('opt/guest.sh'), 0o755);
  writeFileSync(
    inside('etc/systemd/system/guest.service'),
    '[Unit]\nAfter=basic.target\n[Service]\nType=oneshot\nExecStart=/opt/guest.sh\n',
  );
  const wants = inside('etc/systemd/system/multi-user.target.wants');
  mkdirSync(wants, { recursive: true });
  symlinkSync('/etc/systemd/system/guest.service', join(wants, 'guest.service'));
  const disk = join(room, 'disk.img');
  execFileSync('mke2fs', ['-q', '-t', 'ext4', '-d', root, disk, '4G']);
  const [kernel = '', initrd = ''] = ['vmlinuz-*', 'initrd.img-*'].map(
    (name) => globSync(inside(`boot/${name}`))[0],
  );
  return { disk, kernel, initrd };
}

/** Boots it, without the help of hardware, and waits for its end. @returns what the guest's script said. */
async function boot(room: string, { disk, kernel, initrd }: ReturnType<typeof makeDisk>): Promise<string> {
  const said = join(room, 'said');
  const qemu = spawn(
    'qemu-system-x86_64',
    [
      ...[
        '-accel',
        'tcg,thread=multi',
        '-cpu',
        CPU,
        '-smp',
        '2',
        '-m',
        '2048',
        '-display',
        'none',
        '-no-reboot',
      ],
      ...['-kernel', kernel, '-initrd', initrd],
      ...['-append', `root=/dev/vda rw console=ttyS0 quiet nowatchdog ${PATIENT_SYSTEMD}`],
      ...['-drive', `file=${disk},format=raw,if=virtio,cache=unsafe`, '-nic', 'user,model=virtio-net-pci'],
      ...['-serial', `file:${join(room, 'console')}`, '-serial', `file:${said}`],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const timer = setTimeout(() => qemu.kill('SIGKILL'), 20 * MINUTES);
  await exitOf(qemu);
  clearTimeout(timer);
  return readFileSync(said, 'latin1').replaceAll('\r', '');
}

/** What becomes of each attempt without any fence. */
const OPEN = {
  listen: 'done',
  'listen-v6': 'done',
  'listen-unix': 'done',
  bind: 'done',
  'dial-server': 'done',
  'dial-elsewhere': 'done',
  'write-system': 'done',
};
const EXPECTED: Record<string, Record<string, string>> = {
  none: OPEN,
  bind: { ...OPEN, listen: 'EPERM', 'listen-v6': 'EPERM', bind: 'EPERM' },
  calls: { ...OPEN, listen: 'EPERM', 'listen-v6': 'EPERM', 'listen-unix': 'EPERM', bind: 'EPERM' },
  addresses: { ...OPEN, 'dial-elsewhere': 'silence' },
  all: {
    listen: 'EPERM',
    'listen-v6': 'EPERM',
    'listen-unix': 'EAFNOSUPPORT',
    bind: 'EPERM',
    'dial-server': 'done',
    'dial-elsewhere': 'silence',
    'write-system': 'EROFS',
  },
};

/** Whether the guest said all that it says when everything holds. */
function judge(lines: readonly string[]): void {
  expect(lines).toEqual(
    expect.arrayContaining([
      'firewall set',
      'unit started',
      'firewall filled again',
      'agent user oriel-agent',
      'agent filter 2',
      'capture user oriel-capture',
      'capture filter 2',
      'capture network own',
      'unit swap 0',
      'unit ended success',
      'server active 8443',
      'the end',
    ]),
  );
  for (const [fence, outcomes] of Object.entries(EXPECTED)) {
    const found = lines
      .map((line) => line.split(' '))
      .filter(([name, , more]) => name === fence && more !== undefined);
    expect({ fence, ...Object.fromEntries(found.map(([, what, outcome]) => [what, outcome])) }).toEqual({
      fence,
      ...outcomes,
    });
  }
}

test(
  'a board with systemd records its lens under the unit as delivered, and every fence of it holds [TM-01]',
  async () => {
    const room = mkdtempSync(join(tmpdir(), 'oriel-vm-'));
    const port = await freePort();
    const deployment = await provision({
      directory: room,
      host: HOST,
      port,
      source: 'v4l2:/dev/video0?size=320x180&rate=5',
    });
    const listen = ['--address', '127.0.0.1', '--port', String(port)];
    const server = spawn(
      join(ORIEL_ROOT, 'oriel'),
      ['server', 'run', deployment.serverDirectory, ...listen],
      {
        stdio: 'ignore',
      },
    );
    try {
      await serverRuns(deployment.serverDirectory, server);
      const said = await boot(room, makeDisk(room, deployment.cameraDirectory, port));
      try {
        judge(said.trim().split('\n'));
      } catch (error) {
        console.error(`the guest said:\n${said}`);
        throw error;
      }
      const { verdict, openedSeconds } = await verdictOf(deployment);
      expect(verdict).toBe('complete');
      expect(openedSeconds).toBeGreaterThanOrEqual(3);
    } finally {
      server.kill('SIGKILL');
      rmSync(room, { recursive: true });
    }
  },
  25 * MINUTES,
);
