import { toBase64Url } from '../../../crypto/bytes.ts';
import { type Ed25519Pair, ed25519FromSeed } from '../../../crypto/curves.ts';
import {
  type DayKeyBatch,
  type SignedBatchText,
  signDayKeys,
  usableNumbers,
} from '../../../crypto/day-keys.ts';
import { signDocument } from '../../../crypto/document.ts';
import { idText } from '../../../crypto/header.ts';
import { type Policy, readPolicyFile, writePolicyFile } from '../../../crypto/policy.ts';
import { nodePrimitives } from '../../../crypto/primitives-node.ts';
import { firstPolicyFile, termsOf } from '../../crypto/policy-maker.ts';
import { seeded } from './camera.ts';

/** The file policies.json: what a camera has to make of policy files, which stand in it as text. */
export interface PoliciesVectors {
  readonly about: string;
  /** The camera that judges, and the identity of its owner, base64url. */
  readonly camera: { readonly id: string; readonly owner: string };
  /** The policy files that it obeys, one of which a vector names. */
  readonly obeyed: Readonly<Record<Obeyed, string>>;
  readonly accepted: readonly AcceptedPolicy[];
  readonly refused: readonly RefusedPolicy[];
}

export type Obeyed = 'version 1' | 'version 2';

interface PolicyVector {
  readonly name: string;
  readonly file: string;
  /** Which of the files it obeys; null: none yet. */
  readonly after: Obeyed | null;
}

export interface AcceptedPolicy extends PolicyVector {
  readonly verdict: 'new' | 'same';
  readonly epoch: number;
  readonly counter: number;
  /** What it is told apart by: the policy's hash, base64url; of version 1 that of the whole file. */
  readonly hash: string;
  readonly viewers: readonly {
    /** Viewer id as text. */
    readonly viewer: string;
    readonly floor: number;
    /** Numbers of the day keys that may be sealed to, ascending; none: nothing is. */
    readonly usable: readonly number[];
  }[];
}

export interface RefusedPolicy extends PolicyVector {
  readonly code: string;
}

const ABOUT = [
  'Vectors of policy files as docs/format.md gives them, version 2, and of what is left of version 1.',
  'The keys were made for this file and are used nowhere else.',
].join(' ');

const pair = (label: string) => ed25519FromSeed(seeded(`policies ${label}`, 32));
const owner = pair('owner');
const guest = pair('guest');
const thief = pair('thief');
const CAMERA = idText(seeded('policies camera', 20));

const batchOf = (label: string, first: number, count: number): DayKeyBatch => ({
  first,
  keys: Array.from({ length: count }, (_, at) => seeded(`policies ${label} ${first + at}`, 32)),
});
const before = signDayKeys(batchOf('owner', 0, 3), owner);
const current = signDayKeys(batchOf('owner', 3, 3), owner);
const further = signDayKeys(batchOf('owner', 6, 2), owner);
const guests = signDayKeys(batchOf('guest', 40, 2), guest);

const base: Policy = {
  camera: CAMERA,
  epoch: 1,
  counter: 7,
  viewers: [termsOf(owner.publicKey, 3, current), termsOf(guest.publicKey, 0, guests)],
  mode: 'continuous',
  audio: false,
};
const next = { ...base, counter: 8 };
const alone = (floor: number, ...batches: SignedBatchText[]): Policy => ({
  ...next,
  viewers: [termsOf(owner.publicKey, floor, ...batches)],
});
const signed = (policy: Policy, ...dayKeys: SignedBatchText[]) => writePolicyFile(policy, owner, dayKeys);
const obeyed = {
  'version 1': firstPolicyFile({ ...base, counter: 6 }, owner, [before, guests]),
  'version 2': signed(base, current, guests),
};

/** A policy that says anything, in a file with the current day keys. */
function saying(change: object, signer: Ed25519Pair = owner, type = 2): string {
  const viewers = next.viewers.map(({ identity, floor, batches }) => ({
    identity: toBase64Url(identity),
    floor,
    batches: batches.map(toBase64Url),
  }));
  const document = { ...next, viewers, ...change };
  const policy = signDocument(`application/vnd.oriel.policy.v${type}+json`, document, signer);
  return JSON.stringify({ policy, dayKeys: [current, guests] });
}

function flipped(text: string, at: number): string {
  const json = JSON.parse(text);
  const bytes = Buffer.from(json.policy.payload, 'base64url');
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  json.policy.payload = bytes.toString('base64url');
  return JSON.stringify(json);
}

async function accepted(
  name: string,
  file: string,
  after: Obeyed | null,
  verdict: 'new' | 'same' = 'new',
): Promise<AcceptedPolicy> {
  const { policy, viewers, digest } = await readPolicyFile(file, CAMERA, owner.publicKey, nodePrimitives);
  return {
    name,
    file,
    after,
    verdict,
    epoch: policy.epoch,
    counter: policy.counter,
    hash: toBase64Url(digest),
    viewers: viewers.map((each) => ({
      viewer: idText(each.viewer),
      floor: each.floor,
      usable: usableNumbers(each),
    })),
  };
}

const V2 = 'version 2';
const lowOrder = signDayKeys({ first: 3, keys: [new Uint8Array(32)] }, owner);
const underOwner = { ...guests, viewer: before.viewer };
const [ownTerms] = base.viewers as [Policy['viewers'][number]];
const ofOwner = (change: object) => ({
  viewers: [
    {
      identity: toBase64Url(owner.publicKey),
      floor: 3,
      batches: ownTerms.batches.map(toBase64Url),
      ...change,
    },
  ],
});

const REFUSED: [string, string, Obeyed | null, string][] = [
  ['no JSON', '{"policy":', V2, 'DOCUMENT_MALFORMED'],
  ['by another than the owner', saying({}, thief), V2, 'DOCUMENT_FORGED'],
  ['a bit flipped in the policy', flipped(signed(next, current, guests), 20), V2, 'DOCUMENT_FORGED'],
  ['a policy of version 3', saying({}, owner, 3), V2, 'DOCUMENT_MALFORMED'],
  ['a field that is not listed', saying({ dayKey: 3 }), V2, 'DOCUMENT_MALFORMED'],
  ['no viewer', saying({ viewers: [] }), V2, 'DOCUMENT_MALFORMED'],
  ['a viewer named as in version 1', saying({ viewers: [before.viewer] }), V2, 'DOCUMENT_MALFORMED'],
  ['one viewer twice', signed({ ...next, viewers: [ownTerms, ownTerms] }, current), V2, 'DOCUMENT_MALFORMED'],
  ['no batch named', saying(ofOwner({ batches: [] })), V2, 'DOCUMENT_MALFORMED'],
  ['one batch named twice', signed(alone(3, current, current), current), V2, 'DOCUMENT_MALFORMED'],
  ['a floor of 2^32', saying(ofOwner({ floor: 2 ** 32 })), V2, 'DOCUMENT_MALFORMED'],
  ['of another camera', saying({ camera: idText(seeded('another', 20)) }), V2, 'CAMERA_FOREIGN'],
  ['an old batch in the place of the one named', signed(next, before, guests), V2, 'DAY_KEYS_MISSING'],
  [
    'the same numbers, another batch',
    signed(next, signDayKeys(batchOf('other', 3, 3), owner), guests),
    V2,
    'DAY_KEYS_MISSING',
  ],
  ['a batch too few', signed(next, current), V2, 'DAY_KEYS_MISSING'],
  ["a batch under another viewer's identity", signed(next, current, underOwner), V2, 'DAY_KEYS_MISSING'],
  ['an old batch besides', signed(next, current, guests, before), V2, 'DAY_KEYS_UNNAMED'],
  ['a batch twice', signed(next, current, guests, current), V2, 'DAY_KEYS_UNNAMED'],
  [
    'a batch that its viewer did not sign, though named',
    signed(alone(3, { ...signDayKeys(batchOf('owner', 3, 3), thief), viewer: before.viewer }), {
      ...signDayKeys(batchOf('owner', 3, 3), thief),
      viewer: before.viewer,
    }),
    V2,
    'DOCUMENT_FORGED',
  ],
  ['a day key of small order', signed(alone(3, lowOrder), lowOrder), V2, 'DOCUMENT_MALFORMED'],
  [
    'two day keys of one number',
    signed(
      alone(0, current, signDayKeys(batchOf('other', 5, 1), owner)),
      current,
      signDayKeys(batchOf('other', 5, 1), owner),
    ),
    V2,
    'DOCUMENT_MALFORMED',
  ],
  ['every key below its floor', signed(alone(6, current), current), V2, 'DAY_KEYS_BELOW_FLOOR'],
  ['of a lower number', signed({ ...base, counter: 6 }, current, guests), V2, 'POLICY_REFUSED'],
  ['of a lower epoch', signed({ ...next, epoch: 0 }, current, guests), V2, 'POLICY_REFUSED'],
  ['of the same number, another', signed({ ...base, audio: true }, current, guests), V2, 'POLICY_REFUSED'],
  ['the policy obeyed, with an old batch', signed(base, before, guests), V2, 'DAY_KEYS_MISSING'],
  ['of version 1, the first', firstPolicyFile(next, owner, [current, guests]), null, 'POLICY_OUTDATED'],
  [
    'of version 1, of a higher number',
    firstPolicyFile(next, owner, [current, guests]),
    V2,
    'POLICY_OUTDATED',
  ],
  [
    'of version 1, of the same number, with other day keys',
    firstPolicyFile({ ...base, counter: 6 }, owner, [current, guests]),
    'version 1',
    'POLICY_OUTDATED',
  ],
  ['the one of version 1 obeyed before', obeyed['version 1'], V2, 'POLICY_REFUSED'],
];

/** Makes every vector; Ed25519 being deterministic, the same in every run. */
export async function makePoliciesVectors(): Promise<PoliciesVectors> {
  const respelled = JSON.stringify(JSON.parse(obeyed[V2]));
  return {
    about: ABOUT,
    camera: { id: CAMERA, owner: toBase64Url(owner.publicKey) },
    obeyed,
    accepted: await Promise.all([
      accepted('the first', obeyed[V2], null),
      accepted('the one obeyed', obeyed[V2], V2, 'same'),
      accepted('the one obeyed, written down otherwise', respelled, V2, 'same'),
      accepted('the one obeyed, its batches the other way round', signed(base, guests, current), V2, 'same'),
      accepted('the next', signed(next, current, guests), V2),
      accepted('the next, two batches of a viewer', signed(alone(3, current, further), further, current), V2),
      accepted('the next, a floor within a batch', signed(alone(5, current), current), V2),
      accepted(
        'the next, one viewer below the floor',
        signed({ ...next, viewers: [ownTerms, termsOf(guest.publicKey, 42, guests)] }, current, guests),
        V2,
      ),
      accepted(
        'of a higher epoch, with a lower number',
        signed({ ...base, epoch: 2, counter: 0 }, current, guests),
        V2,
      ),
      accepted('of version 1, the very file obeyed before', obeyed['version 1'], 'version 1', 'same'),
      accepted('the first of version 2', obeyed[V2], 'version 1'),
    ]),
    refused: REFUSED.map(([name, file, after, code]) => ({ name, file, after, code })),
  };
}
