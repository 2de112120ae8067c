import { type Encoder, trialArguments } from './arguments.ts';
import type { RunFfmpeg } from './ffmpeg-runner.ts';

/** The board's encoder where a trial with it yields an init segment with parameter sets and a fragment. */
export async function pickEncoder(run: RunFfmpeg): Promise<Encoder> {
  const args = await trialArguments('h264_v4l2m2m');
  const trial = await run({ command: 'ffmpeg', args, stdin: null });
  const sound = trial.code === 0 && trial.stdout.includes('avcC') && trial.stdout.includes('moof');
  return sound ? 'h264_v4l2m2m' : 'libx264';
}
