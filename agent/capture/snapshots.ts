import { join } from 'node:path';
import { collect } from '../../host/child.ts';
import { receiveFifoMessage, sendFifoMessage } from '../../host/fifo-message.ts';
import type { CaptureEffects } from './effects.ts';
import {
  encodeSnapshotFrame,
  KEYFRAME_FIFO,
  MAX_PICTURE_BYTES,
  MAX_REQUEST_BYTES,
  parseSnapshotFrame,
  SNAPSHOT_FIFO,
} from './snapshot-frame.ts';

/** The time for one picture, from keyframe to JPEG; then for the agent to take it, milliseconds. */
const PICTURE_TIMEOUT_MS = 20_000;
const ANSWER_TIMEOUT_MS = 5_000;
/** Before the FIFOs are tried again, so that none of this ever spins. */
const PAUSE_MS = 1_000;

/**
 * Answers the agent's requests for snapshots, one after the other, until the signal. Each picture is made by a short-lived
 * process of its own, whose death, stall or memory is none of capture's. Failures are told once and change nothing else.
 * @param worker the command that makes a JPEG of the keyframe on its stdin.
 */
export async function serveSnapshots(
  runDir: string,
  worker: readonly string[],
  { clock, logger, signal }: CaptureEffects,
): Promise<void> {
  let told = false;
  const tell = (reason: string) => {
    if (!told) logger.warn({ reason }, 'no snapshot could be made');
    told = true;
  };
  while (!signal.aborted) {
    try {
      const fault = await serveOne(runDir, worker, signal);
      if (fault === undefined) told = false;
      else tell(fault);
    } catch (error) {
      if (signal.aborted) return;
      tell((error as Error).message);
      await clock.sleep(PAUSE_MS, signal).catch(() => undefined);
    }
  }
}

/** @returns what was wrong with the request, or with making its picture. @throws what is wrong with the FIFOs. */
async function serveOne(
  runDir: string,
  worker: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const request = await nextRequest(join(runDir, KEYFRAME_FIFO), signal);
  const frame = request && parseSnapshotFrame(request);
  if (frame === undefined) return 'a request was cut off or too long';
  const { jpeg, fault } = await makePicture(frame.body, worker, signal);
  signal.throwIfAborted();
  await answer(join(runDir, SNAPSHOT_FIFO), encodeSnapshotFrame(frame.id, jpeg), signal);
  return fault;
}

/** Waits for as long as it takes. */
function nextRequest(path: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      message.cancel();
      reject(signal.reason);
    };
    const message = receiveFifoMessage(path, MAX_REQUEST_BYTES, (bytes) => {
      signal.removeEventListener('abort', onAbort);
      resolve(bytes);
    });
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** @returns an empty JPEG, and why, when none can be made. */
async function makePicture(
  keyframe: Uint8Array,
  [command = '', ...args]: readonly string[],
  signal: AbortSignal,
): Promise<{ jpeg: Uint8Array; fault?: string }> {
  const { code, stdout, stderr } = await collect(command, args, {
    stdin: keyframe,
    timeoutMs: PICTURE_TIMEOUT_MS,
    maxBytes: MAX_PICTURE_BYTES,
    signal,
  });
  if (code === 0 && stdout.length > 0) return { jpeg: stdout };
  const words = stderr.trim().split('\n').at(0)?.slice(0, 200);
  return { jpeg: new Uint8Array(0), fault: words || `ended by ${code ?? 'a signal'}` };
}

/** An agent that is gone gets none. */
function answer(path: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
  return new Promise((resolve) => {
    const message = sendFifoMessage(path, bytes, () => resolve());
    if (message === null) return resolve();
    deadline.addEventListener('abort', () => {
      message.cancel();
      resolve();
    });
  });
}
