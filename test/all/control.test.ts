import { oriel } from '../../scripts/demonstration/oriel-command.ts';
import { breakBuild } from '../broken-build.ts';
import { Home } from '../e2e/test-deployment.ts';
import { until } from '../e2e/until.ts';

/** Control between the real processes, asked at the command line. */

async function ask(home: Home, what: string, ...options: string[]) {
  const { serverDirectory, cameraId } = home.household;
  const camera = cameraId.slice(0, 6);
  return oriel('server', 'cameras', serverDirectory, 'ask', camera, what, ...options);
}

async function askAll(home: Home, what: string, ...options: string[]) {
  return oriel('server', 'cameras', home.household.serverDirectory, 'ask', '--all', what, ...options);
}

test('a camera is asked how it is, by name of the request in both logs; absent, it is said to be', () =>
  Home.with({ source: 'test:' }, async (home) => {
    const before = await ask(home, 'ping', '--wait', '1');
    expect(before).toMatchObject({ code: 1, stdout: '' });
    expect(before.stderr).toMatch(/is offline; waiting up to 1 s for it\n/);
    expect(before.stderr).toMatch(/is offline \(since \d{4}-.*\) and did not come within 1 s; --wait/);

    home.launchCamera();
    const ping = await ask(home, 'ping', '--wait', '60', '--json');
    expect(ping.code).toBe(0);
    const { id, code, camera } = JSON.parse(ping.stdout);
    expect({ code, camera }).toEqual({ code: 'DONE', camera: home.household.cameraId });
    for (const log of ['server', 'camera'] as const) expect(home.log(log)).toContain(`"request":"${id}"`);

    await home.records();
    const { stdout } = await ask(home, 'status', '--json');
    const { telemetry } = JSON.parse(stdout);
    expect(telemetry).toMatchObject({ state: 'running', capture: 'running', upload: { connected: true } });
    expect(telemetry.footage.capturedSeconds).toBeGreaterThan(0);
    expect(telemetry.machine.agentMemoryBytes).toBeGreaterThan(0);
    expect((await ask(home, 'status')).stdout).toMatch(/is there \(\d+ ms, request [0-9a-f]{16}\)\n {2}time/);
    expect((await ask(home, 'refresh')).stdout).toMatch(/fetches what its owner has signed/);
    expect(await askAll(home, 'ping')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/is there .*\n1 of 1 cameras did it\n$/),
    });
    expect((await ask(home, 'reboot')).stderr).toMatch(/usage: .* ping\|status\|snapshot\|refresh/);
    await until('a snapshot can be asked for', async () => (await ask(home, 'snapshot')).code === 0);

    await home.endCamera();
    expect((await ask(home, 'ping', '--wait', '1')).stderr).toMatch(
      /is offline \(since \d{4}-.*\) and did not come/,
    );
    const { code: missed, stdout: absent } = await askAll(home, 'refresh', '--json');
    expect(missed).toBe(1);
    expect(JSON.parse(absent)).toMatchObject({
      asked: 1,
      done: 0,
      cameras: [{ camera: home.household.cameraId, code: 'CAMERA_OFFLINE' }],
    });
    await home.endServer();
    expect((await ask(home, 'ping')).stderr).toMatch(/no server runs on .*; start it: oriel server run/);
  }));

/** The camera with a control that does not work. @returns seconds acknowledged after some were captured. */
async function goesOn(home: Home): Promise<number> {
  await home.startCamera();
  await until('control is in trouble', () => (home.status.control.trouble?.times ?? 0) >= 2);
  const { acknowledgedSeconds } = home.status;
  return until('more is acknowledged', () => {
    const gained = home.status.acknowledgedSeconds - acknowledgedSeconds;
    return gained >= 2 && gained;
  });
}

test('a server without control, or one that breaks it off at once, gets all the footage', async () => {
  const lacking = breakBuild({
    file: 'server/server.ts',
    from: 'new Gate(identity, judge, routes, log, GATE_LIMITS, broker)',
    to: 'new Gate(identity, judge, routes, log, GATE_LIMITS)',
  });
  const breaking = breakBuild({
    file: 'server/http/tls-server.ts',
    from: 'this.#control.accept(socket, client);',
    to: 'socket.end(Buffer.from([0x20, 0xff, 0xff, 0xff, 0xff, 0xff]));',
  });
  try {
    for (const { oriel: server } of [lacking, breaking]) {
      await Home.with({ source: 'test:', server }, async (home) => {
        expect(await goesOn(home)).toBeGreaterThanOrEqual(2);
      });
    }
  } finally {
    lacking.remove();
    breaking.remove();
  }
});

test('control: a camera whose recording hangs on control gets none', async () => {
  const server = breakBuild({
    file: 'server/server.ts',
    from: 'new Gate(identity, judge, routes, log, GATE_LIMITS, broker)',
    to: 'new Gate(identity, judge, routes, log, GATE_LIMITS)',
  });
  const camera = breakBuild({
    file: 'agent/control/control.ts',
    from: '      const code = this.#trouble.note(error);\n',
    to: '      const code = this.#trouble.note(error);\n      throw error;\n',
  });
  try {
    await Home.with({ source: 'test:', server: server.oriel, camera: camera.oriel }, async (home) => {
      home.launchCamera();
      await until('the agent ends', () => /agent ended; starting it again/.test(home.log('camera')));
    });
  } finally {
    server.remove();
    camera.remove();
  }
});
