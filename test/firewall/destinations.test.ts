import { randomBytes } from 'node:crypto';
import { parseSource } from '../../agent/capture/source.ts';
import {
  type Destinations,
  movedBy,
  readDestinations,
  serverOf,
  setUpAs,
  writeDestinations,
} from '../../agent/firewall/destinations.ts';
import { ed25519FromSeed } from '../../crypto/curves.ts';
import { idText } from '../../crypto/header.ts';
import { type PinStatement, signPinStatement, writePinsLine } from '../../crypto/pin-statement.ts';

/** What root keeps of whom a camera may reach: how it is written, and what may change it. */

const owner = ed25519FromSeed(new Uint8Array(32).fill(1));
const thief = ed25519FromSeed(new Uint8Array(32).fill(2));
const camera = new Uint8Array(20).fill(3);
const kept: Destinations = {
  camera: idText(camera),
  owner: new Uint8Array(owner.publicKey),
  origin: 'https://server.test:8443',
  source: null,
  pins: null,
};

const line = (change: Partial<PinStatement> = {}, signer = owner) =>
  writePinsLine(
    signPinStatement(
      {
        camera,
        epoch: 1,
        counter: 2,
        origin: 'https://new.test',
        activePin: randomBytes(32),
        backupPin: new Uint8Array(32),
        ...change,
      },
      signer,
    ),
  );

test('what is written is read again, nobody too', () => {
  const whole = { ...kept, source: { host: '192.0.2.7', port: 554 }, pins: line() };
  expect(readDestinations(writeDestinations(whole))).toEqual(whole);
  expect(readDestinations(writeDestinations(null))).toBeNull();
});

test.each([
  '',
  '{}',
  '{"version":2,"destinations":null}',
  writeDestinations({ ...kept, origin: 'http://server.test' }),
  writeDestinations({ ...kept, source: { host: '192.0.2.7', port: 0 } }),
])('%j is refused', (text) => {
  expect(() => readDestinations(text)).toThrow(expect.objectContaining({ code: 'DOCUMENT_MALFORMED' }));
});

test('[FC-22] a pin statement of the owner’s moves the server, and nothing older moves it back', async () => {
  const second = line();
  const moved = await movedBy(kept, `${second}\n`);
  expect(serverOf(moved)).toEqual({ host: 'new.test', port: 443 });
  expect(await movedBy(moved, second)).toBe(moved);
  const third = await movedBy(moved, line({ counter: 3, origin: 'https://third.test' }));
  expect(serverOf(third).host).toBe('third.test');
  const newEpoch = await movedBy(third, line({ epoch: 2, counter: 1, origin: 'https://[2001:db8::1]:9' }));
  expect(serverOf(newEpoch)).toEqual({ host: '2001:db8::1', port: 9 });
});

describe('[FC-22] a camera that root sets up again', () => {
  const source = { host: '192.0.2.7', port: 554 };
  const given = { ...kept, source };
  const pinned = { ...given, pins: line() };

  test.each<[string, Destinations]>([
    ['all is as given', pinned],
    ['its source is another', { ...pinned, source: { host: '192.0.2.66', port: 1 } }],
    ['its source is none', { ...pinned, source: null }],
  ])('keeps its owner’s pin statement and has the source given: %s', (_what, before) => {
    expect(setUpAs(before, given)).toEqual(pinned);
  });

  test.each<[string, Destinations | null | undefined]>([
    ['nothing is kept', undefined],
    ['it reaches nobody', null],
    ['the server is another', { ...pinned, origin: 'https://elsewhere.test' }],
    ['the owner is another', { ...pinned, owner: new Uint8Array(thief.publicKey) }],
    ['the camera is another', { ...pinned, camera: idText(new Uint8Array(20)) }],
  ])('has what root was given alone: %s [TM-50]', (_what, before) => {
    expect(setUpAs(before, given)).toEqual(given);
  });
});

test.each([
  ['PINS_REPLAYED', line({ counter: 1 })],
  ['PINS_CONFLICT', line({ origin: 'https://elsewhere.test' })],
  ['PINS_EPOCH', line({ epoch: 0, counter: 9 })],
  ['PINS_FOREIGN', line({ counter: 9, camera: new Uint8Array(20).fill(4) })],
  ['PINS_FORGED', line({ counter: 9 }, thief)],
  ['PINS_MALFORMED', 'https://elsewhere.test'],
])('[FC-22] %s: a statement that may not move it [TM-50]', async (code, other) => {
  const moved = await movedBy(kept, line());
  await expect(movedBy(moved, other)).rejects.toMatchObject({ code });
});

test.each([
  ['test:', null],
  ['rtsp://u:p@192.0.2.7/lens', { host: '192.0.2.7', port: 554 }],
  ['rtsps://192.0.2.7/lens', { host: '192.0.2.7', port: 322 }],
  ['rtsp://[2001:db8::7]:8554/', { host: '2001:db8::7', port: 8554 }],
])('where %s is, without its password', (uri, endpoint) => {
  expect(parseSource(uri, ['192.0.2.7', '[2001:db8::7]']).dials).toEqual(endpoint);
});
