import { mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DownloadHTTPError } from 'tuf-js/dist/error.js';
import type { Fetcher } from 'tuf-js/dist/fetcher.js';
import { OtaError } from './errors.ts';
import { type HttpAnswer, type TransferEffects, type TransferLimits, transfer } from './transfer.ts';
import type { LastRefusal } from './trusted-store.ts';

/** What tuf-js is told the repository's address is; only the path behind it means anything. */
const BASE = 'http://repository/';
export const METADATA_BASE = `${BASE}metadata/`;
export const TARGETS_BASE = `${BASE}targets/`;

/** Whatever a role's metadata says of the next one's length. */
const MAX_METADATA_BYTES = 1024 * 1024;
const PACE: Omit<TransferLimits, 'maxBytes'> = { headMs: 30_000, windowMs: 30_000, windowBytes: 4 * 1024 };

/** Fetches for tuf-js, bounded in bytes and time. */
export class MetadataFetcher implements Fetcher {
  readonly #effects: TransferEffects;
  readonly #scratch: string;
  readonly #refusal: LastRefusal;

  constructor(effects: TransferEffects, scratch: string, refusal: LastRefusal) {
    this.#effects = effects;
    this.#scratch = scratch;
    this.#refusal = refusal;
  }

  /** Metadata, whole, in memory. @throws DownloadHTTPError for a status that is no 200; OtaError. */
  downloadBytes(url: string, maxLength: number): Promise<Buffer> {
    return this.#fetch(url, Math.min(maxLength, MAX_METADATA_BYTES), async ({ body }) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of body) chunks.push(chunk);
      return Buffer.concat(chunks);
    });
  }

  /** A target, into a file that is there while `handle` runs. */
  async downloadFile<T>(url: string, maxLength: number, handle: (file: string) => Promise<T>): Promise<T> {
    const directory = await mkdtemp(join(this.#scratch, 'target-'));
    const path = join(directory, 'target');
    try {
      await this.#fetch(url, maxLength, ({ body }) => writeBody(path, body));
      return await handle(path);
    } finally {
      await rm(directory, { recursive: true });
    }
  }

  async #fetch<T>(url: string, maxBytes: number, use: (answer: HttpAnswer) => Promise<T>): Promise<T> {
    const path = url.slice(BASE.length);
    this.#refusal.error = undefined;
    try {
      return await transfer(this.#effects, path, undefined, { ...PACE, maxBytes }, (answer) => {
        if (answer.status === 200) return use(answer);
        // The end of the root chain, which tuf-js knows by this class alone.
        throw new DownloadHTTPError(`${path}: the server answered ${answer.status}`, answer.status);
      });
    } catch (error) {
      this.#refusal.error = asRefusal(error);
      throw error;
    }
  }
}

function asRefusal(error: unknown): unknown {
  if (!(error instanceof DownloadHTTPError)) return error;
  return new OtaError('FETCH_REFUSED', error.message, error);
}

async function writeBody(path: string, body: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of body) await file.writeFile(chunk);
  } finally {
    await file.close();
  }
}
