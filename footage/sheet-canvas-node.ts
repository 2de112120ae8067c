import { loadSharp, type RawPicture } from '../agent/capture/jpeg.ts';
import { looksLikeJpeg } from '../agent/capture/snapshot-frame.ts';
import { CommandError } from '../cli/errors.ts';

/** Draws a contact sheet: a heading for each camera, then its tiles in rows. Sizes in pixels. */
const TILE = { width: 320, height: 180, caption: 24, margin: 8 };
const HEADING_HEIGHT = 40;
/** What a JPEG can hold. */
const MAX_SIDE = 65_000;
const COLOURS = { sheet: '#15181c', tile: '#22272e', text: '#e6e9ee', faint: '#8a929e' };
const FONT = 'font-family="DejaVu Sans, Noto Sans, sans-serif"';
const MAX_PICTURE_PIXELS = 4096 * 4096;

export interface SheetTile {
  /** Or words that stand in its place. */
  readonly picture: TilePicture | string;
  readonly caption: string;
}

export interface SheetSection {
  readonly heading: string;
  readonly tiles: readonly SheetTile[];
}

/** Pixels of the size of a tile's picture. */
export type TilePicture = Buffer;

/** A snapshot's JPEG, as large as a tile. @throws CommandError PICTURE_MALFORMED for what is no such picture. */
export async function tileOfJpeg(jpeg: Uint8Array): Promise<TilePicture> {
  try {
    if (!looksLikeJpeg(jpeg)) throw new Error('no JPEG');
    const sharp = await loadSharp();
    return await fitted(sharp(jpeg, { limitInputPixels: MAX_PICTURE_PIXELS, failOn: 'error' }));
  } catch (cause) {
    throw new CommandError('PICTURE_MALFORMED', 'what the camera sealed is no sound picture', cause);
  }
}

export async function tileOfPixels({ pixels, width, height }: RawPicture): Promise<TilePicture> {
  const sharp = await loadSharp();
  return fitted(sharp(pixels, { raw: { width, height, channels: 3 } }));
}

type Image = ReturnType<Awaited<ReturnType<typeof loadSharp>>>;

function fitted(image: Image): Promise<TilePicture> {
  const { width, height } = TILE;
  return image
    .resize(width, height, { fit: 'contain', background: COLOURS.tile })
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer();
}

/**
 * The whole sheet as a file's bytes.
 * @throws CommandError SHEET_TOO_LARGE.
 */
export async function drawSheet(
  sections: readonly SheetSection[],
  columns: number,
  format: 'jpeg' | 'png',
): Promise<{ bytes: Buffer; width: number; height: number }> {
  const places = layOut(sections, columns);
  const { width, height } = places;
  if (width > MAX_SIDE || height > MAX_SIDE) {
    throw new CommandError(
      'SHEET_TOO_LARGE',
      `the sheet would be ${width} by ${height} pixels; choose a camera, or fewer pictures`,
    );
  }
  const sharp = await loadSharp();
  const raw = { width: TILE.width, height: TILE.height, channels: 3 } as const;
  const pictures = places.tiles.flatMap(({ tile, left, top }) =>
    typeof tile.picture === 'string' ? [] : [{ input: tile.picture, raw, left, top }],
  );
  const words = [
    ...places.headings.map(({ text, top }) => ({ input: headingSvg(text, width), left: 0, top })),
    ...places.tiles.map(({ tile, left, top }) => ({ input: captionSvg(tile), left, top })),
  ];
  const sheet = sharp({ create: { width, height, channels: 3, background: COLOURS.sheet } });
  const image = sheet.composite([...pictures, ...words]);
  const bytes = await (format === 'png' ? image.png() : image.jpeg({ quality: 85 })).toBuffer();
  return { bytes, width, height };
}

/** Where everything stands. */
export function layOut(sections: readonly SheetSection[], columns: number) {
  const { margin } = TILE;
  const [stepX, stepY] = [TILE.width + margin, TILE.height + TILE.caption + margin];
  const headings: { text: string; top: number }[] = [];
  const tiles: { tile: SheetTile; left: number; top: number }[] = [];
  let top = 0;
  for (const { heading, tiles: ofCamera } of sections) {
    headings.push({ text: heading, top });
    top += HEADING_HEIGHT;
    ofCamera.forEach((tile, index) => {
      const [column, row] = [index % columns, Math.floor(index / columns)];
      tiles.push({ tile, left: margin + column * stepX, top: top + row * stepY });
    });
    top += Math.ceil(ofCamera.length / columns) * stepY;
  }
  const widest = Math.max(1, ...sections.map((section) => Math.min(columns, section.tiles.length)));
  // As wide as two tiles at least: headings have to fit.
  return {
    width: margin + Math.max(widest, Math.min(columns, 2)) * stepX,
    height: top + margin,
    headings,
    tiles,
  };
}

function headingSvg(text: string, width: number): Buffer {
  const words = `<text x="${TILE.margin}" y="27" ${FONT} font-size="17" fill="${COLOURS.text}">${escaped(text)}</text>`;
  return svg(width, HEADING_HEIGHT, words);
}

/** The caption, and the words in place of a picture. */
function captionSvg({ picture, caption }: SheetTile): Buffer {
  const { width, height } = TILE;
  const centre = `x="${width / 2}" y="${height / 2 + 5}" text-anchor="middle"`;
  const words =
    typeof picture === 'string'
      ? `<rect width="${width}" height="${height}" fill="${COLOURS.tile}"/>` +
        `<text ${centre} ${FONT} font-size="15" fill="${COLOURS.faint}">${escaped(picture)}</text>`
      : '';
  const fill = words === '' ? COLOURS.text : COLOURS.faint;
  const below = `<text x="2" y="${height + 16}" ${FONT} font-size="12.5" fill="${fill}">${escaped(caption)}</text>`;
  return svg(width, height + TILE.caption, words + below);
}

function svg(width: number, height: number, content: string): Buffer {
  return Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${content}</svg>`,
  );
}

/** Text of somebody else's, fit for XML 1.0. */
function escaped(text: string): string {
  return text
    .replace(/[^\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '')
    .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
