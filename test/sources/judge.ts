import { beepAt, type FilmTrack, flashAt, probeTrack } from './film-probe.ts';
import type { Filmed } from './film-source.ts';
import { isRefusal, type Recording, type Refusal, type Right } from './recording.ts';

/** What came of a source, in words, and what of it is not right. */
export interface Verdict {
  readonly came: string;
  readonly wrong: readonly string[];
}

/** Of a frame, seconds: what the container's clock and sound that begins a little before the pictures make of it. */
const TIME_APART = 0.03;
/** The first is shown from the beginning, where sound begins before it. */
const FIRST_APART = 0.1;
const DURATION_APART = 0.15;
/** Sound in a film ends with a whole frame of AAC. */
const SOUND_APART = 0.15;

/** Compares what came of a recording with what is right. */
export async function judgeRecording({ right }: Recording, filmed: Filmed): Promise<Verdict> {
  return isRefusal(right) ? judgeRefusal(right, filmed) : judgeFilm(right, filmed);
}

function judgeRefusal({ code, says }: Refusal, { end, status }: Filmed): Verdict {
  if (typeof end === 'string') {
    const came = `${end}, ${status?.capturedSeconds ?? 0} s recorded`;
    return { came, wrong: [`not refused: ${came}`] };
  }
  const wrong = [];
  if (end.code !== code) wrong.push(`code ${end.code}, not ${code}`);
  if (!says.test(end.message)) wrong.push(`says “${end.message}”`);
  return { came: `${end.code}: ${end.message}`, wrong };
}

async function judgeFilm(right: Right, filmed: Filmed): Promise<Verdict> {
  const { end, report, movies, capture } = filmed;
  const restarts = Object.entries(capture?.restarts ?? {}).filter(([, count]) => count > 0);
  const tracks = await Promise.all(movies.map(({ path }) => probeTrack(path, 'v', right.torn)));
  const found = tracks.filter((track) => track !== undefined);
  const frames = found.reduce((sum, { times }) => sum + times.length, 0);
  const came = [
    typeof end === 'string' ? end : `${end.code}: ${end.message}`,
    `${capture?.mode ?? 'no run'}`,
    `${frames} frames, ${(report?.openedSeconds ?? 0).toFixed(2)} s, ${movies.length} file(s)`,
    ...restarts.map(([cause, count]) => `${cause} ${count}×`),
    ...(capture?.lastError ? [`last error ${capture.lastError.code}: ${capture.lastError.line}`] : []),
  ];
  const wrong: string[] = [];
  const expect = (what: string, holds: boolean) => {
    if (!holds) wrong.push(what);
  };
  expect(`ends ${came[0]}`, isRightEnd(end, right.broken));
  expect(`verdict ${report?.verdict}`, report?.verdict === 'complete');
  expect(`mode ${capture?.mode}`, capture?.mode === right.mode);
  for (const [cause, count] of restarts) {
    expect(`restarted: ${cause} ${count}×`, right.causes?.includes(cause) === true);
  }
  wrong.push(...judgeTimes(right, filmed, found));
  wrong.push(...judgeLook(right, found));
  const sound = await judgeSound(right, filmed, found[0]);
  return { came: [...came, ...sound.came].join('; '), wrong: [...wrong, ...sound.wrong] };
}

function isRightEnd(end: Filmed['end'], broken: RegExp | undefined): boolean {
  if (broken === undefined || typeof end === 'string') return broken === undefined && end === 'finished';
  return end.code === 'SOURCE_BROKEN' && broken.test(end.message);
}

/** Frames are there, and are shown when they have to be. */
function judgeTimes(
  { times, end, open, endApart = DURATION_APART }: Right,
  { movies }: Filmed,
  tracks: readonly FilmTrack[],
): string[] {
  const wrong: string[] = [];
  const from = movies[0]?.fromMs ?? 0;
  // The films that come of one source stand one after the other, by when they begin.
  const shown = tracks.flatMap((track, index) => {
    const shift = ((movies[index]?.fromMs ?? from) - from) / 1000;
    return track.times.map((time) => time + shift);
  });
  const [first = 0] = shown;
  const frames = shown.length;
  const [least, most] = open ?? [times.length, times.length];
  if (frames < least || frames > most)
    wrong.push(`${frames} frames, not ${least === most ? least : `${least} to ${most}`}`);
  // Between films only the camera's clock tells.
  const apart = TIME_APART + (tracks.length - 1) * 0.1;
  const by = shown.map((time, index) => time - (times[index] ?? Number.NaN));
  const usual = by.toSorted((a, b) => a - b)[by.length >> 1] ?? 0;
  const worst = by
    .slice(1)
    .reduce((most, each) => (Math.abs(each - usual) > Math.abs(most) ? each - usual : most), 0);
  if (Math.abs(first - usual) > FIRST_APART)
    wrong.push(`the first frame is ${(first - usual).toFixed(3)} s off`);
  if (open === undefined && frames === times.length && !(Math.abs(worst) <= apart)) {
    wrong.push(`a frame is ${worst.toFixed(3)} s off`);
  }
  const length = tracks.reduce((sum, track) => sum + track.end - (track.times[0] ?? 0), 0);
  // Of frames that may be more or fewer, the length is open too.
  const [shortest, longest] = [least, most].map(
    (count) => end + (count - times.length) / (times.length / end),
  );
  if (length < (shortest ?? end) - endApart || length > (longest ?? end) + endApart) {
    wrong.push(`lasts ${length.toFixed(2)} s, not ${end.toFixed(2)}`);
  }
  return wrong;
}

function judgeLook({ sizes, rotation = 0 }: Right, tracks: readonly FilmTrack[]): string[] {
  const wrong: string[] = [];
  const made = tracks.map(({ width, height }) => `${width}x${height}`).join(', ');
  const wanted = sizes.map(([width, height]) => `${width}x${height}`).join(', ');
  if (made !== wanted) wrong.push(`${made || 'no film'}, not ${wanted}`);
  for (const track of tracks) {
    if (track.codec !== 'h264') wrong.push(`video is ${track.codec}`);
    if (track.rotation !== rotation) wrong.push(`to be turned by ${track.rotation}°, not ${rotation}°`);
  }
  return wrong;
}

/** Sound is there as it has to be, and in step: flash and beep are at one time. */
async function judgeSound({ sound }: Right, { movies }: Filmed, track: FilmTrack | undefined) {
  const [movie] = movies;
  if (movie === undefined || track === undefined) return { came: [], wrong: sound ? ['no sound'] : [] };
  const heard = await probeTrack(movie.path, 'a');
  if (sound === undefined)
    return { came: [], wrong: heard ? [`sound that nobody wants: ${heard.codec}`] : [] };
  if (heard === undefined) return { came: ['no sound'], wrong: ['no sound'] };
  const wrong: string[] = [];
  const [flash, beep] = await Promise.all([flashAt(movie.path, track.times), beepAt(movie.path)]);
  const apart = flash === undefined || beep === undefined ? Number.NaN : beep - flash;
  if (heard.codec !== 'aac') wrong.push(`sound is ${heard.codec}`);
  if (!(Math.abs(apart) <= sound.apart))
    wrong.push(`sound is ${(apart * 1000).toFixed(0)} ms after the picture`);
  const lasts = heard.end - (track.times[0] ?? 0);
  if (sound.seconds !== undefined && Math.abs(lasts - sound.seconds) > SOUND_APART) {
    wrong.push(`sound lasts ${lasts.toFixed(2)} s, not ${sound.seconds.toFixed(2)}`);
  }
  return { came: [`sound ${(apart * 1000).toFixed(0)} ms after the picture, ${lasts.toFixed(2)} s`], wrong };
}
