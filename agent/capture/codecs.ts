import { type Encoder, type RunPlan, trialArguments } from './arguments.ts';
import type { RunFfmpeg } from './ffmpeg-runner.ts';
import type { SourceFacts } from './streams.ts';

/** The board's encoder where a trial with it yields an init segment with parameter sets and a fragment. */
export async function pickEncoder(run: RunFfmpeg): Promise<Encoder> {
  const args = await trialArguments('h264_v4l2m2m');
  const trial = await run({ command: 'ffmpeg', args, stdin: null });
  const sound = trial.code === 0 && trial.stdout.includes('avcC') && trial.stdout.includes('moof');
  return sound ? 'h264_v4l2m2m' : 'libx264';
}

/** A segment begins at a keyframe: a longer GOP than this, in seconds, is encoded anew. */
const GOP_LIMIT_SECONDS = 20;

/** Why a run copies or encodes. */
type CodecReason = 'copyable' | 'not-h264' | 'long-gop' | 'no-stamps' | 'given-up';

interface CodecChoice {
  mode: 'copy' | 'encode';
  reason: CodecReason;
}

/** @param givenUp copying was given up after a run with it. */
export function chooseCodec(facts: SourceFacts, givenUp: boolean): CodecChoice {
  if (!facts.h264) {
    return { mode: 'encode', reason: 'not-h264' };
  }
  if (facts.gopSeconds !== null && facts.gopSeconds > GOP_LIMIT_SECONDS) {
    return { mode: 'encode', reason: 'long-gop' };
  }
  // When its pictures are shown, only a decoder can tell.
  if (facts.bFrames && facts.stamps !== 'both') {
    return { mode: 'encode', reason: 'no-stamps' };
  }
  return givenUp ? { mode: 'encode', reason: 'given-up' } : { mode: 'copy', reason: 'copyable' };
}

/** Sound is dropped unless asked for. */
export function chooseAudio(facts: SourceFacts, wanted: boolean): RunPlan['audio'] {
  switch (facts.audio) {
    case 'aac':
      return wanted ? 'copy' : 'none';
    case 'other':
      return wanted ? 'aac' : 'none';
    default:
      return 'none';
  }
}

/**
 * The encoder after a run: the board's own is given up once a run with it brought next to nothing.
 * @param goodMs milliseconds from the run's first byte to its last
 */
export function encoderAfter(encoder: Encoder, failed: boolean, goodMs: number): Encoder {
  return failed && goodMs < 1000 ? 'libx264' : encoder;
}
