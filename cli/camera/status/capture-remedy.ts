/** What a person can do about a source of which no picture comes. Pure. */

/**
 * @param code of capture's last error: a RunEnd or a CaptureErrorCode; undefined where it says none.
 * @param directory the camera's, as a person names it.
 */
export function captureRemedy(code: string | undefined, directory: string): string {
  const change = `oriel camera source ${directory} --source SOURCE`;
  switch (code) {
    case 'COMMAND_MISSING':
      return 'install what is missing, and start the camera again';
    case 'redirected':
      return `this camera films only from the address it was given: if the new one is right, stop it, and give it that: ${change} --lan HOST`;
    case 'SOURCE_SILENT':
      return `give it the source again, which then is filmed without sound, or another: ${change}`;
    default:
      return `make the source one that can be played, or stop the camera and give it another: ${change}; oriel camera selfcheck ${directory} checks source and ffmpeg`;
  }
}
