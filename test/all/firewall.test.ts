import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firewallRules, unitDropIn } from '../../agent/firewall/rules.ts';
import { leaveWord, WORD_EVERY_MS } from '../../agent/firewall/unreachable.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { cameraStatus, type Deployment } from '../../scripts/demonstration/deployment.ts';
import { CAMERA, SERVER, STRANGER, Wiretap } from '../no-way-in/lan.ts';
import { LanDeployment, requireRoot } from '../no-way-in/lan-deployment.ts';
import { DIALS_STRANGER, FOLLOWS_REDIRECTS, Shipment } from '../no-way-in/shipment.ts';
import { AGENT, CAPTURE, type RunningCamera, until } from '../no-way-in/test-deployment.ts';

/** How long whoever is shut out hears nothing. */
const SILENCE_MS = 1000;
/** Where the server moves to. */
const ELSEWHERE = '10.77.0.4';
requireRoot();
const users = [
  '--agent-user',
  `${AGENT.uid}:${AGENT.gid}`,
  '--capture-user',
  `${CAPTURE.uid}:${CAPTURE.gid}`,
];

const reachable = {
  agent: 1,
  capture: 2,
  server: { addresses: ['192.0.2.1', '2001:db8::1'], port: 8443 },
  resolvers: ['192.0.2.53'],
  lan: { addresses: ['192.0.2.7'], port: 554 },
};

test('the drop-in for the unit holds every address once', () => {
  expect(unitDropIn({ ...reachable, resolvers: ['192.0.2.1'] })).toBe(
    '[Service]\nIPAddressAllow=192.0.2.1\nIPAddressAllow=2001:db8::1\nIPAddressAllow=192.0.2.7\n',
  );
});

test('word that the server cannot be reached is left once, and again after a while', () => {
  const directory = mkdtempSync(join(tmpdir(), 'oriel-word-'));
  const path = join(directory, 'unreachable');
  let running = 0;
  const leave = leaveWord([path], { now: () => running, monotonic: () => running });
  const left = () => {
    leave();
    const there = existsSync(path);
    rmSync(path, { force: true });
    return there;
  };
  expect(left()).toBe(true);
  running = WORD_EVERY_MS - 1;
  expect(left()).toBe(false);
  running = WORD_EVERY_MS;
  expect(left()).toBe(true);
  rmSync(directory, { recursive: true });
  running *= 2;
  leave();
});

describe('on a camera', () => {
  let deployment: LanDeployment;
  let sound: Shipment;
  let broken: Shipment;
  let camera: RunningCamera | undefined;
  beforeAll(async () => {
    deployment = await LanDeployment.make();
    sound = new Shipment();
    broken = new Shipment(DIALS_STRANGER);
  });
  afterEach(() => camera?.destroy());
  afterAll(async () => {
    await deployment?.close();
    sound.remove();
    broken.remove();
  });

  /** As root's unit does it. */
  const apply = (directory = deployment.parts.cameraDirectory, ...more: readonly string[]) => {
    const state = ['--firewall-state', join(deployment.parts.directory, 'firewall')];
    deployment.lan.run(
      'camera',
      sound.oriel,
      'camera',
      'firewall',
      directory,
      ...users,
      ...state,
      '--apply',
      ...more,
    );
  };
  /** Whether a user on the camera reaches a TCP port in time: a refusal by the peer counts, silence does not. */
  const reaches = (who: { readonly uid: number }, host: string, port: number, patienceMs = 60_000) => {
    const code = `const [, host, port] = process.argv;
      const say = (answer) => { console.log(answer); process.exit(); };
      setTimeout(say, ${patienceMs}, 'no');
      require('node:net').connect(port, host, () => say('yes')).on('error', ({ code }) =>
        code === 'ECONNREFUSED' && say('yes'));`;
    const as = ['setpriv', `--reuid=${who.uid}`, `--regid=${who.uid}`, '--clear-groups', '--'];
    return (
      deployment.lan.run('camera', ...as, sound.node, '--eval', code, host, String(port)).trim() === 'yes'
    );
  };

  test('a build that dials elsewhere gets nowhere, and its recording goes on [TM-49]', async () => {
    apply();
    const wiretap = await Wiretap.on(deployment.lan, join(deployment.parts.directory, 'broken.pcap'));
    camera = deployment.startCamera(broken.oriel);
    await camera.captures(3);
    await camera.destroy();
    expect(await wiretap.destinations()).toEqual([`tcp ${SERVER.v4} 8443`, `udp ${SERVER.v4} 53`]);
  });

  test('agent and capture reach what each may, and nothing comes in', () => {
    const user = { uid: 61299 };
    expect(reaches(AGENT, SERVER.v4, 8443)).toBe(true);
    expect(reaches(AGENT, SERVER.v4, 22, SILENCE_MS)).toBe(false);
    expect(reaches(AGENT, STRANGER.v4, 8443, SILENCE_MS)).toBe(false);
    expect(reaches(CAPTURE, SERVER.v4, 8443, SILENCE_MS)).toBe(false);
    expect(reaches(user, SERVER.v4, 8443, SILENCE_MS)).toBe(false);
    expect(deployment.lan.run('stranger', 'nmap', '-n', '-Pn', '-p', '1-50', '-oG', '-', CAMERA.v4)).toMatch(
      /filtered \(50\)/,
    );
  });

  test('[FC-22] an agent that writes another server into its configuration reaches nobody else', () => {
    const { cameraDirectory } = deployment.parts;
    const path = join(cameraDirectory, 'camera.json');
    const config = readFileSync(path, 'utf8');
    const asAgent = ['setpriv', `--reuid=${AGENT.uid}`, `--regid=${AGENT.gid}`, '--clear-groups', '--'];
    const write = (text: string) =>
      deployment.lan.run('camera', ...asAgent, 'sh', '-c', 'printf %s "$2" >"$1"', 'sh', path, text);
    apply();
    const { server, ...rest } = JSON.parse(config);
    write(JSON.stringify({ ...rest, server: { ...server, origin: `https://${STRANGER.v4}:8443` } }));
    try {
      apply();
      expect(reaches(AGENT, STRANGER.v4, 8443, SILENCE_MS)).toBe(false);
      expect(reaches(AGENT, SERVER.v4, 8443)).toBe(true);
      // Control: the same, once root has been told to believe it.
      apply(cameraDirectory, '--adopt');
      expect(reaches(AGENT, STRANGER.v4, 8443)).toBe(true);
    } finally {
      write(config);
      apply(cameraDirectory, '--adopt');
    }
  });

  test('when the server moves, filling it again finds the new address', async () => {
    apply();
    expect(reaches(AGENT, STRANGER.v4, 8443, SILENCE_MS)).toBe(false);
    await deployment.resolveTo(STRANGER.v4);
    apply();
    expect(reaches(AGENT, STRANGER.v4, 8443)).toBe(true);
    expect(reaches(AGENT, SERVER.v4, 8443, SILENCE_MS)).toBe(false);
    await deployment.resolveTo(SERVER.v4);
  });

  test('a camera whose server has moved leaves word, and goes on as soon as the filter is filled again [TM-49]', async () => {
    apply();
    camera = deployment.startCamera(sound.oriel);
    const acknowledged = () => cameraStatus(deployment.parts as Deployment)?.acknowledgedSeconds ?? 0;
    await camera.captures(1);
    await until('it is heard', () => acknowledged() > 0);
    const [word = ''] = new CameraDirectory(deployment.parts.cameraDirectory).unreachable;
    expect(existsSync(word)).toBe(false);

    await deployment.moveServer(ELSEWHERE);
    await until('it leaves word', () => existsSync(word));
    const before = acknowledged();
    const ruleset = deployment.lan.run('camera', 'nft', 'list', 'table', 'inet', 'oriel');
    expect(ruleset).not.toContain(ELSEWHERE);
    apply();
    await until('it is heard again', () => acknowledged() > before);
    expect(await camera.end()).toBe(0);
    await deployment.moveServer(SERVER.v4);
  });

  test('a camera that is not set up yet reaches nobody', async () => {
    const { parts } = await deployment.blankCamera(sound.oriel);
    apply(parts.cameraDirectory);
    for (const who of [AGENT, CAPTURE]) expect(reaches(who, SERVER.v4, 8443, SILENCE_MS)).toBe(false);
  });

  test('control: without the filter everybody reaches everything', () => {
    deployment.lan.run('camera', 'nft', 'flush', 'ruleset');
    for (const who of [AGENT, CAPTURE]) expect(reaches(who, STRANGER.v4, 8443)).toBe(true);
  });

  describe('whose source sends it elsewhere', () => {
    const PORT = '8554';
    const source = `rtsp://${SERVER.v4}:${PORT}/lens`;
    let blind: Shipment;
    afterAll(() => blind.remove());
    beforeAll(async () => {
      // The filter has to hold by itself: this build does not end ffmpeg when that is sent elsewhere.
      blind = new Shipment(FOLLOWS_REDIRECTS);
      deployment.changeConfig({ source, lan: [SERVER.v4] });
      const script = join(import.meta.dirname, '../no-way-in/redirecting-camera.ts');
      const target = `rtsp://${STRANGER.v4}:${PORT}/lens`;
      const redirecting = [process.execPath, script, SERVER.v4, PORT, target];
      await once(deployment.lan.start('server', redirecting, 'pipe').stdout!, 'data');
    });

    /** To whom the camera sends at that port until it has given up the source once. */
    const destinations = async (name: string) => {
      const wiretap = await Wiretap.on(deployment.lan, join(deployment.parts.directory, `${name}.pcap`));
      camera = deployment.startCamera(blind.oriel);
      const failures = () => camera?.log.match(/"cause":"unprobed"/g)?.length ?? 0;
      const before = failures();
      await until('ffmpeg has been sent elsewhere', () => failures() > before);
      await camera.destroy();
      return (await wiretap.destinations()).filter((packet) => packet.endsWith(` ${PORT}`));
    };

    test('control: without the filter ffmpeg follows [TM-47]', async () => {
      deployment.lan.run('camera', 'nft', 'flush', 'ruleset');
      expect(await destinations('followed')).toEqual([
        `tcp ${SERVER.v4} ${PORT}`,
        `tcp ${STRANGER.v4} ${PORT}`,
      ]);
    });

    test('with it nothing leaves for there', async () => {
      apply(deployment.parts.cameraDirectory, '--adopt');
      expect(reaches(CAPTURE, SERVER.v4, Number(PORT))).toBe(true);
      expect(await destinations('refused')).toEqual([`tcp ${SERVER.v4} ${PORT}`]);
    });
  });

  test('rules for both families, with a camera on the network, are good nftables', () => {
    const rules = join(deployment.parts.directory, 'rules.nft');
    deployment.lan.run(
      'camera',
      'sh',
      '-c',
      'printf %s "$1" > "$2"; nft -c -f "$2"',
      'sh',
      firewallRules(reachable),
      rules,
    );
  });
});
