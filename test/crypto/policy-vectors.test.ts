import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { judgePolicy } from '../../agent/state/camera-state.ts';
import { fromBase64Url, toBase64Url, toHex } from '../../crypto/bytes.ts';
import { usableNumbers } from '../../crypto/day-keys.ts';
import { idText } from '../../crypto/header.ts';
import { type ReadPolicy, readPolicyFile } from '../../crypto/policy.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { makePoliciesVectors, type PoliciesVectors } from '../vectors/format/policies.ts';

const path = join(import.meta.dirname, '../vectors/format/policies.json');
const vectors: PoliciesVectors = JSON.parse(readFileSync(path, 'utf8'));
const owner = fromBase64Url(vectors.camera.owner) as Uint8Array;
const read = (text: string) => readPolicyFile(text, vectors.camera.id, owner, nodePrimitives);

const CODES = { older: 'POLICY_REFUSED', conflicting: 'POLICY_REFUSED', unbound: 'POLICY_OUTDATED' } as const;

const obeyed = Object.fromEntries(
  Object.entries(vectors.obeyed).map(([name, text]) => [name, read(text)]),
) as Record<keyof PoliciesVectors['obeyed'], ReturnType<typeof read>>;

/** What a camera that obeys that file makes of this one: `new`, `same`, or the code of its refusal. */
async function judged(given: ReadPolicy, after: keyof PoliciesVectors['obeyed'] | null): Promise<string> {
  const before = after === null ? undefined : await obeyed[after];
  const seen = before && { ...before.policy, digest: toHex(before.digest) };
  const verdict = judgePolicy(seen, { ...given, digest: toHex(given.digest) });
  return verdict === 'new' || verdict === 'same' ? verdict : CODES[verdict];
}

describe('[FC-21] policy files: the committed vectors', () => {
  test.each(vectors.accepted)('$name', async ({ file, after, verdict, epoch, counter, hash, viewers }) => {
    const given = await read(file);
    expect(await judged(given, after)).toBe(verdict);
    expect(given.policy).toMatchObject({ epoch, counter });
    expect(toBase64Url(given.digest)).toBe(hash);
    const told = given.viewers.map((each) => ({
      viewer: idText(each.viewer),
      floor: each.floor,
      usable: usableNumbers(each),
    }));
    expect(told).toEqual(viewers);
  });

  test.each(vectors.refused)('refused: $name: $code', async ({ file, after, code }) => {
    const verdict = read(file).then((given) => judged(given, after));
    expect(await verdict.catch((error: { code?: unknown }) => error.code)).toBe(code);
  });

  test('made anew they are the same', async () => {
    expect(await makePoliciesVectors()).toEqual(vectors);
  });
});
