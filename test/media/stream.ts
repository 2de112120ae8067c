import { type Box, readBoxes, viewOf } from '../../media/boxes.ts';
import {
  type FragmentEvent,
  Fragmenter,
  type FragmenterLimits,
  type InitEvent,
  type MediaEvent,
} from '../../media/fragmenter.ts';

/** Splits a whole stream; throws what the fragmenter throws. */
export function split(stream: Uint8Array): { init: InitEvent; fragments: FragmentEvent[] } {
  const { events, refusal } = feed([stream]);
  if (refusal) throw refusal;
  const [init, ...fragments] = events;
  return { init: init as InitEvent, fragments: fragments as FragmentEvent[] };
}

export interface Outcome {
  readonly events: readonly MediaEvent[];
  readonly refusal: { readonly code: string; readonly name: string } | undefined;
  readonly mostPending: number;
  /** Bytes pushed until the refusal, or all. */
  readonly pushed: number;
}

/**
 * Feeds chunks as a reader with one static buffer does, overwriting it after every push, until a refusal or the end.
 * A throw of anything but a MediaError is passed on.
 */
export function feed(chunks: Iterable<Uint8Array>, limits?: Partial<FragmenterLimits>): Outcome {
  const fragmenter = new Fragmenter(limits);
  const events: MediaEvent[] = [];
  let mostPending = 0;
  let pushed = 0;
  try {
    for (const chunk of chunks) {
      const buffer = chunk.slice();
      pushed += buffer.length;
      events.push(...fragmenter.push(buffer));
      buffer.fill(0xff);
      mostPending = Math.max(mostPending, fragmenter.pendingBytes);
    }
    fragmenter.end();
  } catch (error) {
    const refusal = error as NonNullable<Outcome['refusal']>;
    if (refusal.name !== 'MediaError') throw error;
    return { events, refusal, mostPending, pushed };
  }
  return { events, refusal: undefined, mostPending, pushed };
}

/** The stream cut at these places (fractions of its length). */
export function chunksAt(stream: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = cuts.map((cut) => Math.floor(cut * stream.length)).sort((a, b) => a - b);
  return [0, ...places].map((place, index) => stream.subarray(place, places[index] ?? stream.length));
}

const CONTAINERS = ['moov', 'trak', 'mdia', 'minf', 'stbl', 'mvex', 'moof', 'traf'];

/** Every box of the stream, the insides of containers too. */
export function allBoxes(stream: Uint8Array, start = 0, end = stream.length): Box[] {
  return [...readBoxes(stream, start, end)].flatMap((box) =>
    CONTAINERS.includes(box.type) ? [box, ...allBoxes(stream, box.body, box.end)] : [box],
  );
}

/** A box of that type with that 32-bit size field and that body, whether or not they fit. */
export function rawBox(type: string, size: number, body: Uint8Array = new Uint8Array(0)): Uint8Array {
  const bytes = new Uint8Array(8 + body.length);
  viewOf(bytes).setUint32(0, size);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(body, 8);
  return bytes;
}

/** A copy of the stream with a change made to it. */
export function changed(stream: Uint8Array, change: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = stream.slice();
  change(viewOf(bytes), bytes);
  return bytes;
}

export function join(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}
