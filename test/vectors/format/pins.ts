import { concat, toBase64Url, utf8 } from '../../../crypto/bytes.ts';
import { ed25519FromSeed } from '../../../crypto/curves.ts';
import type { CryptoErrorCode } from '../../../crypto/errors.ts';
import { idText } from '../../../crypto/header.ts';
import { type PinStatement, signPinStatement } from '../../../crypto/pin-statement.ts';
import { seeded } from './camera.ts';

/** The file pins.json: what a camera has to make of pin statements. Bytes are base64url. */
export interface PinsVectors {
  readonly about: string;
  /** The camera that judges. */
  readonly camera: { readonly id: string; readonly owner: string; readonly epoch: number };
  /** The statement that it obeys, when a vector says so. */
  readonly obeyed: string;
  readonly accepted: readonly AcceptedPins[];
  readonly refused: readonly RefusedPins[];
}

export interface AcceptedPins {
  readonly name: string;
  readonly bytes: string;
  readonly afterObeyed: boolean;
  readonly verdict: 'new' | 'same';
  readonly counter: number;
  readonly origin: string;
  readonly activePin: string;
  /** Zeros: none. */
  readonly backupPin: string;
}

export interface RefusedPins {
  readonly name: string;
  readonly bytes: string;
  readonly afterObeyed: boolean;
  readonly code: CryptoErrorCode;
}

const ABOUT = [
  'Vectors of pin statements as docs/format.md gives them, version 1.',
  'Byte strings are base64url without padding. The keys were made for this file and are used nowhere else.',
].join(' ');

const owner = ed25519FromSeed(seeded('pins owner', 32));
const thief = ed25519FromSeed(seeded('pins thief', 32));
const base: PinStatement = {
  camera: seeded('pins camera', 20),
  epoch: 1,
  counter: 7,
  origin: 'https://home.example:8443',
  activePin: seeded('pins active', 32),
  backupPin: seeded('pins backup', 32),
};
const moved = { ...base, origin: 'https://[2001:db8::7]', backupPin: new Uint8Array(32) };
const sign = (change: Partial<PinStatement> = {}, by = owner) => signPinStatement({ ...base, ...change }, by);

/** Signed as it stands, whatever its bytes say. */
function forced(change: (body: Uint8Array) => Uint8Array): Uint8Array {
  const body = change(sign().slice(0, -64));
  return concat(body, owner.sign(concat(utf8('oriel/1 pin statement\0'), body)));
}

const withByte = (at: number, value: number) => (body: Uint8Array) => {
  body[at] = value;
  return body;
};

function flipped(at: number): Uint8Array {
  const bytes = sign({ counter: 8 });
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}

function accepted(
  name: string,
  statement: PinStatement,
  afterObeyed: boolean,
  verdict: 'new' | 'same' = 'new',
): AcceptedPins {
  return {
    name,
    bytes: toBase64Url(signPinStatement(statement, owner)),
    afterObeyed,
    verdict,
    counter: statement.counter,
    origin: statement.origin,
    activePin: toBase64Url(statement.activePin),
    backupPin: toBase64Url(statement.backupPin),
  };
}

/** Makes every vector; Ed25519 being deterministic, the same in every run. */
export function makePinsVectors(): PinsVectors {
  const length = sign().length;
  const refused: [string, Uint8Array, boolean, CryptoErrorCode][] = [
    ['by another than the owner', sign({ counter: 8 }, thief), true, 'PINS_FORGED'],
    ['a bit flipped in the pin', flipped(40), true, 'PINS_FORGED'],
    ['a bit flipped in the counter', flipped(36), true, 'PINS_FORGED'],
    ['a bit flipped in the signature', flipped(length - 20), true, 'PINS_FORGED'],
    [
      'signed under another context',
      concat(sign().slice(0, -64), owner.sign(sign().slice(0, -64))),
      false,
      'PINS_FORGED',
    ],
    ['of another camera', sign({ camera: seeded('another camera', 20) }), false, 'PINS_FOREIGN'],
    ['of another pairing', sign({ epoch: 2 }), false, 'PINS_EPOCH'],
    ['of a lower number', sign({ counter: 6 }), true, 'PINS_REPLAYED'],
    ['of the same number, another', sign({ activePin: seeded('another active', 32) }), true, 'PINS_CONFLICT'],
    ['empty', new Uint8Array(), false, 'PINS_MALFORMED'],
    ['cut off', sign().slice(0, -1), false, 'PINS_MALFORMED'],
    ['with a byte more', concat(sign(), Uint8Array.of(0)), false, 'PINS_MALFORMED'],
    ['another magic', forced(withByte(3, 0x53)), false, 'PINS_MALFORMED'],
    ['a later version', forced(withByte(4, 2)), false, 'PINS_MALFORMED'],
    ['a counter of 2^53', forced(withByte(30, 0x20)), false, 'PINS_MALFORMED'],
    ['no active pin', forced((body) => body.fill(0, 37, 69)), false, 'PINS_MALFORMED'],
    ['the same pin twice', forced((body) => body.copyWithin(69, 37, 69)), false, 'PINS_MALFORMED'],
    ['no https', forced(withByte(102 + 4, 0x78)), false, 'PINS_MALFORMED'],
    ['an origin with a path', forced(withByte(102 + 20, 0x2f)), false, 'PINS_MALFORMED'],
  ];
  return {
    about: ABOUT,
    camera: { id: idText(base.camera), owner: toBase64Url(owner.publicKey), epoch: base.epoch },
    obeyed: toBase64Url(sign()),
    accepted: [
      accepted('the first', base, false),
      accepted('the first, with a number of any height', { ...base, counter: 2 ** 53 - 1 }, false),
      accepted('the one obeyed', base, true, 'same'),
      accepted(
        'the next, with the pins changed over',
        { ...base, counter: 8, activePin: base.backupPin, backupPin: base.activePin },
        true,
      ),
      accepted('one after that, a move to an address, one pin', { ...moved, counter: 10 }, true),
    ],
    refused: refused.map(([name, bytes, afterObeyed, code]) => ({
      name,
      bytes: toBase64Url(bytes),
      afterObeyed,
      code,
    })),
  };
}
