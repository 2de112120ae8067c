import { equal } from '../../crypto/bytes.ts';
import type { Clock } from '../../host/clock.ts';
import { type FifoMessage, receiveFifoMessage, sendFifoMessage } from '../../host/fifo-message.ts';
import { looksLikeJpeg } from '../../media/jpeg.ts';
import { encodeSnapshotFrame, MAX_ANSWER_BYTES, parseSnapshotFrame } from '../capture/snapshot-frame.ts';
import { afterStray } from './snapshot-rules.ts';

/** Why no picture came of a keyframe. */
export type SnapshotFault =
  /** Capture does not take keyframes now. */
  | 'UNREAD'
  /** It did not answer in time. */
  | 'LATE'
  /** It could make none. */
  | 'NO_PICTURE'
  /** What it answered is no picture, or none for this keyframe. */
  | 'RUBBISH'
  /** The FIFOs are not as they have to be. */
  | 'NO_LINE';

export interface SnapshotRequest {
  readonly keyframeFifo: string;
  readonly snapshotFifo: string;
  /** Names this errand, 8 random bytes. */
  readonly id: Uint8Array;
  /** Init segment, then a fragment that begins with a keyframe. */
  readonly video: readonly Uint8Array[];
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Has capture make a picture of a keyframe. Nothing of it blocks, and whatever capture does, it ends in time. What is
 * read is limited: only while an answer is awaited, and no more than one can be long.
 */
export async function requestSnapshot(errand: SnapshotRequest): Promise<Uint8Array | SnapshotFault> {
  const { clock, timeoutMs, signal } = errand;
  const over = new AbortController();
  const messages = new Set<FifoMessage>();
  const late = clock.sleep(timeoutMs, AbortSignal.any([signal, over.signal])).then(
    () => 'LATE' as const,
    () => 'LATE' as const,
  );
  try {
    return await Promise.race([exchange(errand, messages), late]);
  } catch {
    return 'NO_LINE';
  } finally {
    over.abort();
    for (const message of messages) message.cancel();
  }
}

/** The answer's FIFO is open before the request is sent. */
function exchange(
  { keyframeFifo, snapshotFifo, id, video }: SnapshotRequest,
  messages: Set<FifoMessage>,
): Promise<Uint8Array | SnapshotFault> {
  return new Promise((resolve, reject) => {
    let strays = 0;
    const onAnswer = (bytes: Uint8Array | undefined) => {
      const answer = bytes && parseSnapshotFrame(bytes);
      if (answer !== undefined && equal(answer.id, id)) resolve(pictureIn(answer.body));
      else if (afterStray(++strays) === 'wait') receive();
      else resolve('RUBBISH');
    };
    const receive = () => {
      try {
        messages.add(receiveFifoMessage(snapshotFifo, MAX_ANSWER_BYTES, onAnswer));
      } catch (error) {
        reject(error);
      }
    };
    receive();
    const outgoing = sendFifoMessage(keyframeFifo, encodeSnapshotFrame(id, ...video), (error) => {
      if (error !== undefined) resolve('UNREAD');
    });
    if (outgoing === null) resolve('UNREAD');
    else messages.add(outgoing);
  });
}

function pictureIn(body: Uint8Array): Uint8Array | SnapshotFault {
  if (body.length === 0) return 'NO_PICTURE';
  return looksLikeJpeg(body) ? body : 'RUBBISH';
}
