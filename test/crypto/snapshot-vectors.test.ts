import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { fromBase64Url, toBase64Url } from '../../crypto/bytes.ts';
import { readSessionHeader } from '../../crypto/header.ts';
import type { OpenedSession } from '../../crypto/opener.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { openSession } from '../../crypto/session.ts';
import { deriveSnapshotKeyAsync } from '../../crypto/snapshot-key.ts';
import { openSnapshot } from '../../crypto/snapshot-opener.ts';
import { dayKeyHolder, parseViewingKey } from '../../crypto/viewing-key.ts';
import { makeSnapshotsVectors, type SnapshotsVectors } from '../vectors/format/snapshots.ts';
import { refusalOf } from './refusal.ts';

const path = join(import.meta.dirname, '../vectors/format/snapshots.json');
const vectors: SnapshotsVectors = JSON.parse(readFileSync(path, 'utf8'));
const bytes = (text: string) => fromBase64Url(text) as Uint8Array;

async function sessionOf({ viewingKey, session }: SnapshotsVectors): Promise<OpenedSession> {
  const header = await readSessionHeader(bytes(session), nodePrimitives);
  const holder = await dayKeyHolder(parseViewingKey(JSON.stringify(viewingKey)), nodePrimitives);
  return { header, secret: await openSession(header, holder) };
}

/** Names of the vectors that do not come out as they say. */
async function mismatches(some: SnapshotsVectors): Promise<string[]> {
  const session = await sessionOf(some);
  const names: string[] = [];
  for (const { name, bytes: text, code } of some.refused) {
    if ((await refusalOf(() => openSnapshot(bytes(text), session, nodePrimitives))) !== code)
      names.push(name);
  }
  for (const { name, bytes: text, number, timeMs, picture } of some.accepted) {
    const { header, picture: opened } = await openSnapshot(bytes(text), session, nodePrimitives);
    if (`${header.number} ${header.timeMs} ${toBase64Url(opened)}` !== `${number} ${timeMs} ${picture}`) {
      names.push(name);
    }
  }
  return names;
}

describe('the committed vectors', () => {
  let session: OpenedSession;
  beforeAll(async () => {
    session = await sessionOf(vectors);
  });

  test.each(vectors.accepted)('snapshot opens: $name', async (vector) => {
    const { header, picture } = await openSnapshot(bytes(vector.bytes), session, nodePrimitives);
    expect([header.number, header.timeMs]).toEqual([vector.number, vector.timeMs]);
    expect(toBase64Url(picture)).toBe(vector.picture);
    const headerBytes = bytes(vector.bytes).subarray(0, 72);
    const { key, nonce } = await deriveSnapshotKeyAsync(session.secret, headerBytes, nodePrimitives);
    expect([toBase64Url(key), toBase64Url(nonce)]).toEqual([vector.key, vector.nonce]);
  });

  test.each(vectors.refused)('snapshot refused: $name: $code', async ({ bytes: text, code }) => {
    expect(await refusalOf(() => openSnapshot(bytes(text), session, nodePrimitives))).toBe(code);
  });
});

test('the comparison sees another code and another picture', async () => {
  const [first, ...rest] = vectors.accepted;
  const accepted = [{ ...first, picture: 'AAAA' }, ...rest] as SnapshotsVectors['accepted'];
  const refused = vectors.refused.map((vector) => ({ ...vector, code: 'SEALER_ENDED' as const }));
  expect(await mismatches({ ...vectors, refused, accepted })).toEqual([
    ...vectors.refused.map(({ name }) => name),
    first?.name,
  ]);
});

test('vectors made anew are the same but for what is random, and come out as they say', async () => {
  const made = await makeSnapshotsVectors();
  expect(await mismatches(made)).toEqual([]);
  const outline = ({ accepted, refused }: SnapshotsVectors) => [
    accepted.map(({ name, number, timeMs, picture }) => [name, number, timeMs, picture]),
    refused.map(({ name, code }) => [name, code]),
  ];
  expect(outline(made)).toEqual(outline(vectors));
});
