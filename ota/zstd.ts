import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdDecompress, zstdCompress, zstdDecompress } from 'node:zlib';
import type { Content } from './bundle-files.ts';
import { OtaError } from './errors.ts';

/** zstd (RFC 8878) as releases use it. */

/** log2 of the window: 8 MiB is what decompressing may take, on the smallest board too. */
const WINDOW_LOG = 23;
const LEVEL = 19;
const CHUNK_BYTES = 64 * 1024;

/** @param dictionary of what the file is a delta to. */
export function compress(content: Uint8Array, dictionary?: Uint8Array, level = LEVEL): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const params = {
      [constants.ZSTD_c_compressionLevel]: level,
      [constants.ZSTD_c_windowLog]: WINDOW_LOG,
      [constants.ZSTD_c_checksumFlag]: 0,
    };
    const options = { params, ...(dictionary !== undefined && { dictionary }) };
    zstdCompress(content, options, (error, result) => (error ? reject(error) : resolve(result)));
  });
}

/**
 * Decompresses a file into another, which is there afterwards only if it is what was expected.
 * @param dictionary of what it is a delta to.
 * @throws OtaError FETCH_WRONG; the platform's errors.
 */
export async function decompressFile(
  from: string,
  to: string,
  expected: Content,
  dictionary?: Uint8Array,
): Promise<void> {
  const output = await open(to, 'wx', 0o600);
  try {
    await decompressTo(output, from, expected, dictionary);
  } catch (error) {
    await rm(to, { force: true });
    throw error;
  } finally {
    await output.close();
  }
}

/**
 * Decompresses a file into nothing, to see that it is what was expected.
 * @param dictionary of what it is a delta to.
 * @throws OtaError FETCH_WRONG; the signal's reason; the platform's errors.
 */
export function verifyCompressed(
  from: string,
  expected: Content,
  dictionary: Uint8Array | undefined,
  signal: AbortSignal,
): Promise<void> {
  return decompressTo({ writeFile: async () => undefined }, from, expected, dictionary, signal);
}

/** The content of a file that is known to be no bomb, in memory. @throws OtaError FETCH_WRONG; the platform's errors. */
export async function readCompressed(from: string, maxBytes: number): Promise<Uint8Array> {
  const compressed = await readFile(from);
  return new Promise((resolve, reject) => {
    const params = { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG };
    zstdDecompress(compressed, { params, maxOutputLength: maxBytes }, (error, content) =>
      error === null ? resolve(content) : reject(new OtaError('FETCH_WRONG', 'this is no zstd', error)),
    );
  });
}

interface Output {
  writeFile(chunk: Uint8Array): Promise<void>;
}

async function decompressTo(
  output: Output,
  from: string,
  expected: Content,
  dictionary: Uint8Array | undefined,
  signal?: AbortSignal,
): Promise<void> {
  const zstd = createZstdDecompress({
    chunkSize: CHUNK_BYTES,
    params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG },
    ...(dictionary !== undefined && { dictionary }),
  });
  try {
    await pipeline(
      createReadStream(from, { highWaterMark: CHUNK_BYTES }),
      zstd,
      (content: AsyncIterable<Uint8Array>) => writeExpected(content, output, expected),
      { signal },
    );
  } catch (error) {
    signal?.throwIfAborted();
    throw isZstdError(error) ? new OtaError('FETCH_WRONG', 'what was fetched is no zstd', error) : error;
  }
}

async function writeExpected(
  content: AsyncIterable<Uint8Array>,
  output: Output,
  expected: Content,
): Promise<void> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of content) {
    size += chunk.length;
    if (size > expected.size) break;
    hash.update(chunk);
    await output.writeFile(chunk);
  }
  if (size !== expected.size || hash.digest('hex') !== expected.sha256) {
    throw new OtaError('FETCH_WRONG', 'what was fetched is not what was asked for');
  }
}

/** Node's errors for what zstd refuses have codes of these forms. */
function isZstdError(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^(ZSTD_|Z_|ERR_ZLIB|ERR_ZSTD)/.test(code);
}
