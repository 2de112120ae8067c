import type { Cause } from '../errors.ts';
import type { FfmpegResult, RunFfmpeg } from '../ffmpeg-runner.ts';
import type { SourceFacts } from '../streams.ts';
import type { FileFacts } from './file-facts.ts';

/** Where video comes from. */
export interface Source {
  readonly kind: string;
  readonly traits: SourceTraits;
  /** `user:password` as in the URL; null when the source has none. A secret: it is redacted from ffmpeg's log. */
  readonly credentials: string | null;
  /** The host and TCP port that ffmpeg connects to; null when the source is on this machine. */
  readonly dials: SourceAddress | null;
  /** The file, or the node of a device, that ffmpeg opens; null when there is none. */
  readonly place: SourcePlace | null;
  /** Whether it comes to an end, and then is over. */
  readonly playedOnce: boolean;
  /** ffmpeg's options of pace and looping, which stand before `-i`. */
  readonly pace: readonly string[];
  /** Which complaint of ffmpeg tells which cause; the first rule that matches counts. */
  readonly complaints: readonly Complaint[];

  /** As it may be shown and logged: without credentials, and without parameters, which may hold them. */
  describe(): string;

  /** How ffmpeg and ffprobe open it, without pace or looping. */
  input(plan?: InputPlan): Input;

  /**
   * Finds its streams, a file's GOPs, a device's formats.
   * @param run runs a command within limits of time and output
   * @param sound whether a network camera is asked for sound, too
   * @throws CaptureError PROBE_FAILED, CODEC_REFUSED, NO_VIDEO, SOURCE_REDIRECTED, SOURCE_OPTION, with the cause where
   *   it is known; COMMAND_MISSING
   */
  probe(run: RunFfmpeg, sound?: boolean): Promise<SourceFacts>;

  /** The source as a run opens it, by what the probe found. */
  chosenBy(facts: SourceFacts): Source;

  /** What a cause means for this source. @param file what is known of the file of a `file:` source */
  refine(cause: Cause, file?: FileFacts): Cause;

  /** Why ffprobe failed. @throws CaptureError COMMAND_MISSING */
  diagnoseProbe(result: FfmpegResult, run: RunFfmpeg, file?: FileFacts): Promise<Cause | undefined>;
}

/** What holds of every source of a kind. */
export interface SourceTraits {
  /** Its time is that of the world: what it does not send now is gone. */
  readonly live: boolean;
  /** It may bring sound. */
  readonly sound: boolean;
  /** ffmpeg opens it with its next keyframe at the latest, and by itself gives up one that sends nothing. */
  readonly opensWithKeyframe: boolean;
  /** It is opened again after its probe failed: a camera comes back, a file that cannot be read does not. */
  readonly retried: boolean;
  /** It is probed before each run: what it has may change meanwhile. */
  readonly probedEachRun: boolean;
  /** What it means when ffmpeg ends without an error. */
  readonly endCause: Cause | undefined;
}

/** A kind of source. A new one is a file beside this one, and a line in ../source.ts. */
export interface SourceKind<Parsed extends Source = Source> {
  /** Of its URIs, without the colon. */
  readonly schemes: readonly string[];
  readonly traits: SourceTraits;
  readonly help: SourceHelp;
  /**
   * @param rest the URI after the scheme's colon
   * @param lan hosts (`host` or `host:port`, in any spelling) the owner listed; no other is dialled
   * @throws CaptureError SOURCE_*; never with a password in it
   */
  parse(rest: string, scheme: string, lan: readonly string[]): Parsed;
}

/** What `--help` says of a kind of source. */
export interface SourceHelp {
  /** How its URI is written. */
  readonly form: string;
  /** Lines of at most 112 characters. */
  readonly lines: readonly string[];
  /** The options of a command line that work. */
  readonly example: string;
}

/** What ffmpeg complains of, and the cause that it tells. */
export type Complaint = readonly [words: RegExp, cause: Cause];

export interface SourcePlace {
  readonly kind: 'file' | 'device';
  readonly path: string;
}

export interface SourceAddress {
  readonly host: string;
  readonly port: number;
}

/** How ffmpeg and ffprobe open a source. */
export interface Input {
  /** Options that stand before `-i`, flat. */
  readonly options: readonly string[];
  readonly url: string;
  /** What the command reads from its stdin: here a URL with a password stays out of argv. */
  readonly stdin: string | null;
  /** Where sound comes from, if not from the same input. */
  readonly sound?: { readonly options: readonly string[]; readonly url: string };
}

/** What of a run's plan concerns its input. */
export interface InputPlan {
  /** The time of arrival is the timestamp, whatever the source says. */
  readonly arrival?: boolean;
  /** Frames a second, null where that is not known. */
  readonly rate?: number | null;
  /** Sound is asked for, too. A network camera is asked for nothing else: ffmpeg waits for what does not come. */
  readonly sound?: boolean;
}
