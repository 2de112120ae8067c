import { onlyDecoders, PATTERN } from '../decoders.ts';
import { CaptureError, type Cause } from '../errors.ts';
import { type FrameSize, formatSize } from '../frame-size.ts';
import { NOTHING_MEASURED, type SourceFacts } from '../streams.ts';
import type { Complaint, Input, InputPlan, Source, SourceKind, SourceTraits } from './interface.ts';
import { formatRate, parseRate, parseSize, splitOptions } from './options.ts';

const TRAITS: SourceTraits = {
  live: false,
  sound: true,
  opensWithKeyframe: false,
  retried: true,
  probedEachRun: false,
  endCause: undefined,
};

const SIZE: FrameSize = { width: 1280, height: 720 };
const RATE = 25;

/** A test pattern with a painted running clock and frame number. */
export class TestSource implements Source {
  readonly kind = 'test';
  readonly size: FrameSize;
  /** Frames a second, not always whole. */
  readonly rate: number;

  constructor({ size, rate }: { size: FrameSize; rate: number }) {
    this.size = size;
    this.rate = rate;
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

  get place(): null {
    return null;
  }

  get playedOnce(): boolean {
    return false;
  }

  get pace(): readonly string[] {
    return ['-re'];
  }

  get complaints(): readonly Complaint[] {
    return [];
  }

  describe(): string {
    return `test:?size=${formatSize(this.size)}&rate=${formatRate(this.rate)}`;
  }

  input({ sound = false }: InputPlan = {}): Input {
    const options = [...onlyDecoders(PATTERN), '-f', 'lavfi'];
    const tone = { options: ['-re', ...options], url: 'sine=frequency=440:sample_rate=48000' };
    return {
      options,
      url: `testsrc2=size=${formatSize(this.size)}:rate=${formatRate(this.rate)}`,
      stdin: null,
      ...(sound && { sound: tone }),
    };
  }

  async probe(): Promise<SourceFacts> {
    return { ...NOTHING_MEASURED, h264: false, audio: 'other', size: this.size };
  }

  chosenBy(): this {
    return this;
  }

  refine(cause: Cause): Cause {
    return cause;
  }

  async diagnoseProbe(): Promise<undefined> {
    return undefined;
  }
}

function parse(rest: string): TestSource {
  const { body, options } = splitOptions(rest, ['size', 'rate']);
  if (body !== '') {
    throw new CaptureError('SOURCE_SYNTAX', 'the test pattern is test: or test:?size=WIDTHxHEIGHT&rate=N');
  }
  return new TestSource({
    size: parseSize(options.get('size')) ?? SIZE,
    rate: parseRate(options.get('rate')) ?? RATE,
  });
}

export const test: SourceKind<TestSource> = {
  schemes: ['test'],
  traits: TRAITS,
  help: {
    form: 'test:[?size=WxH&rate=N]',
    lines: ['a test pattern with a clock, 1280x720 at 25 unless given.'],
    example: "--source 'test:?size=640x360&rate=29.97'",
  },
  parse,
};
