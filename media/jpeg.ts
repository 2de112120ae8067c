/** Whether bytes look like a JPEG (ITU-T T.81 annex B): they begin and end with its markers. */
export function looksLikeJpeg(bytes: Uint8Array): boolean {
  const starts = bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
  return starts && bytes.at(-2) === 0xff && bytes.at(-1) === 0xd9;
}
