import { CaptureError } from '../errors.ts';
import { FRAME_SIDE, type FrameSize, isFrameSize } from '../frame-size.ts';

const RATE = { min: 1, max: 120 };

/**
 * Splits `BODY?name=value&name=value`.
 * @throws CaptureError SOURCE_OPTION for a name that is not allowed, or is there twice
 */
export function splitOptions(rest: string, allowed: readonly string[]) {
  const mark = rest.indexOf('?');
  const body = mark === -1 ? rest : rest.slice(0, mark);
  const options = new Map<string, string>();
  for (const pair of mark === -1 ? [] : rest.slice(mark + 1).split('&')) {
    const [name = '', value, ...more] = pair.split('=');
    if (!allowed.includes(name) || value === undefined || more.length > 0 || options.has(name)) {
      throw new CaptureError(
        'SOURCE_OPTION',
        `the options of this source are ${allowed.join(', ')}, each once`,
      );
    }
    options.set(name, value);
  }
  return { body, options };
}

/** `1280x720`; null of undefined. @throws CaptureError SOURCE_OPTION */
export function parseSize(text: string | undefined): FrameSize | null {
  if (text === undefined) {
    return null;
  }
  const [, width, height] = (/^(\d{2,4})x(\d{2,4})$/.exec(text) ?? []).map(Number);
  if (width === undefined || height === undefined || !isFrameSize({ width, height })) {
    throw new CaptureError(
      'SOURCE_OPTION',
      `size is WIDTHxHEIGHT, even numbers from ${FRAME_SIDE.min} to ${FRAME_SIDE.max}`,
    );
  }
  return { width, height };
}

/**
 * Frames a second; null of undefined. Cameras that follow NTSC send 30000/1001, and drivers name it so.
 * @throws CaptureError SOURCE_OPTION
 */
export function parseRate(text: string | undefined): number | null {
  if (text === undefined) {
    return null;
  }
  const [, number, over = '1'] = /^(\d{1,6}(?:\.\d{1,3})?)(?:\/(\d{1,4}))?$/.exec(text) ?? [];
  const rate = Number(number) / Number(over);
  if (!(rate >= RATE.min && rate <= RATE.max)) {
    throw new CaptureError(
      'SOURCE_OPTION',
      `rate is frames a second from ${RATE.min} to ${RATE.max}, as in 25, 12.5, 29.97 or 30000/1001`,
    );
  }
  return rate;
}

/** A rate as ffmpeg takes it: `25`, `12.5`, `30000/1001`. */
export function formatRate(rate: number): string {
  const thousands = (rate * 1001) / 1000;
  const isNtsc = !Number.isInteger(rate) && Math.abs(thousands - Math.round(thousands)) < 1e-6;
  return isNtsc ? `${Math.round(thousands) * 1000}/1001` : String(Number(rate.toFixed(3)));
}
