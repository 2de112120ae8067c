import { describe, expect, test } from '@jest/globals';
import { CameraClock } from '../../agent/clock/camera-clock.ts';
import { utf8 } from '../../crypto/bytes.ts';
import { judgeChain } from '../../crypto/chain.ts';
import { CrashDisk } from '../faults/crash-disk.ts';

const at = (text: string) => Date.parse(`${text}Z`);
const httpDate = (timeMs: number) => new Date(timeMs).toUTCString();
const RELEASE = at('2026-11-21T00:00');
const HOUR = 3_600_000;

/** The machine's clocks, turned by hand: the wall clock may jump, the other one only goes on. */
class Machine {
  wall: number;
  #monotonic = 1000;

  constructor(wall: number) {
    this.wall = wall;
  }
  now = () => this.wall;
  monotonic = () => this.#monotonic;
  sleep = () => Promise.resolve();
  pass(ms: number): void {
    this.#monotonic += ms;
    this.wall += ms;
  }
}

const open = (machine: Machine, disk = new CrashDisk(), releaseTimeMs = RELEASE) =>
  CameraClock.open({ clock: machine, disk, path: '/time.json', releaseTimeMs });

test('[FC-25] a server seven days on moves no date of a synchronised machine, and is shown; of another it does [TM-24]', async () => {
  const machine = new Machine(at('2027-01-01T00:00'));
  let synchronised: boolean | undefined = true;
  const clock = await CameraClock.open({
    clock: machine,
    disk: new CrashDisk(),
    path: '/time.json',
    releaseTimeMs: RELEASE,
    synchronised: () => synchronised,
  });
  const lie = machine.wall + 7 * 24 * HOUR;
  clock.hearServer(httpDate(lie));
  expect([clock.now(), clock.source, clock.serverApartMs]).toEqual([machine.wall, 'machine', 7 * 24 * HOUR]);
  // Control: where nothing says that the clock is right, the server's word is all there is.
  for (synchronised of [false, undefined]) {
    expect([clock.now(), clock.source, clock.serverApartMs]).toEqual([lie, 'server', undefined]);
  }
});

describe('trusted time', () => {
  test.each(['1970-01-01T00:00', '2026-12-01T00:00', '2099-01-01T00:00'])(
    'begins at the release and rises with running time, with the machine at %s',
    async (wall) => {
      const machine = new Machine(at(wall));
      const clock = await open(machine);
      expect(clock.trustedMs).toBe(RELEASE);
      machine.pass(HOUR);
      expect(clock.trustedMs).toBe(RELEASE + HOUR);
      machine.wall = at('2050-01-01T00:00');
      expect(clock.trustedMs).toBe(RELEASE + HOUR);
    },
  );

  test('is not moved by a server, whatever it says', async () => {
    const machine = new Machine(at('2027-01-01T00:00'));
    const clock = await open(machine);
    for (const lie of ['1980-01-01T00:00', '2099-01-01T00:00']) {
      clock.hearServer(httpDate(at(lie)));
      expect(clock.trustedMs).toBe(RELEASE);
    }
  });

  test('moves on with what the release keys signed, and never back [KEY-14 rotated]', async () => {
    const clock = await open(new Machine(0));
    clock.trust(RELEASE + 30 * 24 * HOUR);
    expect(clock.trustedMs).toBe(RELEASE + 30 * 24 * HOUR);
    clock.trust(RELEASE);
    expect(clock.trustedMs).toBe(RELEASE + 30 * 24 * HOUR);
  });

  test('[FC-12] is not moved by what was signed by a clock that was certainly wrong [TM-25]', async () => {
    const clock = await open(new Machine(0));
    for (const time of ['2099-01-01T00:00', '2037-01-01T00:00', '1970-01-01T00:00']) {
      clock.trust(at(time));
      expect(clock.trustedMs).toBe(RELEASE);
    }
    clock.trust(at('2035-01-01T00:00'));
    expect(clock.trustedMs).toBe(at('2035-01-01T00:00'));
  });

  test('survives a restart but for less than an hour, and an older build does not set it back [KEY-14 rotated]', async () => {
    const disk = new CrashDisk();
    const machine = new Machine(0);
    const clock = await open(machine, disk);
    await clock.keep();
    for (let minute = 0; minute < 200; minute++) {
      machine.pass(60_000);
      await clock.keep();
    }
    const restarted = await open(new Machine(0), disk.state.reboot('power cut'), RELEASE - 100 * HOUR);
    expect(restarted.trustedMs).toBeGreaterThan(RELEASE + 200 * 60_000 - HOUR);
    expect(restarted.trustedMs).toBeLessThanOrEqual(RELEASE + 200 * 60_000);
  });

  test('is written once an hour at most, and when asked to', async () => {
    let renames = 0;
    const disk = new CrashDisk({
      onCall({ name }) {
        if (name === 'rename') renames += 1;
      },
    });
    const machine = new Machine(0);
    const clock = await open(machine, disk);
    for (let second = 0; second < 2 * 3600; second++) {
      machine.pass(1000);
      await clock.keep();
    }
    expect(renames).toBeLessThanOrEqual(3);
    machine.pass(1000);
    await clock.keep(true);
    expect((await open(new Machine(0), disk)).trustedMs).toBe(clock.trustedMs);
  });

  test.each(['', '{', '{"version":1,"trustedMs":-1}', '{"version":2,"trustedMs":5}', 'x'.repeat(5000)])(
    'a file that holds none counts as none: %#',
    async (text) => {
      const disk = new CrashDisk();
      disk.place('/time.json', utf8(text));
      expect((await open(new Machine(0), disk)).trustedMs).toBe(RELEASE);
    },
  );
});

describe('display time', () => {
  test('with the machine at 1970: trusted time, and the server as soon as it is heard', async () => {
    const machine = new Machine(0);
    const clock = await open(machine);
    machine.pass(5000);
    expect([clock.now(), clock.source]).toEqual([RELEASE + 5000, 'trusted']);
    const right = at('2027-01-01T00:00');
    clock.hearServer(httpDate(right));
    machine.pass(90_000);
    expect([clock.now(), clock.source]).toEqual([right + 90_000, 'server']);
  });

  test('goes on by itself when the machine is put right', async () => {
    const machine = new Machine(at('2099-01-01T00:00'));
    const clock = await open(machine);
    const right = at('2027-01-01T00:00');
    clock.hearServer(httpDate(right));
    expect(clock.now()).toBe(right);
    machine.wall = right + 400;
    expect([clock.now(), clock.source]).toEqual([right + 400, 'machine']);
  });

  test('no answer of the server, no change', async () => {
    const machine = new Machine(at('2027-01-01T00:00'));
    const clock = await open(machine);
    for (const text of [undefined, '', 'yesterday']) clock.hearServer(text);
    expect([clock.serverMs, clock.source]).toEqual([undefined, 'machine']);
  });
});

/** What the camera's clock leaves a verdict to depend on. */
describe('a certificate that ended in 2030', () => {
  const expiry = at('2030-01-01T00:00');
  const certificate = {
    pin: 'sha256/A',
    key: { type: 'ec', curve: 'prime256v1' },
    signatureAlgorithm: 'ecdsa-with-SHA256',
    extensions: [],
    names: () => true,
    isSignedBy: () => true,
    isFor: () => true,
  };
  const chain = [
    { ...certificate, ca: false, extendedKeyUsage: ['1.3.6.1.5.5.7.3.1'], notAfterMs: expiry },
    { ...certificate, ca: true, extendedKeyUsage: undefined, notAfterMs: at('2056-01-01T00:00') },
  ];
  const verdict = (clock: CameraClock) =>
    judgeChain({
      chain,
      host: 'h',
      pins: ['sha256/A'],
      trustedTimeMs: clock.trustedMs,
      usage: 'serverAuth',
    });

  test.each(['1970-01-01T00:00', '2027-01-01T00:00', '2099-01-01T00:00'])(
    'is accepted with the machine at %s, and with a server that lies [TM-24]',
    async (wall) => {
      const clock = await open(new Machine(at(wall)));
      expect(verdict(clock)).toMatchObject({ verdict: 'accepted' });
      clock.hearServer(httpDate(at('2099-01-01T00:00')));
      expect(verdict(clock)).toMatchObject({ verdict: 'accepted' });
    },
  );

  test('control: by the clock of a machine at 2099 it would be refused', async () => {
    const clock = await open(new Machine(at('2099-01-01T00:00')));
    const byDisplay = judgeChain({
      chain,
      host: 'h',
      pins: ['sha256/A'],
      trustedTimeMs: clock.now(),
      usage: 'serverAuth',
    });
    expect(byDisplay).toMatchObject({ verdict: 'refused', code: 'EXPIRED' });
  });

  test('is refused once a release of 2031 is known, with the machine at 1970 too', async () => {
    const clock = await open(new Machine(0), new CrashDisk(), at('2031-01-01T00:00'));
    clock.hearServer(httpDate(at('2027-01-01T00:00')));
    expect(verdict(clock)).toMatchObject({ verdict: 'refused', code: 'EXPIRED' });
  });
});
