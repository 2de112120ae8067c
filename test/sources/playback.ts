import { setTimeout as sleep } from 'node:timers/promises';
import { type Faults, sendsAt, soundsAt, stampOf, wallShiftAt } from './faults.ts';
import type { AccessUnit, Clip, VideoCodec } from './nal-units.ts';
import type { Night } from './night.ts';
import { interleaved, payloadsOf, rtpPacket, senderReport } from './rtp.ts';
import { PAYLOAD_TYPE, TRACK } from './sdp.ts';

/** What is played. */
export interface Programme {
  readonly fps: number;
  readonly clip: Clip;
  /** Of the same length as the clip: another size, and few keyframes. */
  readonly otherSize: Clip | undefined;
  readonly longGop: Clip | undefined;
  readonly faults: Faults;
  readonly night: Night | undefined;
}

/** Frames that were sent, in a row; by their numbers since the camera started. */
export interface SentFrames {
  readonly first: number;
  readonly last: number;
  /** How much later than filmed the latest was sent. */
  readonly lateMs: number;
}

export interface PlaybackOptions extends Programme {
  /** By track, the channel of the connection. */
  readonly channels: ReadonlyMap<number, number>;
  send(bytes: Buffer): void;
  onSent(frames: SentFrames): void;
  /** Milliseconds since the camera started. */
  now(): number;
  /** Aborted to end. */
  readonly signal: AbortSignal;
}

const VIDEO_HZ = 90_000;
const SOUND_HZ = 8_000;
const SOUND_PACKET = { seconds: 0.02, bytes: Buffer.alloc(160, 0xd5) };
const FIRST_STAMP = 12_345;
const REPORT_SECONDS = 2;
const SOURCE = 0x1000;
const TELL_FRAMES_MS = 1000;

/** Plays to one client, in real time, until the signal. */
export class Playback {
  readonly #options: PlaybackOptions;
  readonly #sequences = new Map<number, number>();
  readonly #payloads = new Map<AccessUnit, ReturnType<typeof payloadsOf>>();
  #frames = 0;
  #soundPackets = 0;
  #nextReport = 0;
  #sent: { first: number; last: number; lateMs: number; since: number } | undefined;

  constructor(options: PlaybackOptions) {
    this.#options = options;
  }

  /** Frames sent. */
  get frames(): number {
    return this.#frames;
  }

  async run(): Promise<void> {
    const { fps, faults, now, signal } = this.#options;
    const startedMs = now();
    const before = faults.restartPerClient === true ? 0 : startedMs / 1000;
    const live = Math.ceil((before + (faults.offset ?? 0)) * fps);
    // Frames are filmed when they are due, whoever watches.
    const firstMs = faults.restartPerClient === true ? startedMs : (live / fps - (faults.offset ?? 0)) * 1000;
    for (let index = 0; !signal.aborted; index++) {
      const dueMs = firstMs + (index * 1000) / fps;
      const waitMs = dueMs - now();
      if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) break;
      this.#film(index, live + index, dueMs);
    }
    this.#tell();
  }

  #film(index: number, number: number, dueMs: number): void {
    const { fps, faults, night, codec } = { ...this.#options, codec: this.#options.clip.codec };
    const seconds = index / fps;
    const moment = night?.at(dueMs / 1000);
    const blip = night?.blipAt(dueMs / 1000, 1 / fps) ?? 0;
    const stamp = moment === undefined ? stampOf(faults, index, fps) : moment.stamp + blip;
    const ticks = stamp * VIDEO_HZ + FIRST_STAMP;
    this.#report(seconds, ticks);
    if (sendsAt(faults, seconds) && moment?.sends !== false) {
      this.#picture(this.#unitAt(number, dueMs, seconds), codec, ticks);
      this.#note(number, dueMs);
    } else this.#tell();
    this.#sound(seconds, soundsAt(faults, seconds) && moment?.sounds !== false && moment?.sends !== false);
  }

  #unitAt(number: number, dueMs: number, seconds: number): AccessUnit {
    const { clip, otherSize, longGop, faults, night } = this.#options;
    const since = faults.restartPerClient === true ? seconds : dueMs / 1000;
    const chosen = night?.at(dueMs / 1000).clip;
    let from = clip;
    const switched = since >= (faults.switchTo?.atSeconds ?? Number.POSITIVE_INFINITY);
    if (chosen === 'other-size' || switched) from = otherSize ?? clip;
    if (chosen === 'long-gop') from = longGop ?? clip;
    return from.units[number % from.units.length] ?? [];
  }

  #picture(unit: AccessUnit, codec: VideoCodec, ticks: number): void {
    const payloads = this.#payloads.get(unit) ?? payloadsOf(unit, codec);
    this.#payloads.set(unit, payloads);
    for (const { bytes, marker } of payloads)
      this.#rtp(TRACK.video, PAYLOAD_TYPE.video, ticks, bytes, marker);
    this.#frames += 1;
  }

  #sound(seconds: number, sounds: boolean): void {
    for (; this.#soundPackets * SOUND_PACKET.seconds <= seconds; this.#soundPackets++) {
      const ticks = this.#soundPackets * SOUND_PACKET.bytes.length;
      if (sounds) this.#rtp(TRACK.audio, PAYLOAD_TYPE.audio, ticks, SOUND_PACKET.bytes, false);
    }
  }

  #report(seconds: number, videoTicks: number): void {
    const { faults, channels, send } = this.#options;
    if (faults.senderReports === undefined || seconds < this.#nextReport) return;
    this.#nextReport = seconds + REPORT_SECONDS;
    const wallMs = Date.now() + wallShiftAt(faults, seconds) * 1000;
    const ticks = new Map([
      [TRACK.video, videoTicks],
      [TRACK.audio, seconds * SOUND_HZ],
    ] as [number, number][]);
    for (const [track, at] of ticks) {
      const channel = channels.get(track);
      if (channel === undefined) continue;
      send(interleaved(channel + 1, senderReport(SOURCE + track, wallMs, at, this.#frames)));
    }
  }

  #rtp(track: number, payloadType: number, timestamp: number, payload: Uint8Array, marker: boolean): void {
    const channel = this.#options.channels.get(track);
    if (channel === undefined) return;
    const sequence = this.#sequences.get(track) ?? 7;
    this.#sequences.set(track, sequence + 1);
    const fields = { payloadType, sequence, timestamp, source: SOURCE + track, marker };
    this.#options.send(interleaved(channel, rtpPacket(fields, payload)));
  }

  #note(number: number, dueMs: number): void {
    const now = this.#options.now();
    const lateMs = now - dueMs;
    if (this.#sent === undefined) this.#sent = { first: number, last: number, lateMs, since: now };
    else Object.assign(this.#sent, { last: number, lateMs: Math.max(lateMs, this.#sent.lateMs) });
    if (now - this.#sent.since >= TELL_FRAMES_MS) this.#tell();
  }

  #tell(): void {
    if (this.#sent === undefined) return;
    const { first, last, lateMs } = this.#sent;
    this.#sent = undefined;
    this.#options.onSent({ first, last, lateMs: Math.round(lateMs * 10) / 10 });
  }
}
