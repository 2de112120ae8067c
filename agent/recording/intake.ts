import type { Clock } from '../../host/clock.ts';
import { MediaError } from '../../media/errors.ts';
import { Fragmenter, type InitEvent } from '../../media/fragmenter.ts';
import type { CaptureFeed, FeedEvents } from '../capture/feed.ts';
import type { AgentLog } from '../log.ts';
import { errorFields } from '../log.ts';
import { beginPace, type Pace, take } from './pace.ts';
import type { Recorder } from './recorder.ts';
import type { Tally } from './tally.ts';

export interface IntakeOptions {
  readonly recorder: Recorder;
  readonly tally: Tally;
  /** Whether the policy in force allows sound. */
  readonly audioAllowed: () => boolean;
  readonly logger: AgentLog;
  /** Without it the stream is taken as fast as it comes. */
  readonly clock?: Pick<Clock, 'monotonic'>;
}

/** A copied stream whose keyframes are further apart than this, µs, is encoded from then on. */
export const GOP_LIMIT_US = 20_000_000;

/**
 * Takes the bytes of each run of the encoder apart and hands them on, fragment by fragment. A stream that is not
 * what it has to be is refused as a whole: capture starts another.
 */
export class Intake implements FeedEvents {
  readonly #options: IntakeOptions;
  #feed: CaptureFeed | undefined;
  #fragmenter = new Fragmenter();
  #sinceKeyframeUs = 0;
  #reencoding = false;
  #pace: Pace | undefined;
  #waiting: NodeJS.Timeout | undefined;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** The feed that calls this intake, for refusals. */
  attach(feed: CaptureFeed): void {
    this.#feed = feed;
  }

  onRunStart(): void {
    this.#fragmenter = new Fragmenter();
    this.#sinceKeyframeUs = 0;
  }

  onBytes(chunk: Uint8Array): void {
    let events = 0;
    try {
      for (const event of this.#fragmenter.push(chunk)) {
        events += 1;
        if (event.kind === 'init') this.#begin(event);
        else {
          this.#options.recorder.record(event);
          this.#watchGop(event);
        }
      }
    } catch (error) {
      if (!(error instanceof MediaError)) throw error;
      this.#refuse(errorFields(error));
    }
    this.#keepPace(chunk.length, events);
  }

  onSkipped(bytes: number): void {
    this.#keepPace(bytes, 0);
  }

  /** What comes faster than any camera films waits in the FIFO, and then in ffmpeg. */
  #keepPace(bytes: number, events: number): void {
    const now = this.#options.clock?.monotonic();
    if (now === undefined || this.#feed === undefined) return;
    const { waitMs, ...pace } = take(this.#pace ?? beginPace(now), now, bytes, events);
    this.#pace = pace;
    if (waitMs === 0 || this.#waiting !== undefined) return;
    const feed = this.#feed;
    feed.pause();
    this.#waiting = setTimeout(() => {
      this.#waiting = undefined;
      feed.resume();
    }, waitMs).unref();
  }

  onRunEnd(run: number): void {
    const { recorder, logger } = this.#options;
    const torn = this.#fragmenter.pendingBytes;
    if (torn > 0) logger.warn({ run, torn }, 'the run ended within a fragment');
    recorder.endRun();
  }

  #begin(init: InitEvent): void {
    const { audioAllowed, recorder, logger } = this.#options;
    if (init.info.tracks.some(({ kind }) => kind === 'audio') && !audioAllowed()) {
      this.#refuse({ code: 'AUDIO_REFUSED', reason: "the owner's policy does not allow sound" });
      return;
    }
    const { codec, width, height } = init.info.video;
    logger.info({ codec, width, height }, 'recording begins');
    recorder.beginRun(init);
  }

  #refuse(why: { code: string; reason: string }): void {
    this.#options.tally.refusedStreams += 1;
    this.#options.logger.warn(why, 'stream refused');
    this.#options.recorder.endRun();
    this.#feed?.refuse();
  }

  #watchGop({ keyframe, durationUs }: { keyframe: boolean; durationUs: number }): void {
    this.#sinceKeyframeUs = keyframe ? durationUs : this.#sinceKeyframeUs + durationUs;
    if (this.#sinceKeyframeUs <= GOP_LIMIT_US || this.#reencoding) return;
    this.#reencoding = true;
    this.#options.logger.warn({}, 'keyframes are over 20 s apart: encoding instead of copying from now on');
    this.#feed?.reencode();
  }
}
