import { linkSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { toBase64Url } from '../../crypto/bytes.ts';
import { signedBytes } from '../../crypto/document.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { parseViewingKey } from '../../crypto/viewing-key.ts';
import { oriel } from '../../scripts/demonstration/oriel-command.ts';
import { secretsIn } from '../secrets/sweep.ts';
import { MadeFootage } from './footage-maker.ts';

/** What a viewing key opens and believes no more. */

const END = ['final'] as const;

async function withFootage(act: (footage: MadeFootage) => Promise<void>): Promise<void> {
  const footage = await MadeFootage.of(
    { number: 1, segments: END, dayKey: 0 },
    { number: 2, segments: END, dayKey: 1 },
    { number: 3, segments: END, dayKey: 2 },
  );
  try {
    await act(footage);
  } finally {
    footage.remove();
  }
}

/** What comes of the one segment of each session, in order: `complete`, or the code of its refusal. */
async function verdicts(footage: MadeFootage): Promise<string[]> {
  const { segments } = await footage.verify();
  return segments.map(({ verdict, code }) => code ?? verdict);
}

test('a day key that is destroyed opens nothing any more, nobody finds it in the file, and what is lost is told before', () =>
  withFootage(async (footage) => {
    const { keyPath, directory, camera } = footage;
    const forget = (...options: string[]) => oriel('keys', 'forget', keyPath, ...options);
    const before = readFileSync(keyPath, 'utf8');
    const gone = parseViewingKey(before).dayKeys.slice(0, 2);
    const secrets = gone.map(({ number, privateKey }) => ({
      name: `day key ${number}`,
      bytes: privateKey,
    }));
    expect(secretsIn(Buffer.from(before), secrets)).toHaveLength(2);

    const told = await forget('--through', '1', '--footage', directory);
    expect(told).toMatchObject({ code: 2, stderr: '' });
    expect(told.stdout).toMatch(
      new RegExp(
        `camera ${camera}: 2 sessions open never again, begun 2026-\\S+Z to 2026-\\S+Z\\n2 day keys .* add --yes`,
      ),
    );
    expect(readFileSync(keyPath, 'utf8')).toBe(before);
    expect(await verdicts(footage)).toEqual(['complete', 'complete', 'complete']);

    linkSync(keyPath, join(directory, 'the-same-file'));
    expect(await forget('--through', '1', '--yes')).toMatchObject({ code: 0 });
    expect(secretsIn(readFileSync(keyPath), secrets)).toEqual([]);
    expect(readFileSync(join(directory, 'the-same-file')).every((byte) => byte === 0)).toBe(true);
    expect(await verdicts(footage)).toEqual(['SESSION_KEY_MISSING', 'SESSION_KEY_MISSING', 'complete']);

    for (const none of ['1', '2', '3', 'x']) {
      expect(await forget('--through', none, '--yes')).toMatchObject({ code: 2, stdout: '' });
    }
    expect(await verdicts(footage)).toEqual(['SESSION_KEY_MISSING', 'SESSION_KEY_MISSING', 'complete']);
  }));

test('the next policy names no day key that was destroyed', () =>
  withFootage(async ({ keyPath, directory, camera }) => {
    await oriel('keys', 'forget', keyPath, '--through', '1', '--yes');
    const out = join(directory, 'policy');
    expect(await oriel('keys', 'policy', keyPath, '--camera', camera, '--out', out)).toMatchObject({
      code: 0,
    });
    const { policy, dayKeys } = JSON.parse(readFileSync(out, 'utf8'));
    const payload = (envelope: { payload: string }) =>
      JSON.parse(Buffer.from(envelope.payload, 'base64url').toString());
    const { viewers } = payload(policy);
    const { batch } = dayKeys[0];
    expect(viewers).toMatchObject([
      { floor: 2, batches: [toBase64Url(nodePrimitives.sha256(signedBytes(batch)))] },
    ]);
    expect(payload(dayKeys[0].batch)).toMatchObject({ first: 2, keys: [expect.any(String)] });
  }));

test('a camera that is distrusted is believed nothing, until it is trusted again; its counter counts on', () =>
  withFootage(async (footage) => {
    const { keyPath, directory, camera } = footage;
    const distrust = () => oriel('keys', 'distrust', keyPath, '--camera', camera);
    const sign = (out: string) =>
      oriel('keys', 'policy', keyPath, '--camera', camera, '--out', join(directory, out));
    expect((await sign('one')).stdout).toContain('policy 1.2');
    expect(await distrust()).toMatchObject({ code: 0 });
    expect(new Set(await verdicts(footage))).toEqual(new Set(['CAMERA_FOREIGN']));
    expect((await oriel('keys', 'show', keyPath)).stdout).not.toContain(camera);
    expect(await distrust()).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('[CAMERA_UNKNOWN]'),
    });
    expect((await sign('two')).stdout).toContain('policy 1.3');
    expect(await verdicts(footage)).toEqual(['complete', 'complete', 'complete']);
    expect(parseViewingKey(readFileSync(keyPath, 'utf8')).distrusted).toEqual([]);
  }));

describe('[FC-21] the floor of a viewer', () => {
  const floorsOf = (path: string) => {
    const { policy } = JSON.parse(readFileSync(path, 'utf8'));
    const { viewers } = JSON.parse(Buffer.from(policy.payload, 'base64url').toString());
    return viewers.map(({ floor }: { floor: number }) => floor);
  };

  test('stays as it was signed until it is raised, and rises with day keys that are destroyed', () =>
    withFootage(async ({ keyPath, directory, camera }) => {
      const out = join(directory, 'policy');
      const sign = (...options: string[]) =>
        oriel('keys', 'policy', keyPath, '--camera', camera, '--out', out, '--force', ...options);
      expect(await sign()).toMatchObject({ code: 0 });
      expect(floorsOf(out)).toEqual([0]);
      // An older Oriel reads a viewing key in which nothing was raised.
      expect(readFileSync(keyPath, 'utf8')).not.toContain('floors');
      expect(await sign('--day-key', '1')).toMatchObject({ code: 0 });
      expect(await sign('--audio')).toMatchObject({ code: 0 });
      expect(floorsOf(out)).toEqual([1]);
      await oriel('keys', 'forget', keyPath, '--through', '1', '--yes');
      const warned = await sign();
      expect(floorsOf(out)).toEqual([2]);
      expect(warned.stderr).toMatch(/day keys left for you: 1, .*oriel keys days/);
    }));

  test('above every day key is refused, with what to do; nothing is signed', () =>
    withFootage(async ({ keyPath, directory, camera }) => {
      const before = readFileSync(keyPath, 'utf8');
      const sign = (...options: string[]) =>
        oriel('keys', 'policy', keyPath, '--camera', camera, '--out', join(directory, 'policy'), ...options);
      const refused = await sign('--day-key', '3');
      expect(refused).toMatchObject({ code: 1, stdout: '' });
      expect(refused.stderr).toMatch(/oriel keys days.*\[DAY_KEYS_BELOW_FLOOR\]/s);
      expect(readFileSync(keyPath, 'utf8')).toBe(before);
      await oriel('keys', 'days', keyPath, '--add', '9');
      expect(await sign('--day-key', '3')).toMatchObject({ code: 0, stderr: '' });
    }));

  test('of another viewer: given by id, kept, and no older file of theirs lowers it', () =>
    withFootage(async ({ keyPath, directory, camera }) => {
      const path = (name: string) => join(directory, name);
      const share = (name: string) => oriel('keys', 'share', path('bob.key'), '--out', path(name));
      expect(await oriel('keys', 'new', path('bob.key'), '--name', 'Bob', '--days', '20')).toMatchObject({
        code: 0,
      });
      const shared = await share('old.keys');
      const [viewer] = /[a-z2-7]{32}/.exec(shared.stdout) ?? [];
      const sign = (file: string, ...options: string[]) =>
        oriel(
          'keys',
          'policy',
          keyPath,
          '--camera',
          camera,
          '--out',
          path('policy'),
          '--force',
          '--viewer',
          path(file),
          ...options,
        );
      const first = await sign('old.keys', '--floor', `${viewer?.slice(0, 6)}:5`);
      expect(first).toMatchObject({ code: 0 });
      expect(first.stdout).toContain(`sealed to viewer ${viewer} (Bob): day keys up to 19, none below 5`);
      expect(floorsOf(path('policy'))).toEqual([0, 5]);
      await oriel('keys', 'days', path('bob.key'), '--add', '20');
      await oriel('keys', 'forget', path('bob.key'), '--through', '24', '--yes');
      expect(await share('new.keys')).toMatchObject({ code: 0 });
      expect(await sign('new.keys')).toMatchObject({ code: 0 });
      expect(floorsOf(path('policy'))).toEqual([0, 25]);

      const again = await sign('old.keys');
      expect(floorsOf(path('policy'))).toEqual([0, 25]);
      expect(again.stderr).toMatch(
        /nothing is sealed to viewer \S+ \(Bob\): .* floor 25; .*oriel keys share/,
      );

      for (const [floor, why] of [
        ['7', 'VIEWER:NUMBER'],
        ['zzzz:3', '0 viewers'],
      ] as const) {
        expect(await sign('old.keys', '--floor', floor)).toMatchObject({
          code: 2,
          stderr: expect.stringContaining(why),
        });
      }
      expect(await sign('old.keys', '--viewer', path('new.keys'))).toMatchObject({ code: 2 });
      const without = await oriel('keys', 'policy', keyPath, '--camera', camera, '--out', path('alone'));
      expect(without.stderr).toContain(`not sealed to viewer ${viewer} of an earlier policy`);
    }));
});
