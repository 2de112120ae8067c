import { FILE_SOUND, FILE_TEXT, FILE_VIDEO, onlyDecoders, refusedDecoderIn } from '../decoders.ts';
import { besideRefused, diagnose, NO_VIDEO } from '../diagnosis.ts';
import { CaptureError, type Cause } from '../errors.ts';
import { ENDS_EARLY, plainComplaintsIn } from '../ffmpeg-log.ts';
import type { FfmpegResult, RunFfmpeg } from '../ffmpeg-runner.ts';
import { expectOutput, packetsCommand, probeFailed, streamsCommand } from '../probe.ts';
import { parsePackets, parseStreams, type SourceFacts } from '../streams.ts';
import { acceptFile, causeWithoutVideo, type FileFacts, isMatroska, unplayable } from './file-facts.ts';
import type { Complaint, Input, Source, SourceKind, SourcePlace, SourceTraits } from './interface.ts';

const TRAITS: SourceTraits = {
  live: false,
  sound: true,
  opensWithKeyframe: false,
  retried: false,
  probedEachRun: false,
  endCause: undefined,
};

const COMPLAINTS: readonly Complaint[] = [
  [/\bmoov atom not found$/, 'file-cut'],
  [ENDS_EARLY, 'file-cut'],
  [/\berror reading header$|: End of file$/, 'file-cut'],
  [/: No such file or directory$|: Not a directory$/, 'file-missing'],
  [/: Permission denied$/, 'file-denied'],
  [/: Is a directory$/, 'file-directory'],
  [/: Input\/output error$|: Stale file handle$/, 'file-failing'],
  [/: Invalid data found when processing input$|\bdetected only with low score\b/, 'file-unknown'],
  NO_VIDEO,
];

/** A file played in real time, once or over and over. */
export class FileSource implements Source {
  readonly kind = 'file';
  readonly path: string;
  readonly loop: boolean;

  constructor({ path, loop }: { path: string; loop: boolean }) {
    this.path = path;
    this.loop = loop;
  }

  get traits(): SourceTraits {
    return TRAITS;
  }

  get credentials(): null {
    return null;
  }

  get dials(): null {
    return null;
  }

  get place(): SourcePlace {
    return { kind: 'file', path: this.path };
  }

  get playedOnce(): boolean {
    return !this.loop;
  }

  get pace(): readonly string[] {
    return this.loop ? ['-re', '-stream_loop', '-1'] : ['-re'];
  }

  get complaints(): readonly Complaint[] {
    return COMPLAINTS;
  }

  describe(): string {
    return `file:${this.path}${this.loop ? '?loop' : ''}`;
  }

  input(): Input {
    return {
      // A playlist inside the file must not lead anywhere else.
      options: [
        ...onlyDecoders([...FILE_VIDEO, ...FILE_SOUND, ...FILE_TEXT]),
        ...['-protocol_whitelist', 'file'],
      ],
      url: `file:${this.path}`,
      stdin: null,
    };
  }

  async probe(run: RunFfmpeg): Promise<SourceFacts> {
    const file = acceptFile(this.path);
    const command = streamsCommand(this);
    const streams = await run(command);
    if (refusedDecoderIn(streams.stderr) !== undefined) {
      // Asked once more, with its streams listed on stderr.
      const listed = await run({ ...command, args: [...command.args, '-v', 'level+info'] });
      const beside = besideRefused(listed.stderr);
      if (beside !== undefined) return beside;
    }
    const facts = parseStreams((await expectOutput(run, this, streams, file)).stdout, file);
    // Without a picture it has no size.
    if (facts.size === null) throw probeFailed(causeWithoutVideo(0, file));
    const packets = await run(packetsCommand(this, facts.video));
    await expectOutput(run, this, packets, file);
    return { ...facts, ...parsePackets(packets.stdout, facts.rate) };
  }

  chosenBy(): this {
    return this;
  }

  refine(cause: Cause, file?: FileFacts): Cause {
    if (file?.kind !== 'file') return cause;
    // ffmpeg calls a Matroska that ends within its header an input/output error.
    if (cause === 'file-failing' && isMatroska(file.head)) return 'file-cut';
    return cause === 'file-cut' || cause === 'file-unknown' ? unplayable(file.head) : cause;
  }

  async diagnoseProbe(
    { code, stderr }: FfmpegResult,
    _run: RunFfmpeg,
    file?: FileFacts,
  ): Promise<Cause | undefined> {
    const cause = diagnose(plainComplaintsIn(stderr), this, file);
    if (cause !== undefined || code === null || file?.kind !== 'file') return cause;
    return refusedDecoderIn(stderr) === undefined ? unplayable(file.head) : undefined;
  }
}

/** What ends in `?loop` or `?once` is a name and an option; any other question mark belongs to the name. */
function parse(rest: string): FileSource {
  const mark = rest.lastIndexOf('?');
  const last = mark === -1 ? undefined : rest.slice(mark + 1);
  const isOption = last === 'loop' || last === 'once';
  if (last !== undefined && !isOption && !/[./]/.test(last)) {
    throw new CaptureError(
      'SOURCE_OPTION',
      'the options of a file are ?loop and ?once; a name with a question mark takes one of them at its end',
    );
  }
  const path = isOption ? rest.slice(0, mark) : rest;
  const local = path.startsWith('///') ? path.slice(2) : path;
  if (local === '' || local.startsWith('//')) {
    throw new CaptureError('SOURCE_SYNTAX', 'a file source is file:PATH');
  }
  return new FileSource({ path: local, loop: last === 'loop' });
}

export const file: SourceKind<FileSource> = {
  schemes: ['file'],
  traits: TRAITS,
  help: {
    form: 'file:PATH[?loop|?once]',
    lines: [
      'a film, once or over and over. Any name is taken as it is; one that has a ? takes ?once or ?loop at its end.',
    ],
    example: "--source 'file:/srv/clip.mp4?loop'",
  },
  parse,
};
