import { type FifoReader, openFifoReader, openFifoWriter } from '../../host/fifo.ts';
import { type Command, type End, encodeCommand } from './protocol.ts';

export interface FeedEvents {
  /** The first byte of a run is here. */
  onRunStart(run: number): void;
  /** Bytes of the run; the buffer is reused as soon as this returns. */
  onBytes(chunk: Uint8Array): void;
  /** The run is over, refused or not: what follows is another. */
  onRunEnd(run: number): void;
}

export interface FeedOptions {
  mediaPath: string;
  commandPath: string;
  /** Names this life of the agent: 8 to 32 lower-case hex digits, never the same twice. */
  agent: string;
  /** Whether sound may be recorded, asked for each run; allowed without it. */
  audio?: () => boolean;
  /** Unanswered requests are repeated so often: capture may have died with them. */
  repeatMs?: number;
}

/** The agent's end of the line from capture. */
export interface CaptureFeed {
  /** The bytes of this run are no good: no more of them come, capture starts another run. */
  refuse(): void;
  /** As `refuse`, and from now on capture encodes instead of copying. */
  reencode(): void;
  pause(): void;
  resume(): void;
  /** Gives the line up; ffmpeg sees a broken pipe. */
  close(): void;
}

const READ_BYTES = 256 * 1024;
const REPEAT_MS = 2000;

/**
 * Reads run after run. The read end is opened before each ready token, and only after the end of the run before:
 * a refused run is drained, so that no run's bytes ever land in the next.
 * @throws HostError DISK_IO when a FIFO is missing
 */
export function openCaptureFeed(options: FeedOptions, events: FeedEvents): CaptureFeed {
  const { agent, mediaPath } = options;
  const writer = openFifoWriter(options.commandPath);
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  let reader: FifoReader;
  let run = 0;
  let started = false;
  let refused = false;
  let encode = false;
  let unanswered: Command | null = null;
  let closed = false;

  const request = (command: Command) => {
    unanswered = command;
    writer.write(encodeCommand(command));
  };
  const onBytes = (chunk: Uint8Array) => {
    if (!started) {
      started = true;
      unanswered = null;
      events.onRunStart(run);
    }
    if (!refused) {
      events.onBytes(chunk);
    }
  };
  const open = () => {
    reader = openFifoReader(mediaPath, { buffer, onBytes, onEnd });
    run++;
    refused = false;
    started = false;
    request({ ready: run, agent, encode, ...(options.audio && { audio: options.audio() }) });
  };
  const onEnd = () => {
    if (started) {
      events.onRunEnd(run);
    }
    if (!closed) {
      open();
    }
  };
  const endRun = (reason: End['reason']) => {
    if (started && !refused) {
      refused = true;
      reader.resume();
      request({ end: run, agent, reason });
    }
  };

  open();
  const repeat = setInterval(() => {
    if (unanswered !== null) {
      writer.write(encodeCommand(unanswered));
    }
  }, options.repeatMs ?? REPEAT_MS);

  return {
    refuse: () => endRun('rubbish'),
    reencode() {
      encode = true;
      endRun('gop');
    },
    pause: () => reader.pause(),
    resume: () => reader.resume(),
    close() {
      closed = true;
      clearInterval(repeat);
      reader.close();
      writer.close();
    },
  };
}
