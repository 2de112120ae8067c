import { concat, toBase64Url, utf8 } from '../../../crypto/bytes.ts';
import type { CryptoErrorCode } from '../../../crypto/errors.ts';
import { makePairingStatement } from '../../../crypto/pairing-statement.ts';
import { nodePrimitives } from '../../../crypto/primitives-node.ts';
import {
  claimLineOf,
  claimTokenOf,
  proofKeyOf,
  type SetupCode,
  type WifiNetwork,
  writeSetupCode,
} from '../../../crypto/setup-code.ts';
import { makeSigner } from '../../crypto/camera.ts';
import { seeded } from './camera.ts';

/** The file pairing.json: what camera and owner have to make of setup codes and statements. Bytes are base64url. */
export interface PairingVectors {
  readonly about: string;
  readonly codes: readonly CodeVector[];
  readonly refusedCodes: readonly { name: string; text: string; code: CryptoErrorCode }[];
  /** Statements that the owner of the code of that name accepts, with the camera's point. */
  readonly statements: readonly { name: string; setupCode: string; bytes: string; point: string }[];
  readonly refusedStatements: readonly {
    name: string;
    setupCode: string;
    bytes: string;
    code: CryptoErrorCode;
  }[];
}

export interface CodeVector {
  readonly name: string;
  readonly text: string;
  readonly expires: number;
  readonly owner: string;
  readonly secret: string;
  readonly activePin: string;
  /** Zeros: none. */
  readonly backupPin: string;
  readonly origin: string;
  readonly wifi?: WifiNetwork;
  readonly claimToken: string;
  readonly proofKey: string;
  /** What the owner gives the server. */
  readonly claim: string;
}

const ABOUT = [
  'Vectors of setup codes and pairing statements as docs/format.md gives them, version 1.',
  'Byte strings are base64url without padding. The secrets were made for this file and are used nowhere else.',
].join(' ');

type NamedCode = SetupCode & { readonly name: string };

const CODES: readonly [NamedCode, NamedCode, ...NamedCode[]] = [
  {
    name: 'a name, two pins',
    expires: 1_795_000_000,
    owner: seeded('owner', 32),
    secret: seeded('pairing secret', 16),
    activePin: seeded('active pin', 32),
    backupPin: seeded('backup pin', 32),
    origin: 'https://home.example:8443',
  },
  {
    name: 'an address, one pin, port 443',
    expires: 0xffffffff,
    owner: seeded('another owner', 32),
    secret: seeded('another pairing secret', 16),
    activePin: seeded('another pin', 32),
    backupPin: new Uint8Array(32),
    origin: 'https://[2001:db8::7]',
  },
  {
    name: 'with a Wi-Fi network',
    expires: 1_795_000_000,
    owner: seeded('owner', 32),
    secret: seeded('pairing secret of a camera on Wi-Fi', 16),
    activePin: seeded('active pin', 32),
    backupPin: seeded('backup pin', 32),
    origin: 'https://home.example',
    wifi: { ssid: 'Erker 2,4 GHz ☂', passphrase: 'correct horse "battery" staple' },
  },
  {
    name: 'with an open Wi-Fi network',
    expires: 1_795_000_000,
    owner: seeded('owner', 32),
    secret: seeded('pairing secret of a camera on an open network', 16),
    activePin: seeded('active pin', 32),
    backupPin: new Uint8Array(32),
    origin: 'https://home.example',
    wifi: { ssid: 'x', passphrase: '' },
  },
];

async function codeVector(code: NamedCode): Promise<CodeVector> {
  const { name, expires, origin } = code;
  return {
    name,
    text: await writeSetupCode(code, nodePrimitives),
    expires,
    owner: toBase64Url(code.owner),
    secret: toBase64Url(code.secret),
    activePin: toBase64Url(code.activePin),
    backupPin: toBase64Url(code.backupPin),
    origin,
    ...(code.wifi && { wifi: code.wifi }),
    claimToken: toBase64Url(await claimTokenOf(code.secret, nodePrimitives)),
    proofKey: toBase64Url(await proofKeyOf(code.secret, nodePrimitives)),
    claim: await claimLineOf(code, nodePrimitives),
  };
}

/** A text whose check fits, whatever its payload is. */
export function checkedCode(payload: Uint8Array): string {
  const check = (nodePrimitives.sha256(payload) as Uint8Array).slice(0, 4);
  return `oriel1:${toBase64Url(concat(payload, check))}`;
}

const field = (text: string) => concat(Uint8Array.of(utf8(text).length), utf8(text));
const REFUSED_NETWORKS: readonly (readonly [string, Uint8Array])[] = [
  ['a network without a name', concat(field(''), field('password'))],
  ['a network of 33 bytes', concat(field('n'.repeat(33)), field('password'))],
  ['a network with a line break', concat(field('net\nwork'), field('password'))],
  ['a network that is no UTF-8', concat(Uint8Array.of(1, 0xff), field('password'))],
  ['a network without a length of its password', field('network')],
  ['a password of 7', concat(field('network'), field('passwor'))],
  ['a password of 64', concat(field('network'), field('p'.repeat(64)))],
  ['a password not in ASCII', concat(field('network'), field('pässword'))],
  ['a network cut off', concat(field('network'), field('password').subarray(0, -1))],
  ['something behind the network', concat(field('network'), field('password'), Uint8Array.of(0))],
];

function refusedCodes(text: string): PairingVectors['refusedCodes'] {
  const bytes = Buffer.from(text.slice('oriel1:'.length), 'base64url');
  const payload = bytes.subarray(0, -4);
  const altered = (at: number, value: number) => {
    const copy = Uint8Array.from(payload);
    copy[at] = value;
    return checkedCode(copy);
  };
  const flipped = Uint8Array.from(bytes);
  flipped[40] = (flipped[40] ?? 0) ^ 0x10;
  const withoutPin = Uint8Array.from(payload).fill(0, 53, 85);
  return [
    { name: 'another text', text: text.slice(7), code: 'SETUP_CODE_MALFORMED' },
    { name: 'a later version by its name', text: `oriel2:${text.slice(7)}`, code: 'SETUP_CODE_VERSION' },
    { name: 'a later version', text: altered(0, 2), code: 'SETUP_CODE_VERSION' },
    {
      name: 'a bit flipped in the secret',
      text: `oriel1:${toBase64Url(flipped)}`,
      code: 'SETUP_CODE_CORRUPT',
    },
    { name: 'its last character lost', text: text.slice(0, -1), code: 'SETUP_CODE_CORRUPT' },
    { name: 'a character of no alphabet', text: text.replace(/.$/, '!'), code: 'SETUP_CODE_CORRUPT' },
    { name: 'an origin cut off', text: checkedCode(payload.slice(0, -1)), code: 'SETUP_CODE_MALFORMED' },
    { name: 'an origin with a path', text: altered(payload.length - 5, 0x2f), code: 'SETUP_CODE_MALFORMED' },
    { name: 'no pin', text: checkedCode(withoutPin), code: 'SETUP_CODE_MALFORMED' },
    { name: 'no https', text: altered(118 + 4, 0x78), code: 'SETUP_CODE_MALFORMED' },
    ...REFUSED_NETWORKS.map(([name, bytes]) => ({
      name,
      text: checkedCode(concat(payload, bytes)),
      code: 'SETUP_CODE_MALFORMED' as const,
    })),
  ];
}

/** Makes every vector. Signatures are random. */
export async function makePairingVectors(): Promise<PairingVectors> {
  const [code, other] = CODES;
  const codes = await Promise.all(CODES.map(codeVector));
  const { name } = code;
  const signer = makeSigner();
  const proofKey = await proofKeyOf(code.secret, nodePrimitives);
  const state = (terms: SetupCode, key = proofKey, by = signer) =>
    makePairingStatement(terms, key, by, nodePrimitives);
  const good = await state(code);
  const refusedStatements = [
    ['another pin', await state({ ...code, activePin: other.activePin })],
    ['another owner', await state({ ...code, owner: other.owner })],
    ['another server', await state({ ...code, origin: other.origin })],
    ['a later expiry', await state({ ...code, expires: code.expires + 1 })],
    ['another secret', await state(code, await proofKeyOf(other.secret, nodePrimitives))],
    [
      "another camera's signature",
      concat(good.subarray(0, -64), (await state(code, proofKey, makeSigner())).subarray(-64)),
    ],
  ] as const;
  return {
    about: ABOUT,
    codes,
    refusedCodes: refusedCodes(codes[0]?.text ?? ''),
    statements: [
      { name: 'statement', setupCode: name, bytes: toBase64Url(good), point: toBase64Url(signer.point) },
    ],
    refusedStatements: [
      ...refusedStatements.map(([what, bytes]) => ({
        name: what,
        setupCode: name,
        bytes: toBase64Url(bytes),
        code: 'PAIRING_FORGED' as const,
      })),
      {
        name: 'cut off',
        setupCode: name,
        bytes: toBase64Url(good.subarray(0, -1)),
        code: 'DOCUMENT_MALFORMED',
      },
    ],
  };
}
