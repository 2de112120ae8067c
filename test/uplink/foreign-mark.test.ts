import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { foreignMark } from '../../agent/uplink/open-uplink.ts';
import { cameraIdOf, encodeSegmentHeader } from '../../crypto/header.ts';
import { readMark } from '../../crypto/mark.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { readRecord } from '../../crypto/record.ts';
import { systemClock } from '../../host/clock.ts';

const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const point = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-65);
const signer = {
  point,
  sign: (message: Uint8Array) => sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' }),
};
const device = { cameraId: await cameraIdOf(point, nodePrimitives), signer };
const header = (camera: Uint8Array) =>
  encodeSegmentHeader({ camera, sessionHash: new Uint8Array(32), sequence: 3, timeMs: 1 });

test.each([
  ['it was interrupted in that session', new Uint8Array(32), 'cut'],
  ['it was interrupted in another', new Uint8Array(32).fill(1), 'unknown'],
  ['it was not interrupted', undefined, 'unknown'],
])(
  'of a segment that the server lists, when %s, the camera vouches for nothing [TM-13]',
  async (_, interrupted, kind) => {
    const bytes = header(device.cameraId);
    const record = foreignMark(bytes, 5000, device, interrupted, systemClock);
    const { payload } = readRecord(record, 0, nodePrimitives.crc32)!;
    const read = (at: number) =>
      readMark(payload, { headerHash: nodePrimitives.sha256(bytes), at }, point, nodePrimitives);
    expect(await read(5000)).toMatchObject({ kind, placed: true, vouchedRecords: 0, lostUs: 0 });
    await expect(read(4999)).rejects.toMatchObject({ code: 'MARK_FORGED' });
  },
);

test("it says nothing of another camera's [TM-23]", () => {
  expect(() => foreignMark(header(new Uint8Array(20)), 72, device, undefined, systemClock)).toThrow(
    expect.objectContaining({ code: 'CAMERA_FOREIGN' }),
  );
});
