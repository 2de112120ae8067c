import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CaptureEnd } from '../../agent/capture/effects.ts';
import { type CaptureOptions, runCapture } from '../../agent/capture/main.ts';
import { type CaptureState, readCaptureState } from '../../agent/capture/status-file.ts';
import { type CaptureClient, openCaptureClient } from '../../agent/recording/capture-client.ts';
import { type Clock, systemClock } from '../../host/clock.ts';
import { makeFifo } from '../../host/fifo.ts';

/** What an agent saw of one run. */
export interface SeenRun {
  run: number;
  bytes: Buffer;
  ended: boolean;
}

/** Capture and an agent that keeps what it reads, joined by real FIFOs. */
export interface CaptureRig {
  dir: string;
  logged: string[];
  /** Of the agent's feeds: a code for each fault, `ok` where it was over. */
  faults: string[];
  state(): CaptureState;
  /** Starts capture as it is started on the camera; its end comes as a promise. */
  startCapture(
    options: Partial<CaptureOptions> & { source: string },
    clock?: Clock,
  ): {
    ended: Promise<CaptureEnd>;
    stop(): void;
  };
  /** A new life of the agent; the runs it sees are collected. */
  startAgent(): { feed: CaptureClient; runs: SeenRun[] };
  close(): Promise<void>;
}

/** Long enough for a start on a busy machine; nothing is asserted of it. */
const PATIENCE_MS = 240_000;

/** @param given the run directory of a camera, FIFOs and all; one of its own if not given, which `close` removes. */
export function openCaptureRig(given?: string): CaptureRig {
  const dir = given ?? mkdtempSync(join(tmpdir(), 'oriel-capture-'));
  if (given === undefined) {
    makeFifo(join(dir, 'media.fifo'));
    makeFifo(join(dir, 'capture.fifo'));
  }
  const logged: string[] = [];
  const faults: string[] = [];
  const captures: { ended: Promise<unknown>; stop(): void }[] = [];
  const feeds = new Set<CaptureClient>();
  const log = (fields: object, message: string) => {
    logged.push(`${message} ${JSON.stringify(fields)}`);
  };

  return {
    dir,
    logged,
    faults,
    state() {
      const state = readCaptureState(dir);
      if (state === null) {
        throw new Error('no capture.json');
      }
      return state;
    },
    startCapture(options, clock = systemClock) {
      const abort = new AbortController();
      const ended = runCapture(
        { runDir: dir, audio: false, lan: [], ...options },
        {
          clock,
          random: () => 1,
          logger: { info: log, warn: log, error: log },
          signal: abort.signal,
        },
      );
      const settled = ended.catch(() => undefined);
      captures.push({ ended: settled, stop: () => abort.abort() });
      return { ended, stop: () => abort.abort() };
    },
    startAgent() {
      const runs: SeenRun[] = [];
      const feed = openCaptureClient(
        {
          mediaPath: join(dir, 'media.fifo'),
          commandPath: join(dir, 'capture.fifo'),
          agent: randomBytes(8).toString('hex'),
          repeatMs: 200,
          onFault: (fault) => faults.push(fault?.code ?? 'ok'),
        },
        {
          onRunStart: (run) => runs.push({ run, bytes: Buffer.alloc(0), ended: false }),
          onBytes(chunk) {
            const current = runs.at(-1);
            if (current !== undefined) {
              current.bytes = Buffer.concat([current.bytes, chunk]);
            }
          },
          onRunEnd() {
            const current = runs.at(-1);
            if (current !== undefined) {
              current.ended = true;
            }
          },
        },
      );
      const close = feed.close;
      feed.close = () => {
        feeds.delete(feed);
        close();
      };
      feeds.add(feed);
      return { feed, runs };
    },
    async close() {
      for (const capture of captures) {
        capture.stop();
      }
      await Promise.all(captures.map((capture) => capture.ended));
      for (const feed of feeds) {
        feed.close();
      }
      if (given === undefined) rmSync(dir, { recursive: true });
    },
  };
}

/** Resolves once the condition holds, and throws when it never does. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!holds()) {
    if (performance.now() > deadline) {
      throw new Error(`it never came to this: ${what}`);
    }
    await sleep(20);
  }
}

/** Bytes of two fragments or so. */
export const SOME_BYTES = 20_000;

/** Whether a run is under way: it begins as an MP4 does, and has brought fragments. */
export function flows(run: SeenRun | undefined): run is SeenRun {
  return run !== undefined && run.bytes.length > SOME_BYTES && run.bytes.toString('latin1', 4, 8) === 'ftyp';
}

/** What ffprobe counts in a recording. @throws when it holds no whole fragment yet. */
export function probe(dir: string, bytes: Uint8Array): { codec: string; packets: number; seconds: number }[] {
  const path = join(dir, 'probe.mp4');
  writeFileSync(path, bytes);
  const entries = 'stream=index,codec_name,nb_read_packets,duration:packet=stream_index,dts_time';
  const args = ['-v', 'error', '-count_packets', '-show_entries', entries, '-of', 'json', path];
  const output = execFileSync('ffprobe', args, { encoding: 'utf8', maxBuffer: 64 << 20 });
  const { streams, packets } = JSON.parse(output) as Record<string, Record<string, string>[]>;
  const startOf = ({ index }: Record<string, string>) =>
    Number(packets?.find(({ stream_index }) => stream_index === index)?.dts_time);
  return (streams ?? []).map((stream) => ({
    codec: stream.codec_name ?? '',
    packets: Number(stream.nb_read_packets),
    // Without an edit list the duration counts from 0, where no stream begins.
    seconds: Number(stream.duration) - startOf(stream),
  }));
}

/** Writes a clip with ffmpeg; the arguments stand between the hidden banner and the path. */
export function makeClip(dir: string, name: string, args: readonly string[]): string {
  const path = join(dir, name);
  execFileSync('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-nostdin', ...args, path]);
  return path;
}
