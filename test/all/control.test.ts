import { oriel } from '../../scripts/demonstration/oriel-command.ts';
import { breakBuild } from '../broken-build.ts';
import { TestDeployment } from '../e2e/test-deployment.ts';
import { until } from '../e2e/until.ts';

/** Control between the real processes, asked at the command line. */

async function ask(deployment: TestDeployment, what: string, ...options: string[]) {
  const { serverDirectory, cameraId } = deployment.parts;
  const camera = cameraId.slice(0, 6);
  return oriel('server', 'camera', 'ask', serverDirectory, camera, what, ...options);
}

async function askAll(deployment: TestDeployment, what: string, ...options: string[]) {
  return oriel('server', 'camera', 'ask-all', deployment.parts.serverDirectory, what, ...options);
}

test('a camera is asked how it is, by name of the request in both logs; absent, it is said to be', () =>
  TestDeployment.with({ source: 'test:' }, async (deployment) => {
    const before = await ask(deployment, 'ping', '--wait', '1');
    expect(before).toMatchObject({ code: 1, stdout: '' });
    expect(before.stderr).toMatch(/is offline; waiting up to 1 s for it\n/);
    expect(before.stderr).toMatch(/is offline \(since \d{4}-.*\) and did not come within 1 s; --wait/);

    deployment.launchCamera();
    const ping = await ask(deployment, 'ping', '--wait', '60', '--json');
    expect(ping.code).toBe(0);
    const { id, code, camera } = JSON.parse(ping.stdout);
    expect({ code, camera }).toEqual({ code: 'DONE', camera: deployment.parts.cameraId });
    for (const log of ['server', 'camera'] as const)
      expect(deployment.log(log)).toContain(`"request":"${id}"`);

    await deployment.records();
    const { stdout } = await ask(deployment, 'status', '--json');
    const { telemetry } = JSON.parse(stdout);
    expect(telemetry).toMatchObject({ state: 'running', capture: 'running', upload: { connected: true } });
    expect(telemetry.footage.capturedSeconds).toBeGreaterThan(0);
    expect(telemetry.machine.agentMemoryBytes).toBeGreaterThan(0);
    expect((await ask(deployment, 'status')).stdout).toMatch(
      /is there \(\d+ ms, request [0-9a-f]{16}\)\n {2}time/,
    );
    expect((await ask(deployment, 'refresh')).stdout).toMatch(/fetches what its owner has signed/);
    expect(await askAll(deployment, 'ping')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/is there .*\n1 of 1 cameras did it\n$/),
    });
    expect((await ask(deployment, 'reboot')).stderr).toMatch(/choices are ping, status, snapshot, refresh/);
    await until('a snapshot can be asked for', async () => (await ask(deployment, 'snapshot')).code === 0);

    await deployment.endCamera();
    expect((await ask(deployment, 'ping', '--wait', '1')).stderr).toMatch(
      /is offline \(since \d{4}-.*\) and did not come/,
    );
    const { code: missed, stdout: absent } = await askAll(deployment, 'refresh', '--json');
    expect(missed).toBe(1);
    expect(JSON.parse(absent)).toMatchObject({
      asked: 1,
      done: 0,
      cameras: [{ camera: deployment.parts.cameraId, code: 'CAMERA_OFFLINE' }],
    });
    await deployment.endServer();
    expect((await ask(deployment, 'ping')).stderr).toMatch(
      /no server runs on .*; start it: oriel server run/,
    );
  }));

/** The camera with a control that does not work. @returns seconds acknowledged after some were captured. */
async function goesOn(deployment: TestDeployment): Promise<number> {
  await deployment.startCamera();
  await until('control is in trouble', () => (deployment.status.control.trouble?.times ?? 0) >= 2);
  const { acknowledgedSeconds } = deployment.status;
  return until('more is acknowledged', () => {
    const gained = deployment.status.acknowledgedSeconds - acknowledgedSeconds;
    return gained >= 2 && gained;
  });
}

test('a server without control, or one that breaks it off at once, gets all the footage [TM-43]', async () => {
  const lacking = breakBuild({
    file: 'server/server.ts',
    from: 'new TlsServer(identity, judge, routes, log, limits.tls, broker)',
    to: 'new TlsServer(identity, judge, routes, log, limits.tls)',
  });
  const breaking = breakBuild({
    file: 'server/http/tls-server.ts',
    from: 'this.#control.accept(socket, client);',
    to: 'socket.end(Buffer.from([0x20, 0xff, 0xff, 0xff, 0xff, 0xff]));',
  });
  try {
    for (const { oriel: server } of [lacking, breaking]) {
      await TestDeployment.with({ source: 'test:', server }, async (deployment) => {
        expect(await goesOn(deployment)).toBeGreaterThanOrEqual(2);
      });
    }
  } finally {
    lacking.remove();
    breaking.remove();
  }
});

test('control: a camera whose recording hangs on control gets none [TM-43]', async () => {
  const server = breakBuild({
    file: 'server/server.ts',
    from: 'new TlsServer(identity, judge, routes, log, limits.tls, broker)',
    to: 'new TlsServer(identity, judge, routes, log, limits.tls)',
  });
  const camera = breakBuild({
    file: 'agent/control/control.ts',
    from: '      const code = this.#trouble.note(error);\n',
    to: '      const code = this.#trouble.note(error);\n      throw error;\n',
  });
  try {
    await TestDeployment.with(
      { source: 'test:', server: server.oriel, camera: camera.oriel },
      async (deployment) => {
        deployment.launchCamera();
        await until('the agent ends', () => /agent ended; starting it again/.test(deployment.log('camera')));
      },
    );
  } finally {
    server.remove();
    camera.remove();
  }
});
