import { toBase64Url } from '../../crypto/bytes.ts';
import { ed25519FromSeed, viewerIdOf } from '../../crypto/ed25519.ts';
import { idText } from '../../crypto/header.ts';
import {
  MAX_DAY_KEYS_PER_BATCH,
  type Policy,
  signDayKeys,
  type UpdateChoice,
  writePolicyFile,
} from '../../crypto/policy.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { cameraKnown, type ViewingKey } from '../../crypto/viewing-key.ts';

/** The public half of a viewing key, as text. */
export async function identityOf(key: ViewingKey): Promise<{ viewer: string; publicKey: string }> {
  const { publicKey } = ed25519FromSeed(key.seed);
  return { viewer: idText(await viewerIdOf(publicKey, nodePrimitives)), publicKey: toBase64Url(publicKey) };
}

export interface PolicyWish {
  readonly camera: string;
  readonly name: string;
  readonly audio: boolean;
  /** The lowest day key the camera may use; undefined leaves it to the camera. */
  readonly dayKey: number | undefined;
  /** When the camera may install updates; at once when it is not given. */
  readonly updates?: UpdateChoice | undefined;
}

/** Signs the next policy for a camera; gives the key with the counter moved on. */
export function signPolicy(
  key: ViewingKey,
  wish: PolicyWish,
): { key: ViewingKey; policyFile: string; counter: number } {
  const owner = ed25519FromSeed(key.seed);
  const known = cameraKnown(key, wish.camera);
  const epoch = known?.epoch ?? 1;
  const counter = (known?.counter ?? 0) + 1;
  const policy: Policy = {
    camera: wish.camera,
    epoch,
    counter,
    viewers: [new Uint8Array(owner.publicKey)],
    mode: 'continuous',
    audio: wish.audio,
    dayKey: wish.dayKey ?? Math.min(...key.dayKeys.map(({ number }) => number)),
    ...(wish.updates !== undefined && { updates: wish.updates }),
  };
  const days = [...key.dayKeys].sort((a, b) => a.number - b.number).slice(-MAX_DAY_KEYS_PER_BATCH);
  const batch = { first: days[0]?.number ?? 0, keys: days.map(({ publicKey }) => publicKey) };
  const name = wish.name || (known?.name ?? '');
  const camera = { ...known, id: wish.camera, name, epoch, counter };
  const others = (cameras: ViewingKey['cameras']) => cameras.filter(({ id }) => id !== wish.camera);
  return {
    key: { ...key, cameras: [...others(key.cameras), camera], distrusted: others(key.distrusted) },
    policyFile: writePolicyFile(policy, owner, [signDayKeys(batch, owner)]),
    counter,
  };
}
