import { duration, minute, size } from '../../text/quantities.ts';
import { captureRemedy } from '../health/capture-remedy.ts';
import { type Facts, type FileFacts, fail, ok, unknown, type Verdict, warn } from './facts.ts';

/** What can be wrong with a camera's own files, clock and source. Pure. */

const DAY = 86_400_000;
const CERTIFICATE_ENDS_SOON_MS = 3 * DAY;
/** A server says whole seconds, some of them ago. */
const CLOCK_AGREES_MS = 5_000;
const NEARLY_FULL = 0.9;
/** Oriel is tried with 5.1 and 7.1. */
const OLDEST_FFMPEG = 5;

const octal = (mode: number) => mode.toString(8).padStart(3, '0');

export function checkDirectory({ directory, files }: Facts): Verdict {
  const { directory: facts, deviceKey } = files;
  if (facts === undefined)
    return fail('it is not there', 'oriel camera setup DIR --code FILE --source SOURCE');
  if ((facts.mode & 0o067) !== 0) {
    return fail(
      `its mode ${octal(facts.mode)} lets others in`,
      `chmod 700 ${directory} (710 with users of their own)`,
    );
  }
  if (deviceKey !== undefined && deviceKey.uid !== facts.uid) {
    return fail(
      `it is user ${facts.uid}'s, the key in it user ${deviceKey.uid}'s`,
      chown(facts.uid, directory),
    );
  }
  return ok(`mode ${octal(facts.mode)}, user ${facts.uid}'s`);
}

export function checkDeviceKey({ files: { deviceKey } }: Facts): Verdict {
  if (deviceKey === undefined)
    return fail('there is none', 'oriel camera setup DIR --code FILE --source SOURCE');
  return ownersAlone(deviceKey);
}

/** Configuration and pairing hold a LAN camera's password and a claim token. */
export function checkConfiguration({ files, config }: Facts): Verdict {
  if ('error' in config)
    return fail(config.error, 'correct camera.json, or set the camera up anew after oriel camera reset');
  for (const file of [files.config, files.pairing]) {
    const verdict = file === undefined ? undefined : ownersAlone(file);
    if (verdict !== undefined && verdict.result !== 'ok') return verdict;
  }
  return ok('readable for its owner alone');
}

function ownersAlone({ path, mode, uid }: FileFacts): Verdict {
  if ((mode & 0o077) !== 0)
    return fail(`${path} has mode ${octal(mode)}: others may read it`, `chmod 600 ${path}`);
  return ok(`mode ${octal(mode)}, user ${uid}'s`);
}

const chown = (uid: number, path: string) => `chown -R ${uid} ${path}`;

export function checkPins({ config }: Facts): Verdict {
  if ('error' in config) return unknown('the configuration cannot be read');
  const { pins } = config;
  const way = 'make the setup code with both pins that oriel server init printed';
  if (new Set(pins).size < pins.length) return warn('both pins are the same', way);
  if (pins.length < 2) return warn('there is no backup pin: a lost server key ends all connection', way);
  return ok('an active and a backup');
}

export function checkSetupCode({ files: { setupCode }, certificate }: Facts): Verdict {
  if (setupCode === undefined) return ok('none lies about');
  const way = `rm ${setupCode.path}`;
  if ((setupCode.mode & 0o077) !== 0)
    return fail(`it lies in ${setupCode.path}, and others may read it`, way);
  if (!certificate.claiming) return warn(`it lies in ${setupCode.path}, used up`, way);
  return ok('waits to be used');
}

export function checkCertificate({ certificate, clock }: Facts): Verdict {
  const { state, endsMs, claiming } = certificate;
  const certify = 'oriel server certify DIR --request FILE --out FILE';
  if (state === 'wrong') return fail('it cannot be read, or is of another key', certify);
  if (state === 'none' || endsMs === undefined) {
    const way = claiming ? 'run the camera: it enrols by itself' : certify;
    return warn('there is none yet', way);
  }
  const left = endsMs - (clock.serverMs ?? clock.trustedMs);
  const way = 'run the camera where it reaches its server: it renews it by itself';
  if (left <= 0) return fail(`it ended ${minute(endsMs)}`, way);
  if (left < CERTIFICATE_ENDS_SOON_MS) return warn(`it ends in ${duration(left)}`, way);
  return ok(`until ${minute(endsMs)}`);
}

export function checkClock({ clock: { machineMs, trustedMs, serverMs } }: Facts): Verdict {
  const way = 'set it, as with systemd-timesyncd; the camera works meanwhile, by its server’s time';
  if (machineMs < trustedMs) {
    return fail(`it says ${minute(machineMs)}, but ${minute(trustedMs)} is past`, way);
  }
  if (serverMs === undefined) return ok(`${minute(machineMs)}; the server has not been heard`);
  const apart = Math.abs(machineMs - serverMs);
  if (apart > CLOCK_AGREES_MS) return warn(`it is ${duration(apart)} apart from the server's`, way);
  return ok(`${minute(machineMs)}, as the server's`);
}

export function checkSpool({ directory, files, spool, config }: Facts): Verdict {
  const room = `make room on the disk of ${directory}`;
  if (spool.error !== undefined) return fail(spool.error, room);
  const owner = files.deviceKey?.uid;
  if (spool.uid !== undefined && owner !== undefined && spool.uid !== owner) {
    return fail(`it is user ${spool.uid}'s, not the camera's`, chown(owner, `${directory}/spool`));
  }
  if ('error' in config || spool.freeBytes === undefined) return unknown('its limits cannot be read');
  const { maxBytes, minFreeBytes } = config.spool;
  const free = `${size(spool.freeBytes)} are free`;
  if (spool.freeBytes < minFreeBytes) {
    return fail(`${free}, less than it has to leave (${size(minFreeBytes)}): footage is dropped`, room);
  }
  const used = spool.usedBytes ?? 0;
  const could = used + spool.freeBytes - minFreeBytes;
  if (used > NEARLY_FULL * Math.min(maxBytes, could)) {
    return warn(`nearly full: ${size(used)} of ${size(Math.min(maxBytes, could))}`, 'is the server away?');
  }
  if (could < maxBytes / 10) {
    return warn(`${free}: it can hold no more than ${size(could)} of its ${size(maxBytes)}`, room);
  }
  return ok(`${free}, it may hold ${size(Math.min(maxBytes, could))}`);
}

export function checkFfmpeg({ tools: { version, ffprobe, encoders } }: Facts): Verdict {
  if (version === undefined) return fail('ffmpeg cannot be run', 'apt-get install ffmpeg');
  if (!ffprobe) return fail('ffprobe cannot be run', 'apt-get install ffmpeg');
  if (encoders.length === 0) {
    const way = 'install an ffmpeg with libx264, as Debian builds it';
    return fail('ffmpeg has no H.264 encoder (libx264, h264_v4l2m2m)', way);
  }
  const major = /^n?(\d+)\./.exec(version)?.[1];
  if (major !== undefined && Number(major) < OLDEST_FFMPEG) {
    return warn(
      `ffmpeg ${version} is older than any that Oriel is tried with`,
      `install ${OLDEST_FFMPEG} or newer`,
    );
  }
  return ok(`${version}, ${encoders.join(', ')}`);
}

export function checkSource({ directory, config, source: facts }: Facts): Verdict {
  if ('error' in config) return unknown('the configuration cannot be read');
  const { source, sourceError } = config;
  const change = `stop the camera, then: oriel camera source ${directory} --source SOURCE`;
  if (source === undefined) return fail(sourceError ?? 'there is none', change);
  const name = source.describe();
  const trouble = facts?.trouble;
  if (trouble !== undefined) {
    return fail(`${name}: ${trouble.text}`, captureRemedy(trouble.code, directory, trouble.cause));
  }
  return ok(facts?.opened ? name : `${name}; whether a picture comes of it shows the status`);
}
