import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type Breakage, type BrokenBuild, breakBuild } from '../broken-build.ts';
import { until } from '../e2e/until.ts';
import { ObservedLife } from '../secrets/observed-life.ts';
import { scalarOf, secretsOfCode } from '../secrets/secrets.ts';
import { type Secret, sweep } from '../secrets/sweep.ts';

/**
 * Every secret that there is, looked for in everything that a camera and its server leave behind in a life with all
 * kinds of trouble. docs/evidence/keys.md says where each may lie, and it lies nowhere else.
 */

const LIMIT_MS = 240_000;
/** A fault that nobody foresaw, when somebody sends it SIGUSR2. */
const FAULT = {
  file: 'agent/agent.ts',
  from: '  uplink.start();\n',
  to: `  uplink.start();
  process.once('SIGUSR2', () => { throw new Error('a fault that nobody foresaw'); });\n`,
};
const builds: BrokenBuild[] = [];
const build = (...breakages: readonly Breakage[]) => {
  const broken = breakBuild(...breakages);
  builds.push(broken);
  return broken.oriel;
};
afterAll(() => {
  for (const each of builds) each.remove();
});

/** Makes viewing key and server. */
async function begin(life: ObservedLife): Promise<void> {
  await life.oriel(['keys', 'new', life.key, '--days', '2']);
  await life.oriel(['server', 'init', life.serverDirectory, '--host', '127.0.0.1']);
  await life.startServer();
}

/** Sets a camera up with the RTSP source. @returns secrets that it has for itself. */
async function pair(life: ObservedLife): Promise<Secret[]> {
  const { at, key, serverDirectory, cameraDirectory, planted } = life;
  const { pin } = JSON.parse(readFileSync(join(serverDirectory, 'run', 'server.json'), 'utf8'));
  const server = ['--server', `https://127.0.0.1:${life.serverPort}`, '--pin', pin];
  const wifi = ['--wifi', 'a network', '--wifi-password-file', '-'];
  const said = await life.oriel(
    ['keys', 'pair', key, ...server, ...wifi, '--out', at('setup-code'), '--json'],
    `${planted.wifi}\n`,
  );
  await life.oriel(['server', 'camera', 'claim', serverDirectory, JSON.parse(said).claim]);
  const setup = ['camera', 'setup', cameraDirectory, '--code', at('setup-code')];
  await life.oriel(
    [...setup, '--source', '-', '--lan', `127.0.0.1:${life.rtspPort}`],
    life.source(planted.rtsp.password),
  );
  life.look('set up');
  return [
    ...(await secretsOfCode(readFileSync(at('setup-code'), 'utf8'))),
    { name: 'device key', bytes: scalarOf(readFileSync(join(cameraDirectory, 'device.key'), 'utf8')) },
  ];
}

/** Lets the camera in. @returns the agent that records. */
async function accept(life: ObservedLife): Promise<number> {
  life.startCamera();
  await until('its certificate', () => life.status?.enrolment.state === 'enrolled');
  await life.oriel(['keys', 'accept', life.key, '--server-dir', life.serverDirectory]);
  return life.records(undefined, 2);
}

test.concurrent(
  'no secret is anywhere but where it belongs: logs, programs, packets, crashes, files [TM-57] [KEY where]',
  () =>
    ObservedLife.with({ camera: build(FAULT) }, async (life) => {
      const { at, key, serverDirectory, cameraDirectory, planted } = life;
      let ofCamera: Secret[] = [];
      await begin(life);
      await life.observingPackets(async () => {
        ofCamera = await pair(life);
        let agent = await accept(life);
        expect(life.dumpLimits).toEqual(new Set(['00000000 0']));
        life.crash('ffmpeg', 'SIGABRT');
        life.crash('agent', 'SIGSEGV');
        agent = await life.records(agent);
        life.crash('capture', 'SIGSEGV');
        life.crash('agent', 'SIGUSR2');
        agent = await life.records(agent);
        life.crash('server', 'SIGABRT');
        await life.serverGone();
        life.look('running, the server crashed');
        await life.startServer();
        await until('the backlog', () => (life.status?.heldSeconds ?? 99) < 3);
        await life.endCamera();

        await life.oriel(
          ['camera', 'source', cameraDirectory, '--source', '-'],
          life.source(planted.wrongRtsp),
        );
        life.startCamera();
        await until('the password is refused', () => life.capture?.lastError?.line.includes('401'));
        await life.ask(['camera', 'status', cameraDirectory]);
        await life.ask(['camera', 'status', cameraDirectory, '--json']);
        await life.endCamera();
        await life.oriel(['server', 'camera', 'list', serverDirectory, '--json']);
        await life.ask(['footage', 'list', serverDirectory, '--key', key]);
      });
      await life.endServer();
      life.look('ended');
      const secrets = [...(await life.secrets()), ...ofCamera];
      await life.oriel(['camera', 'reset', cameraDirectory, '--yes']);
      life.look('reset');
      life.lookAtTheRest();

      const sizes = new Map(life.haystacks.map(({ name, bytes }) => [name, bytes.length]));
      expect(sizes.get('packets of the server, decrypted')).toBeGreaterThan(100_000);
      expect(sizes.get('programs started')).toBeGreaterThan(20_000);
      expect(life.capture).toBeNull();
      expect(life.log('camera')).toContain('a fault that nobody foresaw');
      expect(life.coreDumps).toEqual([]);
      expect(new Set(secrets.map(({ name }) => name))).toEqual(new Set(EVERY_SECRET));
      const identity = (when: string) =>
        KEYS_OF_SERVER.map((name) => `${when}: server/identity/${name}: ${name}`);
      const camera = (when: string) => [
        `${when}: camera/device.key: device key`,
        `${when}: camera/wifi.json: Wi-Fi password`,
      ];
      expect(sweep(life.haystacks, secrets)).toEqual(
        [
          ...camera('set up'),
          'set up: camera/camera.json: RTSP password',
          'set up: camera/pairing.json: claim token',
          ...camera('running, the server crashed'),
          'running, the server crashed: camera/camera.json: RTSP password',
          ...camera('ended'),
          'ended: camera/camera.json: wrong RTSP password',
          ...['set up', 'running, the server crashed', 'ended', 'reset'].flatMap(identity),
          // To its server, within TLS, and once.
          'packets of the server, decrypted: claim token',
          // RTSP's own way to show it (RFC 2326, section 14).
          'packets of the RTSP camera: RTSP password',
          'packets of the RTSP camera: wrong RTSP password',
        ].sort(),
      );
      expect(sweep([{ name: 'viewing key', bytes: readFileSync(key) }], secrets)).toEqual(
        ['viewing identity', 'day key 0', 'day key 1', 'pairing secret']
          .map((name) => `viewing key: ${name}`)
          .sort(),
      );
      expect(sweep([{ name: 'code', bytes: readFileSync(at('setup-code')) }], secrets)).toEqual([
        'code: Wi-Fi password',
        'code: pairing secret',
      ]);
    }),
  LIMIT_MS,
);

const KEYS_OF_SERVER = ['backup-ca.key', 'camera-ca.key', 'server-ca.key', 'server.key'];
const EVERY_SECRET = [
  ...['RTSP password', 'wrong RTSP password', 'Wi-Fi password', 'pairing secret', 'claim token', 'proof key'],
  ...['device key', 'session secret', 'segment key', 'viewing identity', 'day key 0', 'day key 1'],
  ...KEYS_OF_SERVER,
];

/** Each of these lets a secret out at another place. */
const LEAKS: readonly Breakage[] = [
  {
    file: 'crypto/session.ts',
    from: '  const secret = primitives.random(SESSION_SECRET_LENGTH);\n',
    to: '  const secret = primitives.random(SESSION_SECRET_LENGTH);\n  console.error({ secret });\n',
  },
  {
    file: 'crypto/segment-key.ts',
    from: '  return split(primitives.hkdf(secret,',
    to: '  console.error(JSON.stringify(split(primitives.hkdf(secret, concat(INFO, header), 23))));\n  return split(primitives.hkdf(secret,',
  },
  {
    file: 'agent/capture/sources/rtsp.ts',
    from: '  describe(): string {\n',
    to: '  describe(): string {\n    if (this.scheme) return this.url();\n',
  },
  {
    file: 'launcher/launcher.ts',
    from: "capture: { name: 'capture', env: {}, ...same }",
    to: "capture: { name: 'capture', env: { SOURCE: options.plan.source }, ...same }",
  },
  {
    file: 'agent/pairing/enrolment-client.ts',
    from: '      accept: CERTS_ONLY_TYPE,\n',
    to: "      accept: CERTS_ONLY_TYPE,\n      'x-debug': device.key.export({ format: 'jwk' }).d ?? '',\n",
  },
  {
    file: 'agent/pairing/setup-camera.ts',
    from: '  await shred(disk, directory.setupCode);\n',
    to: "  (await import('node:fs')).writeFileSync(directory.run + '-debug', JSON.stringify(code));\n",
  },
  {
    file: FAULT.file,
    from: FAULT.from,
    to: FAULT.to.replace("foresaw'", "foresaw', { cause: camera.device }"),
  },
  { file: 'oriel', from: 'ulimit -c 0 2>/dev/null || :\n', to: '' },
  { file: 'oriel', from: '{ echo 0 >/proc/self/coredump_filter; } 2>/dev/null || :\n', to: '' },
];
const LEAK_OF_SERVER: Breakage = {
  file: 'server/enrolment/routes.ts',
  from: "}, 'enrolled');",
  to: ", header: request.headers.authorization }, 'enrolled');",
};

const FOUND = [
  'log/camera: session secret',
  'log/camera: segment key',
  'log/camera: device key',
  'log/server: claim token',
  'output of camera status: RTSP password',
  'running: camera/run/capture/capture.json: RTSP password',
  'running: camera/run-debug: pairing secret',
  'running: server/registry.db-wal: claim token',
  'programs started: RTSP password',
  'programs started: claim token',
  'packets of the server: Wi-Fi password',
  'packets of the server, decrypted: device key',
  'core dump: device key',
];

test.concurrent(
  'control: a secret let out is found in every one of these places [TM-57]',
  () =>
    ObservedLife.with({ camera: build(...LEAKS), server: build(LEAK_OF_SERVER) }, async (life) => {
      const { serverDirectory, cameraDirectory, planted } = life;
      let ofCamera: Secret[] = [];
      await begin(life);
      await life.observingPackets(async () => {
        ofCamera = await pair(life);
        const agent = await accept(life);
        expect(life.dumpLimits).toContain('00000033 unlimited');
        life.crash('agent', 'SIGSEGV');
        await life.records(agent);
        life.crash('agent', 'SIGUSR2');
        await life.ask(['camera', 'status', cameraDirectory]);
        const token = ofCamera.find(({ name }) => name === 'claim token')?.bytes ?? [];
        const [{ id }] = JSON.parse(
          await life.oriel(['server', 'camera', 'list', serverDirectory, '--json']),
        ).cameras;
        const name = Buffer.from(token).toString('base64');
        await life.oriel(['server', 'camera', 'name', serverDirectory, id, name]);
        await sendInTheClear(life.serverPort, planted.wifi);
        life.look('running');
        await life.endCamera();
      });
      await life.endServer();
      life.lookAtTheRest();
      const secrets = [...(await life.secrets()), ...ofCamera];
      const seen = sweep(life.haystacks, secrets).map((each) =>
        each.replace(/^core dump\S* /, 'core dump: '),
      );
      expect(FOUND.filter((each) => !seen.includes(each))).toEqual([]);
    }),
  LIMIT_MS,
);

/** Says something at a port, and waits until the other end has had enough. */
async function sendInTheClear(port: number, text: string): Promise<void> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  socket.resume().end(text);
  await once(socket, 'close');
}
