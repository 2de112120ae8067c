import { FootageError } from './errors.ts';

/** What a contact sheet looks like: a heading for each camera, then its tiles in rows. Sizes in pixels. */
export const TILE = { width: 320, height: 180, caption: 24, margin: 8 };
export const COLOURS = { sheet: '#15181c', tile: '#22272e', text: '#e6e9ee', faint: '#8a929e' };
const HEADING_HEIGHT = 40;
/** What a JPEG can hold. */
const MAX_SIDE = 65_000;
const FONT = 'font-family="DejaVu Sans, Noto Sans, sans-serif"';

/** Rows of red, green, blue, a byte each, of the size of a tile's picture. */
export type TilePicture = Uint8Array;

export interface SheetTile {
  /** Or words that stand in its place. */
  readonly picture: TilePicture | string;
  readonly caption: string;
}

export interface SheetSection {
  readonly heading: string;
  readonly tiles: readonly SheetTile[];
}

/** A whole sheet: its pictures, then what is written over and beside them, each by its upper left corner. */
export interface SheetDrawing {
  readonly width: number;
  readonly height: number;
  readonly pictures: readonly {
    readonly picture: TilePicture;
    readonly left: number;
    readonly top: number;
  }[];
  readonly words: readonly { readonly svg: string; readonly left: number; readonly top: number }[];
}

/** @throws FootageError SHEET_TOO_LARGE. */
export function layOutSheet(sections: readonly SheetSection[], columns: number): SheetDrawing {
  const { width, height, headings, tiles } = placesOf(sections, columns);
  if (width > MAX_SIDE || height > MAX_SIDE) {
    throw new FootageError(
      'SHEET_TOO_LARGE',
      `the sheet would be ${width} by ${height} pixels; choose a camera, or fewer pictures`,
    );
  }
  const pictures = tiles.flatMap(({ tile, left, top }) =>
    typeof tile.picture === 'string' ? [] : [{ picture: tile.picture, left, top }],
  );
  const words = [
    ...headings.map(({ text, top }) => ({ svg: headingSvg(text, width), left: 0, top })),
    ...tiles.map(({ tile, left, top }) => ({ svg: captionSvg(tile), left, top })),
  ];
  return { width, height, pictures, words };
}

/** Where everything stands. */
function placesOf(sections: readonly SheetSection[], columns: number) {
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

function headingSvg(text: string, width: number): string {
  const words = `<text x="${TILE.margin}" y="27" ${FONT} font-size="17" fill="${COLOURS.text}">${escaped(text)}</text>`;
  return svg(width, HEADING_HEIGHT, words);
}

/** The caption, and the words in place of a picture. */
function captionSvg({ picture, caption }: SheetTile): string {
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

function svg(width: number, height: number, content: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${content}</svg>`;
}

/** Text of somebody else's, fit for XML 1.0. */
function escaped(text: string): string {
  return text
    .replace(/[^\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '')
    .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
