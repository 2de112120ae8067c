import { box, concat, fullBox, u32s, u64s } from '../../media/writer.ts';

/** The least that is an init segment and a fragment of one video track: no picture is in it. */

const TRACK = 1;
export const MINIMAL_TIMESCALE = 12_800;

const type = (text: string) => new TextEncoder().encode(text);
const zeros = (count: number) => new Uint8Array(count);

export function minimalInit(): Uint8Array {
  const mvhd = fullBox('mvhd', 0, 0, u32s([0, 0, 1000, 0]), zeros(80));
  const tkhd = fullBox('tkhd', 0, 3, u32s([0, 0, TRACK, 0, 0]), zeros(60));
  const mdhd = fullBox('mdhd', 0, 0, u32s([0, 0, MINIMAL_TIMESCALE, 0]), zeros(4));
  const hdlr = fullBox('hdlr', 0, 0, zeros(4), type('vide'), zeros(13));
  const entry = box('none', zeros(24), u32s([(16 << 16) | 16]), zeros(50));
  const stbl = box('stbl', fullBox('stsd', 0, 0, u32s([1]), entry));
  const trak = box('trak', tkhd, box('mdia', mdhd, hdlr, box('minf', stbl)));
  const mvex = box('mvex', fullBox('trex', 0, 0, u32s([TRACK, 1, 0, 0, 0])));
  return concat([box('ftyp', type('iso5'), zeros(4)), box('moov', mvhd, trak, mvex)]);
}

/**
 * One sample of one byte.
 * @param decodeTime and @param duration in units of MINIMAL_TIMESCALE.
 */
export function minimalFragment(decodeTime = 0, duration = MINIMAL_TIMESCALE * 4): Uint8Array {
  const moof = (offset: number) =>
    box(
      'moof',
      fullBox('mfhd', 0, 0, u32s([1])),
      box(
        'traf',
        fullBox('tfhd', 0, 0x2_0000, u32s([TRACK])),
        fullBox('tfdt', 1, 0, u64s([decodeTime])),
        fullBox('trun', 0, 0x301, u32s([1, offset, duration, 1])),
      ),
    );
  return concat([moof(moof(0).length + 8), box('mdat', zeros(1))]);
}
