import type { Metadata, Root, Snapshot, Timestamp } from '@tufjs/models';
import { LengthOrHashMismatchError, UnsignedMetadataError } from '@tufjs/models/dist/error.js';
import { BadVersionError, EqualVersionError, ExpiredMetadataError, PersistError } from 'tuf-js/dist/error.js';
import { TrustedMetadataStore } from 'tuf-js/dist/store.js';
import { OtaError, type OtaErrorCode } from './errors.ts';
import { requireExpiry } from './tuf-metadata.ts';

/** Why the last step failed, which tuf-js's updater turns into text. */
export interface LastRefusal {
  error: unknown;
}

/**
 * tuf-js's judge of metadata, with three differences: what is expired is judged by the time passed in, and not by the
 * machine's clock; an empty list of hashes is refused, which would vouch for anything; and so is an end that is no
 * date. It also remembers which bytes it accepted, and why it refused.
 */
export class TrustedStore extends TrustedMetadataStore {
  /** By role, in the order of acceptance. */
  readonly accepted = new Map<string, Uint8Array>();
  readonly #refusal: LastRefusal;

  /** @throws when the root is not of TUF's form or not signed by itself. */
  constructor(root: Buffer, trustedTimeMs: number, refusal: LastRefusal = { error: undefined }) {
    super(root);
    requireExpiry(JSON.parse(root.toString()));
    Reflect.set(this, 'referenceTime', new Date(trustedTimeMs));
    this.#refusal = refusal;
    this.accepted.set('root', root);
  }

  override updateRoot(bytes: Buffer): Metadata<Root> {
    return this.#judge('root', bytes, () => super.updateRoot(bytes));
  }

  override updateTimestamp(bytes: Buffer): Metadata<Timestamp> {
    return this.#judge('timestamp', bytes, () => super.updateTimestamp(bytes));
  }

  override updateSnapshot(bytes: Buffer, trusted?: boolean): Metadata<Snapshot> {
    return this.#judge('snapshot', bytes, () => super.updateSnapshot(bytes, trusted));
  }

  override updateDelegatedTargets(bytes: Buffer, role: string, delegator: string): void {
    this.#judge(role, bytes, () => super.updateDelegatedTargets(bytes, role, delegator));
  }

  #judge<T>(role: string, bytes: Buffer, update: () => T): T {
    try {
      const json = JSON.parse(bytes.toString());
      requireExpiry(json);
      refuseEmptyHashes(json);
      const metadata = update();
      this.accepted.set(role, bytes);
      return metadata;
    } catch (error) {
      if (!(error instanceof EqualVersionError)) this.#refusal.error = error;
      throw error;
    }
  }
}

/** Of timestamp and snapshot `meta`, of targets `targets`: each entry's `hashes`, if given, holds one at least. */
function refuseEmptyHashes({ signed }: { signed?: Record<string, unknown> }): void {
  for (const list of [signed?.meta, signed?.targets]) {
    for (const [name, entry] of Object.entries(list ?? {})) {
      const { hashes } = (entry ?? {}) as { hashes?: unknown };
      if (hashes !== undefined && Object.keys(hashes ?? {}).length === 0) {
        throw new OtaError('METADATA_MALFORMED', `no hash is given for ${name.slice(0, 100)}`);
      }
    }
  }
}

/** What a failure of tuf-js, or of what it called, is to us. */
export function metadataError(error: unknown): OtaError {
  if (error instanceof OtaError) return error;
  const { message } = error as Error;
  return new OtaError(codeOf(error), `metadata refused: ${message}`, error);
}

function codeOf(error: unknown): OtaErrorCode {
  if (error instanceof ExpiredMetadataError) return 'METADATA_EXPIRED';
  if (error instanceof BadVersionError) return 'METADATA_OUTDATED';
  if (error instanceof UnsignedMetadataError) return 'METADATA_UNSIGNED';
  if (error instanceof LengthOrHashMismatchError) return 'METADATA_MIXED';
  if (error instanceof PersistError) return 'METADATA_FAILED';
  return 'METADATA_MALFORMED';
}
