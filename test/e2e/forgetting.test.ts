import { linkSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { toBase64Url } from '../../crypto/bytes.ts';
import { signedBytes } from '../../crypto/document.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { parseViewingKey } from '../../crypto/viewing-key.ts';
import { oriel } from '../../scripts/demonstration/oriel-command.ts';
import { MadeFootage } from '../footage/footage-maker.ts';
import { secretsIn } from '../secrets/sweep.ts';

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

test('a day key that is destroyed opens nothing any more, nobody finds it in the file, and what is lost is told before [TM-60] [KEY-18 destroyed]', () =>
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

test('the next policy names no day key that was destroyed [KEY-18 revoked]', () =>
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

test('a camera that is distrusted is believed nothing, until it is trusted again; its counter counts on [TM-59] [KEY-01 revoked] [KEY-20 lives] [KEY-20 revoked]', () =>
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

describe('[FC-21] oriel keys policy', () => {
  test('[REM-DAY_KEYS_BELOW_FLOOR] signs nothing that would leave nobody, and says what to do, which helps', () =>
    withFootage(async ({ keyPath, directory, camera }) => {
      const before = readFileSync(keyPath, 'utf8');
      const sign = () =>
        oriel(
          'keys',
          'policy',
          keyPath,
          '--camera',
          camera,
          '--out',
          join(directory, 'policy'),
          '--day-key',
          '3',
        );
      const refused = await sign();
      expect(refused).toMatchObject({ code: 1, stdout: '' });
      expect(refused.stderr).toMatch(/oriel keys days.*\[DAY_KEYS_BELOW_FLOOR\]/s);
      expect(readFileSync(keyPath, 'utf8')).toBe(before);
      await oriel('keys', 'days', keyPath, '--days', '9');
      expect(await sign()).toMatchObject({ code: 0, stderr: '' });
    }));

  test('takes other viewers and their floors, names them, and says who is left out', () =>
    withFootage(async ({ keyPath, directory, camera }) => {
      const path = (name: string) => join(directory, name);
      await oriel('keys', 'new', path('bob.key'), '--name', 'Bob', '--days', '20');
      const shared = await oriel('keys', 'share', path('bob.key'), '--out', path('bob.keys'));
      const [viewer] = /[a-z2-7]{32}/.exec(shared.stdout) ?? [];
      const sign = (...options: string[]) =>
        oriel('keys', 'policy', keyPath, '--camera', camera, '--out', path('policy'), '--force', ...options);
      const withBob = ['--viewer', path('bob.keys')];
      const signed = await sign(...withBob, '--floor', `${viewer?.slice(0, 6)}:5`);
      expect(signed).toMatchObject({ code: 0 });
      expect(signed.stdout).toContain(`sealed to viewer ${viewer} (Bob): day keys up to 19, none below 5`);
      for (const [options, why] of [
        [[...withBob, '--floor', '7'], 'VIEWER:NUMBER'],
        [[...withBob, '--floor', 'zzzz:3'], '0 viewers'],
        [[...withBob, ...withBob], 'given twice'],
      ] as const) {
        expect(await sign(...options)).toMatchObject({ code: 2, stderr: expect.stringContaining(why) });
      }
      expect((await sign()).stderr).toContain(`not sealed to viewer ${viewer} of an earlier policy`);
    }));
});
