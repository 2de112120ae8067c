import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { fromBase64Url } from '../../crypto/bytes.ts';
import { cameraIdOf, idText } from '../../crypto/header.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { readUpdateReport } from '../../crypto/update-report.ts';
import { makeReportsVectors, type ReportsVectors } from '../vectors/format/reports.ts';
import { refusalOf } from './refusal.ts';

const path = join(import.meta.dirname, '../vectors/format/reports.json');
const vectors: ReportsVectors = JSON.parse(readFileSync(path, 'utf8'));
const raw = (text: string) => fromBase64Url(text) as Uint8Array<ArrayBuffer>;
const read = ({ camera }: ReportsVectors, bytes: string) =>
  readUpdateReport(raw(bytes), raw(camera.deviceKey), nodePrimitives);

/** Names of the vectors that do not come out as they say. */
async function mismatches(some: ReportsVectors): Promise<string[]> {
  const names: string[] = [];
  for (const { name, bytes, ...fields } of some.accepted) {
    const { camera, ...report } = await read(some, bytes);
    const same = idText(camera) === some.camera.id && JSON.stringify(report) === JSON.stringify(fields);
    if (!same) names.push(name);
  }
  for (const { name, bytes, code } of some.refused) {
    if ((await refusalOf(() => read(some, bytes))) !== code) names.push(name);
  }
  return names;
}

describe('the committed vectors', () => {
  test('the id is that of the device key', async () => {
    const { id, deviceKey } = vectors.camera;
    expect(idText(await cameraIdOf(raw(deviceKey), nodePrimitives))).toBe(id);
  });

  test.each(vectors.accepted)('$name', async ({ name: _, bytes, ...fields }) => {
    const { camera, ...report } = await read(vectors, bytes);
    expect(idText(camera)).toBe(vectors.camera.id);
    expect(report).toEqual(fields);
  });

  test.each(vectors.refused)('refused: $name: $code', async ({ bytes, code }) => {
    expect(await refusalOf(() => read(vectors, bytes))).toBe(code);
  });
});

test('control: the comparison sees another field and another code', async () => {
  const [first, ...rest] = vectors.accepted;
  const accepted = [{ ...first, counter: 1 }, ...rest] as ReportsVectors['accepted'];
  const refused = vectors.refused.map((vector) => ({ ...vector, code: 'SEALER_ENDED' as const }));
  const names = [first?.name, ...refused.map(({ name }) => name)];
  expect(await mismatches({ ...vectors, accepted, refused })).toEqual(names);
});

test('vectors made anew are the same but for what is random, and come out as they say', async () => {
  const made = await makeReportsVectors();
  expect(await mismatches(made)).toEqual([]);
  const outline = ({ camera, accepted, refused }: ReportsVectors) => [
    camera,
    accepted.map(({ bytes: _, ...rest }) => rest),
    refused.map(({ name, code }) => [name, code]),
  ];
  expect(outline(made)).toEqual(outline(vectors));
});
