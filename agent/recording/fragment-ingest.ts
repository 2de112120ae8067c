import type { Clock } from '../../host/clock.ts';
import { MediaError } from '../../media/errors.ts';
import { type FragmentEvent, Fragmenter, type InitEvent } from '../../media/fragmenter.ts';
import { followParameterSets, playsInBrowsers } from '../../media/parameter-sets.ts';
import { FIRST_SECOND } from '../capture/protocol.ts';
import type { AgentLog } from '../log.ts';
import { errorFields } from '../log.ts';
import type { CaptureClient, CaptureEvents } from './capture-client.ts';
import type { Counters } from './footage-accounting.ts';
import type { Recorder } from './recorder.ts';
import {
  type Arrival,
  arrive,
  beginPace,
  beginRunClock,
  credibleUs,
  filmedMs,
  isAtPace,
  isGoingOn,
  leapIn,
  type Pace,
  type RunClock,
  type Taken,
  type TimeFault,
  take,
} from './run-clock.ts';

export interface FragmentIngestOptions {
  readonly recorder: Recorder;
  readonly counters: Counters;
  /** Whether the policy in force allows sound. */
  readonly audioAllowed: () => boolean;
  /** Whether the source's time is that of the world; a file is played at its own. */
  readonly live: boolean;
  readonly logger: AgentLog;
  readonly clock: Pick<Clock, 'monotonic'>;
}

/** A copied stream whose keyframes are further apart than this, µs, is encoded from then on. */
export const GOP_LIMIT_US = 20_000_000;
const LONGEST_PICTURE_US = 1_000_000;

/** A run begins with what ffmpeg read ahead, all at once: so long and so much of it waits for the pace of its source. */
const SETTLING_MS = 2_500;
const SETTLING_BYTES = 16 * 1024 * 1024;

interface Arrived {
  readonly event: FragmentEvent;
  readonly atMs: number;
}

/**
 * Takes the bytes of each run of the encoder apart and hands them on, fragment by fragment, each with when it was
 * filmed. A stream that is not what it has to be, or whose time is not the time that goes by, is refused as a whole:
 * capture starts another.
 */
export class FragmentIngest implements CaptureEvents {
  readonly #options: FragmentIngestOptions;
  #captureClient: CaptureClient | undefined;
  #fragmenter = new Fragmenter();
  #sinceKeyframeUs = 0;
  /** What is left of a chunk after a refusal is counted, and given up. */
  #refused = false;
  #pace: Pace | undefined;
  #waiting: NodeJS.Timeout | undefined;
  #init: InitEvent | undefined;
  /** Undefined before the run's first keyframe. */
  #time: RunClock | undefined;
  /** Of the run before. */
  #timeBefore: RunClock | undefined;
  /** Up to where a file was taken in, and when that was; undefined where none of it was. */
  #taken: Taken | undefined;
  /** When the fragment before came. */
  #lastAtMs: number | undefined;
  /** What came before the run had settled; undefined once it has. */
  #settling: { readonly arrived: Arrived[]; bytes: number; readonly timer: NodeJS.Timeout } | undefined;

  constructor(options: FragmentIngestOptions) {
    this.#options = options;
  }

  /** The feed that calls this intake, for refusals. */
  attach(captureClient: CaptureClient): void {
    this.#captureClient = captureClient;
  }

  onRunStart(): void {
    this.#fragmenter = new Fragmenter();
    this.#sinceKeyframeUs = 0;
    this.#refused = false;
    this.#init = undefined;
    this.#timeBefore = this.#time ?? this.#timeBefore;
    this.#time = undefined;
    this.#lastAtMs = undefined;
    if (this.#options.live) {
      const timer = setTimeout(() => this.#settle(), SETTLING_MS).unref();
      this.#settling = { arrived: [], bytes: 0, timer };
    }
  }

  onBytes(chunk: Uint8Array): void {
    const atMs = this.#options.clock.monotonic();
    let events = 0;
    try {
      for (const event of this.#fragmenter.push(chunk)) {
        events += 1;
        if (event.kind === 'init') this.#begin(event);
        else this.#arrive({ event, atMs });
      }
    } catch (error) {
      if (!(error instanceof MediaError)) throw error;
      this.#refuse(errorFields(error));
    }
    this.#keepPace(chunk.length, events);
  }

  /** At first fragments come faster than they were filmed: when that was, the pace of the source tells. */
  #arrive(arrived: Arrived): void {
    const settling = this.#settling;
    if (settling === undefined) {
      this.#take(arrived);
      return;
    }
    settling.arrived.push(arrived);
    settling.bytes += arrived.event.bytes.length;
    if (isAtPace(settling.arrived.map(toArrival)) || settling.bytes > SETTLING_BYTES) this.#settle();
  }

  #settle(): void {
    const settling = this.#settling;
    if (settling === undefined) return;
    clearTimeout(settling.timer);
    this.#settling = undefined;
    const { arrived } = settling;
    const begins = arrived.findIndex(({ event }) => event.keyframe);
    const filmed = begins === -1 ? [] : arrived.slice(begins).map(toArrival);
    const leap = leapIn(filmed);
    this.#beginTime(leap === undefined ? filmed : filmed.slice(0, leap));
    for (const [index, { event, atMs }] of arrived.entries()) {
      if (leap !== undefined && index === begins + leap) this.#refuseTime('jump');
      this.#record(event, atMs, begins !== -1 && index >= begins);
    }
  }

  /** @param burst what came at once and then at its pace, of which the last counts as first. */
  #beginTime(burst: readonly Arrival[]): void {
    const first = burst.at(-1);
    if (first === undefined) return;
    const { live } = this.#options;
    const goesOn = !live && isGoingOn(this.#taken, first);
    this.#time = (goesOn && this.#timeBefore) || beginRunClock(live, first, burst);
  }

  /** Up to where a file was taken in, in its seconds; undefined where none of it was, or the source is live. */
  get takenSeconds(): number | undefined {
    if (this.#taken === undefined || this.#options.live) return undefined;
    // A whole millisecond is before the next frame, however it was rounded.
    return Math.max(0, Math.floor(this.#taken.mediaUs / 1000) - FIRST_SECOND * 1000) / 1000;
  }

  /** A fragment of a run that has settled: its time counts from the first keyframe on. */
  #take({ event, atMs }: Arrived): void {
    if (this.#time !== undefined && !this.#refused) {
      const { clock, fault } = arrive(this.#time, { ...event, atMs });
      if (fault !== undefined) {
        this.#refuseTime(fault);
        this.#record(event, atMs);
        return;
      }
      this.#time = clock;
    } else if (event.keyframe) this.#beginTime([{ ...event, atMs }]);
    this.#record(event, atMs);
  }

  /** @param begun whether the run's first keyframe has come: its time is compared from there on. */
  #record(event: FragmentEvent, atMs: number, begun = this.#time !== undefined): void {
    const believed = !this.#options.live || (begun && !this.#refused);
    const durationUs = believed ? event.durationUs : credibleUs({ ...event, atMs }, this.#lastAtMs ?? atMs);
    this.#lastAtMs = atMs;
    const filmed =
      this.#time === undefined ? atMs - durationUs / 1000 : filmedMs(this.#time, event.decodeTimeUs);
    if (event.keyframe && !this.#refused) this.#followParameterSets(event);
    if (!this.#refused) this.#taken = { mediaUs: event.decodeTimeUs + event.durationUs, atMs };
    this.#options.recorder.record({ ...event, durationUs, filmedMs: filmed });
    if (!this.#refused) this.#watchGop(event);
  }

  onSkipped(bytes: number): void {
    this.#keepPace(bytes, 0);
  }

  /** What comes faster than any camera films waits in the FIFO, and then in ffmpeg. */
  #keepPace(bytes: number, events: number): void {
    const now = this.#options.clock.monotonic();
    if (this.#captureClient === undefined) return;
    const { waitMs, ...pace } = take(this.#pace ?? beginPace(now), now, bytes, events);
    this.#pace = pace;
    if (waitMs === 0 || this.#waiting !== undefined) return;
    const captureClient = this.#captureClient;
    captureClient.pause();
    this.#waiting = setTimeout(() => {
      this.#waiting = undefined;
      captureClient.resume();
    }, waitMs).unref();
  }

  onRunEnd(run: number): void {
    const { recorder, logger } = this.#options;
    this.#settle();
    const torn = this.#fragmenter.pendingBytes;
    if (torn > 0) logger.warn({ run, torn }, 'the run ended within a fragment');
    recorder.endRun();
  }

  /** No more comes: what still waits for the pace of its source is recorded. */
  finish(): void {
    this.#settle();
  }

  #begin(init: InitEvent): void {
    const { audioAllowed, recorder, logger } = this.#options;
    if (init.info.tracks.some(({ kind }) => kind === 'audio') && !audioAllowed()) {
      this.#refuse({ code: 'AUDIO_REFUSED', reason: "the owner's policy does not allow sound" });
      return;
    }
    const { codec, width, height } = init.info.video;
    logger.info({ codec, width, height }, 'recording begins');
    this.#init = init;
    this.#taken ??= { mediaUs: 0, atMs: 0 };
    recorder.beginRun(init);
  }

  /** A camera that changes its size says so in the stream alone; what follows needs an init segment of its own. */
  #followParameterSets(event: FragmentEvent): void {
    const { recorder, logger } = this.#options;
    const changed = this.#init && followParameterSets(this.#init, event.bytes);
    if (changed === undefined) return;
    if (!playsInBrowsers(changed)) {
      this.#refuse({
        code: 'CODEC_UNPLAYABLE',
        reason: 'the stream turned into H.264 that browsers do not play',
      });
      return;
    }
    const { codec, width, height } = changed.info.video;
    logger.info({ codec, width, height }, 'the stream has other parameter sets from here on');
    this.#init = { kind: 'init', ...changed };
    recorder.endRun();
    recorder.beginRun(this.#init);
  }

  #refuseTime(fault: TimeFault): void {
    this.#refuse({ code: 'TIME_WRONG', reason: TIME_FAULTS[fault] }, 'time');
  }

  #refuse(why: { code: string; reason: string }, reason?: 'gop' | 'time'): void {
    this.#options.counters.refusedStreams += 1;
    this.#options.logger.warn(why, 'stream refused');
    this.#refused = true;
    this.#settle();
    this.#options.recorder.endRun();
    this.#captureClient?.refuse(reason);
  }

  #watchGop({ keyframe, durationUs, samples }: FragmentEvent): void {
    // A pause is no picture's.
    const filmedUs = Math.min(durationUs, samples * LONGEST_PICTURE_US);
    this.#sinceKeyframeUs = keyframe ? filmedUs : this.#sinceKeyframeUs + filmedUs;
    if (this.#sinceKeyframeUs <= GOP_LIMIT_US) return;
    this.#sinceKeyframeUs = 0;
    this.#refuse({ code: 'GOP_LONG', reason: 'keyframes are over 20 s apart: it has to be encoded' }, 'gop');
  }
}

const toArrival = ({ event, atMs }: Arrived): Arrival => ({ ...event, atMs });

const TIME_FAULTS: Readonly<Record<TimeFault, string>> = {
  jump: 'the stream’s time jumps',
  rate: 'the stream’s time runs faster or slower than time goes by',
};
