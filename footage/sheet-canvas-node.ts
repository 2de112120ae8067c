import { loadSharp, type RawPicture } from '../host/jpeg.ts';
import { MediaError } from '../media/errors.ts';
import { looksLikeJpeg } from '../media/jpeg.ts';
import type { SheetCanvas } from './contact-sheet.ts';
import { FootageError } from './errors.ts';
import { COLOURS, type SheetDrawing, TILE, type TilePicture } from './sheet-layout.ts';

const MAX_PICTURE_PIXELS = 4096 * 4096;

/**
 * Decodes the first picture of a video, scaled down to a width. A failure's code is PICTURE_FAILED when the video is at
 * fault; or it is a MediaError.
 */
export type DecodePicture = (video: Uint8Array, maxWidth: number) => Promise<RawPicture>;

/** Draws with sharp. */
export class SharpCanvas implements SheetCanvas {
  readonly #format: 'jpeg' | 'png';
  readonly #decode: DecodePicture;

  constructor(format: 'jpeg' | 'png', decode: DecodePicture) {
    this.#format = format;
    this.#decode = decode;
  }

  async tileOfJpeg(jpeg: Uint8Array): Promise<TilePicture> {
    try {
      if (!looksLikeJpeg(jpeg)) throw new Error('no JPEG');
      const sharp = await loadSharp();
      return await fitted(sharp(jpeg, { limitInputPixels: MAX_PICTURE_PIXELS, failOn: 'error' }));
    } catch (cause) {
      throw new FootageError('PICTURE_MALFORMED', 'what the camera sealed is no sound picture', cause);
    }
  }

  async tileOfVideo(video: Uint8Array): Promise<TilePicture> {
    const sharp = await loadSharp();
    const { pixels, width, height } = await this.#decode(video, TILE.width).catch(throwDecodeError);
    return fitted(sharp(pixels, { raw: { width, height, channels: 3 } }));
  }

  async draw({ width, height, pictures, words }: SheetDrawing): Promise<Uint8Array> {
    const sharp = await loadSharp();
    const raw = { width: TILE.width, height: TILE.height, channels: 3 } as const;
    const image = sharp({ create: { width, height, channels: 3, background: COLOURS.sheet } }).composite([
      ...pictures.map(({ picture, left, top }) => ({ input: bufferOf(picture), raw, left, top })),
      ...words.map(({ svg, left, top }) => ({ input: Buffer.from(svg), left, top })),
    ]);
    return (this.#format === 'png' ? image.png() : image.jpeg({ quality: 85 })).toBuffer();
  }
}

const bufferOf = ({ buffer, byteOffset, length }: Uint8Array) => Buffer.from(buffer, byteOffset, length);

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

/** Video that no picture comes of is the segment's fault, not the command's. */
function throwDecodeError(error: unknown): never {
  const { code, message } = error as { code?: unknown; message?: string };
  if (error instanceof MediaError || code === 'PICTURE_FAILED') {
    throw new FootageError('PICTURE_MALFORMED', String(message), error);
  }
  throw error;
}
