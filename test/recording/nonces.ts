import { toHex } from '../../crypto/bytes.ts';
import type { SealingPrimitives } from '../../crypto/primitives.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';

/** Primitives that note every key and nonce they seal under, and that can be made to fail. */
export class WatchedPrimitives implements SealingPrimitives {
  readonly #used = new Set<string>();
  readonly #failedKeys = new Set<string>();
  /** Pairs of key and nonce that were used before. */
  readonly repeats: string[] = [];
  /** Keys that were sealed under again after sealing under them had failed. */
  readonly usedAfterFailure: string[] = [];
  seals = 0;
  /** The so manyth seal from now on fails, after it has been done; 0 for none. */
  failIn = 0;

  readonly random = nodePrimitives.random;
  readonly sha256 = (...parts: readonly Uint8Array[]) => nodePrimitives.sha256(...parts) as Uint8Array;
  readonly hkdf = (secret: Uint8Array, info: Uint8Array, length: number) =>
    nodePrimitives.hkdf(secret, info, length) as Uint8Array;
  readonly crc32 = nodePrimitives.crc32;

  readonly aesGcmSealInto: SealingPrimitives['aesGcmSealInto'] = (key, nonce, ...rest) => {
    const [keyText, pair] = [toHex(key), `${toHex(key)} ${toHex(nonce)}`];
    if (this.#used.has(pair)) this.repeats.push(pair);
    if (this.#failedKeys.has(keyText)) this.usedAfterFailure.push(keyText);
    this.#used.add(pair);
    this.seals++;
    nodePrimitives.aesGcmSealInto(key, nonce, ...rest);
    if (this.failIn === 0 || --this.failIn > 0) return;
    this.#failedKeys.add(keyText);
    throw new Error('sealing failed');
  };
}
