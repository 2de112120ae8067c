import { HostError } from '../../host/errors.ts';
import { type FifoReader, openFifoReader } from '../../host/fifo.ts';
import { type FifoWriter, openFifoWriter } from '../../host/fifo-lines.ts';
import { type Command, type End, encodeCommand } from '../capture/protocol.ts';

export interface CaptureEvents {
  /** The first byte of a run is here. */
  onRunStart(run: number): void;
  /** Bytes of the run; the buffer is reused as soon as this returns. */
  onBytes(chunk: Uint8Array): void;
  /** So many bytes of a run that was refused were read, and dropped. */
  onSkipped?(bytes: number): void;
  /** The run is over, refused or not: what follows is another. */
  onRunEnd(run: number): void;
}

export interface CaptureClientOptions {
  mediaPath: string;
  commandPath: string;
  /** Names this life of the agent: 8 to 32 lower-case hex digits, never the same twice. */
  agent: string;
  /** Whether sound may be recorded, asked for each run; allowed without it. */
  audio?: () => boolean;
  /** Up to where a file was taken in, in its seconds, asked for each run; undefined where none of it was. */
  from?: () => number | undefined;
  /** How often unanswered requests are repeated, and FIFOs checked: capture may have died with them. */
  repeatMs?: number;
  /** A FIFO is missing or no FIFO; or, with undefined, both are there again. Until then nothing is captured. */
  onFault?: (fault: HostError | undefined) => void;
}

/** The agent's end of the line from capture. */
export interface CaptureClient {
  /** The run is no good, by default because of its bytes: no more of them come, capture starts another run. */
  refuse(reason?: End['reason']): void;
  pause(): void;
  resume(): void;
  /** Takes what is in the line, and gives it up; ffmpeg sees a broken pipe. */
  close(): void;
}

const READ_BYTES = 256 * 1024;
const REPEAT_MS = 2000;

/**
 * Reads run after run. The read end is opened before each ready token, and only after the end of the run before:
 * a refused run is drained, so that no run's bytes ever land in the next. FIFOs that are missing, or were replaced, are
 * opened as soon as there are new ones.
 */
export function openCaptureClient(options: CaptureClientOptions, events: CaptureEvents): CaptureClient {
  const { agent, mediaPath } = options;
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  let fifos: { readonly reader: FifoReader; readonly writer: FifoWriter } | undefined;
  let faulty = false;
  let run = 0;
  let started = false;
  let refused = false;
  let unanswered: Command | null = null;
  let closed = false;

  const request = (command: Command) => {
    unanswered = command;
    fifos?.writer.write(encodeCommand(command));
  };
  const onBytes = (chunk: Uint8Array) => {
    if (!started) {
      started = true;
      unanswered = null;
      events.onRunStart(run);
    }
    if (refused) {
      events.onSkipped?.(chunk.length);
    } else {
      events.onBytes(chunk);
    }
  };
  const open = () => {
    let writer: FifoWriter | undefined;
    try {
      writer = openFifoWriter(options.commandPath);
      fifos = { writer, reader: openFifoReader(mediaPath, { buffer, onBytes, onEnd }) };
    } catch (error) {
      writer?.close();
      if (!(error instanceof HostError)) throw error;
      if (!faulty) options.onFault?.(error);
      faulty = true;
      return;
    }
    if (faulty) options.onFault?.(undefined);
    faulty = false;
    run++;
    refused = false;
    started = false;
    const from = options.from?.();
    request({
      ready: run,
      agent,
      ...(options.audio && { audio: options.audio() }),
      ...(from !== undefined && { from }),
    });
  };
  const close = () => {
    fifos?.reader.close();
    fifos?.writer.close();
    fifos = undefined;
    unanswered = null;
  };
  const onEnd = () => {
    if (started) {
      started = false;
      events.onRunEnd(run);
    }
    close();
    if (!closed) {
      open();
    }
  };
  const endRun = (reason: End['reason']) => {
    if (started && !refused) {
      refused = true;
      fifos?.reader.resume();
      request({ end: run, agent, reason });
    }
  };

  open();
  const repeat = setInterval(() => {
    // A run that goes on is read to its end, whatever its FIFO is called by now.
    if (!started && !(fifos?.reader.isNamed() && fifos.writer.isNamed())) {
      close();
      open();
    } else if (unanswered !== null) {
      fifos?.writer.write(encodeCommand(unanswered));
    }
  }, options.repeatMs ?? REPEAT_MS);

  return {
    refuse: (reason = 'rubbish') => endRun(reason),
    pause: () => fifos?.reader.pause(),
    resume: () => fifos?.reader.resume(),
    close() {
      closed = true;
      clearInterval(repeat);
      if (started) fifos?.reader.drain();
      close();
    },
  };
}
