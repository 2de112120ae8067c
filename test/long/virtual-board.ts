import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../e2e/until.ts';
import { exitOf } from '../exit-of.ts';

/** One without AVX, whose emulation in QEMU 7 is faulty. */
const CPU = 'Westmere';
const MACHINE = ['-accel', 'tcg,thread=multi', '-cpu', CPU, '-smp', '2', '-m', '1024', '-display', 'none'];

/** For one step of its life, emulated on a machine that has other work. */
const PATIENCE_MS = 900_000;

/** How QEMU's user network shows the host to the machine in it. */
export const HOST = '10.0.2.2';

/**
 * A board that boots a disk image as it is, without the help of hardware. The script that looks at it from inside comes
 * from its firmware's tables, as systemd's credentials (systemd-system-credentials(7)): nothing is put into the image.
 */
export class VirtualBoard {
  readonly #qemu: ChildProcess;
  readonly #said: string;
  readonly #console: string;

  /** @param room where its consoles are written to. */
  constructor(image: string, room: string, script: string) {
    this.#said = join(room, 'said');
    this.#console = join(room, 'console');
    const disk = ['-drive', `file=${image},format=raw,if=virtio,cache=unsafe`];
    const network = ['-nic', 'user,model=virtio-net-pci'];
    const serials = ['-serial', `file:${this.#console}`, '-serial', `file:${this.#said}`];
    const args = [...MACHINE, '-no-reboot', ...disk, ...network, ...serials, ...credentials(script)];
    this.#qemu = spawn('qemu-system-x86_64', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  }

  /** What the script said so far, in lines. */
  get said(): string[] {
    const text = existsSync(this.#said) ? readFileSync(this.#said, 'latin1') : '';
    return text.replaceAll('\r', '').split('\n');
  }

  /** Waits until the script has said a line. @throws when the machine ends before. */
  async says(line: string): Promise<void> {
    await until(
      `the board says: ${line}`,
      () => {
        if (this.#qemu.exitCode !== null) throw new Error('the board has ended');
        return this.said.includes(line);
      },
      PATIENCE_MS,
    );
  }

  /** Takes the power away. */
  async cutPower(): Promise<void> {
    this.#qemu.kill('SIGKILL');
    await exitOf(this.#qemu);
  }

  /** Both consoles, for whoever looks for what went wrong. */
  get tale(): string {
    const console = existsSync(this.#console) ? readFileSync(this.#console, 'latin1') : '';
    return `the guest said:\n${this.said.join('\n')}\nits console:\n${console.slice(-4000)}`;
  }
}

const UNIT = `[Unit]
After=basic.target
Before=oriel-setup.service oriel-camera.service
[Service]
Type=exec
LoadCredential=guest
ExecStartPre=modprobe vivid node_types=0x1
ExecStart=sh %d/guest
`;

/** What an emulated processor that others keep waiting does not do in the time that a board has for it. */
const PATIENT = {
  'dev-disk-by\\x2dlabel-ORIEL\\x2dBOOT.device': '[Unit]\nJobRunningTimeoutSec=15min\n',
  'oriel-camera-firewall.service': '[Service]\nTimeoutStartSec=15min\n',
};

function credentials(script: string): string[] {
  const patience = Object.entries(PATIENT).map(([unit, dropIn]) => [
    `systemd.unit-dropin.${unit}~99-patience`,
    dropIn,
  ]);
  const given: Record<string, string> = {
    ...Object.fromEntries(patience),
    guest: script,
    'systemd.extra-unit.guest.service': UNIT,
    'systemd.unit-dropin.multi-user.target': '[Unit]\nWants=guest.service\n',
  };
  return Object.entries(given).flatMap(([name, value]) => {
    const base64 = Buffer.from(value).toString('base64');
    return ['-smbios', `type=11,value=io.systemd.credential.binary:${name}=${base64}`];
  });
}
