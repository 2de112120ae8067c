import { BASE, GOP_15, GOP_60, HEVC, type NumberedClip, OTHER_SIZE, REFRESH, SLOW_RATE } from './clips.ts';
import { credentialsOf } from './credentials.ts';
import type { Faults } from './faults.ts';

/** Network cameras with the faults that cameras have; and what is right for each. */

export interface NetworkSource {
  readonly name: string;
  readonly clip: NumberedClip;
  /** Another clip that `switchTo` names by its file in the corpus. */
  readonly other?: NumberedClip;
  /** True frames a second, if not the clip's. */
  readonly fps?: number;
  readonly faults?: Faults;
  readonly audio?: true;
  /** In the URL, before the host. */
  readonly userInfo?: string;
  /** How long it is filmed, from the first PLAY on. */
  readonly seconds: number;
  readonly right: NetworkRight | NetworkRefusal;
}

export interface NetworkRight {
  /** Seconds of it that are in the film at least; those that are not are in the sum of gaps. */
  readonly covers: number;
  readonly mode?: 'copy' | 'encode';
  /** Sound is in the last film. */
  readonly sound?: boolean;
  readonly sizes?: readonly string[];
  /** What status says that it is recorded without, and why. */
  readonly givenUp?: string;
  /** How far dates alone may be off, seconds; `apart`, if not given. */
  readonly dated?: number;
  /** How far dates and sums of time may be off, seconds; 0.75 and 1, if not given. */
  readonly apart?: number;
  /** What runs may have ended with; with nothing, if not given. */
  readonly causes?: readonly string[];
}

/** Nothing can be recorded; what is said of that. */
export interface NetworkRefusal {
  readonly says: RegExp;
}

export const isRefused = (right: NetworkRight | NetworkRefusal): right is NetworkRefusal => 'says' in right;

/** Of the clips, seconds: so much of a wrong rate may be recorded before it is found out. */
const GOP = 2;
/** A restart costs the time to dial, to probe and to the next keyframe. */
const RESTART = 5;
const jumped = (name: string, faults: Faults): NetworkSource => ({
  ...{ name, clip: BASE, faults, seconds: 20 },
  right: { covers: 20 - 2 * RESTART, causes: ['time', 'stalled', 'exited'] },
});

export const NETWORK_SOURCES: readonly NetworkSource[] = [
  {
    name: '[FC-65] a GOP of 60 s, joined in its midst',
    ...{ clip: GOP_60, faults: { offset: 22 }, seconds: 60 },
    right: { covers: 18, causes: ['gop'] },
  },
  {
    name: '[FC-65] a GOP of 15 s, joined in its midst',
    ...{ clip: GOP_15, faults: { offset: 5 }, seconds: 30 },
    right: { covers: 12 },
  },
  {
    name: '[FC-64] sound that stops',
    ...{ clip: BASE, faults: { audio: 'stops', audioStopsAt: 6 }, audio: true, seconds: 30 },
    right: { covers: 30 - RESTART, causes: ['stalled', 'sound'] },
  },
  {
    name: '[FC-64] sound for a second of each 12',
    ...{ clip: BASE, faults: { audio: 'sparse' }, audio: true, seconds: 30 },
    right: { covers: 30 - RESTART, causes: ['stalled', 'sound'] },
  },
  {
    name: '[FC-64] sound that is described and never comes',
    ...{ clip: BASE, faults: { audio: 'dead' }, audio: true, seconds: 25 },
    right: { covers: 12, mode: 'copy', givenUp: 'sound: silent' },
  },
  {
    name: 'sound that comes',
    ...{ clip: BASE, faults: { audio: 'pcma' }, audio: true, seconds: 12 },
    right: { covers: 8, mode: 'copy', sound: true, dated: 0.3 },
  },
  {
    name: '[FC-62] one frame in 3 s stamped 9,800 s early',
    ...{ clip: BASE, faults: { blip: { everySeconds: 3, bySeconds: -9800 } }, seconds: 24 },
    right: { covers: 24 - 2 * RESTART, causes: ['time', 'stalled', 'exited'] },
  },
  {
    name: '[FC-62] one frame in 3 s stamped 9,800 s late',
    ...{ clip: BASE, faults: { blip: { everySeconds: 3, bySeconds: 9800 } }, seconds: 24 },
    right: { covers: 24 - 2 * RESTART, causes: ['time', 'stalled', 'exited'] },
  },
  {
    name: '[FC-62] one frame in 4 s stamped 2 s early',
    ...{ clip: BASE, faults: { blip: { everySeconds: 4, bySeconds: -2 } }, seconds: 20 },
    right: { covers: 20 - 2 * RESTART, causes: ['time', 'stalled', 'exited'] },
  },
  jumped('[FC-62] a jump forth by 100 s', { jumps: [{ atSeconds: 5, bySeconds: 100 }] }),
  jumped('[FC-62] a jump back by 100 s', { jumps: [{ atSeconds: 5, bySeconds: -100 }] }),
  jumped('[FC-62] jumps forth and back by 7 s', {
    jumps: [
      { atSeconds: 5, bySeconds: 7 },
      { atSeconds: 12, bySeconds: -7 },
    ],
  }),
  {
    name: '[FC-63] 20 frames/s stamped as 25',
    ...{ clip: BASE, fps: 20, faults: { stampFps: 25 }, seconds: 24 },
    right: { covers: 24 - 2 * RESTART, causes: ['time'], apart: GOP },
  },
  {
    name: '[FC-63] 25 frames/s stamped as 20',
    ...{ clip: BASE, faults: { stampFps: 20 }, seconds: 24 },
    right: { covers: 24 - 2 * RESTART, causes: ['time'], apart: GOP },
  },
  {
    name: '[FC-66] one session, free 3 s after its end',
    ...{ clip: BASE, faults: { oneSession: 3 }, seconds: 20 },
    right: { covers: 11, causes: ['unprobed', 'exited'] },
  },
  {
    name: '[FC-69] a new size in the stream',
    ...{
      clip: BASE,
      other: OTHER_SIZE,
      faults: { restartPerClient: true, switchTo: { file: OTHER_SIZE.file, atSeconds: 8 } },
      seconds: 20,
    },
    right: { covers: 20 - 2 * RESTART, sizes: ['160x90', '320x180'], causes: ['size', 'rubbish', 'time'] },
  },
  {
    name: '[FC-71] 25 frames/s, as they have to be',
    ...{ clip: BASE, seconds: 12 },
    right: { covers: 8, mode: 'copy' },
  },
  {
    name: '[FC-71] 5 frames/s',
    ...{ clip: SLOW_RATE, seconds: 14 },
    right: { covers: 5, mode: 'copy' },
  },
  {
    name: '[FC-71] each client gets the clip from its beginning',
    ...{ clip: BASE, faults: { restartPerClient: true }, seconds: 10 },
    right: { covers: 6, mode: 'copy' },
  },
  {
    name: 'H.265',
    ...{ clip: HEVC, faults: { restartPerClient: true }, seconds: 12 },
    right: { covers: 7, mode: 'encode' },
  },
  {
    name: 'no parameter sets in the description',
    ...{ clip: BASE, faults: { noParameterSets: true }, seconds: 12 },
    right: { covers: 8, mode: 'copy' },
  },
  {
    name: 'intra refresh',
    ...{ clip: REFRESH, seconds: 20 },
    right: { covers: 12 },
  },
  {
    name: 'a metadata track on which nothing comes',
    ...{ clip: BASE, faults: { metadata: true }, seconds: 12 },
    right: { covers: 4, mode: 'copy' },
  },
  {
    name: 'sender reports',
    ...{
      clip: BASE,
      faults: { senderReports: { atSeconds: 0, bySeconds: 0 }, audio: 'pcma' },
      audio: true,
      seconds: 14,
    },
    right: { covers: 9, mode: 'copy', sound: true },
  },
  {
    name: 'sender reports whose clock steps by an hour',
    ...{
      clip: BASE,
      faults: { senderReports: { atSeconds: 6, bySeconds: 3600 }, audio: 'pcma' },
      audio: true,
      seconds: 20,
    },
    right: { covers: 20 - 2 * RESTART, causes: ['time', 'stalled', 'sound'] },
  },
  {
    name: 'connections that die after 6 s, refused for 3 s',
    ...{ clip: BASE, faults: { dies: { afterSeconds: 6, forSeconds: 3 } }, seconds: 24 },
    right: { covers: 8, causes: ['exited', 'unprobed', 'stalled'] },
  },
  {
    name: 'silence for 7 s, connections open',
    ...{ clip: BASE, faults: { mute: { afterSeconds: 6, forSeconds: 7 } }, seconds: 24 },
    right: { covers: 8, causes: ['stalled', 'exited', 'unprobed', 'time'] },
  },
  {
    name: 'a camera that takes 6 s to answer',
    ...{ clip: BASE, faults: { slowStart: 4 }, seconds: 20 },
    right: { covers: 12, mode: 'copy' },
  },
  {
    name: 'a Digest password with @, # and / in it',
    clip: BASE,
    faults: { credentials: credentialsOf('eve:p@s#w/rd', 'md5') },
    userInfo: 'eve:p%40s%23w%2Frd@',
    seconds: 10,
    right: { covers: 6, mode: 'copy' },
  },
  {
    name: '[FC-75] UDP only (461)',
    ...{ clip: BASE, faults: { udpOnly: true }, seconds: 6 },
    right: { says: /461.*TCP|TCP.*461|over TCP/is },
  },
  {
    name: '[FC-75] a session that is taken by another (453)',
    ...{ clip: BASE, faults: { oneSession: 1e6 }, seconds: 6 },
    right: { says: /453.*(session|client|bandwidth)|(session|client).*453/is },
  },
  {
    name: '[FC-75] a digest of SHA-256',
    clip: BASE,
    faults: { credentials: credentialsOf('eve:secret', 'sha256') },
    userInfo: 'eve:secret@',
    seconds: 6,
    right: { says: /SHA-256|digest|algorithm/i },
  },
  {
    name: '[FC-75] a wrong password',
    clip: BASE,
    faults: { credentials: credentialsOf('eve:secret', 'md5') },
    userInfo: 'eve:wrong@',
    seconds: 6,
    right: { says: /401|password|refuse/i },
  },
];
