import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { does, run } from '../../scripts/simulation/command.ts';
import { findCompose } from '../../scripts/simulation/compose.ts';
import { composition } from '../../scripts/simulation/composition.ts';
import { type Breakage, breakBuild } from '../broken-build.ts';

/** The simulation as a person runs it: real images, real containers, real faults. */

const ROOT = resolve(import.meta.dirname, '../..');
const MINUTES = 60_000;

const simulate = (root: string, ...options: string[]) => run([join(root, 'scripts/simulate'), ...options]);

test(
  'an outage, a kill and a full disk cost nothing that was acknowledged, and each camera is alone on its line',
  async () => {
    const scenes = ['alone', 'outage', 'kill', 'camera-full'];
    const options = ['--cameras', '2', '--seconds', '8', '--scene', scenes.join(',')];
    const { code, stdout, stderr } = await simulate(ROOT, ...options);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const scene of scenes) expect(stdout).toMatch(new RegExp(`^${scene}: holds$`, 'm'));
    expect(stdout).not.toMatch(/BROKEN|NO /);
    // A line for each camera in each scene, after the head's two.
    expect(stdout.match(/^camera-\d .* holds$/gm)).toHaveLength(2 * scenes.length);
    expect(stdout).toMatch(/^simulate: all 4 scenes hold: nothing was lost$/m);
  },
  8 * MINUTES,
);

/** The camera forgets a segment and says nothing of it. */
const CAMERA_FORGETS: Breakage = {
  file: 'agent/recording/record-store.ts',
  from: '    this.#spool.append(segment, record);\n',
  to: '    if (segment.sequence !== 1) this.#spool.append(segment, record);\n',
};
/** The server loses a segment that it has said is durable. */
const SERVER_LOSES: Breakage = {
  file: 'server/storage/segments.ts',
  from: '    await this.#file?.close();\n',
  to: `    await this.#file?.close();
    if (durable.ended && this.#name.sequence === 2) await this.#store.removeSegment(this.#name);\n`,
};

test(
  'control: a camera that forgets a segment and a server that loses one are found out',
  async () => {
    const broken = breakBuild(CAMERA_FORGETS, SERVER_LOSES);
    try {
      const options = ['--cameras', '1', '--seconds', '6', '--scene', 'outage'];
      const { code, stdout } = await simulate(broken.root, ...options);
      expect(stdout).toMatch(/^ {2}camera-1 BROKEN: its account does not add up, by [1-9]/m);
      expect(stdout).toMatch(/^ {2}camera-1 BROKEN: [1-9]\S* s were acknowledged and do not open$/m);
      expect(stdout).toMatch(/^outage: BROKEN$/m);
      expect(code).toBe(1);
    } finally {
      broken.remove();
    }
  },
  5 * MINUTES,
);

test(
  'compose.yaml is valid, and so is a fleet made after it',
  async () => {
    const compose = await findCompose();
    const valid = (file: string) => does([...compose, '--file', file, 'config'], { cwd: ROOT });
    expect(await valid('compose.yaml')).toMatch(/camera-2:/);

    const cameras = Array.from({ length: 5 }, (_, index) => ({
      name: `camera-${index + 1}`,
      volume: `v${index}`,
    }));
    const fleet = composition({
      pattern: readFileSync(join(ROOT, 'compose.yaml'), 'utf8'),
      images: { camera: 'camera', server: 'server' },
      cameras,
      serverVolume: 'server',
      ownerVolume: 'owner',
      user: '61201:61201',
      clips: undefined,
    });
    const file = join(tmpdir(), `oriel-fleet-${process.pid}.json`);
    writeFileSync(file, JSON.stringify(fleet));
    try {
      expect(await valid(file)).toMatch(/camera-5:/);
    } finally {
      rmSync(file);
    }
  },
  MINUTES,
);
