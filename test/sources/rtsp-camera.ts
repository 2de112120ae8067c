import { parseArgs } from 'node:util';
import { type Credentials, credentialsOf } from './credentials.ts';
import type { Faults } from './faults.ts';
import { type NetworkCameraOptions, openNetworkCamera } from './network-camera.ts';

/**
 * A network camera as a process of its own: `node rtsp-camera.ts CLIP [OPTION…]`. It prints one JSON line for each event
 * (CameraEvent of network-camera.ts), `ready` with its port first, and runs until SIGTERM.
 */

const HELP = `usage: node rtsp-camera.ts CLIP [OPTION…]

CLIP is .h264, .hevc, or what ffmpeg copies to that.

  --port N, --bind ADDRESS  0 and 127.0.0.1 otherwise
  --hevc, --fps N           25 otherwise
  --stamp-fps N             frame rate that the timestamps claim
  --no-sprop                no parameter sets in the description
  --switch CLIP@S           from S on that clip
  --offset S                so much of the clip is over at the start
  --restart-per-client      each client gets the clip from its beginning
  --jump S:D                from S after PLAY on timestamps are D off; several
  --blip EVERY:D            one frame in EVERY seconds is stamped D off
  --audio pcma|dead|stops|sparse, --audio-stops-at S
  --meta                    a metadata track
  --sr S:D                  sender reports; from S on their clock is D off (0:0: never)
  --one-session S           one session at a time, free S after its end
  --basic, --digest, --sha256 USER:PASSWORD
  --udp-only
  --keepalive S             closes after S without a request
  --die UP:DOWN             closes connections UP after PLAY, refuses for DOWN
  --mute FROM:FOR           sends nothing from FROM after PLAY on, FOR so long
  --slow-start S            answers DESCRIBE after S
  --redirect URL
  --options JSON            NetworkCameraOptions of network-camera.ts, instead of all others
  --night SEED              another fault each --episode S (20), with --other-size CLIP and --long-gop CLIP
`;

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...{ port: text, bind: text, fps: text, 'stamp-fps': text, hevc: flag, 'no-sprop': flag, switch: text },
    ...{ offset: text, 'restart-per-client': flag, jump: { type: 'string', multiple: true }, blip: text },
    ...{ audio: text, 'audio-stops-at': text, meta: flag, sr: text, 'one-session': text, basic: text },
    ...{ digest: text, sha256: text, 'udp-only': flag, keepalive: text, die: text, mute: text },
    ...{
      'slow-start': text,
      redirect: text,
      night: text,
      episode: text,
      'other-size': text,
      'long-gop': text,
    },
    ...{ options: text, help: { type: 'boolean', short: 'h' } },
  },
});

const HOURS = 12;
const [file] = positionals;
if (values.help === true || (file === undefined && values.options === undefined)) {
  process.stdout.write(HELP);
  process.exit(values.help === true ? 0 : 2);
}
const options: NetworkCameraOptions =
  values.options === undefined ? optionsOf(file ?? '') : JSON.parse(values.options);
const camera = await openNetworkCamera(options, (event) => {
  process.stdout.write(`${JSON.stringify(event)}\n`);
});
process.once('SIGTERM', () => {
  camera.close().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
// Nobody is there any more to read what is told.
process.stdout.on('error', () => process.exit(0));

function optionsOf(clip: string): NetworkCameraOptions {
  const { night, bind } = values;
  return {
    file: clip,
    hevc: values.hevc === true,
    port: number(values.port) ?? 0,
    faults: defined(faults()),
    ...(bind !== undefined && { address: bind }),
    ...(values.fps !== undefined && { fps: Number(values.fps) }),
    ...(night !== undefined && {
      night: {
        seed: Number(night),
        episodeSeconds: number(values.episode) ?? 20,
        lasts: HOURS * 3600,
        otherSize: values['other-size'] ?? clip,
        longGop: values['long-gop'] ?? clip,
      },
    }),
  };
}

function faults() {
  const [other, at] = values.switch?.split('@') ?? [];
  const jumps = (values.jump ?? []).map((jump) => shift(jump));
  return {
    stampFps: number(values['stamp-fps']),
    noParameterSets: values['no-sprop'],
    switchTo: other === undefined ? undefined : { file: other, atSeconds: Number(at) },
    offset: number(values.offset),
    restartPerClient: values['restart-per-client'],
    jumps: jumps.length === 0 ? undefined : jumps,
    blip: pair(values.blip, (everySeconds, bySeconds) => ({ everySeconds, bySeconds })),
    audio: values.audio as Faults['audio'],
    audioStopsAt: number(values['audio-stops-at']),
    metadata: values.meta,
    senderReports: values.sr === undefined ? undefined : shift(values.sr),
    oneSession: number(values['one-session']),
    credentials: credentials(),
    udpOnly: values['udp-only'],
    keepAlive: number(values.keepalive),
    dies: pair(values.die, (afterSeconds, forSeconds) => ({ afterSeconds, forSeconds })),
    mute: pair(values.mute, (afterSeconds, forSeconds) => ({ afterSeconds, forSeconds })),
    slowStart: number(values['slow-start']),
    redirect: values.redirect === undefined ? undefined : { to: values.redirect, from: 1 },
  };
}

/** Those that are given. */
function defined(options: { [Name in keyof Faults]: Faults[Name] | undefined }): Faults {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function credentials(): Credentials | undefined {
  const { basic, digest, sha256 } = values;
  if (basic !== undefined) return credentialsOf(basic, 'basic');
  if (digest !== undefined) return credentialsOf(digest, 'md5');
  return sha256 === undefined ? undefined : credentialsOf(sha256, 'sha256');
}

function number(given: string | undefined): number | undefined {
  return given === undefined ? undefined : Number(given);
}

function pair<T>(given: string | undefined, make: (first: number, second: number) => T): T | undefined {
  const [first, second] = given?.split(':') ?? [];
  return first === undefined ? undefined : make(Number(first), Number(second));
}

function shift(given: string) {
  const [at, by] = given.split(':');
  return { atSeconds: Number(at ?? 0), bySeconds: Number(by ?? 0) };
}
