import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SOURCE_ROOMS } from '../../scripts/rooms/source-rooms.ts';
import { STRANGER } from './lan.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PARTS = [...SOURCE_ROOMS, 'oriel', 'package.json'];

/** One change of the source: `from` stands exactly once in the file. */
export interface Change {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const inAgent = (code: string): Change => ({
  file: 'agent/agent.ts',
  from: '  uplink.start();\n',
  to: `  uplink.start();\n  ${code}\n`,
});
/** The guard against listening is off. */
export const GUARD_OFF: Change = {
  file: 'cli/camera/running-commands.ts',
  from: '      closeDoors(role);\n',
  to: '',
};
/** The agent listens, TCP and UDP, IPv4 and IPv6. */
export const LISTENS = inAgent(
  `(await import('node:net')).createServer().listen(47470, '::');
  (await import('node:dgram')).createSocket('udp6').bind(5353, '::');`,
);
/** The agent dials somebody who is not its server. */
export const DIALS_STRANGER = inAgent(
  `setInterval(async () => {
    const { connect } = await import('node:net');
    for (const address of ['${STRANGER.v4}', '${STRANGER.v6}']) connect(80, address).on('error', () => 0);
  }, 500);`,
);

/** Capture does not notice where ffmpeg is sent. */
export const FOLLOWS_REDIRECTS: Change = {
  file: 'agent/capture/ffmpeg-log.ts',
  from: 'return REDIRECT.exec(text)?.[1];',
  to: 'return undefined;',
};

/**
 * Oriel as it stands on a camera: its code and the packages it runs with, where every user may read it. With changes
 * it is a build broken on purpose, for negative controls.
 */
export class Shipment {
  readonly path: string;

  constructor(...changes: readonly Change[]) {
    this.path = mkdtempSync(join(tmpdir(), 'oriel-shipment-'));
    chmodSync(this.path, 0o755);
    for (const part of [...PARTS, ...productionPackages()]) {
      mkdirSync(join(this.path, part, '..'), { recursive: true });
      cpSync(join(ROOT, part), join(this.path, part), { recursive: true, dereference: true });
    }
    for (const { file, from, to } of changes) this.#change(file, from, to);
  }

  get oriel(): string {
    return join(this.path, 'oriel');
  }

  get node(): string {
    return join(this.path, `node_modules/node-linux-${process.arch}/bin/node`);
  }

  /** @throws when the change no longer fits the source: the control would then control nothing. */
  #change(file: string, from: string, to: string): void {
    const source = readFileSync(join(this.path, file), 'utf8');
    const count = source.split(from).length - 1;
    if (count !== 1) throw new Error(`${file} has ${count} times, instead of once: ${from}`);
    writeFileSync(
      join(this.path, file),
      source.replace(from, () => to),
    );
  }

  remove(): void {
    rmSync(this.path, { recursive: true });
  }
}

/** Folders under node_modules/ that are no development tools, as far as they are for this machine. */
function productionPackages(): string[] {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: true; devOptional?: true }>;
  };
  return Object.entries(packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional)
    .map(([path]) => path)
    .filter((path) => existsSync(join(ROOT, path)));
}
