import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { cameraIdOf } from '../../crypto/header.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import {
  MAX_UPDATE_REPORT_LENGTH,
  parseUpdateReport,
  readUpdateReport,
  signUpdateReport,
  UPDATE_EVENTS,
  type UpdateReport,
} from '../../crypto/update-report.ts';
import { makeSigner } from './camera.ts';

const signer = makeSigner();
const report = async (): Promise<UpdateReport> => ({
  camera: await cameraIdOf(signer.point, nodePrimitives),
  number: 7,
  timeMs: 1_790_000_000_000,
  event: 'returned',
  slot: 'b',
  counter: 42,
  version: '1.2.3-beta.1',
  code: 'AGENT_EXITED',
});
const read = (bytes: Uint8Array, point = signer.point) => readUpdateReport(bytes, point, nodePrimitives);

test.each(UPDATE_EVENTS)('a report of %s is read as it was signed', async (event) => {
  const signed = { ...(await report()), event, ...(event === 'recovered' && { version: '', code: '' }) };
  expect(await read(signUpdateReport(signed, signer))).toEqual(signed);
});

test('every bit counts', async () => {
  const bytes = signUpdateReport(await report(), signer);
  const bits = fc.integer({ min: 0, max: bytes.length * 8 - 1 });
  await fc.assert(
    fc.asyncProperty(bits, async (bit) => {
      const altered = Uint8Array.from(bytes);
      altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const refused = await read(altered).catch((error) => error);
      expect(['DOCUMENT_MALFORMED', 'DOCUMENT_FORGED']).toContain(refused.code);
    }),
    { numRuns: 60 },
  );
});

test("another camera's key does not fit", async () => {
  const bytes = signUpdateReport(await report(), signer);
  await expect(read(bytes, makeSigner().point)).rejects.toMatchObject({ code: 'DOCUMENT_FORGED' });
});

test('anything else is refused by its code', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: MAX_UPDATE_REPORT_LENGTH + 5 }), (bytes) => {
      expect(() => parseUpdateReport(bytes)).toThrow(expect.objectContaining({ code: 'DOCUMENT_MALFORMED' }));
    }),
  );
});

test.each<[string, (bytes: Uint8Array) => Uint8Array]>([
  ['cut', (bytes) => bytes.subarray(0, -1)],
  ['longer', (bytes) => Buffer.concat([bytes, randomBytes(1)])],
  ['of another format', (bytes) => Uint8Array.from(bytes, (byte, at) => (at === 4 ? 2 : byte))],
  ['of an unknown event', (bytes) => Uint8Array.from(bytes, (byte, at) => (at === 41 ? 9 : byte))],
  ['of an unknown slot', (bytes) => Uint8Array.from(bytes, (byte, at) => (at === 42 ? 2 : byte))],
])('a report that is %s is malformed', async (_, change) => {
  const bytes = change(signUpdateReport(await report(), signer));
  expect(() => parseUpdateReport(bytes)).toThrow(expect.objectContaining({ code: 'DOCUMENT_MALFORMED' }));
});
