import { CAMERA_VIDEO, onlyDecoders } from '../decoders.ts';
import { diagnose, NO_VIDEO } from '../diagnosis.ts';
import { CaptureError, type Cause } from '../errors.ts';
import { plainComplaintsIn } from '../ffmpeg-log.ts';
import type { FfmpegResult, RunFfmpeg } from '../ffmpeg-runner.ts';
import { type FrameSize, formatSize } from '../frame-size.ts';
import { probeFailed } from '../probe.ts';
import { NOTHING_MEASURED, type SourceFacts } from '../streams.ts';
import type {
  Complaint,
  Input,
  InputPlan,
  Source,
  SourceKind,
  SourcePlace,
  SourceTraits,
} from './interface.ts';
import { formatRate, parseRate, parseSize, splitOptions } from './options.ts';
import { chooseMode, colourless, hasUnnamed, type Mode, parseFormats } from './v4l2-modes.ts';

const TRAITS: SourceTraits = {
  live: true,
  sound: false,
  opensWithKeyframe: false,
  retried: true,
  // Another camera may have been plugged in.
  probedEachRun: true,
  endCause: undefined,
};

const COMPLAINTS: readonly Complaint[] = [
  [/\bioctl\(VIDIOC_STREAMON\): No space left on device$/, 'device-bandwidth'],
  [/: Device or resource busy$/, 'device-busy'],
  [/\bioctl\(VIDIOC_DQBUF\): /, 'device-gone'],
  [
    /\bCannot open video device .*: No such (?:file or directory|device|device or address)$/,
    'device-missing',
  ],
  [/\bCannot open video device .*: (?:Permission denied|Operation not permitted)$/, 'device-denied'],
  [/\bNot a video capture device\.$|: Inappropriate ioctl for device$/, 'device-not-capture'],
  [/\bdoes not support the streaming I\/O method\.$/, 'device-not-capture'],
  [
    /\b(?:Cannot find a proper format for codec|No such input format:|Could not parse framerate) /,
    'device-mode',
  ],
  [/\bioctl\(VIDIOC_(?:S_FMT|S_PARM)\): /, 'device-mode'],
  [/: (?:No such device|Protocol error|Input\/output error)$/, 'device-gone'],
  NO_VIDEO,
];

const DEVICE = /^\/dev\/(video\d{1,3}|v4l\/by-(id|path)\/[\w.:+-]{1,128})$/;
const PIXEL_FORMAT = /^[a-z0-9_]{1,16}$/;

/** A local camera; null is left to the driver. */
export class V4l2Source implements Source {
  readonly kind = 'v4l2';
  readonly device: string;
  readonly size: FrameSize | null;
  /** Frames a second. */
  readonly rate: number | null;
  /** A pixel or codec format, by ffmpeg's name. */
  readonly format: string | null;

  constructor({ device, size, rate, format }: Mode & { device: string }) {
    this.device = device;
    this.size = size;
    this.rate = rate;
    this.format = format;
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
    return { kind: 'device', path: this.device };
  }

  get playedOnce(): boolean {
    return false;
  }

  get pace(): readonly string[] {
    return [];
  }

  get complaints(): readonly Complaint[] {
    return COMPLAINTS;
  }

  describe(): string {
    return `v4l2:${this.device}`;
  }

  input({ arrival = false }: InputPlan = {}): Input {
    return {
      options: [
        ...onlyDecoders([...CAMERA_VIDEO, 'rawvideo']),
        ...['-f', 'v4l2'],
        ...(this.format === null ? [] : ['-input_format', this.format]),
        ...(this.size === null ? [] : ['-video_size', formatSize(this.size)]),
        ...(this.rate === null ? [] : ['-framerate', formatRate(this.rate)]),
        ...(arrival ? ['-use_wallclock_as_timestamps', '1'] : []),
      ],
      url: this.device,
      stdin: null,
    };
  }

  /** Asks the device what it has, and chooses a mode. */
  async probe(run: RunFfmpeg): Promise<SourceFacts> {
    const args = ['-hide_banner', '-nostdin', '-f', 'v4l2', '-list_formats', 'all', '-i', this.device];
    const listed = await run({ command: 'ffmpeg', args, stdin: null });
    const formats = parseFormats(listed.stderr);
    const cause = formats.length === 0 ? await this.diagnoseProbe(listed) : undefined;
    if (cause !== undefined) throw probeFailed(cause);
    if (formats.length === 0 && hasUnnamed(listed.stderr)) throw colourless();
    const mode = chooseMode(formats, this);
    return { ...NOTHING_MEASURED, h264: mode.format === 'h264', audio: 'none', size: mode.size, mode };
  }

  chosenBy({ mode }: Pick<SourceFacts, 'mode'>): V4l2Source {
    return mode === null ? this : new V4l2Source({ device: this.device, ...mode });
  }

  refine(cause: Cause): Cause {
    return cause;
  }

  async diagnoseProbe({ stderr }: Pick<FfmpegResult, 'stderr'>): Promise<Cause | undefined> {
    return diagnose(plainComplaintsIn(stderr), this);
  }
}

function parse(rest: string): V4l2Source {
  const { body, options } = splitOptions(rest, ['size', 'rate', 'format']);
  if (!DEVICE.test(body) || body.endsWith('/..')) {
    throw new CaptureError('SOURCE_SYNTAX', 'a local camera is v4l2:/dev/videoN or v4l2:/dev/v4l/by-id/NAME');
  }
  const format = options.get('format') ?? null;
  if (format !== null && !PIXEL_FORMAT.test(format)) {
    throw new CaptureError('SOURCE_OPTION', 'format is a pixel or codec name such as h264, mjpeg or yuyv422');
  }
  return new V4l2Source({
    device: body,
    size: parseSize(options.get('size')),
    rate: parseRate(options.get('rate')),
    format,
  });
}

export const v4l2: SourceKind<V4l2Source> = {
  schemes: ['v4l2'],
  traits: TRAITS,
  help: {
    form: 'v4l2:/dev/video0[?format=F&size=WxH&rate=N]',
    lines: [
      'a camera at this machine (also /dev/v4l/by-id/NAME, which stays the same). Without options: its own H.264 at up to',
      "1920x1080, else MJPEG at up to 1280x720, else raw at about 640x480, at up to 30 frames a second. F is ffmpeg's name,",
      'as h264, mjpeg, yuyv422. What the camera does not have is refused, with what it has.',
    ],
    example: "--source 'v4l2:/dev/video0?format=mjpeg&size=1280x720&rate=15'",
  },
  parse,
};
