import { afterEach, expect, test } from '@jest/globals';
import { signUpdateReport, type UpdateReport } from '../../crypto/update-report.ts';
import { REPORTS_PATH } from '../../wire/updates.ts';
import type { CameraDouble } from './camera-double.ts';
import { ask, closeTestServers, newCamera, openTestServer, registry } from './test-server.ts';

afterEach(closeTestServers);

const reportOf = ({ idBytes, signer }: CameraDouble, change: Partial<UpdateReport> = {}, by = signer) => {
  const report = { camera: idBytes, number: 1, timeMs: 1, event: 'returned', slot: 'b', counter: 3 } as const;
  return signUpdateReport({ ...report, version: '1.0.3', code: 'AGENT_EXITED', ...change }, by);
};
const kept = async ({ id }: CameraDouble) => (await registry.reports.all()).filter(({ from }) => from === id);

test('a report is kept once; what it says is what the camera signed', async () => {
  const { port } = await openTestServer();
  const camera = await newCamera();
  const body = reportOf(camera);
  for (const _ of [1, 2]) expect((await ask(port, camera, 'POST', REPORTS_PATH, { body })).status).toBe(200);
  await ask(port, camera, 'POST', REPORTS_PATH, {
    body: reportOf(camera, { number: 2, code: 'HEARTBEAT_LOST' }),
  });
  expect(await kept(camera)).toMatchObject([
    { number: 2, event: 'returned', code: 'HEARTBEAT_LOST' },
    { number: 1, event: 'returned', version: '1.0.3', counter: 3, slot: 'b', code: 'AGENT_EXITED' },
  ]);
});

test.each<[string, (camera: CameraDouble, other: CameraDouble) => Uint8Array, string]>([
  ['signed by another', (camera, other) => reportOf(camera, {}, other.signer), 'REQUEST_REFUSED'],
  ['about another', (camera, other) => reportOf(camera, { camera: other.idBytes }), 'CAMERA_FOREIGN'],
  ["another's own", (_, other) => reportOf(other), 'REQUEST_REFUSED'],
  ['cut', (camera) => reportOf(camera).subarray(1), 'REQUEST_REFUSED'],
  ['too long', () => new Uint8Array(5_000), 'BODY_OVERSIZED'],
])('a report that is %s is refused', async (_, make, code) => {
  const { port } = await openTestServer();
  const [camera, other] = [await newCamera(), await newCamera()];
  const answer = await ask(port, camera, 'POST', REPORTS_PATH, { body: make(camera, other) });
  expect(answer.json.code).toBe(code);
  expect([...(await kept(camera)), ...(await kept(other))]).toEqual([]);
});

test('nobody reports without a certificate, and there is nothing to be read there', async () => {
  const { port } = await openTestServer();
  const camera = await newCamera();
  const body = reportOf(camera);
  expect((await ask(port, undefined, 'POST', REPORTS_PATH, { body })).json.code).toBe('CERTIFICATE_REQUIRED');
  expect((await ask(port, camera, 'GET', REPORTS_PATH)).json.code).toBe('METHOD_REFUSED');
});

test('of a camera that reports without end the newest hundred are kept', async () => {
  const [camera, other] = [await newCamera(), await newCamera()];
  await registry.reports.put(other.id, 1, reportOf(other), 1);
  for (let number = 1; number <= 150; number += 1) {
    await registry.reports.put(camera.id, number, reportOf(camera, { number }), number);
  }
  expect((await kept(camera)).map(({ number }) => number)).toEqual(
    Array.from({ length: 100 }, (_, at) => 150 - at),
  );
  expect(await kept(other)).toHaveLength(1);
});
