import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSessionHeader } from '../../crypto/header.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import type { FootageReport } from '../../footage/report.ts';
import { oriel, orielDoes } from '../../scripts/demonstration/oriel-command.ts';
import { openRegistry } from '../../server/registry/registry-origin.ts';
import { breakBuild } from '../broken-build.ts';
import { makeClip } from '../e2e/clips.ts';
import { TestDeployment } from '../e2e/test-deployment.ts';
import { until } from '../e2e/until.ts';

/** Day keys that were taken back, between a real camera and a server that would have them used again. */

const clips = mkdtempSync(join(tmpdir(), 'oriel-clips-'));
const clip = makeClip({ path: join(clips, 'clip.mp4'), seconds: 2 });
afterAll(() => rmSync(clips, { recursive: true }));

/** A household whose camera records, and its owner, who signs policies. */
class Watched {
  readonly deployment: TestDeployment;
  constructor(deployment: TestDeployment) {
    this.deployment = deployment;
  }

  path = (name: string) => join(this.deployment.directory, name);

  /** Signs the owner's next policy. @returns the file's text. */
  async sign(...options: string[]): Promise<string> {
    const { key, cameraId } = this.deployment.parts;
    const out = this.path('policy');
    await orielDoes('keys', 'policy', key, '--camera', cameraId, '--out', out, '--force', ...options);
    return readFileSync(out, 'utf8');
  }

  /** Puts a policy file in the server's hands, past all that an honest server would check, and has the camera ask. */
  async bring(text: string): Promise<void> {
    const { serverDirectory, cameraId } = this.deployment.parts;
    const registry = await openRegistry(serverDirectory);
    await registry.putPolicy(cameraId, Buffer.from(text), Date.now());
    await registry.close();
    await until('the camera is told to ask', async () => (await this.#ask('refresh')).code === 0);
  }

  /** Waits until the policy of that counter is obeyed. */
  obeys = (counter: number) =>
    until(`policy ${counter} is obeyed`, () => {
      const { policy } = this.deployment.status;
      return policy.counter === counter && policy;
    });

  refuses = (code: string) =>
    until(code, () => {
      const { policy } = this.deployment.status;
      return policy.trouble?.code === code && policy;
    });

  /** What the camera tells its server when asked. */
  async telemetry(): Promise<{ policyTrouble?: string; viewersBelowFloor?: string[] }> {
    return JSON.parse((await this.#ask('status', '--json')).stdout).telemetry;
  }

  /** Day key numbers, by viewer, of the first session under that policy. */
  wraps = (counter: number) =>
    until(`a session under policy ${counter}`, async () => {
      const { footageDirectory } = this.deployment;
      for (const name of existsSync(footageDirectory) ? readdirSync(footageDirectory) : []) {
        const path = join(footageDirectory, name, 'session');
        // The directory is made before the header is there.
        if (!existsSync(path)) continue;
        const header = await readSessionHeader(readFileSync(path), nodePrimitives);
        if (header.policyCounter === counter) return header.wraps.map(({ dayKey }) => dayKey);
      }
      return undefined;
    });

  /** What a viewing key finds of each segment: a verdict, or the code of a refusal. */
  async verdicts(key: string): Promise<Set<string>> {
    const { serverDirectory } = this.deployment.parts;
    const { stdout } = await oriel('footage', 'verify', serverDirectory, '--key', key, '--json');
    const { segments } = JSON.parse(stdout) as FootageReport;
    return new Set(segments.map(({ verdict, code }) => code ?? verdict));
  }

  #ask(...words: string[]) {
    const { serverDirectory, cameraId } = this.deployment.parts;
    return oriel('server', 'camera', 'ask', serverDirectory, cameraId, ...words);
  }
}

const withDayKeysOf = (text: string, other: string) =>
  JSON.stringify({ ...JSON.parse(text), dayKeys: JSON.parse(other).dayKeys });

const watched = (act: (watched: Watched) => Promise<void>, camera?: string) =>
  TestDeployment.with(
    { source: `file:${clip}?loop`, ...(camera !== undefined && { camera }) },
    async (deployment) => {
      await deployment.startCamera();
      await act(new Watched(deployment));
      expect(await deployment.endCamera()).toBe(0);
    },
  );

test('[FC-21] a server that takes a revocation back is refused, and named; the true policy is obeyed afterwards [TM-19]', () =>
  watched(async (it) => {
    const { key } = it.deployment.parts;
    const before = readFileSync(join(it.deployment.cameraDirectory, 'policy.json'), 'utf8');
    expect(await it.wraps(1)).toEqual([0]);
    await orielDoes('keys', 'days', key, '--days', '60');
    await orielDoes('keys', 'forget', key, '--through', '59', '--yes');
    const revoked = await it.sign();

    await it.bring(withDayKeysOf(revoked, before));
    expect((await it.refuses('DAY_KEYS_MISSING')).counter).toBe(1);
    const { stdout: status } = await oriel('camera', 'status', it.deployment.cameraDirectory);
    expect(status).toMatch(
      /a batch of day keys that the policy names is not beside it.*\n.*oriel server policy put DIR/,
    );
    expect(await it.telemetry()).toMatchObject({ policyTrouble: 'DAY_KEYS_MISSING' });
    expect(readFileSync(join(it.deployment.cameraDirectory, 'policy.json'), 'utf8')).toBe(before);

    await it.bring(revoked);
    await it.obeys(2);
    expect(await it.wraps(2)).toEqual([60]);
    await until('no trouble is left', () => it.deployment.status.policy.trouble === undefined);
    expect(await it.telemetry()).not.toHaveProperty('policyTrouble');
    await until('it opens with the keys that are left', async () => (await it.verdicts(key)).has('complete'));
  }));

test('[FC-21] of two viewers the one below the floor is sealed nothing, and named; the other opens', () =>
  watched(async (it) => {
    const { key, cameraId, serverDirectory } = it.deployment.parts;
    const bob = it.path('bob.key');
    await orielDoes('keys', 'new', bob, '--name', 'Bob', '--days', '5');
    const share = () => orielDoes('keys', 'share', bob, '--out', it.path('bob.keys'), '--force');
    const [viewer = ''] = /[a-z2-7]{32}/.exec(await share()) ?? [];
    await orielDoes('keys', 'trust', bob, '--camera', cameraId);

    await it.bring(await it.sign('--viewer', it.path('bob.keys'), '--floor', `${viewer}:5`));
    expect((await it.obeys(2)).belowFloor).toEqual([viewer]);
    expect(await it.wraps(2)).toEqual([0]);
    expect(await it.telemetry()).toMatchObject({ viewersBelowFloor: [viewer] });
    const named = `nothing is sealed to viewer ${viewer}`;
    expect((await oriel('camera', 'status', it.deployment.cameraDirectory)).stdout).toContain(named);
    await until('the server’s operator sees it', async () =>
      (await oriel('server', 'camera', 'list', serverDirectory)).stdout.includes(named),
    );

    await orielDoes('keys', 'days', bob, '--days', '5');
    await share();
    await it.bring(await it.sign('--viewer', it.path('bob.keys')));
    expect((await it.obeys(3)).belowFloor).toEqual([]);
    expect(await it.wraps(3)).toEqual([0, 5]);
    expect(await it.verdicts(key)).not.toContain('SESSION_KEY_MISSING');
    const ofBob = await until('Bob opens what is sealed to him', async () => {
      const verdicts = await it.verdicts(bob);
      return verdicts.has('complete') && verdicts;
    });
    expect(ofBob).toContain('SESSION_KEY_MISSING');
  }));

test('[FC-21] control: a camera that takes any batch of the viewer’s is led to day keys of the server’s choice [TM-19]', async () => {
  const broken = breakBuild({ file: 'crypto/policy.ts', from: 'equal(each.hash, hash) && ', to: '' });
  try {
    await watched(async (it) => {
      const { key } = it.deployment.parts;
      const before = readFileSync(join(it.deployment.cameraDirectory, 'policy.json'), 'utf8');
      await orielDoes('keys', 'days', key, '--days', '60');
      await it.bring(withDayKeysOf(await it.sign('--day-key', '59'), before));
      await it.obeys(2);
      // 59 is the last of the keys that the owner's policy does not name any more.
      expect(await it.wraps(2)).toEqual([59]);
    }, broken.oriel);
  } finally {
    broken.remove();
  }
});
