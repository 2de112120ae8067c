import { probe } from '../e2e/clips.ts';
import { filmed } from '../e2e/demonstration.ts';

const VTEST = '/usr/share/doc/opencv-doc/examples/data/vtest.avi';
/** We encode a keyframe every 2 s, and the clip has 10 frames/s. */
const GOP = { seconds: 2, frames: 20 };

test('a whole surveillance clip: encoded, sealed, uploaded and opened, it is as long as the source', () =>
  filmed(['--input', VTEST], ({ summary, movie }) => {
    const source = probe(VTEST).video;
    const { video } = probe(movie);
    expect(Math.abs(video.frames - source.frames)).toBeLessThanOrEqual(GOP.frames);
    expect(Math.abs(video.duration - source.duration)).toBeLessThanOrEqual(GOP.seconds);
    expect(summary.lostSeconds).toBe(0);
    expect(summary.capturedSeconds).toBeCloseTo(video.duration, 1);
  }));
