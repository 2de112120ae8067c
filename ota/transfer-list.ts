import * as v from 'valibot';
import { type Bundle, MAX_FILE_BYTES, MAX_FILES, Sha256 } from './bundle.ts';
import { parseJson, writeJson } from './json.ts';

/** What a release's files weigh on the way: a target beside the bundle, so that every download is of a known size. */

export const TRANSFER_LIST_FILE = 'transfer.json';
export const MAX_TRANSFER_LIST_BYTES = 1024 * 1024;
/** Files above this go whole: a dictionary lies in memory beside what is made with it. */
export const MAX_DELTA_FILE_BYTES = 4 * 1024 * 1024;

const Bytes = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_FILE_BYTES));
const TransferList = v.strictObject({
  format: v.literal('oriel-transfer-1'),
  /** `files/<sha256>.zst`, compressed with zstd (RFC 8878). */
  files: v.pipe(v.array(v.strictObject({ sha256: Sha256, bytes: Bytes })), v.maxLength(MAX_FILES)),
  /** `deltas/<from>-<to>.zst`: `to` compressed with `from` as the dictionary. */
  deltas: v.pipe(
    v.array(v.strictObject({ from: Sha256, to: Sha256, bytes: Bytes })),
    v.maxLength(4 * MAX_FILES),
  ),
});
export type TransferList = v.InferOutput<typeof TransferList>;

/** @throws OtaError BUNDLE_OVERSIZED, BUNDLE_MALFORMED. */
export function parseTransferList(bytes: Uint8Array): TransferList {
  return parseJson(bytes, {
    what: TRANSFER_LIST_FILE,
    maxBytes: MAX_TRANSFER_LIST_BYTES,
    schema: TransferList,
    malformed: 'BUNDLE_MALFORMED',
  });
}

export const writeTransferList = (list: TransferList): Uint8Array<ArrayBuffer> =>
  writeJson(v.parse(TransferList, list));

export const wholePath = (sha256: string) => `files/${sha256}.zst`;
export const deltaPath = (from: string, to: string) => `deltas/${from}-${to}.zst`;

/** One thing to fetch. */
export interface Download {
  readonly sha256: string;
  readonly size: number;
  /** Compressed. */
  readonly bytes: number;
  /** The file that it is a delta to. */
  readonly from?: string | undefined;
}

export interface DownloadPlan {
  readonly downloads: readonly Download[];
  /** What they weigh. */
  readonly expectedBytes: number;
  /** No more than this is taken: room for deltas that turn out wrong, and for what has to be sent again. */
  readonly limitBytes: number;
}

/** Of what has to be sent again after a connection broke. */
const AGAIN = 0.1;
const AGAIN_AT_LEAST = 64 * 1024;

/**
 * What to fetch for a bundle: each content that is not there, once, as a delta where that is less.
 * @param present SHA-256 of what is there and verified.
 */
export function planDownloads(
  bundle: Pick<Bundle, 'files'>,
  list: TransferList,
  present: ReadonlySet<string>,
): DownloadPlan {
  const whole = new Map(list.files.map(({ sha256, bytes }) => [sha256, bytes]));
  const wanted = new Map(bundle.files.map(({ sha256, size }) => [sha256, size]));
  const downloads: Download[] = [];
  let fallback = 0;
  for (const [sha256, size] of wanted) {
    if (present.has(sha256)) continue;
    // A size that is not listed is refused when it is fetched: nothing of no known length is.
    const bytes = whole.get(sha256) ?? 0;
    const [delta] = list.deltas
      .filter(({ from, to }) => to === sha256 && size <= MAX_DELTA_FILE_BYTES && present.has(from))
      .sort((a, b) => a.bytes - b.bytes);
    if (delta !== undefined && delta.bytes < bytes) {
      downloads.push({ sha256, size, bytes: delta.bytes, from: delta.from });
      fallback += bytes;
    } else {
      downloads.push({ sha256, size, bytes });
    }
  }
  const expectedBytes = downloads.reduce((sum, { bytes }) => sum + bytes, 0);
  const again = Math.max(AGAIN_AT_LEAST, Math.ceil((expectedBytes + fallback) * AGAIN));
  return { downloads, expectedBytes, limitBytes: expectedBytes + fallback + again };
}
