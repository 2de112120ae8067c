import type { Cause } from '../capture/errors.ts';

/** What a person can do about a source of which no picture comes. Pure. */

/**
 * @param code of capture's last error: a RunEnd or a CaptureErrorCode; undefined where it says none.
 * @param directory the camera's, as a person names it.
 * @param cause of the same error, where it is known: its remedy comes before that of the code.
 */
export function captureRemedy(code: string | undefined, directory: string, cause?: Cause): string {
  const change = `oriel camera source ${directory} --source SOURCE`;
  if (code === 'redirected') {
    return `this camera films only from the address it was given: if the new one is right, stop it, and give it that: ${change} --lan HOST`;
  }
  if (cause !== undefined) return causeRemedy(cause, directory);
  switch (code) {
    case 'gop':
      return "set the interval of keyframes (GOP) in the camera's settings to some seconds: then nothing has to be encoded";
    case 'time':
      return "this camera goes by the time of arrival by itself; set frame rate and clock in the network camera's settings, or update its firmware";
    case 'COMMAND_MISSING':
      return 'install what is missing, and start the camera again';
    case 'SOURCE_SILENT':
      return `give it the source again, which then is filmed without sound, or another: ${change}`;
    default:
      return `make the source one that can be played, or stop the camera and give it another: ${change}; oriel camera selfcheck ${directory} checks source and ffmpeg`;
  }
}

/** It is tried again every few seconds: what is put right at the source needs no command. */
const BY_ITSELF = 'this camera tries again by itself';

export function causeRemedy(cause: Cause, directory: string): string {
  const stop = `stop this camera and give it the source anew: oriel camera source ${directory} --source`;
  const another = `stop this camera and give it another source: oriel camera source ${directory} --source SOURCE`;
  const login = `${stop} - (it reads rtsp://USER:PASSWORD@HOST/PATH from standard input; @ in a password is written %40)`;
  const address = `${stop} SOURCE --lan HOST`;
  switch (cause) {
    case 'session-limit':
      return `close another viewer of the camera, as an app or a recorder, or allow more in its settings; ${BY_ITSELF}`;
    case 'transport-refused':
      return `allow RTP over TCP (also called RTP over RTSP, or TCP) in the camera's settings for RTSP; ${BY_ITSELF}`;
    case 'credentials-missing':
    case 'credentials-refused':
      return login;
    case 'login-unsupported':
      return `set the camera's RTSP authentication to digest (MD5), digest/basic or basic; ${BY_ITSELF}`;
    case 'access-denied':
      return `let the user watch the live video in the camera's settings, or wait half an hour if it was locked out; ${BY_ITSELF}; or give another user: ${login}`;
    case 'path-unknown':
      return `find the path of its stream in the camera's manual or its ONVIF settings; ${stop} SOURCE`;
    case 'request-refused':
    case 'stream-silent':
      return `restart the network camera, and see whether another player can watch it; ${BY_ITSELF}`;
    case 'connection-refused':
    case 'not-rtsp':
      return `enable RTSP in the camera's settings, and see which port it has there; if that differs, ${address}`;
    case 'tls-failed':
      return `enable RTSP over TLS in the camera's settings, or write rtsp: for rtsps: with the port of plain RTSP; ${address}`;
    case 'host-unknown':
      return `give the camera's address in place of its name; ${address}`;
    case 'host-unreachable':
    case 'host-silent':
    case 'connection-lost':
      return `see that the network camera has power and network, and that its address is still the same; ${BY_ITSELF}; if the address changed, ${address}`;
    case 'no-video':
      return another;
    case 'file-missing':
      return `put the file there and start this camera again; or ${another}`;
    case 'file-denied':
      return `let the user that capture runs as read the file (chmod a+r FILE) and reach its directory (chmod a+x DIRECTORY), and start this camera again`;
    case 'file-directory':
      return `name a file in it: ${stop} file:PATH`;
    case 'file-irregular':
      return `a camera is v4l2:/dev/videoN, and what is to be played is a file: ${stop} SOURCE`;
    case 'file-empty':
    case 'file-cut':
      return `copy the file again from where it came, whole, and start this camera again; or ${another}`;
    case 'file-unknown':
      return `see whether another player opens the file, and make an MP4 with H.264 of it; ${another}`;
    case 'file-failing':
      return `see what the kernel says of the disk (dmesg), copy the file to another, and ${another}`;
    case 'device-missing':
    case 'device-gone':
      return `plug the camera in again, at another port or with a shorter cable; ${BY_ITSELF}; if its number changed (ls -l /dev/v4l/by-id), ${another}`;
    case 'device-denied':
      return `put the user that capture runs as into the group video (usermod -aG video USER), and start this camera again`;
    case 'device-busy':
      return `end the other program (fuser -v /dev/video0 names it); ${BY_ITSELF}`;
    case 'device-not-capture':
    case 'device-colourless':
      return `take the node that gives pictures, most often the one with the lowest number (ls -l /dev/v4l/by-id: index0); ${another}`;
    case 'device-mode':
      return `leave format, size and rate out, or take what the camera has; ${another}`;
    case 'device-bandwidth':
      return `plug the camera in at a port of its own, or ask for less, as with ?format=mjpeg or ?size=640x480; ${another}`;
  }
}
