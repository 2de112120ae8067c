import { generateKeyPairSync, sign } from 'node:crypto';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { SegmentSealer } from '../../crypto/sealer.ts';

/** GB/s of plaintext by CPU time, user and system. */
export interface SealingRates {
  /** The sealer: cipher, digest, checksum, frame. */
  readonly sealer: number;
  /** Its cipher alone, as it calls it. */
  readonly cipher: number;
}

const WARM_UP_MS = 300;
const RECORD_US = 200_000;
const TAG_LENGTH = 16;

const [, , bytes = '65536', seconds = '3'] = process.argv;
const plaintext = nodePrimitives.random(Number(bytes));
const rates: SealingRates = { sealer: rate(sealerLoop()), cipher: rate(cipherLoop()) };
console.log(JSON.stringify(rates));

function rate(once: () => void): number {
  for (const end = performance.now() + WARM_UP_MS; performance.now() < end; ) once();
  const before = process.cpuUsage();
  let count = 0;
  for (const end = performance.now() + Number(seconds) * 1000; performance.now() < end; count++) once();
  const { user, system } = process.cpuUsage(before);
  return (count * plaintext.length) / (user + system) / 1000;
}

function sealerLoop(): () => void {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signer = {
    point: publicKey.export({ format: 'der', type: 'spki' }).subarray(-65),
    sign: (message: Uint8Array) => sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  };
  const header = {
    camera: nodePrimitives.random(20),
    sessionHash: nodePrimitives.random(32),
    sequence: 0,
    timeMs: Date.now(),
  };
  const sealer = new SegmentSealer(nodePrimitives.random(32), header, nodePrimitives, signer);
  const init = nodePrimitives.random(700);
  sealer.sealOpening({
    run: nodePrimitives.random(8),
    timescale: 90_000,
    decodeTime: 0,
    codecs: 'avc1',
    init,
  });
  return () => void sealer.sealFragment(plaintext, RECORD_US);
}

function cipherLoop(): () => void {
  const [key, associated] = [nodePrimitives.random(16), nodePrimitives.random(49)];
  const out = new Uint8Array(plaintext.length + TAG_LENGTH);
  // One nonce for ever: what is sealed here is thrown away.
  const nonce = nodePrimitives.random(12);
  return () => nodePrimitives.aesGcmSealInto(key, nonce, associated, plaintext, out, 0);
}
