import { getPriority, setPriority } from 'node:os';
import { decodePicture, encodeJpeg } from '../../agent/capture/jpeg.ts';
import { MAX_KEYFRAME_BYTES, MAX_PICTURE_WIDTH } from '../../agent/capture/snapshot-frame.ts';
import { EXIT } from '../exit-codes.ts';

/** Behind the recording, which does not wait for pictures. */
const PRIORITY = 10;

/** Capture's short-lived helper: a keyframe with its init segment on stdin, a JPEG on stdout. */
export async function makeSnapshot(): Promise<void> {
  // One that runs behind it already may not come forward (setpriority(2)).
  if (getPriority() < PRIORITY) setPriority(PRIORITY);
  try {
    const raw = await decodePicture(await readKeyframe(), MAX_PICTURE_WIDTH, new AbortController().signal);
    process.stdout.write(await encodeJpeg(raw));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = EXIT.failure;
  }
}

async function readKeyframe(): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_KEYFRAME_BYTES) throw new RangeError('the keyframe is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
