import type { Credentials } from './credentials.ts';

/** What is wrong with a network camera. Seconds, unless a name says otherwise. */
export interface Faults {
  /** Frame rate that the stamps claim; the true one otherwise. */
  readonly stampFps?: number;
  /** No parameter sets in the description. */
  readonly noParameterSets?: boolean;
  /** From `atSeconds` on another clip. */
  readonly switchTo?: { readonly file: string; readonly atSeconds: number };
  /** How much of the clip is over when the camera starts: 7 of a GOP of 15 means that the first keyframe is 8 away. */
  readonly offset?: number;
  /** Each client gets the clip from its beginning. */
  readonly restartPerClient?: boolean;
  /** From so long after PLAY on, stamps are so far off; they add up. */
  readonly jumps?: readonly Shift[];
  /** One frame of each `everySeconds` is stamped so far off. */
  readonly blip?: { readonly everySeconds: number; readonly bySeconds: number };
  /** `dead`: described, and never sent. `stops`: after audioStopsAt. `sparse`: a second of each twelve. */
  readonly audio?: 'pcma' | 'dead' | 'stops' | 'sparse';
  readonly audioStopsAt?: number;
  /** A metadata track, on which nothing comes. */
  readonly metadata?: boolean;
  /** RTCP sender reports every 2 s; from `atSeconds` on their wall clock is so far off. */
  readonly senderReports?: Shift;
  /** One session at a time, free again so long after its end. */
  readonly oneSession?: number;
  readonly credentials?: Credentials;
  readonly udpOnly?: boolean;
  /** Closes after so long without a request. */
  readonly keepAlive?: number;
  /** Closes every connection so long after PLAY, and refuses for so long. */
  readonly dies?: { readonly afterSeconds: number; readonly forSeconds: number };
  /** Sends nothing from so long after PLAY on, for so long. */
  readonly mute?: { readonly afterSeconds: number; readonly forSeconds: number };
  /** How long it takes to answer a DESCRIBE. */
  readonly slowStart?: number;
  /** It sends whoever asks to that URL, from its so manieth description on (the first is 1). */
  readonly redirect?: { readonly to: string; readonly from: number };
}

export interface Shift {
  readonly atSeconds: number;
  readonly bySeconds: number;
}

const AUDIO_STOPS_AT = 8;
const SPARSE = { everySeconds: 12, forSeconds: 1 };

/** What a frame is stamped with, seconds. @param index of the frame since PLAY. */
export function stampOf({ stampFps, jumps = [], blip }: Faults, index: number, fps: number): number {
  const seconds = index / fps;
  const jumped = jumps.filter(({ atSeconds }) => seconds >= atSeconds);
  const shift = jumped.reduce((sum, { bySeconds }) => sum + bySeconds, 0);
  return (
    index / (stampFps ?? fps) + shift + (blip && isBlip(index, fps, blip.everySeconds) ? blip.bySeconds : 0)
  );
}

/** Whether a frame is the first of another `everySeconds`; the very first is none. */
function isBlip(index: number, fps: number, everySeconds: number): boolean {
  const turn = Math.floor(index / fps / everySeconds);
  return turn > 0 && Math.floor((index - 1) / fps / everySeconds) < turn;
}

/** Whether sound is sent so long after PLAY. */
export function soundsAt({ audio, audioStopsAt = AUDIO_STOPS_AT }: Faults, seconds: number): boolean {
  switch (audio) {
    case 'pcma':
      return true;
    case 'stops':
      return seconds < audioStopsAt;
    case 'sparse':
      return seconds % SPARSE.everySeconds < SPARSE.forSeconds;
    default:
      return false;
  }
}

/** Whether pictures are sent so long after PLAY. */
export function sendsAt({ mute }: Faults, seconds: number): boolean {
  return mute === undefined || seconds < mute.afterSeconds || seconds >= mute.afterSeconds + mute.forSeconds;
}

/** By how much the wall clock of sender reports is off so long after PLAY. */
export function wallShiftAt({ senderReports }: Faults, seconds: number): number {
  return senderReports !== undefined && seconds >= senderReports.atSeconds ? senderReports.bySeconds : 0;
}
