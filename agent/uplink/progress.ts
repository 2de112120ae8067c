import * as v from 'valibot';
import { Refusal } from '../../wire/refusal.ts';
import { Progress } from '../../wire/upload.ts';
import { UplinkError } from './errors.ts';

const ProgressLine = v.union([Progress, Refusal]);

/** One line of the streamed answer. @throws UplinkError PROTOCOL_VIOLATED. */
export function parseProgressLine(line: string): Progress | Refusal {
  const parsed = v.safeParse(ProgressLine, parseJson(line));
  if (parsed.success) return parsed.output;
  throw new UplinkError('PROTOCOL_VIOLATED', 'a line of the answer is neither progress nor refusal');
}

/** @throws UplinkError PROTOCOL_VIOLATED. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UplinkError('PROTOCOL_VIOLATED', 'the answer is not JSON', { cause });
  }
}

export interface UploadPosition {
  /** Bytes of the segment handed to the connection, counted from its start. */
  readonly sent: number;
  readonly received: number;
  readonly durable: number;
  /** Whether the segment's closing record is among the bytes sent. */
  readonly whole: boolean;
}

/** Why `line` cannot be true after what was sent and said before; undefined when it can. */
export function progressFault(before: UploadPosition, line: Progress): string | undefined {
  if (line.received > before.sent) return `${line.received} bytes received, ${before.sent} sent`;
  if (line.durable > line.received) return `${line.durable} bytes durable, ${line.received} received`;
  if (line.received < before.received) return `received went back to ${line.received}`;
  if (line.durable < before.durable) return `durable went back to ${line.durable}`;
  if (line.ended && !(before.whole && line.durable === before.sent)) return 'ended before its end was sent';
  return undefined;
}
