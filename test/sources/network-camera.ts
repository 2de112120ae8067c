import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { Faults } from './faults.ts';
import { readClip } from './nal-units.ts';
import { hangsUp, Night, type NightFault } from './night.ts';
import { type CameraState, RtspSession, type SessionEvent } from './rtsp-session.ts';

/** A network camera on loopback: RTSP 1.0 (RFC 2326) over TCP, with the faults that cameras have. */

export interface NetworkCameraOptions {
  /** The clip that it plays over and over: Annex B (`.h264`, `.hevc`), or anything that ffmpeg copies to that. */
  readonly file: string;
  readonly hevc?: boolean;
  readonly fps?: number;
  /** Port 0, the default, leaves it to the system. */
  readonly port?: number;
  readonly address?: string;
  readonly faults?: Faults;
  /** Another fault in each episode; needs clips of the same length as `file`, which it plays at times. */
  readonly night?: {
    readonly seed: number;
    readonly episodeSeconds: number;
    readonly lasts: number;
    readonly otherSize: string;
    readonly longGop: string;
  };
}

/** What it tells, each with `at`: milliseconds since it was ready. Frame n is filmed at n × 1000 / fps. */
export type CameraEvent = { readonly at: number } & Happening;

type Happening =
  | {
      readonly event: 'ready';
      readonly port: number;
      readonly fps: number;
      readonly frames: number;
      readonly readyAt: number;
    }
  | { readonly event: 'dial'; readonly client: number; readonly refused: boolean }
  | ({ readonly client: number } & SessionEvent)
  | {
      readonly event: 'fault';
      readonly phase: 'begins' | 'ends';
      readonly fault: NightFault | { readonly kind: 'dies' };
    };

export interface NetworkCamera {
  readonly port: number;
  /** All that happened, in order. */
  readonly events: readonly CameraEvent[];
  /** Stops sending without closing anything, or goes on. */
  mute(muted: boolean): void;
  /** From its so manieth description from now on (the first is 1), it sends whoever asks to that URL. */
  redirect(to: string, from: number): void;
  close(): Promise<void>;
}

const FPS = 25;

/** Starts one in this process. @param tell takes each event as it happens. */
export async function openNetworkCamera(
  options: NetworkCameraOptions,
  tell: (event: CameraEvent) => void = () => undefined,
): Promise<NetworkCamera> {
  const { faults = {}, fps = FPS } = options;
  const readClipOf = (file: string) => readClip(file, options.hevc === true ? 'hevc' : 'h264');
  const otherFile = options.night?.otherSize ?? faults.switchTo?.file;
  const started = performance.now();
  const now = () => performance.now() - started;
  const events: CameraEvent[] = [];
  const note = (event: Happening) => {
    const noted = { at: Math.round(now() * 10) / 10, ...event } as CameraEvent;
    events.push(noted);
    tell(noted);
  };
  const sessions = new Set<RtspSession>();
  let refusedUntilMs = 0;
  const hangUp = () => {
    for (const session of sessions) session.close();
    sessions.clear();
  };
  const clip = readClipOf(options.file);
  const state: CameraState = {
    fps,
    clip,
    otherSize: otherFile === undefined ? undefined : readClipOf(otherFile),
    longGop: options.night === undefined ? undefined : readClipOf(options.night.longGop),
    faults,
    night: options.night && new Night(options.night.seed, options.night.episodeSeconds, options.night.lasts),
    described: 0,
    muted: false,
    holder: undefined,
    freeAtMs: 0,
    redirect: faults.redirect,
    now,
    die() {
      const forMs = (faults.dies?.forSeconds ?? 0) * 1000;
      refusedUntilMs = now() + forMs;
      note({ event: 'fault', phase: 'begins', fault: { kind: 'dies' } });
      hangUp();
      setTimeout(() => note({ event: 'fault', phase: 'ends', fault: { kind: 'dies' } }), forMs).unref();
    },
  };
  let clients = 0;
  const server = createServer((socket) => {
    const client = ++clients;
    const refused = now() < refusedUntilMs || state.night?.at(now() / 1000).refuses === 'connections';
    note({ event: 'dial', client, refused });
    if (refused) {
      socket.destroy();
      return;
    }
    const session = new RtspSession(socket, state, (event) => note({ client, ...event }));
    sessions.add(session);
    socket.once('close', () => sessions.delete(session));
  });
  server.listen(options.port ?? 0, options.address ?? '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  note({ event: 'ready', port, fps, frames: clip.units.length, readyAt: Date.now() - now() });
  const stopNight = state.night && followNight(state.night, now, note, hangUp);

  return {
    port,
    events,
    mute(muted) {
      state.muted = muted;
    },
    redirect(to, from) {
      state.redirect = { to, from };
      state.described = 0;
    },
    async close() {
      stopNight?.();
      hangUp();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Tells when episodes begin and end, and hangs up where one begins so. @returns how to stop. */
function followNight(
  night: Night,
  now: () => number,
  note: (event: Happening) => void,
  hangUp: () => void,
): () => void {
  let timer: NodeJS.Timeout;
  const follow = (index: number) => {
    const episode = night.episodes[index];
    if (episode === undefined) return;
    timer = setTimeout(
      () => {
        const before = night.episodes[index - 1];
        if (before !== undefined) note({ event: 'fault', phase: 'ends', fault: before.fault });
        note({ event: 'fault', phase: 'begins', fault: episode.fault });
        if (hangsUp(episode)) hangUp();
        follow(index + 1);
      },
      Math.max(0, episode.from * 1000 - now()),
    );
  };
  follow(0);
  return () => clearTimeout(timer);
}
