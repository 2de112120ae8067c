import { X509Certificate } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import { PINS_PATH } from '../../wire/enrolment.ts';
import { type CameraDouble, makeCamera } from './camera-double.ts';
import { newcomer, reenrolAt, requestOf } from './newcomer.ts';
import {
  ask,
  cameraAuthority,
  closeTestServers,
  newCamera,
  openTestServer,
  registry,
} from './test-server.ts';

afterEach(closeTestServers);

test('a pin statement is handed to its camera as a line of text, and nothing while there is none', async () => {
  const { port } = await openTestServer();
  const [camera, other] = [await newCamera(), await newCamera()];
  const none = await ask(port, camera, 'GET', PINS_PATH);
  expect([none.status, none.text]).toEqual([200, '']);
  const statement = Buffer.from('statement');
  await registry.pins.replace(camera.id, undefined, statement, Date.now());
  const since = (tag: string | undefined) => ({ headers: { 'if-none-match': tag ?? '' } });
  const first = await ask(port, camera, 'GET', PINS_PATH, since(none.headers.etag));
  expect([first.status, first.text]).toEqual([200, `pins:${statement.toString('base64url')}`]);
  const again = await ask(port, camera, 'GET', PINS_PATH, since(first.headers.etag));
  expect([again.status, again.text]).toEqual([304, '']);
  expect((await ask(port, other, 'GET', PINS_PATH)).text).toBe('');
  expect((await ask(port, undefined, 'GET', PINS_PATH)).json.code).toBe('CERTIFICATE_REQUIRED');
  expect((await ask(port, camera, 'PUT', PINS_PATH)).json.code).toBe('METHOD_REFUSED');
});

describe('a camera of another server', () => {
  test('comes in by its key once it is admitted by its id, as its owner’s; no other does', async () => {
    const { port } = await openTestServer();
    const [camera, stranger] = [newcomer(), newcomer()];
    const come = async ({ key }: typeof camera) => reenrolAt(port, undefined, requestOf(key));
    expect((await come(camera)).json?.code).toBe('CAMERA_UNKNOWN');
    const owner = Buffer.alloc(32, 7);
    await registry.admissions.put(camera.id, owner, Date.now());
    expect((await come(stranger)).json?.code).toBe('CAMERA_UNKNOWN');
    expect((await come(camera)).status).toBe(200);
    const { standing, owner: noted } = (await registry.camera(camera.id)) ?? {};
    expect([standing, Buffer.from(noted ?? [])]).toEqual(['enrolled', owner]);
    expect(await registry.admissions.all()).toEqual([]);
    await registry.revoke(camera.id, Date.now());
    await registry.admissions.put(camera.id, owner, Date.now());
    expect((await come(camera)).json?.code).toBe('CAMERA_REVOKED');
  });
});

test('[FC-04] a camera with our certificate that the registry has forgotten is let in the moment it is admitted', async () => {
  const { port } = await openTestServer();
  const [camera, stranger] = [makeCamera(cameraAuthority), makeCamera(cameraAuthority)];
  const poll = async (who: CameraDouble) => (await ask(port, who, 'GET', PINS_PATH)).json?.code ?? 'served';
  expect(await poll(camera)).toBe('CAMERA_UNKNOWN');
  await registry.admissions.put(camera.id, Buffer.alloc(32, 7), Date.now());
  expect(await poll(stranger)).toBe('CAMERA_UNKNOWN');
  expect(await poll(camera)).toBe('served');
  expect((await registry.camera(camera.id))?.serial).toBe(
    new X509Certificate(camera.certificate).serialNumber,
  );
  await registry.revoke(camera.id, Date.now());
  await registry.admissions.put(camera.id, undefined, Date.now());
  expect(await poll(camera)).toBe('CAMERA_REVOKED');
});
