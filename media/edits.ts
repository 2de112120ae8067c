import { type Box, childrenOf, FieldReader, onlyBox, readBoxes } from './boxes.ts';
import { MediaError } from './errors.ts';
import type { InitInfo } from './init.ts';
import { movieTimescale } from './movie.ts';
import { box } from './writer.ts';

/** Edit lists of an init segment (ISO/IEC 14496-12 section 8.6.6), as a muxer writes them that waits for the first packets. */

/** What moves a track further than this, seconds, has nothing to do with the others: it counts for nothing. */
const MOST_SECONDS = 2;

/** By track id, how many of its ticks each track is shown later than the video, by their edit lists alone. */
export function readEdits(init: Uint8Array, { tracks, video }: InitInfo): Map<number, number> {
  const moov = childrenOf(init, onlyBox([...readBoxes(init)], 'moov'));
  const timescale = movieTimescale(init, onlyBox(moov, 'mvhd'));
  const traks = moov.filter(({ type }) => type === 'trak');
  const seconds = tracks.map((track, index) => {
    const { emptyTicks, mediaTime } = readEdit(init, traks[index] as Box);
    return emptyTicks / timescale - mediaTime / track.timescale;
  });
  const ofVideo = seconds[tracks.indexOf(video)] as number;
  return new Map(
    tracks.map((track, index) => {
      const later = (seconds[index] as number) - ofVideo;
      return [track.id, Math.abs(later) <= MOST_SECONDS ? Math.round(later * track.timescale) : 0];
    }),
  );
}

/** The moov without them. */
export function withoutEdits(init: Uint8Array): Uint8Array {
  const moov = onlyBox([...readBoxes(init)], 'moov');
  const copy = ({ start, end }: Box) => init.subarray(start, end);
  const children = childrenOf(init, moov).map((child) => {
    if (child.type !== 'trak') return copy(child);
    const kept = childrenOf(init, child).filter(({ type }) => type !== 'edts');
    return box('trak', ...kept.map(copy));
  });
  return box('moov', ...children);
}

interface Edit {
  /** Of the movie, before anything is shown. */
  readonly emptyTicks: number;
  /** Of the track, which are not shown. */
  readonly mediaTime: number;
}

const NO_EDIT: Edit = { emptyTicks: 0, mediaTime: 0 };

/** The first entry that shows anything, with the empty ones before it. A list that cannot be read changes nothing. */
function readEdit(init: Uint8Array, trak: Box): Edit {
  try {
    const edts = childrenOf(init, trak).find(({ type }) => type === 'edts');
    const elst = edts && childrenOf(init, edts).find(({ type }) => type === 'elst');
    return elst === undefined ? NO_EDIT : readEntries(new FieldReader(init, elst));
  } catch (error) {
    if (error instanceof MediaError) return NO_EDIT;
    throw error;
  }
}

function readEntries(fields: FieldReader): Edit {
  const wide = fields.versionAndFlags().version === 1;
  let emptyTicks = 0;
  for (let left = fields.u32(); left > 0; left--) {
    const duration = wide ? fields.u64() : fields.u32();
    const mediaTime = wide ? fields.i64() : fields.i32();
    fields.skip(4);
    if (mediaTime >= 0) return { emptyTicks, mediaTime };
    emptyTicks += duration;
  }
  return NO_EDIT;
}
