import { equal } from '../crypto/bytes.ts';
import { ed25519FromSeed } from '../crypto/curves.ts';
import { signedBytes } from '../crypto/document.ts';
import { CryptoError } from '../crypto/errors.ts';
import { type Policy, type UpdateChoice, writePolicyFile } from '../crypto/policy.ts';
import { nodePrimitives } from '../crypto/primitives-node.ts';
import { type SharedDayKeys, shareDayKeys } from '../crypto/shared-day-keys.ts';
import { cameraKnown, MAX_FLOORS, trustCamera, type ViewingKey } from '../crypto/viewing-key.ts';

/** A viewer's floor as it was asked for. */
export interface WantedFloor {
  /** Ed25519 public key. */
  readonly identity: Uint8Array<ArrayBuffer>;
  readonly floor: number;
}

export interface PolicyRequest {
  readonly camera: string;
  readonly name: string;
  readonly audio: boolean;
  /** The lowest of the owner's day keys that the camera may use; undefined leaves it as it is. */
  readonly dayKey: number | undefined;
  /** Who may open the footage beside the owner. */
  readonly viewers?: readonly SharedDayKeys[];
  /** Floors of any of them; those that are not given stay as they are. */
  readonly floors?: readonly WantedFloor[];
  /** When the camera may install updates; at once when it is not given. */
  readonly updates?: UpdateChoice | undefined;
}

/** A viewer of a policy that was signed. */
export interface SignedViewer extends SharedDayKeys {
  readonly floor: number;
  /** How many of the day keys lie at or above the floor. */
  readonly usable: number;
}

export interface SignedPolicy {
  /** The viewing key, with counter and floors moved on. */
  readonly key: ViewingKey;
  readonly policyFile: string;
  readonly counter: number;
  /** The owner first. */
  readonly viewers: readonly SignedViewer[];
}

/**
 * Signs the next policy for a camera.
 * @throws CryptoError DAY_KEYS_BELOW_FLOOR when no camera would obey it, since it could seal to nobody.
 */
export function signPolicy(key: ViewingKey, wish: PolicyRequest): SignedPolicy {
  const owner = ed25519FromSeed(key.seed);
  const own = shareDayKeys(key);
  const wanted = [
    ...(wish.dayKey === undefined ? [] : [{ identity: own.identity, floor: wish.dayKey }]),
    ...(wish.floors ?? []),
  ];
  const viewers = [own, ...(wish.viewers ?? [])].map((viewer): SignedViewer => {
    const floor = floorOf(viewer, wanted, key);
    return { ...viewer, floor, usable: viewer.numbers.filter((number) => number >= floor).length };
  });
  if (viewers.every(({ usable }) => usable === 0)) {
    throw new CryptoError(
      'DAY_KEYS_BELOW_FLOOR',
      'no camera would obey it: no viewer has a day key at or above its floor; make more (oriel keys days), or lower the floor (--day-key)',
    );
  }
  const known = cameraKnown(key, wish.camera);
  const epoch = known?.epoch ?? 1;
  const counter = (known?.counter ?? 0) + 1;
  const policy: Policy = {
    camera: wish.camera,
    epoch,
    counter,
    viewers: viewers.map(({ identity, floor, batches }) => ({
      identity,
      floor,
      batches: batches.map(({ batch }) => new Uint8Array(nodePrimitives.sha256(signedBytes(batch)))),
    })),
    mode: 'continuous',
    audio: wish.audio,
    ...(wish.updates !== undefined && { updates: wish.updates }),
  };
  const trusting = trustCamera(key, { id: wish.camera, name: wish.name });
  const cameras = trusting.cameras.map((each) =>
    each.id === wish.camera ? { ...each, epoch, counter } : each,
  );
  return {
    key: { ...trusting, cameras, floors: floorsAfter(key, viewers) },
    policyFile: writePolicyFile(
      policy,
      owner,
      viewers.flatMap(({ batches }) => batches),
    ),
    counter,
    viewers,
  };
}

/** As asked for; else as it was, but no lower than the keys at hand: who destroys day keys raises their floor. */
function floorOf(
  { identity, numbers }: SharedDayKeys,
  wanted: readonly WantedFloor[],
  { floors }: ViewingKey,
): number {
  const ofViewer = (each: { readonly identity: Uint8Array }) => equal(each.identity, identity);
  const asked = wanted.findLast(ofViewer)?.floor;
  return asked ?? Math.max(floors.find(ofViewer)?.floor ?? 0, numbers[0] ?? 0);
}

function floorsAfter({ floors }: ViewingKey, viewers: readonly SignedViewer[]): ViewingKey['floors'] {
  const others = floors.filter(({ identity }) => !viewers.some((each) => equal(each.identity, identity)));
  // The owner's own follows from the keys that are left, unless it was put above them.
  const kept = viewers.filter(({ floor, numbers }, at) => at > 0 || floor !== numbers[0]);
  return [...others, ...kept.map(({ identity, floor }) => ({ identity, floor }))].slice(-MAX_FLOORS);
}

/** What a person should know who signed a policy for these viewers. @param name of a viewer, for people. */
export function policyWarnings(
  viewers: readonly SignedViewer[],
  name: (viewer: SignedViewer) => string,
): string[] {
  return viewers.flatMap((viewer, at) => {
    const own = at === 0;
    const newer = own ? 'make more: oriel keys days' : 'ask for their newer day keys: oriel keys share';
    if (viewer.usable === 0) {
      return [
        `nothing is sealed to ${name(viewer)}: no day key at or above the floor ${viewer.floor}; ${newer}`,
      ];
    }
    if (viewer.usable > FEW_DAY_KEYS) return [];
    const last = viewer.numbers.at(-1);
    const left = `${viewer.usable}, up to number ${last}, which serves on then`;
    return [`day keys left for ${name(viewer)}: ${left}; ${newer}`];
  });
}

/** A week of recording. */
const FEW_DAY_KEYS = 7;
