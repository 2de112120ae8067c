/** Width and height of a picture, pixels. */
export interface FrameSize {
  width: number;
  height: number;
}

export const FRAME_SIDE = { min: 64, max: 4096 };

/** `1280x720` */
export function formatSize(size: FrameSize): string {
  return `${size.width}x${size.height}`;
}

/** Whether H.264 is made of pictures of this size here: both sides even, and neither too small nor too large. */
export const isFrameSize = ({ width, height }: FrameSize) => isFrameSide(width) && isFrameSide(height);

function isFrameSide(pixels: number): boolean {
  return pixels >= FRAME_SIDE.min && pixels <= FRAME_SIDE.max && pixels % 2 === 0;
}
