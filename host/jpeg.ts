/** A decoded picture: rows of red, green, blue, a byte each. Sides in pixels. */
export interface RawPicture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** Loaded when it is used: it takes memory. One thread, and nothing kept: pictures come one at a time. */
export async function loadSharp() {
  const { default: sharp } = await import('sharp');
  sharp.concurrency(1);
  sharp.cache(false);
  return sharp;
}
