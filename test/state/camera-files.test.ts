import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { generateDeviceKey, loadCertificate, loadDeviceKey } from '../../agent/state/device-key.ts';
import { toBase64Url } from '../../crypto/bytes.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { cameraOfSpki, p256Spki } from '../../crypto/spki-node.ts';
import { TestDeployment } from './test-camera.ts';

let deployment: TestDeployment;
beforeEach(() => {
  deployment = new TestDeployment();
});
afterEach(() => {
  deployment.remove();
});

const pin = `sha256/${'A'.repeat(43)}=`;
const config = {
  version: 1,
  server: { origin: 'https://home.example:8443', pins: [pin] },
  owner: toBase64Url(new Uint8Array(32)),
  source: 'test:',
  audio: false,
  lan: [],
  spool: { maxBytes: 1 << 30, minFreeBytes: 0 },
};

describe('camera.json', () => {
  const read = (change: object) => {
    deployment.write(deployment.directory.config, JSON.stringify({ ...config, ...change }));
    return deployment.directory.readConfig();
  };
  const server = (change: object) => ({ server: { ...config.server, ...change } });
  const spool = (change: object) => ({ spool: { ...config.spool, ...change } });

  test('is read as it was written', () => {
    expect(read({})).toEqual({ ...config, owner: new Uint8Array(32) });
    expect(read(server({ origin: 'https://[fd00::1]:8443', pins: [pin, pin] }))).toMatchObject({
      version: 1,
    });
  });

  test.each<[string, object]>([
    ['a field unknown', { password: 'hunter2' }],
    ['another version', { version: 2 }],
    ['an origin without TLS', server({ origin: 'http://home.example' })],
    ['an origin with a path', server({ origin: 'https://home.example/x' })],
    ['an origin with a slash at its end', server({ origin: 'https://home.example/' })],
    ['an origin with a user', server({ origin: 'https://me@home.example' })],
    ['the port that needs no naming', server({ origin: 'https://home.example:443' })],
    ['an origin that is none', server({ origin: 'home.example' })],
    ['no pin', server({ pins: [] })],
    ['three pins', server({ pins: [pin, pin, pin] })],
    ['a pin of another hash', server({ pins: ['sha1/AAAA'] })],
    ['an owner key of another length', { owner: toBase64Url(new Uint8Array(31)) }],
    ['a spool of next to nothing', spool({ maxBytes: 1000 })],
    ['a spool of a part of a byte', spool({ maxBytes: 2 ** 21 + 0.5 })],
    ['a negative reserve', spool({ minFreeBytes: -1 })],
    ['a source of endless length', { source: 'x'.repeat(2001) }],
  ])('with %s is refused', (_, change) => {
    expect(() => read(change)).toThrow(expect.objectContaining({ code: 'CONFIG_MALFORMED' }));
  });

  test('that is missing, too large or no JSON is refused', () => {
    expect(() => deployment.directory.readConfig()).toThrow(
      expect.objectContaining({ code: 'CAMERA_MISSING' }),
    );
    deployment.write(deployment.directory.config, ' '.repeat(64 * 1024 + 1));
    expect(() => deployment.directory.readConfig()).toThrow(
      expect.objectContaining({ code: 'FILE_UNREADABLE' }),
    );
    deployment.write(deployment.directory.config, '{"version": 1');
    expect(() => deployment.directory.readConfig()).toThrow(
      expect.objectContaining({ code: 'CONFIG_MALFORMED' }),
    );
  });
});

test("a camera's directory is its owner's alone, even if it was there before [TM-52]", () => {
  const made = new CameraDirectory(join(deployment.directory.path, 'deep/camera'));
  made.make();
  expect(statSync(made.path).mode & 0o777).toBe(0o700);
  made.make();
  expect(statSync(made.path).mode & 0o777).toBe(0o700);
});

describe('the device key', () => {
  test('signs what its own point verifies, and names the camera', async () => {
    deployment.write(deployment.directory.deviceKey, generateDeviceKey());
    const { signer, camera, key } = await loadDeviceKey(deployment.directory);
    const message = new TextEncoder().encode('statement');
    const { ecdsaVerify } = nodePrimitives;
    expect(signer.sign(message)).toHaveLength(64);
    expect(ecdsaVerify(signer.point, message, signer.sign(message))).toBe(true);
    expect(camera).toBe(cameraOfSpki(p256Spki(createPublicKey(key))));
    expect(camera).toMatch(/^[a-z2-7]{32}$/);
  });

  test('is another in every camera', () => {
    expect(generateDeviceKey()).not.toBe(generateDeviceKey());
  });

  test.each([
    ['of another curve', () => pem('ec', { namedCurve: 'P-384' })],
    ['of another kind', () => pem('ed25519', {})],
    ['that is none', () => 'nothing of the kind'],
    ['of endless length', () => '-'.repeat(64 * 1024 + 1)],
  ])('%s is refused, and nothing of it is said', async (_, make) => {
    const text = make();
    deployment.write(deployment.directory.deviceKey, text);
    const refusal = await loadDeviceKey(deployment.directory).catch((error) => error);
    expect(refusal).toMatchObject({ code: 'FILE_UNREADABLE' });
    const body = text.split('\n')[1] ?? text;
    expect(`${refusal.message} ${refusal.cause?.message}`).not.toContain(body.slice(0, 40));
  });

  test('without a certificate, or with one that is none, it says what to do', async () => {
    deployment.write(deployment.directory.deviceKey, generateDeviceKey());
    deployment.write(deployment.directory.request, 'of a camera that was made by hand');
    const key = await loadDeviceKey(deployment.directory);
    const missing = expect.objectContaining({
      code: 'CERTIFICATE_MISSING',
      message: expect.stringContaining('oriel server certify'),
    });
    expect(() => loadCertificate(deployment.directory, key)).toThrow(missing);
    deployment.write(deployment.directory.certificate, 'nothing of the kind');
    expect(() => loadCertificate(deployment.directory, key)).toThrow(missing);
  });
});

function pem(type: 'ec' | 'ed25519', options: object): string {
  const { privateKey } = generateKeyPairSync(type as 'ec', options as { namedCurve: string });
  return privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
}
